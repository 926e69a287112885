"""Tasks of one's own in a file: what may stand in it, and that what is wrong is named by its entry and field."""

import json
from dataclasses import asdict, replace

import pytest

from mtl_keras.datasets.csv_file import csv_file
from mtl_keras.datasets.task_file import add_tasks_of, write_task_file
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, GENDER, TASKS, Task

HAT = {"name": "hat", "kind": "categorical", "classes": ["no", "yes"]}
pytestmark = pytest.mark.usefixtures("no_new_tasks")


def write(folder, value):
    path = folder / "tasks.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_what_is_written_comes_back(tmp_path):
    tasks = [
        Task("hat", "categorical", classes=("no", "ja, größer"), class_weights=(1.0, 2.5)),
        Task("height", "regression", unit="cm", center=170.0, scale=10.0, range=(0.0, 300.0), within=5.0),
        Task("pose", "angle", outputs=("yaw", "roll"), unit="degrees", oriented=True),
    ]
    path = tmp_path / "new" / "tasks.json"
    write_task_file(tasks, path)
    assert add_tasks_of(path) == tasks == [TASKS[task.name] for task in tasks]
    # Again, as when two files lie side by side, and as a model's sidecar holds them.
    assert add_tasks_of(write(tmp_path, {"tasks": [asdict(task) for task in tasks]})) == tasks


def test_the_librarys_own_tasks_may_be_named_but_not_mean_something_else(tmp_path):
    learned = asdict(replace(AGE, label_std=2.0))
    assert add_tasks_of(write(tmp_path, [learned, asdict(GENDER)])) == [AGE, GENDER]
    other = {"name": "gender", "kind": "categorical", "classes": ["f", "m"]}
    with pytest.raises(UserError, match=r"entry 1 \('gender'\): .*defined already, with another classes"):
        add_tasks_of(write(tmp_path, [other]))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("[{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ({"hat": 1}, "expected a list of tasks, such as"),
        ([], "expected a list of tasks, such as"),
        (["hat"], "entry 1: is 'hat'; expected an object"),
        ([HAT, {"name": "cap"}], "entry 2 ('cap'): kind: is missing; expected a text"),
        ([{"kind": "regression"}], "entry 1: name: is missing"),
        ([{**HAT, "klasses": []}], "entry 1 ('hat'): klasses: no such field; expected some of name, kind"),
        ([{**HAT, "classes": "no"}], "entry 1 ('hat'): classes: is \"no\"; expected a list of texts"),
        ([{**HAT, "classes": [0, 1]}], "classes: is [0, 1]; expected a list of texts"),
        ([{**HAT, "classes": ["no"]}], "entry 1 ('hat'): task 'hat': a task of kind 'categorical' needs at least two"),
        ([{**HAT, "classes": ["a", "a"]}], "classes has 'a' twice"),
        ([{**HAT, "kind": "binary"}], "kind 'binary' is unknown; expected one of angle, categorical"),
        ([{**HAT, "center": "1"}], 'center: is "1"; expected a number'),
        ([{**HAT, "scale": True}], "scale: is true; expected a number"),
        ([{**HAT, "range": [0, None]}], "range: is [0, null]; expected a list of numbers"),
        ([{**HAT, "oriented": 1}], "oriented: is 1; expected true or false"),
        ([{**HAT, "name": 3}], "entry 1: name: is 3; expected a text"),
        ([{**HAT, "name": "hat size"}], "entry 1 ('hat size'): task 'hat size': expected a name of letters"),
        ('[{"name": "h", "kind": "regression", "center": NaN}]', "center: is NaN; expected a number"),
        ([HAT, HAT], "entry 2 ('hat'): name: an entry before has it"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, value, says):
    path = write(tmp_path, value)
    with pytest.raises(UserError) as caught:
        add_tasks_of(path)
    assert str(caught.value).startswith(f"{path}: ") and says in str(caught.value)
    assert "\n" not in str(caught.value) and "hat" not in TASKS or len(value) == 2


def test_a_missing_file_is_one_line(tmp_path, one_line):
    with one_line("no-file.json: cannot be read", tmp_path):
        add_tasks_of(tmp_path / "no-file.json")


def test_a_task_file_beside_a_csv_file_names_its_columns(tmp_path):
    write(tmp_path, [HAT])
    (tmp_path / "a.jpg").touch()
    (tmp_path / "my.csv").write_text("path,hat,note\na.jpg,yes,x\n")
    assert csv_file(tmp_path / "my.csv")["hat"].tolist() == ["yes"]
    # A definition that a model brought along and that means the same holds, another is an error.
    TASKS["hat"] = replace(TASKS["hat"], class_weights=(1.0, 2.0))
    assert csv_file(tmp_path)["hat"].tolist() == ["yes"] and TASKS["hat"].class_weights
    write(tmp_path, [{**HAT, "classes": ["yes", "no"]}])
    with pytest.raises(UserError, match="tasks.json: entry 1 .*defined already, with another classes"):
        csv_file(tmp_path)

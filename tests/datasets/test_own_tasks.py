"""What a column of a CSV file of one's own is to learn, and why it is left out where that is not clear."""

import pandas as pd
import pytest

from mtl_keras.datasets.own_tasks import described, inferred, inferred_task, unknown_columns
from mtl_keras.tasks import Task


def cells(*texts, times=1):
    return pd.Series([*texts] * times)


@pytest.mark.parametrize(
    ("texts", "classes"),
    [
        (["yes", "no"], ("no", "yes")),
        (["True", "False"], ("False", "True")),
        (["1", "0"], ("0", "1")),
        # As pandas writes a column with blanks.
        (["1.0", "0.0"], ("0", "1")),
        (["2", "10", "-1"], ("-1", "2", "10")),
        (["02", "10", "01"], ("01", "02", "10")),
        (["S", "M", "L", "XL"], ("L", "M", "S", "XL")),
        (["none", "unknown"], ("none", "unknown")),
    ],
)
def test_few_texts_or_whole_numbers_are_classes(texts, classes):
    assert inferred_task("hat", cells(*texts, times=10)) == Task("hat", "categorical", classes=classes)


def test_numbers_are_a_regression_with_their_mean_and_spread():
    heights = [150.5, 171.25, 180.0, 164.0, 190.5] * 3
    task = inferred_task("Body height", cells(*map(str, heights)))
    spread = pd.Series(heights).std()
    assert (task.name, task.kind, task.center, task.scale) == ("Body_height", "regression", 171.2, round(spread, 2))
    # Whole numbers of which there are too many for classes.
    assert inferred_task("cars", cells(*map(str, range(11)), times=9)).kind == "regression"
    assert inferred_task("cars", cells(*map(str, range(10)), times=9)).classes == tuple(map(str, range(10)))


@pytest.mark.parametrize(
    ("texts", "center"),
    [
        (["160-170", "170-180", "70+"], 136.7),  # the middles, and the end of the open one
        (["160 - 170", "171.5"], 168.2),
        (["0.5\u20130.7", "1.5-2"], 1.175),
    ],
)
def test_intervals_are_a_regression_too(texts, center):
    task = inferred_task("height", cells(*texts, times=9))
    assert (task.kind, task.center) == ("regression", center) and task.scale > 0


def test_texts_that_only_look_like_intervals_are_classes():
    for texts in (["3-2", "1-0", "2-2"], ["01-02", "01-03"], ["2020-01", "2020-02"]):
        assert inferred_task("result", cells(*texts, times=9)).kind == "categorical"


@pytest.mark.parametrize(
    ("column", "texts", "says"),
    [
        ("note", [f"text {number}" for number in range(40)], "40 cells hold 40 different texts"),
        ("shop", [f"shop {number}" for number in range(31)] * 5, "155 cells hold 31 different texts"),
        ("hat", ["yes"] * 20, "all its 20 cells are 'yes'"),
        ("hat", ["1", "1.0"] * 10, "all its 20 cells are 1"),
        ("hat", ["yes", "no"] * 4, "only 8 of its cells are filled"),
        ("number", [str(number) for number in range(40)], "each of its cells is another whole number"),
        ("code", [f"123-{4567 + n}" for n in range(20)], "is another interval, as codes such as '123-4567'"),
        ("taken", ["2020-01-02", "2020-01-03"] * 9, "dates or times, such as '2020-01-02'"),
        ("taken", ["2.1.2020 10:30", "13.12.2020 9:00"] * 9, "dates or times"),
        ("taken", ["20200102", "20211231"] * 9, "dates or times"),
        ("taken", ["10:30", "9:00 pm"] * 9, "dates or times"),
        ("person_id", ["1", "2", "3"] * 9, "by its name it tells rows, files or people apart; a column `group`"),
        ("personId", ["a", "b", "c"] * 9, "by its name"),
        ("hat", ["yes", "no", "n/a"] * 9, "it holds 'n/a'; leave the cells of images without a label empty"),
        ("height", ["1.5", "NaN", "2.5"] * 9, "it holds 'NaN'"),
        ("height", ["1.5", "tall", "2.5"] * 9, "it holds numbers, but also 'tall'"),
        ("height", ["1,5", "2,25", "3"] * 9, "its numbers have a comma, such as '1,5'"),
        ("height", ["1.5", "inf", "2.5"] * 9, "it holds numbers, but also 'inf'"),
        ("hat", ["Yes", "no", "yes"] * 9, "it spells one word as 'Yes' and as 'yes'"),
        ("hat", ["no", "hat,hat"] * 9, "its cell 'hat,hat' seems to hold several answers; give each its own column"),
        ("height", ["10-20", "5-25"] * 9, "all its 18 cells are about 15: there is nothing to tell apart"),
        ("Größe", ["1.5", "2.5"] * 9, "expected a name of letters"),
        ("loss", ["1.5", "2.5"] * 9, "expected a name of letters"),
        ("2nd", ["1.5", "2.5"] * 9, "expected a name of letters"),
    ],
)
def test_what_is_not_clear_is_left_out_with_the_reason(column, texts, says):
    tasks, left_out = inferred({column: cells(*texts)})
    assert not tasks and says in left_out[column]


def test_a_column_nearly_called_as_a_task_beside_it_is_left_out():
    tasks, left_out = inferred({"Age ": cells("1", "2", times=9)})
    assert not tasks and left_out["Age "] == "another column is called 'age', which means the same; keep one of them"


def test_two_columns_of_one_name_are_one_task():
    tasks, left_out = inferred({"hat color": cells("red", "blue", times=9), "hat_color": cells("a", "b", times=9)})
    assert [*tasks] == ["hat color"] and "another column is called hat_color" in left_out["hat_color"]


def test_the_columns_of_several_files_are_one(tmp_path):
    (tmp_path / "a.csv").write_text("path,age,Gender,hat,,split\na.jpg,1,male,yes,0,train\nb.jpg,,,,1,\n")
    (tmp_path / "b.csv").write_text("hat,path,note,note\n no,c.jpg,x,y\n")
    columns = unknown_columns([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert {name: found.tolist() for name, found in columns.items()} == {"hat": ["yes", "", "no"]}


def test_what_is_chosen_is_told():
    stars = inferred_task("stars", cells("1", "2", "3", times=9))
    assert described(stars, cells(*"123" * 9, *[""] * 973)) == (
        "stars: 3 classes (1, 2, 3), 27 of 1,000 images labelled; few different whole numbers count as classes"
    )
    height = inferred_task("height", cells("1.5", "2.5", times=9))
    said = described(height, cells("1.5", "2-3", times=9))
    assert said == (
        "height: a number, about 2 with a standard deviation of 0.5145, 9 of the labels are intervals, 18 of 18 images "
        "labelled"
    )

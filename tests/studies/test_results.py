"""What is written is what was measured, and nothing half-written ever takes the place of something good."""

import csv
import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data import audit
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.studies import provenance, results
from mtl_keras.tasks import AGE, ETHNICITY, GENDER, HEAD_POSE

TASKS = [AGE, GENDER, ETHNICITY]


def row(run: str, tasks: str = "age, gender", stage: str = "fine-tuned", **figures: float) -> dict:
    return {"run": run, "tasks": tasks, "stage": stage} | {name.replace("_", "."): v for name, v in figures.items()}


ROWS = [
    row("guess", stage="baseline", age_rmse=20.0, age_mae=15.0, gender_accuracy=0.52) | {"parameters": 0, "seconds": 0},
    row("article", stage="reported", age_rmse=5.0, gender_accuracy=0.94118) | {"megabytes": 478},
    row("age alone", "age", age_rmse=6.3, age_rmse_low=6.1, age_rmse_high=6.54, age_mae=4.42)
    | {"seconds": 5312.4, "images_per_second": 321.4},
    row("both, frozen", stage="frozen", age_rmse=6.204, age_mae=4.4, gender_accuracy=0.94) | {"parameters": 1_234_567},
    row("both", age_rmse=6.201, age_mae=np.nan, gender_accuracy=0.9412)
    | {"gender.accuracy.low": 0.93, "gender.accuracy.high": 0.95},
]


def table_cells(text: str, heading: str) -> dict[str, dict[str, str]]:
    """Parse the Markdown table whose first heading this is, by the first cell of its rows."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {heading} "))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    names, rule, *body = rows
    assert all(set(cell) <= set("-:") for cell in rule) and {len(cells) for cells in rows} == {len(names)}
    return {cells[0]: dict(zip(names, cells, strict=True)) for cells in body}


# === runs.csv ===


def test_runs_come_back_as_they_were_written(tmp_path):
    assert results.write_runs(ROWS, tmp_path / "new" / "folder") == tmp_path / "new" / "folder" / "runs.csv"
    runs = results.read_runs(tmp_path / "new" / "folder").set_index("run")
    assert list(runs.index) == [item["run"] for item in ROWS]
    for item in ROWS:
        for column in set(runs.columns):
            value = item.get(column)
            missing = value is None or value != value
            assert pd.isna(runs.loc[item["run"], column]) if missing else runs.loc[item["run"], column] == value


def test_a_run_is_replaced_in_its_place_and_others_stay_to_the_digit(tmp_path):
    tricky = {"run": "old", "seed": 7, "age.mae": 0.1 + 0.2, "notes": 'a "quoted", cell\nin two lines'}
    results.write_runs([tricky, {"run": "again", "seed": 0, "age.mae": 5.0}], tmp_path)
    new = {"run": "new", "tasks": ["age", "gender"]}
    results.write_runs([{"run": "again", "age.mae": np.float32(4.25)}, new], tmp_path)
    with open(tmp_path / "runs.csv", newline="") as file:
        rows = {cells["run"]: cells for cells in csv.DictReader(file)}
    assert list(rows) == ["old", "again", "new"]
    assert rows["old"]["age.mae"] == "0.30000000000000004" and rows["old"]["seed"] == "7"
    assert rows["old"]["notes"] == tricky["notes"]
    assert rows["again"]["age.mae"] == "4.25" and rows["again"]["seed"] == ""
    assert rows["new"]["tasks"] == "age, gender"


def test_columns_stand_in_the_same_order_however_rows_arrive(tmp_path):
    figures = {"gender.accuracy": 0.9, "age.mae.high": 5.0, "age.mae": 4.0, "age.mae.low": 3.0, "age.cs5": 0.7}
    figures["width"] = 3
    results.write_runs([{"run": "a", **figures}, {"run": "b"}], tmp_path / "one")
    results.write_runs([{"run": "b"}], tmp_path / "two")
    results.write_runs([dict(reversed(figures.items())) | {"run": "a"}], tmp_path / "two")
    expected = ["width", "age.cs5", "age.mae", "age.mae.low", "age.mae.high", "gender.accuracy"]
    for folder in ("one", "two"):
        assert list(results.read_runs(tmp_path / folder)) == [*results.RUN_COLUMNS, *expected]


def test_the_table_says_what_the_seconds_were_measured_on(tmp_path):
    for name, device in (("a", "NVIDIA H200"), ("b", "CPU"), ("c", None)):
        results.write_runs([{"run": name, "stage": "frozen", "device": device}], tmp_path)
    assert "Seconds and images/s: on CPU or NVIDIA H200." in results.write_markdown(tmp_path, [AGE])
    results.write_runs([{"run": "a", "stage": "frozen"}], tmp_path / "unknown")
    assert "Seconds and" not in results.write_markdown(tmp_path / "unknown", [AGE])


@pytest.mark.parametrize("name", ["1", "007", "nan", "None", "NA", "ä|b", "two, three"])
def test_run_names_are_never_taken_for_numbers_or_blanks(tmp_path, name):
    results.write_runs([{"run": name, "age.mae": 1.0}], tmp_path)
    results.write_runs([{"run": name, "age.mae": 2.0}], tmp_path)
    assert results.read_runs(tmp_path)[["run", "age.mae"]].to_numpy().tolist() == [[name, 2.0]]


def test_percents_in_place_of_fractions_are_refused(tmp_path):
    for column in ("gender.accuracy", "gender.accuracy.high"):
        with pytest.raises(UserError, match="94.8.*expected a fraction"):
            results.write_runs([{"run": "a", column: 94.8}], tmp_path)
    assert not list(tmp_path.iterdir())


DAMAGED = ["", "\x00", "name,value\na,1\n", "run\na,b\nc,d,e\n", "run,tasks,backbone,stage\na,b,c,d,e\n", 'run\n"a\n']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_named_and_kept(tmp_path, content):
    path = tmp_path / "runs.csv"
    path.write_text(content)
    for attempt in (lambda: results.write_runs([{"run": "a"}], tmp_path), lambda: results.read_runs(tmp_path)):
        with pytest.raises(UserError, match="runs.csv: damaged") as raised:
            attempt()
        assert "\n" not in str(raised.value)
    assert path.read_text() == content


# === Files that cannot be written ===


DIFFERENCE = {"run": "a", "baseline": "b", "metric": "age.mae", "difference": 0.5, "low": 0.4, "high": 0.6}


def write_everything(folder: Path) -> dict:
    return {
        "runs.csv": lambda: results.write_runs([{"run": "b", "age.mae": 2.0}], folder),
        "differences.csv": lambda: results.write_differences([DIFFERENCE | {"run": "b"}], folder),
        "table.md": lambda: results.write_markdown(folder, TASKS, ["changed"]),
        "run.json": lambda: provenance.write_run_json(folder, {"seconds": 2}),
        "skipped.csv": lambda: audit.write_skipped([{"path": "b.jpg", "reason": "empty"}], folder / "skipped.csv"),
    }


def earlier_results(folder: Path) -> dict[str, bytes]:
    results.write_runs([{"run": "a", "age.mae": 1.0}], folder)
    results.write_differences([DIFFERENCE], folder)
    results.write_markdown(folder, TASKS)
    provenance.write_run_json(folder, {"seconds": 1})
    audit.write_skipped([], folder / "skipped.csv")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["runs.csv", "differences.csv", "table.md", "run.json", "skipped.csv"])
@pytest.mark.parametrize("fails", ["while writing", "while replacing"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch, name, fails):
    before = earlier_results(tmp_path)
    assert name in before

    def full(*arguments, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def half(target, *arguments, **settings):
        Path(target).write_bytes(b"half")
        full()

    if fails == "while replacing":
        monkeypatch.setattr(os, "replace", full)
    elif name.endswith(".csv"):
        monkeypatch.setattr(pd.DataFrame, "to_csv", lambda table, target, **settings: half(target))
    else:
        monkeypatch.setattr(Path, "write_text", lambda target, *arguments, **settings: half(target))
    with pytest.raises(UserError, match="No space left on device") as raised:
        write_everything(tmp_path)[name]()
    assert "\n" not in str(raised.value) and str(tmp_path / name) in str(raised.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["runs.csv", "differences.csv", "run.json", "skipped.csv"])
def test_a_file_where_the_folder_should_be_is_an_error(tmp_path, name):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(UserError, match="results.*cannot be (written|read)|cannot read .*results"):
        write_everything(tmp_path / "results")[name]()
    assert (tmp_path / "results").read_text() == "a file" and len(list(tmp_path.iterdir())) == 1


def test_an_interrupted_writing_leaves_the_old_file(tmp_path):
    (tmp_path / "figure.png").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "figure.png") as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path, "only within one folder can a file be moved at once"
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    assert (tmp_path / "figure.png").read_text() == "old"


# === table.md ===


def test_the_table_has_every_figure_with_its_interval(tmp_path):
    results.write_runs(ROWS, tmp_path)
    text = results.write_markdown(tmp_path, TASKS)
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == text
    cells = table_cells(text, "run")
    columns = ["run", "tasks", "age RMSE", "age MAE", "gender %", "ethnicity %"]
    assert list(cells["both"]) == [*columns, "parameters (millions)", "size (MB)", "seconds", "images/s"]
    assert list(cells["guess"].values()) == [
        "guess",
        "age, gender",
        "20.00",
        "15.00",
        "52.00",
        "–",
        "0.00",
        "–",
        "0",
        "–",
    ]
    assert list(cells["article"].values()) == [
        "article",
        "age, gender",
        "5.00",
        "–",
        "94.12",
        "–",
        "–",
        "478.0",
        "–",
        "–",
    ]
    assert cells["age alone"]["age RMSE"] == "6.30 [6.10, 6.54]" and cells["age alone"]["seconds"] == "5,312"
    assert cells["age alone"]["images/s"] == "321"
    assert cells["both"]["gender %"] == "**94.12** [93.00, 95.00]"
    assert cells["both, frozen"]["parameters (millions)"] == "1.23"


def test_exactly_the_best_measured_figures_are_bold(tmp_path):
    results.write_runs(ROWS, tmp_path)
    cells = table_cells(results.write_markdown(tmp_path, TASKS), "run")
    bold = {(run, name) for run, named in cells.items() for name, cell in named.items() if cell.startswith("**")}
    # 6.204 and 6.201 both read 6.20; the article's 5.00 is better and its 94.12 as good, but not measured here.
    best = {("both", "age RMSE"), ("both, frozen", "age RMSE"), ("both, frozen", "age MAE"), ("both", "gender %")}
    assert bold == best


def test_runs_are_grouped_by_stage_and_number_of_tasks(tmp_path):
    results.write_runs(ROWS[::-1], tmp_path)
    cells = table_cells(results.write_markdown(tmp_path, TASKS), "run")
    groups = ["*baseline*", "guess", "*reported elsewhere*", "article", "*single-task*", "age alone", "*multi-task*"]
    assert list(cells) == [*groups, "both", "both, frozen"]


def test_other_tasks_get_columns_by_their_kind(tmp_path):
    results.write_runs([row("pose", "head_pose") | {"head_pose.geodesic": 3.456, "head_pose.roll_mae": 5.0}], tmp_path)
    text = results.write_markdown(tmp_path, [HEAD_POSE])
    cells = table_cells(text, "run")["pose"]
    assert cells["head pose geodesic error"] == "**3.46**" and cells["head pose roll MAE"] == "**5.00**"
    assert "head pose in degrees" in text


def test_differences_say_which_way_they_point(tmp_path):
    results.write_runs(ROWS, tmp_path)
    differences = [
        ("age.mae", -0.1, -0.18, -0.02, "-0.10 [-0.18, -0.02]", "better"),
        ("age.rmse", 0.2, 0.1, 0.3, "+0.20 [+0.10, +0.30]", "worse"),
        ("gender.accuracy", 0.012, 0.004, 0.02, "+1.20 [+0.40, +2.00]", "better"),
        ("ethnicity.accuracy", -0.012, -0.02, -0.004, "-1.20 [-2.00, -0.40]", "worse"),
        ("age.cs5", 0.01, -0.01, 0.03, "+1.00 [-1.00, +3.00]", "neither, clearly"),
        ("gender.macro_f1", 0.01, np.nan, np.nan, "+1.00", "–"),
    ]
    rows = [(f"r{number}", "alone", *difference[:4]) for number, difference in enumerate(differences)]
    results.write_differences([dict(zip(results.DIFFERENCE_COLUMNS, cells, strict=True)) for cells in rows], tmp_path)
    cells = table_cells(results.write_markdown(tmp_path, TASKS), "run | against")
    for number, (*_, shown, verdict) in enumerate(differences):
        assert cells[f"r{number}"]["difference"] == shown and cells[f"r{number}"]["multi-task is"] == verdict
    assert cells["r2"]["figure"] == "gender %" and cells["r0"]["figure"] == "age MAE"


def test_a_table_without_differences_or_rows_and_with_notes(tmp_path):
    results.write_runs([], tmp_path)
    text = results.write_markdown(tmp_path, TASKS, ["2,371 test\nimages", "seed 0"])
    assert table_cells(text, "run") == {} and "Paired" not in text
    assert text.endswith("\n\n- 2,371 test images\n- seed 0\n")


def test_a_bar_or_line_break_in_a_name_does_not_break_the_table(tmp_path):
    results.write_runs([row("a|b\nc", age_mae=1.0)], tmp_path)
    assert r"| a\|b c | age, gender |" in results.write_markdown(tmp_path, TASKS)


def test_a_table_without_runs_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="runs.csv.*run the experiment first"):
        results.write_markdown(tmp_path, TASKS)
    with pytest.raises(UserError, match="speed.*expected one of mae, rmse"):
        results.metric_of("age.speed")


# === run.json ===


@dataclasses.dataclass
class Settings:
    data: Path
    rate: float
    cache: str


def test_run_json_tells_the_run_but_no_folder_of_the_machine(tmp_path, monkeypatch):
    secret = tmp_path / "home of somebody"
    (secret / "UTK Face").mkdir(parents=True)
    script = str(Path(results.__file__).parents[2] / "experiments" / "facenet_utk.py")
    arguments = ["--data", str(secret / "UTK Face"), f"--weights={secret}/weights.h5", "--out", "../a/results/"]
    arguments += ["--tasks", "age", "gender", "--rate", "2.5e-4", "--data", "~/x/GENKI"]
    arguments += ["--from", "https://a.org/b/c.h5", "80/10/10"]
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    settings = Settings(secret / "UTK Face", 2.5e-4, f"read from {tmp_path}/cache/features.npz, then (./x/y.npz)")
    info = {"seconds": np.float32(2.5), "settings": settings, "weights_sha256": "ab" * 32, "tasks": ("age", "gender")}
    info |= {"nan": float("nan"), "counts": np.array([1, 2]), "ok": True, "none": None, "relative": Path("a/b.csv")}
    path = provenance.write_run_json(tmp_path / "out", info)
    text = path.read_text(encoding="utf-8")
    record = json.loads(text)
    assert str(tmp_path) not in text and "home of somebody" not in text
    assert record["command"] == (
        "experiments/facenet_utk.py --data 'UTK Face' --weights=weights.h5 --out results --tasks age gender "
        "--rate 2.5e-4 --data GENKI --from https://a.org/b/c.h5 80/10/10"
    )
    settings = {"data": "UTK Face", "rate": 2.5e-4, "cache": "read from features.npz, then (y.npz)"}
    assert record["settings"] == settings and record["tasks"] == ["age", "gender"] and record["counts"] == [1, 2]
    assert record["seconds"] == 2.5 and record["nan"] is None and record["none"] is None and record["ok"] is True
    assert record["weights_sha256"] == "ab" * 32 and record["relative"] == "b.csv"
    assert record["packages"]["numpy"] == np.__version__ and record["packages"]["pandas"] == pd.__version__
    assert record["packages"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(record["packages"]) == {"python", *provenance.PACKAGES}
    assert set(record["machine"]) == {"cores", "processor", "memory_gib"}
    assert record["machine"]["cores"] == os.cpu_count()


def test_a_script_without_arguments_keeps_its_folder_in_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(Path(results.__file__).parents[2] / "experiments" / "facenet_utk.py")])
    provenance.write_run_json(tmp_path, {})
    assert json.loads((tmp_path / "run.json").read_text())["command"] == "experiments/facenet_utk.py"


def test_a_script_from_elsewhere_is_named_without_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/mtl-keras", "evaluate", "/models/mine"])
    provenance.write_run_json(tmp_path, {})
    assert json.loads((tmp_path / "run.json").read_text())["command"] == "mtl-keras evaluate mine"


def test_the_commit_is_that_of_the_source_itself(tmp_path):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert provenance._commit(tmp_path) is None, "no repository"
    git("init")
    assert provenance._commit(tmp_path) is None, "no commit yet"
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "table.md").write_text("old")
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    (tmp_path / "table.md").write_text("a new result is no change of the source")
    assert provenance._commit(tmp_path) == commit and len(commit) == 40
    (tmp_path / "code.py").write_text("x = 2\n")
    assert provenance._commit(tmp_path) == f"{commit}-dirty"
    (tmp_path / "installed").mkdir()
    assert provenance._commit(tmp_path / "installed") is None, "inside another project's repository"


def test_the_fingerprint_depends_on_names_and_labels_alone():
    table = pd.DataFrame({"path": ["/a/1.jpg", "/a/2.jpg"], "age": [25.0, np.nan], "gender": ["male", None]})
    same = pd.DataFrame({"gender": [None, "male"], "path": ["b/2.jpg", "b/1.jpg"]})
    same = same.assign(age=np.array([np.nan, 25], "float32"), split="test", source="x", group=[1, 2], smile=np.nan)
    # Crops carry what MTCNN found, which is rounded otherwise on another processor.
    same = same.assign(photo="/a/photo.jpg", faces=2, confidence=0.998)
    fingerprint = provenance.data_fingerprint(table)
    assert len(fingerprint) == 64 and int(fingerprint, 16)
    assert provenance.data_fingerprint(same) == fingerprint
    others = [
        table.assign(age=[26.0, np.nan]),
        table.assign(age=[np.nan, 25.0]),
        table.assign(gender=["female", None]),
        table.assign(path=["/a/1.jpg", "/a/3.jpg"]),
        table.rename(columns={"age": "years"}),
        table.iloc[:1],
        pd.concat([table, table]),
    ]
    assert len({fingerprint, *map(provenance.data_fingerprint, others)}) == len(others) + 1


def test_the_fingerprint_stays_what_it_was():
    # Finished runs have it in their settings, by which they are known again.
    table = pd.DataFrame({"path": ['here/"a" é.jpg', "b.jpg", "c.jpg"], "source": "x", "age": [25.0, None, -0.0]})
    table = table.assign(smile=["smiling", None, 'not "so"'], image=[1, 2, 3])
    table["head_pose.yaw"] = [0.0, -0.0, 12.3456789]
    assert provenance.data_fingerprint(table) == "8581a09c29228dd0b2c99cbbd2aa7143f49c615e96c9389eb528bd893aa25b88"


# === skipped.csv ===


def test_skipped_files_are_listed_without_the_folder_they_share(tmp_path):
    odd = os.fsdecode(b"\xe9,\n.jpg")
    skipped = [
        {"path": f"{tmp_path}/UTKFace/a.jpg", "reason": f"cannot identify image file '{tmp_path}/UTKFace/a.jpg'"},
        {"path": f"{tmp_path}/GENKI/{odd}", "reason": 'no "age", no date'},
    ]
    audit.write_skipped(skipped, tmp_path / "out" / "skipped.csv")
    with open(tmp_path / "out" / "skipped.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"path": os.path.join("UTKFace", "a.jpg"), "reason": "cannot identify image file 'a.jpg'"}
    assert rows[1] == {"path": os.path.join("GENKI", odd), "reason": 'no "age", no date'}


def test_skipped_files_of_sets_in_different_places_do_not_tell_where_these_lie(tmp_path):
    folders = [tmp_path / "one" / "place" / "GENKI-4K", tmp_path / "another" / "drawn"]
    files = [folders[0] / "files" / "a.jpg", folders[1] / "b.jpg", tmp_path / "one" / "unpacked" / "c.jpg"]
    audit.write_skipped([{"path": file, "reason": ""} for file in files], tmp_path / "skipped.csv", folders)
    listed = pd.read_csv(tmp_path / "skipped.csv")["path"]
    assert listed.tolist() == [os.path.join("GENKI-4K", "files", "a.jpg"), os.path.join("drawn", "b.jpg"), "c.jpg"]


def test_one_skipped_file_is_listed_by_its_name_and_none_as_an_empty_list(tmp_path):
    path = tmp_path / "skipped.csv"
    audit.write_skipped([{"path": tmp_path / "data" / "a.jpg", "reason": "empty file"}], path)
    assert path.read_text() == "path,reason\na.jpg,empty file\n"
    audit.write_skipped([], path)
    assert path.read_text() == "path,reason\n"

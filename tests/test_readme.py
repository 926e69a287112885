"""README.md and docs/ tell the truth: their code runs, their tables are those in results/, their links lead on."""

import importlib.util
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtl_keras.datasets.rendered import rendered
from mtl_keras.datasets.task_file import add_tasks_of
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing import SHARING
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.tasks import TASKS
from mtl_keras.training.weightings import WEIGHTINGS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS["README.md"]


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the page and the text of every code block of this language."""
    found = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [(page, block) for page, text in TEXTS.items() for block in found.findall(text)]


PYTHON = blocks("python")
SHELL = dict.fromkeys(line for _, block in blocks("sh") for line in block.strip().splitlines())
every_page = pytest.mark.parametrize("page", TEXTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Drawn faces in the folders that the code blocks name."""
    folder = tmp_path_factory.mktemp("readme")
    write_faces(folder / "UTKFace", LAYOUTS["utkface"], 40, seed=3, size=64)
    for name, layout in (("GENKI-4K", "genki4k"), ("FER2013", "fer2013")):
        write_faces(folder / name, LAYOUTS[layout], 40, seed=4)
    draw_signs(folder / "signs", 150)
    return folder


def draw_signs(folder: Path, count: int) -> None:
    """Write drawings of signs that show some of 30 symbols, in color or gray, and a CSV of a third of the labels."""
    random = np.random.default_rng(0)
    folder.mkdir()
    shows = random.integers(0, 2, (count, 30))
    names = [f"{number:04}.png" for number in range(count)]
    for number, (name, shown) in enumerate(zip(names, shows, strict=True)):
        symbols = 150 * shown.reshape(5, 6) + random.integers(0, 100, (5, 6))
        sign = Image.fromarray(symbols.astype(np.uint8)).convert(("RGB", "L")[number % 2])
        sign.resize(random.integers(40, 120, 2), Image.Resampling.NEAREST).save(folder / name)
    labels = pd.DataFrame(shows, columns=[f"symbol_{number}" for number in range(30)])
    labels = labels.where(random.random(shows.shape) < 1 / 3)  # blanks turn 1 into 1.0
    labels.assign(path=names).to_csv(folder / "signs.csv", index=False)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PYTHON)), ids=lambda number: f"{PYTHON[number][0]}-{number}")
@pytest.mark.usefixtures("eager", "no_new_members", "no_new_tasks")
def test_python_blocks_run(folder, number, monkeypatch):
    # In this process, since to import TensorFlow takes longer than most blocks.
    monkeypatch.chdir(folder)
    page, block = PYTHON[number]
    # One epoch shows as well that it runs.
    block = block.replace("frozen_epochs=0)", "frozen_epochs=0, epochs=1)")
    module = ModuleType("block")
    monkeypatch.setitem(sys.modules, "block", module)
    exec(compile(block, f"{page}, block {number}", "exec"), vars(module))


@pytest.fixture
def no_new_members():
    """The tables of what there is to choose from as they were before, once the test is over."""
    before = {id(table): (table, {*table}) for table in (BACKBONES, SHARING, WEIGHTINGS)}
    yield
    for table, names in before.values():
        for name in {*table} - names:
            del table[name]


def draw_own_data(folder: Path) -> None:
    """Write the CSV files that the page on own data starts from, and the drawn faces that they list."""
    faces = rendered(write_faces(folder / "photos", LAYOUTS["utkface"], 80, seed=5, size=48))
    random = np.random.default_rng(0)
    table = pd.DataFrame({"path": [f"photos/{Path(path).name}" for path in faces["path"]], "age": faces["age"]})
    table["hat"] = np.where(random.random(80) < 0.6, random.choice(["no", "yes"], 80), None)
    table["height"] = random.normal(170, 10, 80).round(1)
    table["note"] = [f"at the lake {number}" for number in range(80)]
    table[:60].to_csv(folder / "my_faces.csv", index=False)
    table[60:].to_csv(folder / "new_faces.csv", index=False)


@pytest.mark.slow
def test_own_data_go_the_way_that_their_page_tells(run, eager, monkeypatch, no_new_tasks, tmp_path):
    page = TEXTS["docs/own_data.md"]
    draw_own_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    known, environment = dict(TASKS), {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for line in "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines():
        # A smaller network than the page's, for one epoch.
        program, command, *words = shlex.split(line.replace("bknet", "small_cnn"))
        assert program == "mtl-keras"
        words += ["--backbone", "small_cnn", "--epochs", "1"] if command == "train" else []
        # Of the tasks is known only what lies on the disk.
        TASKS.clear()
        TASKS.update(known)
        if command == "evaluate":
            # As its users call it, in a process of its own.
            call = [sys.executable, "-m", "mtl_keras.commands.main", command, *words]
            done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=400)
            code, said = done.returncode, done.stderr
        else:
            code, _, said = run(command, *words)
        assert code == 0, said[-2000:]
        if command == "train":
            shown = re.search(r"it is going to learn:\n\n```\n(.*?)```", page, re.DOTALL)[1].splitlines()
            assert len(shown) == 5 and "\n".join(shown) in said
    figures = json.loads((tmp_path / "figures.json").read_text())
    labelled = pd.read_csv("new_faces.csv").notna().sum()
    assert {task: found["n"] for task, found in figures["tasks"].items()} == dict(labelled[["age", "hat", "height"]])
    person = json.loads((tmp_path / "people.json").read_text())[0]["people"][0]
    assert person["hat"]["class"] in ("no", "yes") and 100 < person["height"]["value"] < 240
    assert "hat" in (tmp_path / "audit" / "report.txt").read_text()
    (tmp_path / "page.json").write_text(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    TASKS.pop("height")
    assert [task.name for task in add_tasks_of(tmp_path / "page.json")] == ["hat", "stars", "height"]
    packed = json.loads((tmp_path / "shards" / "manifest.json").read_text())
    assert [task["name"] for task in packed["tasks"]] == ["age", "hat", "height"]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith(("mtl-keras", "python"))])
def test_commands_are_understood(run, monkeypatch, capsys, line):
    words = line.split()
    if "libmtl" in words[1]:
        pytest.importorskip("LibMTL", reason="that of another library can tell of itself only where this is installed")
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", [words[1], "--help"])
        with pytest.raises(SystemExit, match="^0$"):
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        known = capsys.readouterr().out
    else:
        code, known, _ = run(words[1], "--help")
        assert code == 0
    for option in re.findall(r"--[a-z-]+", line):
        assert re.search(rf"{option}\b", known)


@every_page
def test_tables_are_those_of_the_results(page):
    spec = importlib.util.spec_from_file_location("include_tables", ROOT / "data_tools" / "include_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.included(TEXTS[page]) == TEXTS[page], "run python data_tools/include_tables.py"


def test_every_results_folder_has_a_page_with_its_table():
    for folder in (ROOT / "results").iterdir():
        if (folder / "table.md").exists():
            assert f"<!-- begin results/{folder.name}/table.md -->" in TEXTS[f"docs/results/{folder.name}.md"]


@every_page
def test_links_and_pictures_lead_to_files_of_the_repository(page):
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link.split("#")[0]).exists(), link


def test_every_page_is_reached_from_the_readme():
    linked = {link for link in re.findall(r"\]\((docs/[^)]+)\)", README)}
    notebooks = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.ipynb")}
    assert linked == {*TEXTS, *notebooks} - {"README.md"}


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("block", [block for _, block in blocks("diff")], ids=lambda block: block.split("\n")[0])
def test_diffs_are_what_was_added(block):
    place, *lines = block.removesuffix("\n").split("\n")
    added = [line.removeprefix("+") for line in lines]
    assert all(line.startswith("+") for line in lines) and place.startswith("+++ ")
    text = (ROOT / place.removeprefix("+++ ")).read_text(encoding="utf-8")
    # Single lines may stand apart, what is a whole piece is there as it is.
    assert "\n".join(added) in text or (len(added) < 3 and all(f"{line}\n" in text for line in added))


def test_ci_runs_the_readmes_test_command():
    assert 'pip install -e ".[test]" && pytest' in SHELL
    assert "grep -m 1 -E '^pip install .+ && pytest' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")

"""A wheel of the package holds all of it, and installed somewhere else it does what the docs' command lines say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from mtl_keras.commands.options import COMMANDS
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.serving.bundled import FOLDER
from mtl_keras.serving.export import export
from mtl_keras.tasks import AGE, ETHNICITY, GENDER
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

ROOT = Path(__file__).parents[1]
PACKAGE = "mtl_keras"
# What a wheel is made of, beside the package.
PROJECT_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES = [
    line for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.split("\n")
]
DOCUMENTED = [line for line in dict.fromkeys(LINES) if line.startswith("mtl-keras ")]
# Options that are added to the lines of a command to save time, and commands that end only when they are stopped.
QUICKER: dict[str, str] = {}
ENDLESS = {"demo"}
# Commands of which only the help is asked for here, since their lines take long and their own tests run them.
LONG = {"train", "export", "count", "crop"}
# What a line names that no test can have, a model whose name the reader fills in or a camera, and what the test of
# docs/own_data.md makes and runs.
ELSEWHERE = re.compile(r"/NAME\b|rtsp://|count \d+ |\b(my|new)_faces\.csv|bknet-age-hat-height")
# Runs the command lines of its arguments one after the other, in one process: TensorFlow starts once.
RUNNER = """
import shlex, sys
import mtl_keras
from mtl_keras.commands import main

print("package:", mtl_keras.__file__)
for line in sys.argv[1:]:
    sys.argv = shlex.split(line)
    try:
        main.main()
        code = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    print(f"exit {code}: {line}", flush=True)
    if code:
        break
"""


@pytest.fixture(scope="module")
def network():
    """An untrained network of the tasks that the docs' command lines ask about."""
    return MultiTaskModel([AGE, GENDER, ETHNICITY], "bknet", head_units=(4,))


@pytest.fixture(scope="module")
def wheel(network, tmp_path_factory):
    """A wheel, built without a network from a copy of the repository, since building leaves files there.

    Where the repository has no model for the package to bring along, it gets one.
    """
    place = tmp_path_factory.mktemp("wheel")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / PACKAGE, place / "source" / PACKAGE, ignore=without)
    for name in PROJECT_FILES:
        shutil.copy2(ROOT / name, place / "source")
    bundled = place / "source" / FOLDER.relative_to(ROOT)
    if not bundled.is_dir():
        export(network, "keras", out=bundled)
    pip("wheel", "--no-build-isolation", "--wheel-dir", place, place / "source")
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", folder, wheel)
    return folder


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """A folder with what the docs' command lines name: drawn faces, a photo, and a trained model."""
    folder = tmp_path_factory.mktemp("user")
    write_faces(folder / "UTKFace", LAYOUTS["utkface"], 12, seed=3, size=64)
    write_faces(folder / "GENKI-4K", LAYOUTS["genki4k"], 12, seed=4)
    shutil.copy(next((folder / "GENKI-4K").rglob("*.jpg")), folder / "photo.jpg")
    model_folder.save(network, folder / "runs/facenet_utk_rendered/models/bknet-age-gender-ethnicity-trained")
    return folder


def pip(command: str, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--no-deps", "--no-index", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def outside(installed: Path, folder: Path, *command: object) -> str:
    """Return what a program prints that knows the installed package, but not the repository."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = [path for path in (ROOT / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    held = {name for name in ZipFile(wheel).namelist() if name.startswith(f"{PACKAGE}/")}
    expected = {path.relative_to(ROOT).as_posix() for path in files}
    bundled = {name for name in held if name.startswith(f"{FOLDER.relative_to(ROOT).as_posix()}/")}
    assert held == expected | bundled and any(name.endswith("model.json") for name in bundled)


def test_it_installs_the_command(installed, tmp_path):
    said = outside(installed, tmp_path, sys.executable, installed / "bin" / "mtl-keras", "--help")
    assert all(re.search(rf"\b{command}\b", said) for command in COMMANDS)


@pytest.mark.slow
def test_every_command_line_of_the_docs_works_outside_the_repository(installed, folder):
    commands = {line: line.split()[1] for line in DOCUMENTED}
    assert {*commands.values()} == {*COMMANDS}
    # The first line of each command; that all others are understood is a test of their pages.
    first = {name: line for line, name in reversed(commands.items()) if not ELSEWHERE.search(line)}
    lines = [f"{line} {QUICKER.get(name, '')}".strip() for name, line in first.items() if name not in ENDLESS | LONG]
    lines += [f"mtl-keras {command} --help" for command in COMMANDS]
    said = outside(installed, folder, sys.executable, "-c", RUNNER, *lines)
    assert f"package: {installed}{os.sep}" in said and (folder / "shop.mp4").stat().st_size
    assert re.findall("^exit (.*): (.*)$", said, re.MULTILINE) == [("0", line) for line in lines], said[-2000:]

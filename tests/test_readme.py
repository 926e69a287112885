"""The README tells the truth: its code runs, its tables are those in results/, its pictures exist."""

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_keras.portraits.layouts import LAYOUTS
from mtl_keras.portraits.writer import UTKFACE, write_faces

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.strip().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    write_faces(folder / "UTKFace", UTKFACE, 60, seed=3, size=96)
    for name, layout in (("GENKI-4K", "genki4k"), ("FER2013", "fer2013")):
        write_faces(folder / name, LAYOUTS[layout], 40, seed=4)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_blocks_run(folder, number):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[number]], cwd=folder, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith(("mtl-keras", "python"))])
def test_commands_are_understood(run, monkeypatch, capsys, line):
    words = line.split()
    if words[0] == "python":
        monkeypatch.setattr(sys, "argv", [words[1], "--help"])
        with pytest.raises(SystemExit, match="^0$"):
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        known = capsys.readouterr().out
    else:
        code, known, _ = run(words[1], "--help")
        assert code == 0
    for option in re.findall(r"--[a-z-]+", line):
        assert option in known


def test_tables_are_those_of_the_results():
    spec = importlib.util.spec_from_file_location("include_tables", ROOT / "data_tools" / "include_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "<!-- begin results/" in TEXT
    assert module.included(TEXT) == TEXT


def test_links_lead_to_files_of_the_repository():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("http")]
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_ci_runs_the_readmes_test_command():
    assert 'pip install -e ".[test]" && pytest' in SHELL
    assert "grep -m 1 -E '^pip install .+ && pytest' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")

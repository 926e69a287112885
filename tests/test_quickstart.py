"""docs/quickstart.ipynb runs, and what it shows is what it showed; `python tests/test_quickstart.py` stores it anew."""

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"
# For how long it trains; one epoch shows as well that it runs.
EPOCHS = 10
# What a trained network says differs from machine to machine: its numbers and classes are not compared.
TRAINED = re.compile(r"-?\d[\d.]*|'class': '\w+'")


def executed(folder: Path, epochs: int = EPOCHS) -> nbformat.NotebookNode:
    """Return the notebook as it is after a run in this folder, without warnings and times."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (training,) = [cell for cell in code_of(notebook) if f"epochs={EPOCHS}," in cell["source"]]
    training["source"] = training["source"].replace(f"epochs={EPOCHS},", f"epochs={epochs},")
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources=resources, record_timing=False).execute()
    for cell in code_of(notebook):
        cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
    return notebook


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode) -> list[str]:
    """Return what a cell printed or answered as text; of a trained network, what is the same at each run."""
    texts = [output.get("text") or output["data"]["text/plain"] for output in cell["outputs"]]
    if "trained" in cell.metadata.get("tags", []):
        texts = [" ".join(TRAINED.sub("#", text).split()) for text in texts]
    return texts


@pytest.fixture
def environment(monkeypatch):
    """The settings under which the notebook is run."""
    set_environment(monkeypatch.setenv)


def set_environment(setenv) -> None:
    setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    setenv("TQDM_DISABLE", "1")
    # The kernel of this Python, not one that the user has installed.
    setenv("JUPYTER_PREFER_ENV_PATH", "1")


@pytest.mark.slow
def test_a_run_shows_what_is_stored(environment, tmp_path):
    stored, found = nbformat.read(NOTEBOOK, as_version=4), executed(tmp_path, epochs=1)
    assert [shown(cell) for cell in code_of(stored)] == [shown(cell) for cell in code_of(found)]
    pictures = [["image/png" in output.get("data", ()) for output in cell["outputs"]] for cell in code_of(found)]
    assert sum(map(sum, pictures)) == 2


def test_the_file_is_small_and_was_run_from_top_to_bottom():
    cells = code_of(nbformat.read(NOTEBOOK, as_version=4))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert NOTEBOOK.stat().st_size < 150_000


if __name__ == "__main__":
    set_environment(os.environ.__setitem__)
    with TemporaryDirectory() as place:
        nbformat.write(executed(Path(place)), NOTEBOOK)
    sys.exit()

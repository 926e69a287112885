"""The model in the package answers where none is named; without one, a line says what to do."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.serving import bundled
from mtl_keras.serving.runtime import open_runtime


def test_it_answers_where_no_model_is_named(exported, monkeypatch):
    monkeypatch.setattr(bundled, "FOLDER", exported("keras"))
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = open_runtime(exported("keras")).run(crops)
    assert mtl.bundled_model() == exported("keras")
    (people, _) = mtl.Predictor(faces="crop", tasks=("age",))(crops)
    assert [*people[0].answers] == ["age"] and np.allclose(people[0].outputs["age"], expected["age"][0], atol=1e-6)


@pytest.mark.parametrize("opens", [mtl.bundled_model, open_runtime, mtl.Predictor])
def test_without_one_it_says_what_to_name(monkeypatch, tmp_path, one_line, opens):
    monkeypatch.setattr(bundled, "FOLDER", tmp_path / "none")
    assert not bundled.has_bundled_model()
    with one_line("mtl-keras train", "no model given"):
        opens()


def test_its_files_are_the_same_bytes_on_every_system():
    root = Path(mtl.__file__).parents[1]
    command = ["git", "-C", root, "check-attr", "text", "--", bundled.FOLDER / bundled.CARD]
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("the package does not lie in a git repository")
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip().endswith(": text: unset")

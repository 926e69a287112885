"""The first word of a command line is the model where it can be one; else the model of the package answers."""

import json
from pathlib import Path

import pytest

from mtl_keras.commands.asked_model import model_and_images
from mtl_keras.serving import bundled
from mtl_keras.training.model_folder import save


@pytest.mark.parametrize(
    ("word", "is_model"),
    [
        ("trained", True),
        ("trained/model.keras", True),
        ("gone", True),
        ("gone.keras", True),
        ("results", True),
        ("photos", False),
        ("without_sidecar", True),
        ("photos_and_a_note", False),
        ("photos/face", False),
        ("gone.JPG", False),
        ("photos/*", False),
    ],
)
def test_a_model_is_told_from_images(tmp_path, word, is_model):
    files = ("without_sidecar/model.tflite", "photos_and_a_note/model.txt", "photos_and_a_note/face.png", "photos/face")
    for name in ("trained/model.keras", "trained/model.json", "results/models/one/model.json", *files):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    words = (tmp_path / word, Path("other.jpg"))
    assert model_and_images(words) == ((words[0], words[1:]) if is_model else (None, words))


def test_no_output_tells_what_was_not_asked_for(run, tiny_model, faces_folder, tmp_path, monkeypatch):
    folder = save(tiny_model, tmp_path / "model", on_request=("ethnicity",))
    monkeypatch.setattr(bundled, "FOLDER", folder)
    image = sorted(faces_folder.glob("*.jpg"))[0]
    files = {"--json": tmp_path / "people.json", "--csv": tmp_path / "people.csv", "--draw": tmp_path / "drawn"}
    outputs = [word for pair in files.items() for word in pair]
    code, printed, said = run("predict", image, "--faces", "crop", *outputs)
    told = (printed + files["--json"].read_text() + files["--csv"].read_text()).lower()
    assert code == 0 and "gender" in told and "MODEL_CARD.md" in said
    assert not any(word in told for word in ("ethnicity", "white", "black", "asian", "indian", "others"))
    code, printed, said = run("predict", folder, image, "--faces", "crop", *outputs, "--tasks", "ethnicity")
    (person,) = json.loads(files["--json"].read_text())[0]["people"]
    assert code == 0 and "ethnicity" in person and "age" not in person and "MODEL_CARD" not in said

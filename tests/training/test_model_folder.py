"""A model's folder answers as the model did, and is never left half-written."""

import json
import os
import zipfile

import keras
import numpy as np
import pytest

import mtl_keras
from mtl_keras import files
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import CELEBA_CROP, UTKFACE_CROP
from mtl_keras.precision import computing_in
from mtl_keras.tasks import AGE_REGRESSION, GENDER, HEAD_POSE
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


@pytest.fixture
def mixed_bfloat16():
    with computing_in("mixed_bfloat16"):
        yield


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def answers(model: MultiTaskModel) -> dict[str, np.ndarray]:
    return model.predict(images(), verbose=0)


def assert_same(one: dict, other: dict) -> None:
    assert list(one) == list(other)
    for task in one:
        np.testing.assert_allclose(one[task], other[task], rtol=1e-6, atol=1e-7)


def test_how_faces_are_cut_and_which_run_it_was_are_noted(tiny_model, tmp_path):
    about = model_folder.read_sidecar(model_folder.save(tiny_model, tmp_path / "model", CELEBA_CROP, "run-1"))
    assert about["crop"] == CELEBA_CROP.for_tasks([HEAD_POSE]) and about["run"] == "run-1"


def test_a_loaded_model_answers_as_the_saved_one(tiny_model, tiny_folder):
    loaded = model_folder.load(tiny_folder)
    assert_same(answers(loaded), answers(tiny_model))
    assert loaded.tasks == tiny_model.tasks
    assert loaded.get_config() == tiny_model.get_config()
    assert not any(name.startswith(".") for name in os.listdir(tiny_folder.parent)), "temporary folders are left"


def test_tasks_keep_every_setting(tiny_backbone, tmp_path):
    model = MultiTaskModel([AGE_REGRESSION, GENDER], tiny_backbone, shared_units=(4,), head_units=())
    loaded = model_folder.load(model_folder.save(model, tmp_path / "model"))
    assert loaded.tasks == [AGE_REGRESSION, GENDER]
    assert_same(answers(loaded), answers(model))


def test_a_model_of_mixed_precision_is_saved_in_float32(mixed_bfloat16, tiny_model, tmp_path):
    assert {layer.compute_dtype for layer in tiny_model.layers} >= {"bfloat16"}
    exact = model_folder.in_float32(tiny_model)
    assert keras.config.dtype_policy().name == "mixed_bfloat16", "the policy of the caller is as it was"
    # Also whoever trains in bfloat16 reads a saved model as it is: in float32.
    loaded = model_folder.load(model_folder.save(tiny_model, tmp_path / "model"))
    for model in (exact, loaded):
        assert {layer.compute_dtype for layer in model.layers if layer.name != "image"} == {"float32"}
        assert_same(answers(model), answers(exact))
    rounded, expected = answers(tiny_model)["head_pose"], answers(exact)["head_pose"]
    assert 0 < np.abs(rounded - expected).max() < 0.05 * np.abs(expected).max(), "bfloat16 would round the answers"


def test_the_optimizer_is_not_saved(tiny_model, tmp_path):
    model_folder.save(tiny_model, tmp_path / "bare")
    tiny_model.compile("adamw")
    tiny_model.optimizer.build(tiny_model.trainable_variables)
    model_folder.save(tiny_model, tmp_path / "trained")
    assert model_folder.megabytes(tmp_path / "trained") == pytest.approx(
        model_folder.megabytes(tmp_path / "bare"), rel=0.01
    )
    assert not model_folder.load(tmp_path / "trained").compiled


def test_the_sidecar_says_what_a_reader_of_the_outputs_must_know(tiny_model, tiny_folder):
    about = json.loads((tiny_folder / "model.json").read_text())
    expected = "format mtl_keras tasks outputs backbone image_size crop"
    assert about.keys() == {*expected.split()}
    assert (about["format"], about["backbone"], about["image_size"]) == (1, "tiny", 32)
    assert about["outputs"] == ["age", "gender", "ethnicity", "head_pose"] == list(answers(tiny_model))
    assert [task["name"] for task in about["tasks"]] == about["outputs"]
    assert about["tasks"][1]["classes"] == ["male", "female"]
    assert about["tasks"][3] | {"outputs": ["yaw", "pitch", "roll"], "unit": "degrees"} == about["tasks"][3]
    assert about["crop"]["kind"] == "utkface"
    assert model_folder.read_sidecar(tiny_folder)["crop"] == UTKFACE_CROP.for_tasks([HEAD_POSE])


def test_megabytes_counts_all_files(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "a").write_bytes(bytes(1_500_000))
    (tmp_path / "below" / "b").write_bytes(bytes(500_000))
    assert model_folder.megabytes(tmp_path) == 2.0


# === Writing ===


def test_a_new_model_replaces_the_old_one(tiny_model, tiny_folder):
    before = answers(model_folder.load(tiny_folder))
    (tiny_folder / "notes.txt").write_text("of the old model")
    tiny_model.set_weights([-weight for weight in tiny_model.get_weights()])
    model_folder.save(tiny_model, tiny_folder)
    after = answers(model_folder.load(tiny_folder))
    assert not np.allclose(before["gender"], after["gender"])
    assert sorted(os.listdir(tiny_folder)) == ["model.json", "model.keras"]


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_after_a_failure_the_old_model_is_whole(tiny_model, tiny_folder, monkeypatch, failing):
    before, moves, replace = answers(model_folder.load(tiny_folder)), [], os.replace

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    def fails_second(source, target):
        moves.append(target)
        return full() if len(moves) == 2 else replace(source, target)

    with monkeypatch.context() as patch:
        if failing == "write":
            patch.setattr(MultiTaskModel, "save", full)
        else:
            patch.setattr(files.os, "replace", fails_second)
        with pytest.raises(UserError, match="cannot be written .No space left on device"):
            model_folder.save(tiny_model, tiny_folder)
    assert_same(answers(model_folder.load(tiny_folder)), before)
    assert os.listdir(tiny_folder.parent) == ["model"], "something half-written is left"


def test_a_file_in_the_way_is_kept(tiny_model, tmp_path):
    (tmp_path / "model").write_text("precious")
    with pytest.raises(UserError, match="a file is there"):
        model_folder.save(tiny_model, tmp_path / "model")
    assert (tmp_path / "model").read_text() == "precious"
    with pytest.raises(UserError, match="cannot be written"):
        model_folder.save(tiny_model, tmp_path / "model" / "below")


# === Reading ===


@pytest.mark.parametrize("missing", ["model.keras", "model.json"])
def test_a_missing_file_is_named(tiny_folder, missing):
    (tiny_folder / missing).unlink()
    with pytest.raises(UserError, match=f"no {missing} in it"):
        model_folder.load(tiny_folder)


def test_the_network_in_a_folder_stands_for_the_folder(tiny_model, tiny_folder):
    assert mtl_keras.load(tiny_folder / "model.keras").get_config() == tiny_model.get_config()
    assert model_folder.read_sidecar(tiny_folder / "model.keras") == model_folder.read_sidecar(tiny_folder)


def test_a_network_without_its_sidecar_is_one_line(tiny_model, tmp_path, one_line):
    for name in ("model.keras", "other.keras"):
        tiny_model.save(tmp_path / name)
        with one_line("expected the model.keras of a model's folder, with its model.json beside it", tmp_path / name):
            mtl_keras.load(tmp_path / name)
    with one_line("no such file", tmp_path / "nowhere.keras"):
        mtl_keras.load(tmp_path / "nowhere.keras")


def test_a_folder_of_other_files_is_left_alone(tiny_model, tmp_path, one_line):
    (tmp_path / "thesis.txt").write_text("three years")
    with one_line("holds other files than a model's", tmp_path):
        mtl_keras.save(tiny_model, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "three years"
    with one_line("a Sequential cannot be saved"):
        mtl_keras.save(keras.Sequential(), tmp_path / "new")
    (tmp_path / "empty").mkdir()
    assert mtl_keras.save(tiny_model, tmp_path / "empty") == mtl_keras.save(tiny_model, tmp_path / "empty")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        model_folder.load(tmp_path / "nowhere")


def test_a_results_folder_names_a_model_in_it(tiny_model, tmp_path):
    folder = model_folder.save(tiny_model, tmp_path / "models" / "small")
    with pytest.raises(UserError, match=f"no model.json in it; .*, such as {folder}$"):
        model_folder.load(tmp_path)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[1]", "damaged"),
        (b"{}", "damaged"),
        (b'{"format": 1}', "damaged"),
        (b'{"format": 1, "crop": {"kind": "utkface", "landmarks": {"nose": [0, 0]}}}', "damaged"),
        (b'{"format": 1, "crop": {"unknown": 1}}', "damaged"),
        (b"[" * 200_000, "damaged"),
        (b'{"format": 1' + b"0" * 400 + b"}", "damaged"),
        (b'{"format": 1, "tasks": [], "crop": {"kind": "x", "landmarks": {"nose": [1e400, 0]}}}', "damaged"),
        (b'{"format": 2}', "format 2 is unknown to mtl_keras .*; update it"),
    ],
)
def test_a_damaged_sidecar_is_named(tiny_folder, contents, message):
    (tiny_folder / "model.json").write_bytes(contents)
    with pytest.raises(UserError, match=rf"model\.json: {message}"):
        model_folder.load(tiny_folder)


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "zip"])
def test_a_damaged_model_is_named_in_one_line(tiny_folder, damage):
    path = tiny_folder / "model.keras"
    contents = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": contents[: len(contents) // 2]}.get(damage, b"no model"))
    if damage == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    with pytest.raises(UserError, match=r"model\.keras: cannot be read \(.+\)") as error:
        model_folder.load(tiny_folder)
    assert "\n" not in str(error.value)
    assert ("it is damaged or cut short" in str(error.value)) == (damage != "zip")


def test_another_kind_of_model_is_refused(tiny_folder):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tiny_folder / "model.keras")
    with pytest.raises(UserError, match="holds a Sequential; expected a model saved by mtl_keras"):
        model_folder.load(tiny_folder)

"""Every format answers as the model does, for images of any size, and says so in its sidecar."""

import json
import resource

import keras
import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.data.images import read_image, resize
from mtl_keras.faces.geometry import CELEBA_CROP
from mtl_keras.serving.exported import sums
from mtl_keras.serving.formats import FORMATS, PRECISIONS
from mtl_keras.serving.runtime import in_keras, open_runtime
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

EXACT = ("keras", "savedmodel", "onnx", "litert", "openvino")
ROUNDED = (("litert", "int8"), ("openvino", "bfloat16"), ("openvino", "int8"))


def images_of(*shape: int) -> np.ndarray:
    """Smooth pictures, as faces are: of noise each rounded pixel would count."""
    coarse = np.random.default_rng(0).integers(0, 256, (shape[0], 9, 9, 3), dtype=np.uint8)
    sides = [keras.ops.image.resize(each, shape[1:]) for each in coarse.astype("float32")]
    return np.stack(sides).round().astype(np.uint8)


def test_every_format_is_tested():
    pairs = {(name, precision) for name in FORMATS for precision in FORMATS[name].precisions}
    assert pairs == {(name, "float32") for name in EXACT} | set(ROUNDED)
    assert {precision for _, precision in pairs} == set(PRECISIONS)


@pytest.mark.parametrize("name", EXACT)
def test_answers_are_the_models_for_any_size_and_number_of_images(name, small_model, exported):
    runtime, expected = open_runtime(exported(name)), in_keras(small_model)
    assert (runtime.image_size, list(runtime.tasks)) == (32, small_model.tasks)
    for shape in ((1, 32, 32), (5, 32, 32), (1, 50, 40), (5, 20, 32)):
        images = images_of(*shape)
        found = runtime.run(images)
        crops = np.stack([resize(image, 32, small_model.resize_method) for image in images])
        # A pixel may differ by one level where images are resized.
        bound = 2e-5 if shape[1:] == (32, 32) else 3e-3
        for task, answer in expected(crops).items():
            assert found[task].dtype == np.float32 and found[task].shape == answer.shape
            np.testing.assert_allclose(found[task], answer, atol=bound * max(1, np.abs(answer).max()))


@pytest.mark.parametrize(("name", "precision"), ROUNDED)
def test_rounded_answers_are_near_the_models(name, precision, small_model, exported, faces):
    runtime, expected = open_runtime(exported(name, precision)), in_keras(small_model)
    images = np.stack([read_image(path) for path in faces["path"]])
    found = runtime.run(images)
    crops = np.stack([resize(image, 32, small_model.resize_method) for image in images])
    for task, answer in expected(crops).items():
        differs = np.abs(found[task] - answer).mean()
        bound = 0.05 if precision == "bfloat16" else 0.3
        assert 0 < differs < bound * answer.std(), "rounded a little, not something else"


@pytest.mark.parametrize("name", EXACT)
def test_the_sidecar_says_what_a_reader_must_know(name, small_model, exported):
    folder = exported(name)
    assert folder.parts[-2:] == ("exports", f"{name}-float32")
    about = json.loads((folder / "model.json").read_text())
    model = json.loads((folder.parents[1] / "model.json").read_text())
    export = about.pop("export")
    assert about == {**model, "resize_method": small_model.resize_method}
    assert export.keys() == {"format", "precision", "files", "compared"}
    assert export["files"] == sums(folder) and len(export["files"]) >= 1
    differs = export["compared"]
    assert differs["images"] == 16 and differs["of"] == "drawn faces"
    assert differs["tasks"]["gender"]["changed"] == 0 and differs["tasks"]["age"]["mae"] < 1e-3
    assert differs["tasks"].keys() == {"age", "gender", "head_pose"}


@pytest.mark.parametrize("name", ["gender_eyeglasses"])
def test_every_kind_of_trunk_can_be_exported(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([mtl.AGE, mtl.SMILE], name, image_size=32, shared_units=(8,), head_units=())
    runtime = open_runtime(mtl.export(model, "openvino", out=tmp_path / "out"))
    images = images_of(3, model.image_size + 7, model.image_size)
    crops = np.stack([resize(image, model.image_size, model.resize_method) for image in images])
    for task, answer in in_keras(model)(crops).items():
        np.testing.assert_allclose(runtime.run(crops)[task], answer, atol=1e-5)
        np.testing.assert_allclose(runtime.run(images)[task], answer, atol=3e-3)


def test_images_to_calibrate_on_may_be_files_or_arrays(small_model, faces, tmp_path):
    for given in (faces["path"][:2], images_of(2, 40, 30)):
        folder = mtl.export(small_model, "keras", calibrate=given, out=tmp_path / "out")
        compared = json.loads((folder / "model.json").read_text())["export"]["compared"]
        assert (compared["images"], compared["of"]) == (2, "images")


def test_layers_can_stay_in_float(small_model, faces, tmp_path, exported, one_line):
    few = faces["path"][:8]
    folder = mtl.export(small_model, "openvino", "int8", few, tmp_path / "out", (".*",))
    differs = [
        json.loads((each / "model.json").read_text())["export"]["compared"]["tasks"]["age"]["largest"]
        for each in (folder, exported("openvino", "int8"))
    ]
    assert differs[0] < 0.5 * differs[1], "with every layer in float, only 16 bits of weights are left"
    for wrong, says in (("nowhere", "no layer has such a name"), ("(", "is no regular expression")):
        with one_line(says, f"float layers {wrong!r}"):
            mtl.export(small_model, "openvino", "int8", few[:1], tmp_path / "out", (wrong,))


# === What does not exist, and what is in the way ===


@pytest.mark.parametrize(
    ("name", "precision", "settings", "says"),
    [
        ("onnx", "int8", {}, "onnx has float32; int8 is in litert, openvino$"),
        ("litert", "bfloat16", {}, "litert has float32, int8; bfloat16 is in openvino$"),
        ("openvino", "float16", {}, "unknown precision 'float16'; expected one of float32, bfloat16, int8"),
        ("torch", "float32", {}, "unknown format 'torch'; expected one of keras, savedmodel"),
        ("openvino", "int8", {}, "calibrated on crops of faces; give --calibrate DIR with about 300"),
        ("litert", "int8", {"float_layers": ("a",)}, "litert int8 leaves no layers in float"),
        ("keras", "float32", {"calibrate": []}, "there are no images"),
    ],
)
def test_what_does_not_exist_names_what_does(small_model, tmp_path, one_line, name, precision, settings, says):
    with one_line(says):
        mtl.export(small_model, name, precision, out=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_missing_package_names_the_command(small_model, tmp_path, monkeypatch, one_line):
    monkeypatch.setattr("mtl_keras.serving.export.find_spec", lambda name: None if name == "nncf" else name)
    with one_line(r"nncf is not installed; run: pip install .mtl-keras\[serve\]"):
        mtl.export(small_model, "openvino", out=tmp_path / "out")


def test_nothing_else_is_replaced(small_model, tmp_path, one_line):
    with one_line("has no place for its export; give `out`"):
        mtl.export(small_model, "keras")
    model_folder.save(small_model, tmp_path / "model", CELEBA_CROP, on_request=("gender",))
    for place in (tmp_path / "model", tmp_path):
        with one_line("holds other files than an exported network's", place):
            mtl.export(tmp_path / "model", "keras", out=place)
    folder = mtl.export(tmp_path / "model", "keras")
    assert mtl.export(tmp_path / "model", "keras") == folder, "an older export is replaced"
    runtime = open_runtime(folder)
    assert [task.name for task in runtime.tasks] == ["age", "head_pose"]
    assert runtime.crop == CELEBA_CROP.for_tasks(runtime.tasks)
    with one_line("was exported as keras, for prediction only; give the folder of the model"):
        mtl.load(folder)


def test_an_order_of_classes_and_an_exact_gelu_can_be_exported_to_onnx(tmp_path):
    sharing = "mult:heads=1,width=4,depth=1"
    model = MultiTaskModel(["age_group_ordinal"], "small_cnn", sharing=sharing, shared_units=(), head_units=())
    runtime, crops = open_runtime(mtl.export(model, "onnx", out=tmp_path / "out")), images_of(3, 32, 32)
    for task, answer in in_keras(model)(crops).items():
        np.testing.assert_allclose(runtime.run(crops)[task], answer, atol=1e-5)


def test_an_image_to_calibrate_on_that_cannot_be_read_is_left_out(small_model, faces, tmp_path, capsys, one_line):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    given = [tmp_path / "torn.jpg", faces["path"][0]]
    folder = mtl.export(small_model, "keras", calibrate=given, out=tmp_path / "out")
    assert json.loads((folder / "model.json").read_text())["export"]["compared"]["images"] == 1
    assert "skipped" in capsys.readouterr().err
    with one_line("several, .N, H, W, 3. or a list"):
        mtl.export(small_model, "keras", calibrate=images_of(1, 32, 32)[0], out=tmp_path / "out")


@pytest.mark.parametrize("name", ["keras", "savedmodel", "litert"])
def test_a_place_without_room_is_no_fault_of_the_format(name, small_model, tmp_path, one_line):
    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, most))
    try:
        with one_line("cannot be written", tmp_path / "full"):
            mtl.export(small_model, name, out=tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))


def test_what_kernels_litert_takes_is_not_told(small_model, tmp_path, capfd):
    mtl.export(small_model, "litert", "int8", out=tmp_path / "exported")
    assert "INFO" not in capfd.readouterr().err

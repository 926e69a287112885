"""Whatever form a network is in, one function reads it; what is damaged or hostile is refused in one line."""

import json
import shutil
import sys
import threading
import zipfile

import numpy as np
import onnx
import pytest
import tensorflow as tf

from mtl_keras.serving.exported import sums
from mtl_keras.serving.runtime import ALL, in_keras, open_runtime
from mtl_keras.training import model_folder

TASK_NAMES = ["age", "gender", "head_pose"]
FILES = {
    "keras": "model.keras",
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
    "openvino": "model.xml",
}


def sealed(folder) -> None:
    """Write the sums that the files have now: whoever plants something can do that too."""
    about = json.loads((folder / "model.json").read_text())
    about["export"]["files"] = sums(folder)
    (folder / "model.json").write_text(json.dumps(about))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "cut short", "text"])
def test_a_damaged_file_is_one_line(exported, tmp_path, one_line, name, damage):
    folder = shutil.copytree(exported(name), tmp_path / "copy")
    whole = (folder / FILES[name]).read_bytes()
    parts = {"empty": b"", "cut short": whole[: len(whole) // 2], "text": b"no network" * 100}
    (folder / FILES[name]).write_bytes(parts[damage])
    sealed(folder)
    with one_line("damaged|cannot be read", folder):
        open_runtime(folder)


def test_a_models_own_folder_and_file_are_read(small_model, tmp_path):
    folder = model_folder.save(small_model, tmp_path / "model")
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = in_keras(small_model)(crops)
    for place in (folder, folder / "model.keras", small_model):
        found = open_runtime(place).run(crops)
        assert all(np.allclose(found[task], answer, atol=1e-6) for task, answer in expected.items())


@pytest.mark.parametrize("name", FILES)
def test_a_network_that_answers_other_tasks_than_its_sidecar_names_is_refused(exported, tmp_path, one_line, name):
    folder = shutil.copytree(exported(name), tmp_path / "copy")
    about = json.loads((folder / "model.json").read_text())
    about["tasks"] = [task for task in about["tasks"] if task["name"] != "age"]
    (folder / "model.json").write_text(json.dumps(about))
    with one_line("answers .*age.*, but its model.json names gender, head_pose", folder):
        open_runtime(folder)


def test_litert_runs_where_only_tensorflow_is_installed(exported, monkeypatch, capfd, recwarn):
    folder, crops = exported("litert"), np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = open_runtime(folder).run(crops)
    capfd.readouterr()
    recwarn.clear()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    for task, answer in open_runtime(folder).run(crops).items():
        np.testing.assert_allclose(answer, expected[task], rtol=1e-5)
    assert not capfd.readouterr().err and not recwarn.list


def test_a_foreign_class_in_a_file_of_keras_is_refused(exported, tmp_path, one_line):
    folder = shutil.copytree(exported("keras"), tmp_path / "copy")
    path = folder / "model.keras"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for module, name in (("os", "system"), ("subprocess", "Popen"), ("keras.layers", "Lambda")):
        config = json.loads(parts["config.json"])
        layer = next(each for each in config["config"]["layers"] if each["class_name"] == "Resized")
        layer |= {"module": module, "class_name": name, "registered_name": None}
        with zipfile.ZipFile(path, "w") as archive:
            for part, contents in {**parts, "config.json": json.dumps(config).encode()}.items():
                archive.writestr(part, contents)
        sealed(folder)
        with one_line("cannot be read|does not know", path):
            open_runtime(folder)


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/hostname", "a/../../secret.bin"])
def test_data_of_an_onnx_network_outside_its_folder_is_refused(exported, tmp_path, one_line, place):
    folder = shutil.copytree(exported("onnx"), tmp_path / "copy")
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 20))
    model = onnx.load(folder / "model.onnx")
    tensor = model.graph.initializer[-1]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    onnx.save(model, folder / "model.onnx")
    sealed(folder)
    with one_line("outside its folder", folder / "model.onnx"):
        open_runtime(folder)


def test_data_deep_inside_an_onnx_network_is_seen_too(exported, tmp_path, one_line):
    folder = shutil.copytree(exported("onnx"), tmp_path / "copy")
    model = onnx.load(folder / "model.onnx")
    branch = next(node for node in model.graph.node if node.op_type == "If").attribute[0].g
    tensor = branch.node.add(op_type="Constant", output=["more"]).attribute.add(name="value", type=4).t
    tensor.data_type, tensor.data_location = 1, onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    onnx.save(model, folder / "model.onnx")
    sealed(folder)
    with one_line("outside its folder"):
        open_runtime(folder)


class Reads(tf.Module):
    """A network that tells what stands in a file of whoever runs it."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        size = tf.strings.length(tf.io.read_file("/etc/passwd"))
        return {"gender": tf.cast(size, tf.float32) + tf.zeros((tf.shape(image)[0], 2))}


class Writes(tf.Module):
    """A network that writes a file, by an operation that every SavedModel holds to be saved."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        tf.raw_ops.SaveV2(prefix="/tmp/planted", tensor_names=["a"], shape_and_slices=[""], tensors=[tf.zeros(3)])
        return {"gender": tf.zeros((tf.shape(image)[0], 2))}


class Calls(tf.Module):
    """A network that calls Python, where it finds the function."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        zero = tf.numpy_function(lambda: np.float32(0), [], tf.float32)
        return {"gender": zero + tf.zeros((tf.shape(image)[0], 2))}


class Branches(tf.Module):
    """One that reads a file only in a branch."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        size = tf.cond(tf.shape(image)[0] > 7, lambda: tf.strings.length(tf.io.read_file("/etc/passwd")), lambda: 0)
        return {"gender": tf.cast(size, tf.float32) + tf.zeros((tf.shape(image)[0], 2))}


class Looks(tf.Module):
    """One with a table of words, which is read from a file when the network is loaded."""

    def __init__(self, path):
        super().__init__()
        words = tf.lookup.TextFileInitializer(str(path), tf.string, 0, tf.int64, 1)
        self.table = tf.lookup.StaticHashTable(words, 0)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        return {"gender": tf.zeros((tf.shape(image)[0], 2))}


class Maps(tf.Module):
    """One that takes a file for a constant, without any text among its inputs."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        read = tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[2], memory_region_name="/etc/passwd")
        return {"gender": tf.cast(read, tf.float32) + tf.zeros((tf.shape(image)[0], 2))}


class Dumps(tf.Module):
    """One that writes what it sees to an address among an operation's attributes."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="image")])
    def __call__(self, image):
        seen = tf.raw_ops.DebugIdentityV3(
            input=tf.zeros((1, 2)), device_name="cpu", tensor_name="a:0", debug_urls=["file:///tmp/planted"]
        )
        return {"gender": seen + tf.zeros((tf.shape(image)[0], 2))}


@pytest.mark.parametrize("hostile", [Reads, Writes, Calls, Branches, Looks, Maps, Dumps])
def test_a_savedmodel_that_does_more_than_compute_is_refused(exported, tmp_path, one_line, hostile):
    folder = shutil.copytree(exported("savedmodel"), tmp_path / "copy")
    (tmp_path / "words.txt").write_text("a\t1\n")
    network = hostile(tmp_path / "words.txt") if hostile is Looks else hostile()
    shutil.rmtree(folder / "variables")
    tf.saved_model.save(network, str(folder), signatures=network.__call__)
    sealed(folder)
    with one_line("which may reach files or programs|expected a network, which needs none", folder):
        open_runtime(folder)


def test_threads_wait_for_each_other(exported, small_model):
    runtime, answers = open_runtime(exported("openvino")), {}
    crops = np.random.default_rng(0).integers(0, 256, (8, 6, 32, 32, 3), dtype=np.uint8)

    def answer(number: int) -> None:
        for _ in range(5):
            answers[number] = runtime.run(crops[number])["gender"]

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for number, found in answers.items():
        np.testing.assert_allclose(found, in_keras(small_model)(crops[number])["gender"], atol=1e-5)
    assert len(answers) == 8


def test_tasks_on_request_are_answered_only_for_who_asks(small_model, exported, tmp_path, one_line):
    trained = model_folder.save(small_model, tmp_path / "trained", on_request=("gender", "head_pose"))
    written = shutil.copytree(exported("keras"), tmp_path / "exported")
    about = json.loads((written / "model.json").read_text())
    (written / "model.json").write_text(json.dumps({**about, "on_request": ["age"]}))
    crops = np.zeros((2, 32, 32, 3), np.uint8)
    whole = open_runtime(trained, (ALL,))
    asked = {("gender",): ["gender"], ("gender", "age"): ["age", "gender"], (): TASK_NAMES}
    found = [(open_runtime(trained), ["age"]), (open_runtime(written), ["gender", "head_pose"])]
    for runtime, names in [*found, (whole, TASK_NAMES), *((open_runtime(whole, some), asked[some]) for some in asked)]:
        assert [task.name for task in runtime.tasks] == names and {*runtime.run(crops)} == {*names}
        outputs = runtime.predict([crops, crops], 0)
        assert {name: len(output) for name, output in outputs.items()} == dict.fromkeys(names, 4)
    with one_line("tasks 'hat': expected some of .* age, gender"):
        open_runtime(whole, ("hat",))
    with one_line("tasks 'age': expected several names"):
        open_runtime(whole, "age")
    with one_line("answers age, gender, head_pose on request only"):
        whole.asked((), TASK_NAMES)
    for wrong in (["gendre"], "gender", 3, None):
        (written / "model.json").write_text(json.dumps({**about, "on_request": wrong}))
        with one_line("damaged", written):
            open_runtime(written)


def test_only_tasks_of_the_model_can_be_on_request(small_model, tmp_path, one_line):
    with one_line("on_request 'hat': expected tasks of the model: age, gender, head_pose"):
        model_folder.save(small_model, tmp_path / "model", on_request=("hat",))

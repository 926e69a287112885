"""What tests share: two CPUs for TensorFlow, rules for real data, a folder of rendered faces, and a tiny network."""

import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

# Read by TensorFlow when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import settings

from mtl_keras.commands import main
from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.portraits.scenes import at_the_counter, one_by_one
from mtl_keras.portraits.writer import UTKFACE, write_faces
from mtl_keras.serving.export import export
from mtl_keras.tasks import AGE, ETHNICITY, GENDER, HEAD_POSE, TASKS
from mtl_keras.training import model_folder
from mtl_keras.training.local_workers import LocalWorkers
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings.weighting import Step

# Only possible before TensorFlow's first operation, and an import makes none. GPUs are hidden, since they round too
# coarsely for what is compared here.
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# A run of the tests repeats itself; `pytest --hypothesis-profile=default` looks for new examples.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


# Where steps of training and answering are not what is tested, they are not compiled: to trace one of a small network
# takes longer than to take it a few times.
EAGER = ("commands/", "evaluation/", "experiments/", "studies/")


@pytest.fixture(scope="module", autouse=True)
def _eager_or_compiled(request):
    place = request.path.relative_to(Path(__file__).parent).as_posix()
    with _functions_run_eagerly(place.startswith(EAGER)):
        yield


@pytest.fixture
def eager():
    """Compile no steps in one test."""
    with _functions_run_eagerly(True):
        yield


@pytest.fixture
def compiled():
    """Compile what a test in a folder of EAGER runs hundreds of times."""
    with _functions_run_eagerly(False):
        yield


@contextmanager
def _functions_run_eagerly(eagerly: bool):
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eagerly)
    yield
    tf.config.run_functions_eagerly(before)


def pytest_addoption(parser):
    """Add what the tests of the page can be told; by default they are short and take an untrained network."""
    group = parser.getgroup("page")
    group.addoption("--load-seconds", type=float, default=2, help="how long eight clients ask the page at once")
    group.addoption("--page-model", type=Path, help="folder of the model that the page shows")
    group.addoption("--screenshots", type=Path, help="folder for pictures of the page, such as docs/page")


def pytest_collection_modifyitems(items):
    """Let what takes long start first, and skip the tests on real data where there is none."""
    # Started last, it would go on in one process when there is nothing left to do for the others.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if os.environ.get("MTL_KERAS_DATA"):
        return
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(pytest.mark.skip(reason="MTL_KERAS_DATA names no folder of real data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data. It grows, so tests count what lies there and hold no number of it."""
    return Path(os.environ["MTL_KERAS_DATA"])


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory) -> Path:
    """30 rendered faces, 64 x 64 pixels, in UTKFace's layout."""
    return write_faces(tmp_path_factory.mktemp("rendered") / "faces", UTKFACE, 30, seed=5, size=64)


@pytest.fixture(scope="session")
def faces(faces_folder) -> pd.DataFrame:
    """The label table of `faces_folder`."""
    return rendered(faces_folder)


def _tiny(image_size: int) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3))
    x = keras.layers.Conv2D(8, 8, 8, activation="relu", name="convolution")(inputs)
    x = keras.layers.Flatten(dtype="float32")(x)
    return keras.Model(inputs, x, name="tiny")


@pytest.fixture(scope="session")
def tiny_backbone():
    """Name of a backbone that is in the table for as long as the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "tiny", Backbone(_tiny, image_size=32, channels=3, mean=127.5, scale=128.0))
        yield "tiny"


def _staged(image_size: int) -> keras.Model:
    inputs = keras.Input((image_size, image_size, 3))
    x = keras.layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="first")(inputs)
    x = keras.layers.Conv2D(6, 3, 2, padding="same", activation="relu", name="second")(x)
    return keras.Model(inputs, keras.layers.Conv2D(5, 1, name="third")(x), name="staged")


@pytest.fixture(scope="session")
def staged_backbone():
    """Name of a backbone with two stages and a convolution behind them, and without batch normalization."""
    with pytest.MonkeyPatch.context() as patch:
        parts = Backbone(_staged, image_size=8, channels=3, mean=127.5, scale=128.0, stages=("first", "second"))
        patch.setitem(BACKBONES, "staged", parts)
        yield "staged"


@pytest.fixture
def tiny_model(tiny_backbone) -> MultiTaskModel:
    """An untrained network of every kind of task; its answers differ from face to face, and are always the same."""
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER, ETHNICITY, HEAD_POSE], tiny_backbone, shared_units=(16,), head_units=(8,))
    # Fresh weights are too small for answers that differ much.
    model.set_weights([2 * weight for weight in model.get_weights()])
    return model


@pytest.fixture
def tiny_folder(tiny_model, tmp_path) -> Path:
    """The folder of `tiny_model`."""
    return model_folder.save(tiny_model, tmp_path / "model")


@pytest.fixture(scope="session")
def small_model(tiny_backbone) -> MultiTaskModel:
    """An untrained network of crops of 32 pixels a side, of which answers differ from face to face."""
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER, HEAD_POSE], tiny_backbone, shared_units=(16,), head_units=(8,))
    model.set_weights([2 * weight for weight in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def exported(small_model, faces_folder, tmp_path_factory):
    """Give a function that returns the folder of `small_model` in a format and a precision, each written once."""
    trained = model_folder.save(small_model, tmp_path_factory.mktemp("exported") / "model", run="first")
    written = {}

    def folder(form: str, precision: str = "float32"):
        if (form, precision) not in written:
            images = faces_folder if precision == "int8" else None
            written[form, precision] = export(trained, form, precision, images)
        return written[form, precision]

    return folder


@pytest.fixture(scope="session")
def one_line():
    """Give a context in which a `UserError` must come: one line that starts with a path and says a given thing."""

    @contextmanager
    def check(says: str = "", start: str | Path = ""):
        with pytest.raises(UserError, match=says or None) as caught:
            yield
        assert str(caught.value).startswith(str(start)) and "\n" not in str(caught.value)

    return check


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command in this process and return its exit code and what it printed to either stream."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mtl-keras", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def no_new_tasks():
    """TASKS as it was before, once the test is over."""
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


@pytest.fixture(scope="session")
def five_steps():
    """Give a function that returns five steps of three tasks, with `rows` gradients of four numbers.

    In the third step the second task has no label, and what is said of it means nothing.
    """

    def steps(rows: int = 3) -> list[Step]:
        random = np.random.default_rng(0)
        found = []
        for number in range(5):
            losses = random.uniform(0.2, 3, 3).astype("float32")
            gradients = random.normal(size=(rows, 4)).astype("float32")
            after = (losses * random.uniform(0.7, 1.1, 3)).astype("float32")
            present = np.array([True, number != 2, True])
            found.append(Step(losses, present, gradients @ gradients.T, gradients, after=after))
        return found

    return steps


@pytest.fixture(scope="session")
def answers():
    """Give a function that lets a weighting follow steps as in training, and returns what it answers in each."""

    def follow(weighting, steps: list[Step]) -> list[np.ndarray]:
        found = []
        for step in map(lambda step: step._replace(answer=weighting.weigh(step)), steps):
            before = [row.numpy() for row in weighting.state.rows]
            weighting.update(step)
            for row, old in zip(weighting.state.rows, before, strict=True):
                row.assign(np.where(step.present.reshape(-1, *[1] * (old.ndim - 1)), row.numpy(), old))
            found.append(np.asarray(step.answer))
        return found

    return follow


@pytest.fixture(scope="session")
def adam_by_hand():
    """Give a function that returns what Adam adds to a value, given all its gradients so far."""

    def change(gradients: list[float], rate: float) -> float:
        ages = np.arange(len(gradients))[::-1]
        mean = np.sum(0.1 * 0.9**ages * gradients) / (1 - 0.9 ** len(gradients))
        square = np.sum(0.001 * 0.999**ages * np.square(gradients)) / (1 - 0.999 ** len(gradients))
        return -rate * mean / (np.sqrt(square) + 1e-8)

    return change


@pytest.fixture(scope="session")
def local_workers():
    """Give a function that starts workers of a test's own file, on CPUs: their number, folder and arguments."""
    root = str(Path(__file__).parents[1])
    return partial(LocalWorkers, PYTHONPATH=root, CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3")


@pytest.fixture(scope="session")
def walking_by(tmp_path_factory) -> Path:
    """Three people walk by one after the other: two to the right, one to the left; 132 frames of eleven seconds."""
    return one_by_one().scene.write(tmp_path_factory.mktemp("videos") / "one by one.mp4")


@pytest.fixture(scope="session")
def waiting(tmp_path_factory) -> Path:
    """One stands at the counter, one comes and goes, one stays away; 120 frames of ten seconds."""
    return at_the_counter().scene.write(tmp_path_factory.mktemp("videos") / "counter.mp4")

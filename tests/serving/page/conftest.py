"""The page as others get it: the command, run with a tiny network in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import pytest

from mtl_keras.serving.page.examples import Example, examples
from mtl_keras.serving.page.limits import Limits
from mtl_keras.serving.page.worker import Worker
from mtl_keras.serving.predictor import Predictor
from mtl_keras.tasks import AGE, ETHNICITY, GENDER, HEAD_POSE
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


class Page(NamedTuple):
    """A running page: its address, its process, its log, and the folder in which its folder for uploads lies."""

    address: str
    process: subprocess.Popen
    log: Path
    uploads: Path


@pytest.fixture(scope="session")
def network() -> MultiTaskModel:
    """An untrained network of every kind of task; no test of the page changes it."""
    keras.utils.set_random_seed(0)
    tasks = [AGE, GENDER, ETHNICITY, HEAD_POSE]
    return MultiTaskModel(tasks, "small_cnn", image_size=24, shared_units=(8,), head_units=())


@pytest.fixture(scope="session")
def predictor(network) -> Predictor:
    """What takes each image as one face."""
    return Predictor(network, "crop")


@pytest.fixture(scope="session")
def page(network, tmp_path_factory, pytestconfig):
    """The page that `mtl-keras demo` shows, of an untrained network, or of the one that --page-model names."""
    folder = tmp_path_factory.mktemp("page")
    model, log = pytestconfig.getoption("--page-model"), folder / "log"
    if model is None:
        model = model_folder.save(network, folder / "model")
    command = [sys.executable, "-m", "mtl_keras.commands.main", "demo", str(model), "--port", "0"]
    uploads = tmp_path_factory.mktemp("uploads")
    with log.open("w") as written:
        environment = {**os.environ, "TMPDIR": str(uploads)}
        # Ctrl+C ends it also where the tests run in the background of a shell, which ignores it.
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    said = process.stdout.readline()
    assert re.fullmatch(r"the page is at http://127\.0\.0\.1:\d+ \(Ctrl\+C ends it\)\n", said), log.read_text()
    yield Page(said.split()[4], process, log, uploads)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and list(uploads.iterdir()) == []
    assert log.read_text().endswith("interrupted: nothing of what came in is kept\n")


@pytest.fixture(scope="session")
def drawn() -> list[Example]:
    """The drawn faces of the page."""
    return examples()


@pytest.fixture
def working(predictor):
    """Give a function that makes a worker with these limits, whose pictures are one face each."""
    workers = []

    def make(limits: Limits | None = None, given=None) -> Worker:
        workers.append(Worker(given or (lambda faces: predictor), limits or Limits()))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()

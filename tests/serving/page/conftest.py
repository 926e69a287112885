"""The page as others get it: the command, run with a tiny network in a process of its own."""

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
from mtl_keras.tasks import AGE, ETHNICITY, GENDER
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


class Page(NamedTuple):
    """A running page: its address, its process, its log, and the folder of its model."""

    address: str
    process: subprocess.Popen
    log: Path
    model: Path


@pytest.fixture(scope="session")
def page(tmp_path_factory, pytestconfig):
    """The page that `mtl-keras demo` shows, of an untrained network, or of the one that --page-model names."""
    folder = tmp_path_factory.mktemp("page")
    model, log = pytestconfig.getoption("--page-model"), folder / "log"
    if model is None:
        keras.utils.set_random_seed(0)
        network = MultiTaskModel([AGE, GENDER, ETHNICITY], "small_cnn", image_size=24, shared_units=(8,), head_units=())
        model = model_folder.save(network, folder / "model")
    command = [sys.executable, "-m", "mtl_keras.commands.main", "demo", str(model), "--port", "0"]
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=written, text=True)
    said = process.stdout.readline()
    assert re.fullmatch(r"the page is at http://127\.0\.0\.1:\d+ \(Ctrl\+C ends it\)\n", said), log.read_text()
    yield Page(said.split()[4], process, log, Path(model))
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(20)


@pytest.fixture(scope="session")
def drawn() -> list[Example]:
    """The drawn faces of the page."""
    return examples()


@pytest.fixture
def working(tiny_model):
    """Give a function that makes a worker with these limits, whose pictures are one face each."""
    workers = []

    def make(limits: Limits = Limits(), predictor=None) -> Worker:
        workers.append(Worker(predictor or (lambda faces: Predictor(tiny_model, "crop")), limits))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()

"""Several workers with one command line: only the chief writes, the figures are one process's, and nothing is lost."""

import json
import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import guarded
from mtl_keras.studies import results_folder
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import run
from mtl_keras.training import model_folder
from mtl_keras.training.cluster import read_cluster
from mtl_keras.training.resume import Backup


def experiment(strategy: str) -> Experiment:
    """A tiny network without batch norm, which three workers can share the 24 training images of."""
    return Experiment(
        tasks=("age", "gender"), backbone="gender_eyeglasses", image_size=16, frozen_epochs=1, epochs=4,
        patience=4, batch_size=12, dropout=0.0, augment=False, precision="float32", strategy=strategy,
    )  # fmt: skip


def files(folder: Path) -> set[str]:
    """The names of all files in a folder, without the hash of the settings."""
    return {re.sub(r"-[0-9a-f]{8}(?=/)", "", str(path.relative_to(folder))) for path in folder.rglob("*.*")}


def assert_equal_but_for_seconds(rows: list[dict], expected: list[dict]) -> None:
    for ours, theirs in zip(rows, expected, strict=True):
        for name in theirs.keys() - {"seconds", "images_per_second"}:
            assert ours[name] == (pytest.approx(theirs[name], rel=1e-4) if "." in name else theirs[name]), name


def assert_equal_models(ours: Path, theirs: Path) -> None:
    for model in theirs.iterdir():
        weights = (model_folder.load(place / model.name).get_weights() for place in (ours, theirs))
        for found, expected in zip(*weights, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_three_workers_go_on_after_one_was_killed_and_are_one_process(faces, faces_folder, tmp_path, local_workers):
    command = __file__, faces_folder, tmp_path / "out"
    with local_workers(3, tmp_path / "killed", *command, "--die") as three:
        expected = run(experiment("one"), faces, tmp_path / "one")
        assert three.processes[1].wait(timeout=500) == -signal.SIGKILL
        killed = time.monotonic()
        assert three.codes(500) == [2, -signal.SIGKILL, 2]
        assert time.monotonic() - killed < 60
    again = shlex.join(["python", *map(str, command), "--die", "--resume"])
    for place in (0, 2):
        last = three.told(place).splitlines()[-1]
        # Where another, which ends for the same reason, was slow to see it, it is named as well.
        assert f"worker 1 ({three.addresses[1]})" in last and re.search(" ended before (its|their) time", last)
        assert last.endswith(f"with {again}")
    assert list(tmp_path.glob("out/checkpoints/*/backup/*.npz"))
    with local_workers(3, tmp_path / "resumed", *command, "--resume") as three:
        assert three.codes(500) == [0, 0, 0], three.told(0)
    assert "are in the chief's" in three.told(1)
    assert not any(os.listdir(folder / "tmp") for folder in three.folders)
    assert "frozen: finished before" in three.printed(0)
    assert_equal_but_for_seconds(json.loads(three.printed(0).splitlines()[-1]), expected)
    assert files(tmp_path / "out" / "checkpoints") == files(tmp_path / "one" / "checkpoints")
    assert_equal_models(tmp_path / "out" / "models", tmp_path / "one" / "models")
    (curve,) = tmp_path.glob("out/checkpoints/*fine-tuned*/history.csv")
    (other,) = tmp_path.glob("one/checkpoints/*fine-tuned*/history.csv")
    losses = [pd.read_csv(path)[["loss", "val_loss"]] for path in (curve, other)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["experiments/facenet_utk.py", "--out", "my runs"],
            "python experiments/facenet_utk.py --out 'my runs' --resume",
        ),
        (["mtl-keras", "train", "--resume"], "mtl-keras train --resume"),
    ],
)
def test_the_command_that_goes_on_is_the_same_with_resume(monkeypatch, arguments, expected):
    monkeypatch.setattr(sys, "argv", arguments)
    assert results_folder._going_on() == expected


def die_after(epochs: int) -> None:
    """Kill this process as soon as it has trained this number of epochs of the second stage."""
    keep = Backup.on_epoch_begin

    def kept(self, epoch, logs=None):
        keep(self, epoch, logs)
        if epoch == epochs and "fine-tuned" in str(self.folder):
            os.kill(os.getpid(), signal.SIGKILL)

    Backup.on_epoch_begin = kept


def work(folder: str, out: str, *flags: str) -> None:
    """Train as one of the workers that TF_CONFIG names, and print the rows of the runs."""
    if "--die" in flags and read_cluster().place == 1:
        die_after(2)
    print(json.dumps(run(experiment("workers"), rendered(folder), out, "--resume" in flags)))


if __name__ == "__main__":
    guarded(lambda: work(*sys.argv[1:]))

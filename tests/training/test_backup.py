"""A run that is killed at any moment, or whose newest backup is damaged, goes on to what it would have been."""

import os
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.pipeline import feature_batches
from mtl_keras.errors import UserError, guarded
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.tasks import ETHNICITY, GENDER
from mtl_keras.training import backup, resume
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.optimizers import LayerwiseAdamW, cosine

TASKS, ROWS, EPOCHS = [GENDER, ETHNICITY], 12, 4


class Killed(BaseException):
    """What nothing on the way catches."""


class Kill(keras.callbacks.Callback):
    """Ends training in the middle of an epoch, counted from 0."""

    def __init__(self, epoch: int):
        super().__init__()
        self.last = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations > 3 * self.last:
            raise Killed


@keras.saving.register_keras_serializable("tests")
class Noise(keras.layers.Layer):
    """Draws from Keras' global generator, which no layer owns."""

    def call(self, inputs, training=False):
        return inputs + keras.random.normal((1,)) if training else inputs


def network(width: int) -> MultiTaskModel:
    """A network with every kind of random and other state there is."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    trunk = keras.Model(inputs, keras.layers.BatchNormalization()(Noise()(keras.layers.Dense(width)(inputs))))
    backbone = Backbone(trunk, 4, channels=0, mean=0.0, scale=1.0)
    model = MultiTaskModel(TASKS, backbone, shared_units=(5,), head_units=(4,), dropout=0.5)
    model.compile(LayerwiseAdamW(cosine(0.03, 12), ema_momentum=0.8), weighting="famo")
    return model


@pytest.fixture(scope="module")
def fit():
    """Train in a folder from the start, or from where its run was killed; return all that this has made and moved."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"path": "", "gender": np.array(GENDER.classes)[random.integers(0, 2, ROWS)]}, range(ROWS))
    table["ethnicity"] = np.where(random.random(ROWS) < 0.7, np.array(ETHNICITY.classes)[np.arange(ROWS) % 5], None)
    features = random.normal(size=(ROWS, 4)).astype("float32")
    validation = feature_batches(features, table, TASKS, ROWS)
    # One for all runs, since its step takes longer to compile than they take to train.
    model = network(6)
    model.optimizer.build(model.trainable_variables)
    start = backup.values_of(backup.training_state(model))
    complete = model.fit

    def training(epoch):
        return feature_batches(features, table, TASKS, 4, seed=5, first_epoch=epoch)

    def run(folder: Path, *extra: Kill) -> list[np.ndarray]:
        backup.assign(backup.training_state(model), start)
        model.fit = lambda *args, callbacks, **options: complete(
            *args, callbacks=[*callbacks, *extra], verbose=0, **options
        )
        resume.fit(model, training, validation, folder, EPOCHS, patience=9)
        curve = pd.read_csv(folder / "history.csv").drop(columns="seconds")
        return [curve.to_numpy(), *backup.values_of(backup.training_state(model))]

    return run


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """To the last bit."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def whole(fit, tmp_path_factory):
    return fit(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def killed(fit, tmp_path_factory):
    """The folder of a run that was killed in its fourth epoch."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(Killed):
        fit(folder, Kill(3))
    return folder


@pytest.fixture
def broken(killed, tmp_path):
    """A copy of it, which may be damaged."""
    return shutil.copytree(killed, tmp_path / "run")


def files(folder: Path) -> list[Path]:
    """The backups, by the number of epochs."""
    return sorted((folder / "backup").iterdir())


def test_two_backups_are_kept_and_the_newest_is_gone_on_from(fit, whole, broken):
    assert [path.name.split("-")[0] for path in files(broken)] == ["2", "3"]
    assert_same(fit(broken), whole)


def test_a_run_that_is_killed_again_and_again_is_the_run_that_was_not(fit, whole, tmp_path):
    for epoch in (0, 1, 1, 2, 3):
        with pytest.raises(Killed):
            fit(tmp_path, Kill(epoch))
    assert_same(fit(tmp_path), whole)


class Preempt(Kill):
    """Sends what a machine sends that is taken away."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations > 3 * self.last:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_preempted_run_keeps_its_epochs(fit, whole, tmp_path):
    with pytest.raises(SystemExit, match="143"):
        guarded(lambda: fit(tmp_path, Preempt(2)))
    assert [path.name.split("-")[0] for path in files(tmp_path)] == ["1", "2"]
    assert_same(fit(tmp_path), whole)


def flipped(data: bytes) -> bytes:
    place = len(data) // 3
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda data: data[:-100], lambda data: b""])
def test_a_damaged_backup_is_told_and_the_one_before_it_is_taken(fit, damage, whole, broken, capsys):
    newest = files(broken)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    assert_same(fit(broken), whole)
    told = f"{broken}: the backup after epoch 3 is damaged; going on from the backup before it, after epoch 2\n"
    assert capsys.readouterr().out.count(told) == 1


def folder_there(path: Path, outside: Path) -> None:
    path.mkdir()
    (path / "file").touch()


@pytest.mark.parametrize(
    "put",
    [folder_there, lambda path, outside: os.mkfifo(path), lambda path, outside: path.symlink_to(outside / "nowhere")],
)
def test_what_is_no_file_in_place_of_a_backup_is_a_damaged_one(fit, put, whole, broken, tmp_path, capsys):
    put(broken / "backup" / f"9-{'0' * 64}.npz", tmp_path)
    assert_same(fit(broken), whole)
    assert "the backup after epoch 9 is damaged; going on from the backup before it, after epoch 3\n" in (
        capsys.readouterr().out
    )


def renamed(path: Path) -> None:
    """Give a backup that was changed the checksum of what it holds now."""
    path.rename(path.with_name(f"{path.name.partition('-')[0]}-{backup.sha256(path)}.npz"))


def as_text(path: Path) -> None:
    path.write_text("hello")


def without_curve(path: Path) -> None:
    arrays = backup.read(path.parent)
    np.savez(path, np.frombuffer(b"epoch,loss\n0,1.5\n", "uint8"), *arrays[1:])


def of_bytes(path: Path) -> None:
    arrays = backup.read(path.parent)
    np.savez(path, *arrays[:1], arrays[1].astype("S8"), *arrays[2:])


@pytest.mark.parametrize(
    ("change", "says"),
    [(as_text, "damaged"), (without_curve, "no learning curve of 3 epochs"), (of_bytes, "of another network")],
)
def test_what_no_run_backs_up_is_refused_in_one_line_whatever_its_checksum(fit, change, says, broken):
    newest = files(broken)[-1]
    change(newest)
    renamed(newest)
    with pytest.raises(UserError, match=f"{says}.*start anew, without --resume") as caught:
        fit(broken)
    assert "\n" not in str(caught.value)


def test_nothing_is_written_through_links_in_the_folder_of_a_run(fit, whole, tmp_path):
    (tmp_path / "precious").write_text("of somebody else")
    (tmp_path / "run" / "backup").mkdir(parents=True)
    for name in ("history.csv", "backup/unfinished.npz"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    assert_same(fit(tmp_path / "run"), whole)
    assert (tmp_path / "precious").read_text() == "of somebody else"


def test_without_a_whole_backup_training_starts_anew(fit, whole, broken, capsys):
    for path in files(broken):
        path.write_bytes(flipped(path.read_bytes()))
    assert_same(fit(broken), whole)
    assert "going on from the first epoch: there is no other one\n" in capsys.readouterr().out


# While it writes its second backup, names it, or drops an older one, after it looked three times for an unfinished one.
@pytest.mark.parametrize(("module", "name", "call"), [(np, "savez", 2), (os, "replace", 2), (Path, "unlink", 4)])
def test_a_run_killed_while_it_writes_a_backup_goes_on(fit, module, name, call, whole, tmp_path, monkeypatch):
    calls, complete = [], getattr(module, name)

    def kill(path, *rest, **options):
        if "backup" in str(path):
            calls.append(path)
        if len(calls) == call:
            Path(path).write_bytes(b"half")
            raise Killed
        return complete(path, *rest, **options)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(module, name, kill)
        fit(tmp_path)
    assert_same(fit(tmp_path), whole)


def test_a_backup_of_another_network_is_refused(broken):
    with pytest.raises(UserError, match="of another network.*start anew"):
        resume.fit(network(7), None, None, broken, EPOCHS, patience=9)

"""Training whose loss is no number any more ends at once, names the task, and leaves nothing to go on with."""

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.pipeline import feature_batches
from mtl_keras.tasks import GENDER, Task
from mtl_keras.training import resume
from mtl_keras.training.divergence import Diverged
from mtl_keras.training.model import MultiTaskModel

HEIGHT = Task("height", "regression", unit="cm")
FEATURES = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")


def fit(folder, heights, validation=None, rate=1e-3, epochs=3):
    """Train in batches of 4 rows on these heights, and return the model."""
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, HEIGHT], "features", image_size=5, shared_units=(4,), head_units=(3,), dropout=0.0)
    model.compile(keras.optimizers.SGD(rate))

    def batches(cells, epoch=0):
        table = pd.DataFrame({"path": "x", "gender": ["male", "female"] * 8, "height": cells})
        return feature_batches(FEATURES, table, model.tasks, 4, first_epoch=epoch)

    held = None if validation is None else batches(validation)
    resume.fit(model, lambda epoch: batches(heights, epoch), held, folder, epochs, patience=9)
    return model


def one_wrong(place: int) -> np.ndarray:
    """Heights of 1 cm, and one whose squared error is infinite."""
    return np.where(np.arange(16) == place, 1e30, 1.0)


def test_it_ends_with_the_step_and_names_the_task(tmp_path, one_line):
    with one_line(
        "learning rate \\(0.001 here\\)", start="the loss of height became infinite in epoch 1, step 2, so training"
    ):
        fit(tmp_path / "run", one_wrong(5))


def test_what_the_last_step_spoils_is_seen_in_the_validation(tmp_path, one_line):
    with one_line(start="the loss of height became infinite in the validation of epoch 1, so training"):
        fit(tmp_path / "run", np.ones(16), one_wrong(0))


def test_weights_beyond_all_numbers_spoil_every_loss(tmp_path, one_line):
    with one_line(start="the loss of gender and height became NaN in epoch 1, step 2"):
        fit(tmp_path / "run", np.ones(16), rate=3e38)


def test_nothing_of_it_is_kept_and_it_starts_from_the_first_epoch_again(tmp_path, capsys):
    folder = tmp_path / "run"
    fit(folder, np.ones(16), epochs=2)
    assert resume.epochs_done(folder / "backup") == 1
    with pytest.raises(Diverged):
        fit(folder, one_wrong(0))
    assert resume.epochs_done(folder / "backup") == 0 and capsys.readouterr().out.endswith("\n")
    fit(folder, np.ones(16), epochs=1)
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [0]

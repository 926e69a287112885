"""Steps without a number are skipped; training of which many are ends, names the task, and leaves nothing to go on."""

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.pipeline import feature_batches
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.tasks import GENDER, Task
from mtl_keras.training import backup, distribute, resume
from mtl_keras.training.divergence import Diverged
from mtl_keras.training.model import MultiTaskModel

HEIGHT = Task("height", "regression", unit="cm")
FEATURES = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")


def fit(folder, heights, validation=None, rate=1e-3, epochs=3):
    """Train in batches of 4 rows on these heights, and return the model."""
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, HEIGHT], "features", image_size=5, shared_units=(4,), head_units=(3,), dropout=0.0)
    model.compile(keras.optimizers.SGD(rate), run_eagerly=True)

    def batches(cells, epoch=0):
        table = pd.DataFrame({"path": "x", "gender": ["male", "female"] * 8, "height": cells})
        return feature_batches(FEATURES, table, model.tasks, 4, first_epoch=epoch)

    held = None if validation is None else batches(validation)
    resume.fit(model, lambda epoch: batches(heights, epoch), held, folder, epochs, patience=9)
    return model


def one_wrong(place: int) -> np.ndarray:
    """Heights of 1 cm, and one whose squared error is infinite."""
    return np.where(np.arange(16) == place, 1e30, 1.0)


def test_it_ends_when_no_step_can_be_taken_and_names_the_task(tmp_path, one_line):
    said = "the loss of height was infinite in 4 steps in a row, up to the end of epoch 1, so training was stopped"
    with one_line("learning rate \\(0.001 here\\)", start=said):
        fit(tmp_path / "run", np.full(16, 1e30))


def test_what_the_last_step_spoils_is_seen_in_the_validation(tmp_path, one_line):
    with one_line(start="the loss of height was infinite in the validation of epoch 1, so training"):
        fit(tmp_path / "run", np.ones(16), one_wrong(0))


def test_weights_beyond_all_numbers_spoil_every_loss(tmp_path, one_line):
    with one_line(start="the loss of gender and height was NaN in 7 steps in a row, up to the end of epoch 2"):
        fit(tmp_path / "run", np.ones(16), rate=3e38)


def test_ten_steps_in_a_row_are_too_many_whatever_the_epoch():
    model = network()
    heights = np.where(np.arange(64) < 8, 1.0, 1e30)
    with pytest.raises(Diverged, match="infinite in 16 steps in a row, up to step 20 of epoch 1"):
        model.fit(*data_of(heights, 32), batch_size=2, verbose=0, shuffle=False)


def network(rate: float = 1e-3) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, HEIGHT], "features", image_size=5, shared_units=(4,), head_units=(3,), dropout=0.0)
    model.compile(keras.optimizers.Adam(rate), run_eagerly=True)
    return model


def data_of(heights, times: int = 1) -> tuple:
    rows = len(heights)
    random = np.random.default_rng(0)
    features = random.normal(size=(rows, 5)).astype("float32")
    return features, {"gender": random.integers(0, 2, rows), "height": heights.astype("float32")}


@pytest.mark.parametrize("weighting", ["equal", "mgda"])
@pytest.mark.parametrize("wrong", [1e30])
def test_a_step_without_a_number_is_left_out_as_if_its_rows_were_not_there(weighting, wrong, capsys):
    heights = np.where(np.arange(16) == 5, wrong, 1.0)
    kept = np.r_[0:4, 8:16]
    features, labels = data_of(heights)
    results = []
    for rows in (np.arange(16), kept):
        model = network()
        model.compile(keras.optimizers.Adam(0.01), weighting=weighting, run_eagerly=True)
        chosen = {name: values[rows] for name, values in labels.items()}
        history = model.fit(features[rows], chosen, batch_size=4, epochs=2, verbose=0, shuffle=False).history
        variables = [*model.weights, *model.optimizer.variables]
        results.append(([variable.numpy() for variable in variables], [*history.values()]))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5)
    said = capsys.readouterr().out
    assert said.count("1 of 4 steps skipped, since the loss of height was infinite") == 2


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_a_skipped_step_leaves_averages_and_state_as_they_were(strategy):
    inputs = keras.Input((5,))
    trunk = keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(4)(inputs)))
    with distribute.strategy(strategy).scope():
        backbone = Backbone(trunk, 5, channels=0, mean=0.0, scale=1.0)
        model = MultiTaskModel([GENDER, HEIGHT], backbone, shared_units=(), head_units=(), dropout=0.0)
        model.compile(keras.optimizers.Adam(0.01), weighting="uncertainty")
    features, labels = data_of(np.ones(8))
    model.fit(features, labels, batch_size=8, verbose=0)
    variables = [*model.weights, *model.weighting_state.weights, *model.optimizer.variables]
    before = [np.asarray(variable) for variable in variables]
    features[3] = np.nan
    with pytest.raises(Diverged):
        model.fit(features, labels, batch_size=8, verbose=0)
    for variable, old in zip(variables, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), old)
    assert model.skipped_steps.seen()[:3] == (1, 1, 1)


def test_nothing_of_it_is_kept_and_it_starts_from_the_first_epoch_again(tmp_path, capsys):
    folder = tmp_path / "run"
    fit(folder, np.ones(16), epochs=2)
    assert backup.epochs_done(folder / "backup") == 1
    with pytest.raises(Diverged):
        fit(folder, np.full(16, 1e30))
    assert backup.epochs_done(folder / "backup") == 0 and capsys.readouterr().out.endswith("\n")
    fit(folder, np.ones(16), epochs=1)
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [0]

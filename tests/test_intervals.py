"""Labels that are known up to an interval, from a cell to the loss."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtl_keras.data.blanks import keep_some
from mtl_keras.data.derive import derived
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.pipeline import InputSpec, feature_batches
from mtl_keras.data.shards import read_shards, shard_batches, shard_table
from mtl_keras.data.table import combine, complete, encode, encode_intervals, read_table, write_table
from mtl_keras.errors import UserError
from mtl_keras.intervals import end_columns, with_intervals
from mtl_keras.kinds import kind_of
from mtl_keras.studies.constant import majority
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.tasks import AGE, AGE_GROUP, AGE_REGRESSION, GENDER, HEAD_POSE, Task
from mtl_keras.training.model import MultiTaskModel

CELLS = [31.0, "20-29", " 70+ ", None, "5", "3 \u2013 9"]


def table(**columns) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"path": [f"{number}.jpg" for number in range(count)], **columns})


def test_an_interval_among_numbers_gets_columns_of_its_own():
    found = complete(table(age=pd.Series(CELLS, dtype=object)))
    np.testing.assert_array_equal(found["age"], [31, np.nan, np.nan, np.nan, 5, np.nan])
    np.testing.assert_array_equal(found["age.low"], [np.nan, 20, 70, np.nan, np.nan, 3])
    np.testing.assert_array_equal(found["age.high"], [np.nan, 29, np.nan, np.nan, np.nan, 9])
    # Once more changes nothing, and numbers alone are left as they are.
    pd.testing.assert_frame_equal(complete(found), found)
    numbers = table(age=[1.0, 2.0])
    assert with_intervals(numbers) is numbers
    # Where there is no number, no column says that there should be some.
    assert complete(table(age=["20-29", None])).columns.tolist()[4:] == ["age.low", "age.high"]


def test_whatever_needs_a_number_takes_an_interval_for_a_blank_and_training_takes_its_ends():
    found = complete(table(age=pd.Series(CELLS, dtype=object)))
    labels, mask = encode(found, AGE)
    np.testing.assert_array_equal(mask, [1, 0, 0, 0, 1, 0])
    ends, mask = encode_intervals(found, AGE)
    np.testing.assert_array_equal(mask, [1, 1, 1, 0, 1, 1])
    # An open one ends where the task's numbers do.
    np.testing.assert_array_equal(ends, [[31, 31], [20, 29], [70, 116], [0, 0], [5, 5], [3, 9]])
    assert len(labelled_rows(found, [AGE])) == 5
    labels, _ = encode_intervals(complete(table(age=[1.0, np.nan])), AGE)
    assert labels.shape == (2,)


def test_sets_of_numbers_and_of_intervals_are_combined_and_written_and_read_again(tmp_path):
    numbers = table(age=[31.0, 4.0]).assign(source="a")
    intervals = table(age=["20-29", "70+"]).assign(source="b", path=["x.jpg", "y.jpg"])
    found = combine([numbers, intervals])
    assert found["age.low"].tolist()[2:] == [20, 70] and found["age"].tolist()[:2] == [31, 4]
    write_table(found, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), found, check_dtype=False)


def test_an_interval_of_one_number_is_that_number():
    ends = {"age.low": [30, 20], "age.high": [30, 29]}
    for found in (complete(table(age=["30-30", "20-29"])), complete(table(**ends))):
        np.testing.assert_array_equal(found["age"], [30, np.nan])
        np.testing.assert_array_equal(encode(found, AGE)[1], [1, 0])
        pd.testing.assert_frame_equal(complete(found), found)
    assert complete(table(age=[7.0], **{"age.low": [5.0], "age.high": [9.0]}))["age"].tolist() == [7]


def test_what_is_no_interval_of_the_task_is_refused():
    with pytest.raises(UserError, match="column 'age': got '20 to 29'"):
        complete(table(age=["20 to 29", "3-9"]))
    with pytest.raises(UserError, match="expected a number from 0 to 116 years, an interval such as 20-29 or 60+"):
        complete(table(age=["20 to 29"]))
    with pytest.raises(UserError, match="got '20-29' beside 45.0 in column 'age.low'; leave one of them empty"):
        complete(table(age=["20-29"]).assign(**{"age.low": [45.0], "age.high": [60.0]}))
    with pytest.raises(UserError, match="column 'age': got 25 beside 40 and 49 .1.jpg.; leave the number"):
        complete(table(age=[None, 25.0]).assign(**{"age.low": [20.0, 40.0], "age.high": [29.0, 49.0]}))
    with pytest.raises(UserError, match="column .age., or age.low and age.high: got 29 and 20 .0.jpg.; expected"):
        complete(table(age=["29-20"]))
    with pytest.raises(UserError, match="column 'age.high'.*expected a number from 0 to 116 years"):
        complete(table(age=["100-200"]))
    with pytest.raises(UserError, match="a label of kind 'angle' cannot be an interval"):
        encode_intervals(table(tilt=[None]).assign(**{"tilt.low": [3.0]}), Task("tilt", "angle"))
    assert end_columns(GENDER) == end_columns(HEAD_POSE) == ()


def test_an_interval_within_a_class_of_ages_is_of_that_class():
    found = derived(complete(table(age=["24-39", "20-29", "3-9", "56+", None])), [AGE_GROUP])
    assert found["age_group"].fillna("").tolist() == ["24-39", "", "1-13", "", ""]


def test_the_baseline_of_a_task_of_intervals_alone_is_their_median_middle():
    task, rows = Task("height", "regression"), complete(table(gender=["male"] * 3))
    rows = rows.assign(**{"height.low": [160.0, 170.0, 180.0], "height.high": [170.0, 180.0, np.nan]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = majority((rows, rows, rows), [task])
    assert row["height.n"] == 0 and row["height.within_interval"] == pytest.approx(1 / 3)


def test_labels_that_are_taken_away_take_their_intervals_along():
    found = complete(table(age=["24-39"] * 50, gender=["male"] * 50))
    kept = keep_some(found, [AGE, GENDER], 0.3)
    lost = kept["age.low"].isna()
    assert 5 < lost.sum() < 45 and (kept["age.high"].isna() == lost).all() and kept["gender"][lost].notna().all()


# === Losses ===


def of(task: Task, labels, outputs) -> np.ndarray:
    return keras.ops.convert_to_numpy(kind_of(task).loss(np.array(labels, np.float32), np.array(outputs, np.float32)))


def test_of_bins_the_loss_of_an_interval_is_that_of_the_probability_within_it():
    task = Task("years", "expectation", values=(0.0, 1.0, 2.0, 3.0), error_weight=0.5)
    outputs = [[0.1, 0.2, 0.3, 0.4]] * 4  # the expected value is 2
    found = of(task, [[1, 2], [3, 3], [0, 3], [1.2, 1.8]], outputs)
    expected = [-np.log(0.5), -np.log(0.4) + 0.5, 0.0, -np.log(0.2) + 0.1]
    # Between two bins there is none: the nearest of its middle, as for a number, of which both are as near here.
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_number_as_an_interval_has_the_loss_of_the_number():
    random = np.random.default_rng(0)
    outputs = random.dirichlet(np.ones(117), 6)
    labels = random.integers(0, 117, 6)
    np.testing.assert_allclose(of(AGE, np.stack([labels] * 2, 1), outputs), of(AGE, labels, outputs), rtol=1e-5)
    outputs = random.normal(40, 20, (6, 1))
    expected = of(AGE_REGRESSION, labels, outputs)
    np.testing.assert_allclose(of(AGE_REGRESSION, np.stack([labels] * 2, 1), outputs), expected, rtol=1e-5)


def test_of_a_number_the_loss_of_an_interval_is_0_within_and_grows_outside():
    found = of(AGE_REGRESSION, [[20, 29]] * 3, [[25.0], [39.0], [10.0]])
    np.testing.assert_allclose(found, [0, (10 / 20) ** 2, (10 / 20) ** 2], rtol=1e-6)
    score = kind_of(AGE_REGRESSION).score(np.array([[20, 29]], np.float32), np.array([[31.0]], np.float32))
    assert float(score[0]) == 2.0


@pytest.mark.parametrize("task", [AGE, AGE_REGRESSION], ids=["bins", "number"])
def test_a_network_learns_ages_from_intervals_alone(task):
    """Of two groups of features, labelled "20-29" and "60-69", the answers come to lie within."""
    features = np.repeat(np.eye(2, dtype=np.float32), 16, axis=0)
    rows = complete(table(age=["20-29"] * 16 + ["60-69"] * 16, gender=["male"] * 32))
    model = MultiTaskModel([task, GENDER], "features", image_size=2, shared_units=(), head_units=(), dropout=0.0)
    model.compile(keras.optimizers.Adam(0.3 if task is AGE else 0.1), weighting="equal")
    model.fit(feature_batches(features, rows, [task, GENDER], 8, seed=0), epochs=25, verbose=0)
    answers = keras.ops.convert_to_numpy(kind_of(task).answers(model.predict(features[[0, 16]], verbose=0)["age"]))
    assert 19 <= answers[0] <= 30 and 59 <= answers[1] <= 70


def test_shards_keep_intervals(tmp_path):
    for number in range(4):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = table(age=["20-29", "31", "70+", None], gender=["male", None, "female", "male"])
    rows["path"] = [str(tmp_path / f"{number}.png") for number in range(4)]
    pack_shards(rows, tmp_path / "shards")
    shards = read_shards(tmp_path / "shards")
    found = shard_table(shards).sort_values("path")
    assert found["age.low"].fillna(-1).tolist() == [20, -1, 70, -1] and shards.labelled("age") == 3
    spec = InputSpec([AGE, GENDER], 16)
    images, labels, masks = next(iter(shard_batches(shards, spec, 4)))
    order = np.argsort(images.numpy()[:, 0, 0, 0])
    np.testing.assert_array_equal(labels["age"].numpy()[order], [[20, 29], [31, 31], [70, 116], [0, 0]])
    np.testing.assert_array_equal(masks["age"].numpy()[order], [1, 1, 1, 0])

"""Figures are those of scikit-learn, their intervals cover, and comparisons are fair."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from mtl_keras.data.table import complete
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import image_batches
from mtl_keras.evaluation.groups import by_group
from mtl_keras.evaluation.metrics import as_table, differences, evaluate, metrics_with_intervals
from mtl_keras.evaluation.predictions import mean_of_looks, predictions, with_predictions
from mtl_keras.evaluation.views import VIEWS
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, ETHNICITY, EXPRESSION, GENDER, HEAD_POSE, Task

TASKS = [AGE, GENDER, ETHNICITY, HEAD_POSE]


def table_of(count: int, seed: int = 0) -> pd.DataFrame:
    """A label table as a tired annotator leaves it: every fifth age and every seventh gender is missing."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"path": [f"{index}.jpg" for index in range(count)]})
    table["age"] = random.integers(0, 100, count).astype(float)
    table["gender"] = random.choice(GENDER.classes, count).astype(object)
    table["ethnicity"] = random.choice(ETHNICITY.classes, count).astype(object)
    for column in HEAD_POSE.columns:
        table[column] = random.normal(0, 20, count)
    table.loc[::5, "age"] = np.nan
    table.loc[::7, "gender"] = None
    return table


def outputs_of(table: pd.DataFrame, error: float = 0.4, seed: int = 1) -> dict[str, np.ndarray]:
    """What heads could have answered: (N, K) for each task, and wrong in that share of the cases."""
    random = np.random.default_rng(seed)
    outputs = {}
    for task in TASKS[1:3]:
        right = table[task.name].map({name: i for i, name in enumerate(task.classes)}).fillna(0).to_numpy(int)
        guess = random.integers(0, task.size, len(table))
        chosen = np.where(random.random(len(table)) < error, guess, right)
        outputs[task.name] = np.full((len(table), task.size), 0.4 / task.size) + 0.6 * np.eye(task.size)[chosen]
    center = (table["age"].fillna(30) + random.normal(0, 20 * error, len(table))).to_numpy()
    logits = -((np.arange(117) - center[:, None]) ** 2) / 50
    outputs["age"] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    outputs["head_pose"] = table[[*HEAD_POSE.columns]].to_numpy() + random.normal(0, 10 * error, (len(table), 3))
    return outputs


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    table = table_of(300)
    return with_predictions(table, TASKS, outputs_of(table))


# === Answers ===


def test_answers_are_what_the_outputs_stand_for():
    outputs = {
        "age": np.eye(117)[[20, 30]] / 2 + np.eye(117)[[40, 30]] / 2,
        "gender": np.array([[0.1, 0.9], [0.7, 0.3]]),
        "head_pose": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    }
    table = pd.DataFrame({"path": ["a", "b"]}, index=[5, 9])
    found = with_predictions(table, [AGE, GENDER, HEAD_POSE], outputs)
    assert found["path"].tolist() == ["a", "b"] and list(table.columns) == ["path"]
    np.testing.assert_allclose(found["age.value"], [30, 30], rtol=1e-5)
    np.testing.assert_allclose(found["age.std"], [10, 0], atol=1e-2)
    assert found["gender.class"].tolist() == ["female", "male"]
    np.testing.assert_allclose(found["gender.probability"], [0.9, 0.7])
    np.testing.assert_allclose(found["head_pose.pitch.value"], [2, 5])


def test_the_three_ways_to_answer_an_age():
    bins = np.zeros((1, 117))
    bins[0, [20, 50]] = 0.6, 0.4
    table = pd.DataFrame({"path": ["a"]})
    assert with_predictions(table, [AGE], {"age": bins})["age.value"][0] == pytest.approx(32)
    assert with_predictions(table, [AGE_ARGMAX], {"age": bins})["age.value"][0] == 20
    regressed = with_predictions(table, [AGE_REGRESSION], {"age": np.array([[41.5]])})
    assert regressed["age.value"][0] == 41.5 and "age.std" not in regressed


def test_predictions_of_a_model(tiny_model, faces):
    found = predictions(tiny_model, faces, batch_size=7)
    outputs = tiny_model.predict(image_batches(tiny_model, faces), verbose=0)
    mirrored = tiny_model.predict(image_batches(tiny_model, faces, flip=True), verbose=0)
    expected = with_predictions(faces, tiny_model.tasks, outputs)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-4)
    assert found["age.value"].nunique() > 10, "a model that answers all faces alike would pass many a test"
    # Yaw and roll of a mirrored head have the other sign.
    mean = {name: (outputs[name] + mirrored[name]) / 2 for name in outputs}
    mean["head_pose"] = kind_of(HEAD_POSE).mean([outputs["head_pose"], mirrored["head_pose"] * (-1, 1, -1)])
    both = with_predictions(faces, tiny_model.tasks, mean)
    pd.testing.assert_frame_equal(predictions(tiny_model, faces, views="mirror"), both, rtol=1e-4, atol=1e-4)
    assert np.abs(both["age.value"] - expected["age.value"]).max() > 1e-3
    looks = [
        tiny_model.predict(image_batches(tiny_model, faces, flip=flip, zoom=zoom), verbose=0)
        for flip, zoom in VIEWS["six"]
    ]
    mean = {name: sum(look[name] for look in looks) / 6 for name in outputs}
    turned = [look["head_pose"] * (-1, 1, -1) if flip else look["head_pose"]
              for look, (flip, _) in zip(looks, VIEWS["six"], strict=True)]  # fmt: skip
    mean["head_pose"] = kind_of(HEAD_POSE).mean(turned)
    expected = with_predictions(faces, tiny_model.tasks, mean)
    pd.testing.assert_frame_equal(predictions(tiny_model, faces, views="six"), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="unknown views 'two'; expected one of one, mirror, six"):
        predictions(tiny_model, faces, views="two")


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (HEAD_POSE, [[15.0, 25.0, -5.0]]),
        (Task("wind", "angle", outputs=("from", "to", "yaw"), oriented=True), [[10.0, 20.0, 10.0]]),
        (Task("place", "regression", outputs=("x", "y", "z")), [[-5.0, 25.0, 15.0]]),
    ],
    ids=lambda value: value.name if isinstance(value, Task) else "",
)
def test_an_answer_about_a_mirrored_image_is_mirrored_back_or_left_out(task, expected):
    looks = [np.array([[10.0, 20.0, 10.0]]), np.array([[-20.0, 30.0, 20.0]])]
    np.testing.assert_allclose(mean_of_looks(task, looks, "mirror"), expected)


# === Figures ===


def test_figures_are_those_of_scikit_learn(answers):
    found = metrics_with_intervals(answers, TASKS, resamples=0)
    assert not any(name.endswith((".low", ".high")) for name in found)
    for task in (GENDER, ETHNICITY):
        rows = answers[answers[task.name].notna()]
        labels, classes = rows[task.name].astype(str), rows[f"{task.name}.class"].astype(str)
        assert found[f"{task.name}.n"] == len(rows)
        assert found[f"{task.name}.accuracy"] == pytest.approx(metrics.accuracy_score(labels, classes))
        assert found[f"{task.name}.macro_f1"] == pytest.approx(metrics.f1_score(labels, classes, average="macro"))
    for task in (AGE, HEAD_POSE):
        rows = answers.dropna(subset=[*task.columns])
        labels, values = rows[[*task.columns]], rows[[f"{column}.value" for column in task.columns]]
        assert found[f"{task.name}.n"] == len(rows)
        assert found[f"{task.name}.mae"] == pytest.approx(metrics.mean_absolute_error(labels, values), rel=1e-5)
        squared = metrics.mean_squared_error(labels, values)
        assert found[f"{task.name}.rmse"] == pytest.approx(np.sqrt(squared), rel=1e-5)
    rows = answers.dropna(subset=["age"])
    assert found["age.cs5"] == pytest.approx(np.mean(np.abs(rows["age"] - rows["age.value"]) <= 5))


def test_intervals_hold_the_figure_and_are_the_same_every_time(answers):
    found = metrics_with_intervals(answers, [AGE, GENDER])
    for name in ("age.mae", "age.rmse", "age.cs5", "gender.accuracy", "gender.macro_f1"):
        assert found[f"{name}.low"] < found[name] < found[f"{name}.high"]
    assert found == metrics_with_intervals(answers, [AGE, GENDER])


def test_intervals_cover_the_truth_and_shrink_with_more_images():
    share = 0.8  # of right answers: of 40 % that are guessed, half hit
    covered, widths = [], {}
    for seed in range(60):
        table = table_of(120, seed).fillna({"gender": "male"})
        found = metrics_with_intervals(
            with_predictions(table, [GENDER], outputs_of(table, seed=seed + 1000)), [GENDER], resamples=200
        )
        covered.append(found["gender.accuracy.low"] <= share <= found["gender.accuracy.high"])
    assert 0.85 <= np.mean(covered) <= 1
    for count in (100, 1600):
        table = table_of(count)
        found = metrics_with_intervals(with_predictions(table, [GENDER], outputs_of(table)), [GENDER], resamples=200)
        widths[count] = found["gender.accuracy.high"] - found["gender.accuracy.low"]
    assert widths[1600] == pytest.approx(widths[100] / 4, rel=0.4)


def test_intervals_are_as_wide_as_theory_has_them():
    table = table_of(1600).fillna({"gender": "male", "age": 40.0})
    answers = with_predictions(table, [AGE, GENDER], outputs_of(table))
    found = metrics_with_intervals(answers, [AGE, GENDER])
    right = answers["gender"] == answers["gender.class"]
    errors = (answers["age"] - answers["age.value"]).abs()
    # Of 95 %: 1.96 standard errors to either side.
    for name, values in (("gender.accuracy", right.astype(float)), ("age.mae", errors)):
        half = (found[f"{name}.high"] - found[f"{name}.low"]) / 2
        assert half == pytest.approx(1.96 * values.std() / np.sqrt(len(values)), rel=0.08), name
    other = with_predictions(table, [AGE, GENDER], outputs_of(table, seed=5))
    row = {row["metric"]: row for row in differences(answers, other, AGE)}["age.mae"]
    paired = errors - (other["age"] - other["age.value"]).abs()
    half = (row["high"] - row["low"]) / 2
    assert half == pytest.approx(1.96 * paired.std() / np.sqrt(len(paired)), rel=0.08)


def test_a_task_without_labels_has_no_figures(answers):
    found = metrics_with_intervals(answers.drop(columns=["age"]), [AGE, GENDER], resamples=10)
    assert found["age.n"] == 0
    assert all(np.isnan(found[f"age.{name}"]) for name in ("mae", "rmse", "mae.low", "mae.high"))
    assert found["gender.accuracy"] > 0.5


def test_of_intervals_the_share_of_answers_within_is_measured(answers):
    table = answers.assign(**{"age.low": np.nan, "age.high": np.nan})
    blank = table.index[table["age"].isna()][:4]
    table.loc[blank, "age.low"], table.loc[blank, "age.high"] = [20, 20, 70, 3], [29, 29, np.nan, 9]
    # The answer is the bin that is nearest; where the number is known the interval counts for nothing.
    table.loc[blank, "age.value"] = [29.4, 29.6, 116.0, 2.6]
    table.loc[table["age"].first_valid_index(), ["age.low", "age.high"]] = 116.0, 116.0
    found = metrics_with_intervals(table, [AGE], 50)
    assert (found["age.within_interval"], found["age.within_interval.n"]) == (0.75, 4)
    assert 0 <= found["age.within_interval.low"] < 0.75 < found["age.within_interval.high"] <= 1
    assert found["age.n"] == 240 and as_table(found).loc["age.within_interval", "n"] == 4
    # A regression knows no bins.
    assert metrics_with_intervals(table.loc[blank], [AGE_REGRESSION], 0)["age.within_interval"] == 0.25


def test_a_task_of_intervals_alone_has_that_figure_alone(tiny_model, faces):
    table = faces.drop(columns=["age", "gender", "ethnicity", *HEAD_POSE.columns]).assign(age=["0-116", "100+"] * 15)
    assert evaluate(tiny_model, complete(table)).index.tolist() == ["age.within_interval"]


def test_evaluate_gives_a_row_a_metric(tiny_model, faces):
    found = evaluate(tiny_model, faces.drop(columns=["gender"]))
    assert list(found.columns) == ["n", "value", "low", "high"]
    assert {name.split(".")[0] for name in found.index} == {"age", "ethnicity", "head_pose"}
    pd.testing.assert_frame_equal(
        found, as_table(metrics_with_intervals(predictions(tiny_model, faces), [AGE, ETHNICITY, HEAD_POSE])), rtol=1e-5
    )
    assert (found["n"] == 30).all() and (found["low"] <= found["value"]).all()
    with pytest.raises(UserError, match="has a label of any task of this model .age, gender, ethnicity"):
        evaluate(tiny_model, faces[["path", "smile"]])


# === Comparisons ===


def test_a_model_does_not_differ_from_itself(answers):
    for row in differences(answers, answers, GENDER) + differences(answers, answers, AGE):
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_the_better_model_differs_in_the_right_direction(answers):
    table = answers[table_of(1).columns]
    better = with_predictions(table, TASKS, outputs_of(table, error=0.1, seed=2))
    ages = {row["metric"]: row for row in differences(better, answers, AGE)}
    genders = {row["metric"]: row for row in differences(better, answers, GENDER)}
    assert ages.keys() == {"age.mae", "age.rmse", "age.cs5"}
    assert ages["age.mae"]["low"] < ages["age.mae"]["difference"] < ages["age.mae"]["high"] < 0
    assert 0 < genders["gender.accuracy"]["low"] < genders["gender.accuracy"]["difference"]
    for one, other in zip(differences(answers, better, AGE), ages.values(), strict=True):
        assert one["difference"] == pytest.approx(-other["difference"])
        assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))


def test_pairing_narrows_the_interval(answers):
    # The same errors but for a little: what is hard for one is hard for the other.
    other = answers.assign(**{"age.value": answers["age.value"] + np.random.default_rng(3).normal(0, 0.3, 300)})
    found = {row["metric"]: row for row in differences(other, answers, AGE)}["age.mae"]
    alone = metrics_with_intervals(answers, [AGE])
    assert found["high"] - found["low"] < (alone["age.mae.high"] - alone["age.mae.low"]) / 5


def test_only_the_same_images_are_compared(answers):
    with pytest.raises(UserError, match="need the same labelled images in the same order"):
        differences(answers, answers.iloc[::-1], AGE)


# === Groups ===


def test_groups_are_counted_apart(answers):
    found = by_group(answers, [AGE, GENDER])
    whole = answers.dropna(subset=["age", "gender", "ethnicity"])
    assert found["n"].sum() == len(whole)
    assert found.columns[:4].tolist() == ["gender", "ethnicity", "age_band", "n"]
    row = found[(found["gender"] == "female") & (found["ethnicity"] == "asian") & (found["age_band"] == "20-29")]
    members = whole[(whole["gender"] == "female") & (whole["ethnicity"] == "asian") & whole["age"].between(20, 29)]
    assert row["n"].item() == len(members) > 0
    assert row["age.mae"].item() == pytest.approx(np.abs(members["age"] - members["age.value"]).mean(), rel=1e-5)
    assert row["gender.accuracy"].item() == pytest.approx((members["gender.class"] == "female").mean())


def test_groups_by_chosen_labels(answers):
    found = by_group(answers, [AGE], ["gender"])
    assert found["gender"].tolist() == ["female", "male"]
    assert found["n"].tolist() == [int((answers["gender"] == name).sum()) for name in ("female", "male")]
    for _, row in found.iterrows():
        expected = metrics_with_intervals(answers[answers["gender"] == row["gender"]], [AGE], resamples=0)
        assert row["age.rmse"] == expected["age.rmse"]
    assert by_group(answers, [AGE], ["smile"]).empty


def test_groups_grow_until_half_of_them_hold_enough_images(answers):
    def sizes(rows, at_least):
        found = by_group(rows, [AGE], at_least=at_least)
        return found, (found["n"] >= at_least).mean()

    fine, whole = by_group(answers, [AGE]), answers.dropna(subset=["age", "gender", "ethnicity"])
    assert by_group(answers, [AGE], at_least=1)["age_band"].nunique() <= fine["age_band"].nunique()
    for at_least in (5, 10):
        found, enough = sizes(answers, at_least)
        assert enough >= 0.5 and found["n"].sum() == len(whole)
        ends = sorted(tuple(map(int, band.split("-"))) for band in found["age_band"].unique())
        assert ends[0][0] == 0 and ends[-1][1] == 116, "bands cover all ages"
        assert all(one[1] + 1 == other[0] for one, other in zip(ends, ends[1:], strict=False))
        assert len(ends) < fine["age_band"].nunique()
    # With a single band left, ethnicities are not told apart, then genders.
    few, _ = sizes(whole[:40], 15)
    assert "ethnicity" not in few and few["gender"].nunique() == 2 and few["n"].sum() == 40
    least, _ = sizes(whole[:12], 10)
    assert list(least.columns[:2]) == ["age_band", "n"] and least["n"].tolist() == [12]
    assert by_group(whole[:3], [AGE], at_least=10)["n"].tolist() == [3]


def test_a_group_counts_the_labels_of_each_task(answers):
    found = by_group(answers.assign(age=answers["age"].where(answers.index % 2 == 0)), [AGE, GENDER], ["gender"])
    assert (found["age.n"] < found["n"]).all() and found["gender.n"].tolist() == found["n"].tolist()


def test_labels_that_are_all_missing_make_no_groups(answers):
    without = answers.assign(age=np.nan, ethnicity=None)
    assert by_group(without, [GENDER])["gender"].tolist() == ["female", "male"]
    assert by_group(without[["path"]], []).empty
    oldest = answers.assign(age=116.0)
    assert by_group(oldest, [AGE], ["age_band"])["age_band"].tolist() == ["60-116"]


def test_an_unlabelled_class_changes_nothing():
    table = table_of(20).assign(expression="happy")
    found = with_predictions(table, [EXPRESSION], {"expression": np.eye(7)[np.full(20, 3)]})
    assert metrics_with_intervals(found, [EXPRESSION], resamples=20)["expression.macro_f1.low"] == 1.0


def test_an_age_that_is_known_up_to_an_interval_is_in_the_band_that_holds_all_of_it():
    ages = {"age": [25.0, None, None, None, None], "age.low": [None, 20.0, 25.0, 60.0, None]}
    table = pd.DataFrame({"gender": "male", **ages, "age.high": [None, 29.0, 34.0, None, None]})
    table["gender.class"] = ["male", "male", "male", "female", "female"]
    found = by_group(table, [GENDER])
    rows = found[["gender", "age_band", "n", "gender.accuracy"]].to_numpy().tolist()
    assert rows == [["male", "20-29", 2, 1.0], ["male", "60-116", 1, 0.0]]
    assert by_group(table, [GENDER], at_least=2)["n"].tolist() == [3]
    unknown = table.drop(columns=["age"])[2:3]
    assert by_group(unknown, [GENDER])["n"].tolist() == [1] and "age_band" not in by_group(unknown, [GENDER])

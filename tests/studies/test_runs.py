"""A run that was broken off and resumed is the run that was not."""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.pipeline import feature_batches
from mtl_keras.errors import UserError
from mtl_keras.studies import runs
from mtl_keras.studies.settings import Experiment
from mtl_keras.tasks import ETHNICITY, GENDER
from mtl_keras.training import backup, model_folder, resume
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.optimizers import LayerwiseAdamW, cosine

# Each training takes a dozen steps.
pytestmark = pytest.mark.usefixtures("compiled")
TASKS = [GENDER, ETHNICITY]


class PowerCut(keras.callbacks.Callback):
    """Breaks off in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.last:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    gender = generator.integers(0, 2, 90)
    table = pd.DataFrame({"path": [f"{i}.jpg" for i in range(90)], "gender": np.array(GENDER.classes)[gender]})
    table["ethnicity"] = np.where(np.arange(90) % 3, np.array(ETHNICITY.classes)[generator.integers(0, 5, 90)], None)
    features = generator.normal(size=(90, 6)).astype("float32")
    features[:, 0] += 2 * gender
    return features, table


def fit(data, folder, ema, extra=(), epochs=4, patience=9, validated=True, rate=0.03):
    features, table = data
    keras.utils.set_random_seed(1)
    model = MultiTaskModel(TASKS, "features", image_size=6, shared_units=(8,), head_units=(), dropout=0.0)
    model.compile(LayerwiseAdamW(cosine(rate, 3 * epochs), 0.01, ema_momentum=ema))
    if extra:
        plain = model.fit
        model.fit = lambda *args, callbacks, **options: plain(*args, callbacks=[*callbacks, *extra], **options)
    resume.fit(
        model,
        lambda epoch: feature_batches(features, table, TASKS, 32, seed=5, first_epoch=epoch),
        feature_batches(features, table, TASKS, 90) if validated else None,
        folder,
        epochs,
        patience,
    )
    return model


@pytest.mark.parametrize("ema", [None, 0.8])
def test_resumed_run_equals_uninterrupted_one(data, tmp_path, ema):
    whole = fit(data, tmp_path / "whole", ema)
    with pytest.raises(KeyboardInterrupt):
        fit(data, tmp_path / "broken", ema, [PowerCut(2)])
    assert backup.epochs_done(tmp_path / "broken" / "backup") == 2
    spent = pd.read_csv(tmp_path / "broken" / "history.csv")["seconds"]
    assert resume.seconds_before(tmp_path / "broken") == pytest.approx(spent[:2].sum())
    assert resume.seconds_before(tmp_path / "none") == 0
    resumed = fit(data, tmp_path / "broken", ema)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    curves = [pd.read_csv(tmp_path / name / "history.csv") for name in ("whole", "broken")]
    assert curves[1]["epoch"].tolist() == [0, 1, 2, 3]
    # Only the time that an epoch took is another.
    assert all((curve.pop("seconds") > 0).all() for curve in curves)
    pd.testing.assert_frame_equal(curves[0], curves[1], check_exact=True)


def test_model_has_the_weights_of_its_best_epoch(data, tmp_path):
    model = fit(data, tmp_path / "run", 0.5, epochs=6)
    best = pd.read_csv(tmp_path / "run" / "history.csv")["val_loss"].min()
    features, table = data
    assert model.evaluate(feature_batches(features, table, TASKS, 90), verbose=0, return_dict=True)[
        "loss"
    ] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("ema", [None, 0.8])
def test_without_validation_the_last_weights_are_kept_also_when_resumed(data, tmp_path, ema):
    whole = fit(data, tmp_path / "whole", ema, validated=False)
    seen = fit(data, tmp_path / "validated", ema, epochs=4)
    losses = pd.read_csv(tmp_path / "validated" / "history.csv")["val_loss"]
    assert losses.argmin() == 3  # so that its best weights are its last ones
    with pytest.raises(KeyboardInterrupt):
        fit(data, tmp_path / "broken", ema, [PowerCut(2)], validated=False)
    resumed = fit(data, tmp_path / "broken", ema, validated=False)
    assert pd.read_csv(tmp_path / "broken" / "history.csv")["epoch"].tolist() == [0, 1, 2, 3]
    for ours, again, theirs in zip(whole.get_weights(), resumed.get_weights(), seen.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        np.testing.assert_allclose(ours, again, atol=1e-6)


def test_a_run_killed_after_it_stopped_early_trains_no_epoch_more(data, tmp_path):
    settings = {"epochs": 9, "rate": 3.0}  # far too high
    first = fit(data, tmp_path / "run", None, patience=1, **settings)
    epochs = len(pd.read_csv(tmp_path / "run" / "history.csv"))
    again = fit(data, tmp_path / "run", None, patience=1, **settings)
    assert 2 < epochs < 8 and len(pd.read_csv(tmp_path / "run" / "history.csv")) == epochs
    for ours, theirs in zip(again.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    fit(data, tmp_path / "run", None, patience=9, **settings)
    assert len(pd.read_csv(tmp_path / "run" / "history.csv")) == 9


def test_moving_average_is_what_is_validated(data, tmp_path):
    # A momentum this close to 1 holds the average near the first step's weights, so its loss hardly falls.
    fit(data, tmp_path / "slow", 0.999)
    fit(data, tmp_path / "plain", None)
    slow, plain = (pd.read_csv(tmp_path / name / "history.csv")["val_loss"] for name in ("slow", "plain"))
    assert slow.iloc[-1] > plain.iloc[-1] + 0.05


def test_stops_when_flat_counting_epochs_before_the_resume():
    stop = resume.StopWhenFlat(2, [1.0, 1.1])
    stop.set_model(keras.Sequential([keras.layers.Dense(1)]))
    stop.model.stop_training = False
    stop.on_epoch_end(2, {"val_loss": 1.2})
    assert stop.model.stop_training


def test_full_disk_is_one_line_and_names_resume(data, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="No space left on device.*--resume"):
        fit(data, tmp_path / "run", None)


def start(checkpoints, settings, resume=True, defaults=None):
    known = runs.find_folder(checkpoints, "net-age", settings, defaults)
    return runs.start_run(checkpoints, "net-age", settings, known, resume)


def test_a_setting_that_is_newer_than_a_run_had_its_default(tmp_path):
    folder = start(tmp_path, {"seed": 0})
    settings, defaults = {"seed": 0, "l2": 0.0, "units": (1, 2)}, {"l2": 0.0, "units": (1, 2), "seed": 5, "other": 1}
    assert runs.find_folder(tmp_path, "net-age", settings, defaults) == folder
    assert runs.find_folder(tmp_path, "net-age", {**settings, "l2": 0.1}, defaults) is None
    # Without defaults the newer settings are unknown, and a setting that the run lacks is another one.
    assert runs.find_folder(tmp_path, "net-age", settings) is None
    assert runs.find_folder(tmp_path, "net-age", {}, defaults) is None


def test_a_run_that_starts_anew_takes_nothing_over_through_a_link(tmp_path):
    folder = start(tmp_path / "checkpoints", {"seed": 0})
    (folder / "backup").mkdir()
    os.replace(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert start(tmp_path / "checkpoints", {"seed": 0}, resume=False) == folder
    assert not folder.is_symlink() and os.listdir(folder) == ["settings.json"]
    assert (tmp_path / "elsewhere" / "backup").is_dir()


def test_a_run_that_cannot_be_removed_is_not_gone_on_with(tmp_path, monkeypatch):
    def forbidden(*args, **options):
        raise PermissionError(13, "Permission denied")

    start(tmp_path, {"seed": 0})
    monkeypatch.setattr("mtl_keras.files.shutil.rmtree", forbidden)
    with pytest.raises(UserError, match="cannot be removed .Permission denied"):
        start(tmp_path, {"seed": 0}, resume=False)


@pytest.mark.parametrize("text", ["{", "[]", "[1]", "[" * 100_000])
def test_a_damaged_note_of_settings_starts_anew_and_keeps_what_was_there(tmp_path, capsys, text):
    folder = start(tmp_path, {"seed": 0})
    (folder / "best").touch()
    (folder / "settings.json").write_text(text)
    assert runs.find_folder(tmp_path, "net-age", {"seed": 0}) is None
    assert start(tmp_path, {"seed": 0}) == folder and not (folder / "best").exists()
    assert "settings.json is missing or damaged; moved to" in capsys.readouterr().out
    assert len([*tmp_path.glob(f"{folder.name}-damaged-*/best")]) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("row.json", text) for text in ("", "{", "[]", "3", "null", '{"run": {}}')),
        *(("predictions.csv", text) for text in ("", "\0", "image,age.value\nab,1\n", "image,number,age.value\n")),
        *(
            ("history.csv", text)
            for text in ("", "\0", 'a,"', "epoch,loss\n", "epoch,loss\n1,x\n", "epoch,loss\n4,1\n")
        ),
    ],
)
def test_damaged_files_of_a_finished_run_are_one_line(tmp_path, name, text):
    answers = table_of({"a/1.jpg": 3.0, "a/2.jpg": 4.0})
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss,seconds\n0,1.5,NA,2\n")
    assert len(runs.write_run(tmp_path, {"run": "a"}, answers).history) == 1
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=rf"{name}: damaged \(.*\); remove its folder to train this run anew"):
        runs.read_run(tmp_path, answers)


def test_answers_of_an_older_version_have_no_checksum(tmp_path):
    answers = table_of({"a/1.jpg": 3.0})
    runs.write_run(tmp_path, {"run": "a"}, answers)
    (tmp_path / "row.json").write_text('{"run": "a"}')
    assert runs.read_run(tmp_path, answers).predictions.equals(answers)


def test_only_folders_of_the_whole_name_are_looked_at(tmp_path):
    longer = runs.start_run(tmp_path, "net-age-gender", {"seed": 0}, None, True)
    assert runs.find_folder(tmp_path, "net-age", {"seed": 0}) is None
    assert re.fullmatch("net-age-gender-[0-9a-f]{8}", longer.name) and runs.plain_name(longer) == "net-age-gender"


def test_a_run_with_one_changed_setting_leaves_the_finished_one(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    first = start(checkpoints, {"seed": 0})
    row, answers = {"run": "a", "age.mae": 4.5}, table_of({"a/1.jpg": 3.0})
    runs.write_run(first, row, answers)
    second = start(checkpoints, {"seed": 1})
    assert second != first and runs.read_run(second, answers) is None
    known = runs.read_run(runs.find_folder(checkpoints, "net-age", {"seed": 0}), answers)
    assert known.row == row and known.predictions.equals(answers) and known.model is None and known.folder == first
    # To resume keeps what is there; to train anew empties the folder of the same settings, and no other.
    assert start(checkpoints, {"seed": 0}) == first and runs.read_run(first, answers)
    runs.write_run(second, row, answers)
    assert start(checkpoints, {"seed": 0}, resume=False) == first and runs.read_run(first, answers) is None
    assert runs.read_run(second, answers)


def test_to_look_a_run_up_changes_nothing(tmp_path):
    folder = start(tmp_path, {"seed": 0})
    (folder / "backup").mkdir()
    before = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))]
    for settings in ({"seed": 0}, {"seed": 1}):
        if found := runs.find_folder(tmp_path, "net-age", settings):
            assert runs.read_run(found, table_of({"a": 1.0})) is None
    assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))] == before


def test_the_newest_model_has_the_plain_name_and_every_run_finds_its_own(tiny_model, tmp_path):
    first, second = (start(tmp_path / "checkpoints", {"seed": seed}) for seed in (0, 1))
    models = tmp_path / "models"

    def saved(folder):
        return model_folder.save(tiny_model, runs.place_for_model(folder), run=folder.name)

    assert saved(first) == models / "net-age" == runs.find_model(first)
    assert runs.find_model(second) is None
    assert saved(second) == models / "net-age" == runs.find_model(second)
    assert runs.find_model(first) == models / first.name
    # Trained once more, the first is the newest, and its older model is gone.
    saved(first)
    assert sorted(path.name for path in models.iterdir()) == ["net-age", second.name]
    assert runs.find_model(first) == models / "net-age" and runs.find_model(second) == models / second.name


def test_a_model_that_does_not_say_its_run_is_found_and_never_lost(tiny_model, tmp_path):
    folder = start(tmp_path / "checkpoints", {"seed": 0})
    model_folder.save(tiny_model, tmp_path / "models" / "net-age")
    assert runs.find_model(folder) == tmp_path / "models" / "net-age"
    assert runs.place_for_model(folder) == tmp_path / "models" / "net-age"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["net-age-earlier"]


def test_published_runs_are_known_by_their_settings():
    folders = [noted.parent for noted in Path(__file__).parents[2].glob("results/*/checkpoints/*/settings.json")]
    assert folders
    for folder in folders:
        settings = json.loads((folder / "settings.json").read_text())
        assert runs.find_folder(folder.parent, runs.plain_name(folder), settings) == folder
        # Settings that came later had their defaults.
        later = {**asdict(Experiment()), **settings}
        del later["variant"]
        assert runs.find_folder(folder.parent, runs.plain_name(folder), later, asdict(Experiment())) == folder


def table_of(ages):
    """Return a table of images of ages 1, 2, ... with the answers {path: age}."""
    labels = {"path": [*ages], "source": "utkface", "age": np.arange(1.0, len(ages) + 1)}
    return pd.DataFrame({**labels, "age.value": [*ages.values()]})


def test_answers_are_kept_without_names_and_labels_and_found_again_elsewhere(tmp_path):
    folder = tmp_path / "checkpoints" / "run"
    answers = table_of({"here/1/x.jpg": 3.0, "here/2/x.jpg": 4.25, "here/y.jpg": 5.1234567})
    runs.write_run(folder, {"run": "a"}, answers)
    text = (folder / "predictions.csv").read_text()
    assert text.splitlines()[0] == "image,number,age.value" and "jpg" not in text and "utkface" not in text
    # Another folder, another order of two names, one image more; two files of one name keep theirs.
    moved = answers.drop(columns="age.value").assign(path=[f"there/{path}" for path in answers["path"]])
    more = pd.DataFrame({"path": ["there/z.jpg"], "source": ["utkface"], "age": [7.0]})
    found = runs.read_run(folder, pd.concat([moved[2:], more, moved[:2]], ignore_index=True)).predictions
    assert found["path"].tolist() == [f"there/here/{name}" for name in ("y.jpg", "1/x.jpg", "2/x.jpg")]
    assert found["age"].tolist() == [3, 1, 2] and found["age.value"].tolist() == [5.123457, 3.0, 4.25]


def test_classes_that_look_like_numbers_or_blanks_come_back_as_texts(tmp_path):
    answers = {"stars.class": ["1", "2", "01"], "size.class": ["NA", "None", "nan"], "size.probability": [0.5, 0.25, 1]}
    answered = pd.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], "source": "x", **answers})
    found = runs.write_run(tmp_path, {"run": "a run"}, answered).predictions
    assert {name: found[name].tolist() for name in answers} == answers

"""What is put into the package is the network of the run, measured as it is given, with a card that says so."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.commands import bundling
from mtl_keras.commands.bundling import Bundle, bundle, check_size, chosen
from mtl_keras.data.audit import check_images
from mtl_keras.data.split import split
from mtl_keras.data.table import write_table
from mtl_keras.datasets.recognition import read_any
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.serving.predictor import Predictor
from mtl_keras.serving.runtime import open_runtime
from mtl_keras.studies import model_card
from mtl_keras.studies.provenance import write_run_json
from mtl_keras.studies.runs import write_run
from mtl_keras.tasks import AGE, ETHNICITY, GENDER
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

RUN = "tiny-trained-0123abcd"


@pytest.fixture(scope="module")
def results(tiny_backbone, faces_folder, tmp_path_factory):
    """A results folder with one finished run, of a network that has learned nothing."""
    out = tmp_path_factory.mktemp("results")
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER, ETHNICITY], tiny_backbone, head_units=(4,))
    model.set_weights([2 * weight for weight in model.get_weights()])
    test = split(check_images(read_any(faces_folder)), seed=3)[2]
    model_folder.save(model, out / "models" / "tiny-trained", run=RUN)
    write_run(out / "checkpoints" / RUN, {"run": "tiny, trained"}, predictions(open_runtime(model), test))
    (out / "checkpoints" / RUN / "settings.json").write_text('{"weights": "random, seed 0"}')
    write_run_json(out, {"settings": {"seed": 3, "tasks": ["age", "gender", "ethnicity"]}})
    (out / "checkpoints" / RUN / "temperatures.json").write_text('{"gender": 1.25}')
    return out


def test_it_is_exported_measured_and_described(results, faces_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_card, "RESAMPLES", 10)
    out = tmp_path / "bundled_model"
    bundle(Bundle(results, (faces_folder,), out=out))
    assert f"{out}: " in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"model.json", "model.tflite", "MODEL_CARD.md"}
    test = split(check_images(read_any(faces_folder)), seed=3)[2]
    people = Predictor(out, "crop", tasks=("all",))(list(test["path"]))
    right = [
        person.answers["gender"]["class"] == label for (person,), label in zip(people, test["gender"], strict=True)
    ]
    card = (out / "MODEL_CARD.md").read_text()
    assert f"| drawn faces | gender % | {len(right)} | {100 * sum(right) / len(right):.2f} [" in card
    assert "trained on drawn faces only" in card
    # How true its probabilities are is measured on what is given, whatever other runs there are.
    sure = np.array([person.answers["gender"]["probability"] for (person,) in people])
    bins = pd.DataFrame({"bin": sure * 15 // 1, "sure": sure, "right": right}).groupby("bin")
    error = 100 * (bins["sure"].sum() - bins["right"].sum()).abs().sum() / len(right)
    row = next(line for line in card.partition("## Calibration")[2].splitlines() if line.startswith("| gender |"))
    _, _, images, ece, _, temperature, *rest = row.split(" | ".strip())
    assert (int(images), temperature.strip(), rest[0].strip()) == (len(right), "1.25", "–")
    assert float(ece) == pytest.approx(error, abs=0.02)
    assert [task.name for task in Predictor(out, "crop").tasks] == ["age", "gender"]
    assert "| ethnicity | white, black, asian, indian, others | on request |" in card


def test_images_that_it_may_have_learned_from_are_refused(results, faces_folder, tmp_path, one_line):
    other = shutil.copytree(results, tmp_path / "other")
    run = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**run, "settings": {**run["settings"], "seed": 4}}))
    with one_line("test images were none of the run's, so it may have learned from them"):
        bundle(Bundle(other, (faces_folder,), out=tmp_path / "out"))
    (other / "run.json").write_text(json.dumps({**run, "settings": {"seed": 3}}))
    with one_line("settings has no tasks", other / "run.json"):
        bundle(Bundle(other, (faces_folder,), out=tmp_path / "out"))
    (other / "run.json").write_text(json.dumps(run))
    shutil.rmtree(other / "checkpoints")
    with one_line("no finished run of the model", other):
        bundle(Bundle(other, (faces_folder,), out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_card_cannot_leave_out_what_the_network_was_trained_on(results, faces_folder, tmp_path, one_line):
    parts = split(check_images(read_any(faces_folder)), seed=3)
    names = "train", "validation", "test"
    few = [part.head(1).assign(split=name) for part, name in zip(parts, names, strict=True)]
    write_table(pd.concat(few), tmp_path / "one.csv")
    with one_line("2 test images of the run are not among the data named, so the card would leave out"):
        bundle(Bundle(results, (tmp_path / "one.csv",), out=tmp_path / "out"))
    with one_line("on_request 'ethnicty': expected some of what the model answers: age, gender, ethnicity"):
        bundle(Bundle(results, (faces_folder,), on_request=("ethnicty",), out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_smallest_network_that_answers_all_is_chosen(results, tmp_path, one_line):
    other = shutil.copytree(results, tmp_path / "other")
    assert chosen(other, None).name == "tiny-trained"
    shutil.copytree(other / "models" / "tiny-trained", other / "models" / "again")
    with one_line("name one of again, tiny-trained by --model", other):
        chosen(other, None)
    (other / "models" / "again" / "more").write_bytes(bytes(200_000))
    assert chosen(other, None).name == "tiny-trained" and chosen(other, "again").name == "again"
    with one_line("no model 'gone'; expected one of again, tiny-trained", other):
        chosen(other, "gone")
    with one_line("no models in it", tmp_path):
        chosen(tmp_path, None)


def test_what_is_too_large_is_refused(results, monkeypatch, one_line):
    check_size(results / "models" / "tiny-trained")
    monkeypatch.setattr(bundling, "MOST_MEGABYTES", 0.001)
    with one_line("expected at most 0.001; name a smaller one"):
        check_size(results / "models" / "tiny-trained")

"""Features that several runs share are computed once, and their seconds are charged to none of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mtl_keras.evaluation.features import trunk_features
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.studies import shared_features as module
from mtl_keras.studies import study as study_module
from mtl_keras.studies.network import build
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.shared_features import network_name, seconds_note, seconds_noted
from mtl_keras.studies.study import Study
from mtl_keras.training import model_folder


@pytest.fixture
def parts(faces):
    return tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(20), range(20, 25), range(25, 30)))


@pytest.fixture
def asked(monkeypatch) -> list[bool]:
    """Whether mirrored images were asked for, each time that features are; by the clock, nothing else takes time."""
    found = []

    def computed(*arguments):
        found.append(arguments[4])
        return trunk_features(*arguments)

    clock = SimpleNamespace(time=lambda: 100.0 * len(found), perf_counter=lambda: 0.0)
    for each in (module, study_module):
        monkeypatch.setattr(each, "time", clock)
    monkeypatch.setattr(module, "trunk_features", computed)
    return found


def test_two_runs_share_them_and_neither_is_charged(tiny_backbone, parts, tmp_path, asked):
    both = Experiment(tasks=("age", "gender"), backbone=tiny_backbone, frozen_epochs=1, epochs=0, precision="float32")
    study = Study(parts, tmp_path)
    first, second = (study.run(settings)[0] for settings in (both, replace(both, tasks=("gender",))))
    assert asked == [False, True, False, False]
    assert seconds_noted(tmp_path) == {"tiny": 400}
    answers = predictions(model_folder.load(first.model), parts[2])
    np.testing.assert_allclose(first.predictions["age.value"], answers["age.value"], atol=1e-4)
    assert first.row["seconds"] == second.row["seconds"] == 0
    # It outlives the run's training, and the next one that takes the features from the cache.
    for resume in (True, False):
        later = Study(parts, tmp_path, resume)
        later.run(both)
        assert seconds_note(tmp_path, [*later.frozen_trunks]) == [
            "features of the frozen trunk, computed once for all runs: 400 s"
        ]
    assert len(asked) == 8
    assert seconds_note(tmp_path, ["facenet"]) == [] == seconds_note(tmp_path / "other", ["tiny"])


def test_they_are_of_the_images_mirrored_and_not(tiny_backbone, parts, tmp_path):
    settings = Experiment(tasks=("gender",), backbone=tiny_backbone, precision="float32")
    model, study = build(settings), Study(parts, tmp_path)
    found = study.features_of(settings, model)
    assert [len(each) for each in found] == [20, 20, 5, 5]
    for features, part, flip in zip(found, (parts[0], *parts), (False, True, False, False), strict=True):
        expected = trunk_features(model, part, tmp_path / "cache", "expected", flip)
        np.testing.assert_allclose(features, expected, atol=1e-5)
    assert not np.allclose(found.train, found.mirrored)
    assert study.features_of(settings, model) is found


def test_trunks_are_named_by_what_tells_their_features_apart(tmp_path):
    names = [network_name(Experiment(**change)) for change in ({}, {"border": 16}, {"image_size": 80, "border": 4})]
    assert names == ["facenet", "facenet, border 16", "facenet, 80 pixels, border 4"]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / module.SECONDS).write_text('{"facenet, border 16": 320.4, "facenet": 300.0}')
    assert seconds_note(tmp_path, names) == [
        "features of the frozen trunk, computed once for all runs: 320 s (facenet, border 16), 300 s (facenet)"
    ]

"""Features that several runs share are computed once, and their seconds are charged to none of them."""

import time
from dataclasses import replace

import numpy as np
import pytest

from mtl_keras.evaluation.features import trunk_features
from mtl_keras.studies import shared_features as module
from mtl_keras.studies.network import build
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.shared_features import network_name, seconds_note, seconds_noted
from mtl_keras.studies.study import Study


@pytest.fixture
def parts(faces):
    return tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(20), range(20, 25), range(25, 30)))


@pytest.fixture
def slow(monkeypatch) -> list[bool]:
    """Features take 2 seconds more; the list has an entry for each time that they are asked for."""
    asked = []

    def computed(*arguments):
        asked.append(arguments[4])
        time.sleep(0.5)
        return trunk_features(*arguments)

    monkeypatch.setattr(module, "trunk_features", computed)
    return asked


def test_two_runs_share_them_and_neither_is_charged(tiny_backbone, parts, tmp_path, slow, capsys):
    both = Experiment(tasks=("age", "gender"), backbone=tiny_backbone, frozen_epochs=1, epochs=0, precision="float32")
    study = Study(parts, tmp_path)
    first, second = (study.run(settings)[0] for settings in (both, replace(both, tasks=("gender",))))
    assert slow == [False, True, False, False]
    noted = seconds_noted(tmp_path)
    assert list(noted) == ["tiny"] and noted["tiny"] >= 2
    assert first.row["seconds"] < second.row["seconds"] + 1.5
    # It outlives the cache, also where a run is resumed.
    for resume in (True, False):
        later = Study(parts, tmp_path, resume)
        later.run(both)
        assert seconds_note(tmp_path, [*later.frozen_trunks]) == [
            f"features of the frozen trunk, computed once for all runs: {noted['tiny']:.0f} s"
        ]
    assert seconds_noted(tmp_path) == noted
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

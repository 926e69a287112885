"""The source is guessed where features tell it, and not where only copies of an image do."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.evaluation import sources
from mtl_keras.evaluation.sources import rows_to_tell, tell_sources

RANDOM = np.random.default_rng(0)
NAMES = np.repeat(["a", "b"], [80, 40])


def table(names=NAMES, group=None) -> pd.DataFrame:
    paths = [f"{row}.jpg" for row in range(len(names))]
    return pd.DataFrame({"path": paths, "source": names, "group": np.arange(len(names)) if group is None else group})


def test_features_that_know_the_source_tell_it_and_others_do_not():
    noise = RANDOM.normal(size=(120, 4))
    told = tell_sources(noise + 9 * (NAMES == "b")[:, None], table())
    assert told == {"images": 120, "sources": 2, "most_frequent": 80 / 120, "accuracy": 1.0, "balanced_accuracy": 1.0}
    guessed = tell_sources(noise, table())
    assert guessed["balanced_accuracy"] == pytest.approx(0.5, abs=0.12)


def test_copies_of_an_image_do_not_give_its_source_away():
    # Three copies of each of 40 images; the features know the image, and nothing else.
    group = np.arange(120) // 3
    names = RANDOM.choice(["a", "b"], 40)[group]
    features = np.eye(40)[group]
    assert tell_sources(features, table(names, group))["balanced_accuracy"] < 0.7
    assert tell_sources(features, table(names))["balanced_accuracy"] > 0.9


def test_small_sources_are_left_out_and_large_tables_cut(monkeypatch):
    names = np.repeat(["a", "b", "few"], [80, 40, 9])
    assert set(rows_to_tell(table(names))["source"]) == {"a", "b"}
    assert rows_to_tell(table(names[:80])).empty
    # Forty copies of nine images are nine.
    assert rows_to_tell(table(group=np.r_[:80, 80 + np.arange(40) % 9])).empty
    monkeypatch.setattr(sources, "MOST", 60)
    assert len(rows_to_tell(table())) == 60 and rows_to_tell(table()).equals(rows_to_tell(table()))

"""Drawn videos that several tests of counting read."""

from pathlib import Path

import pytest

from mtl_keras.portraits.scenes import at_the_counter, one_by_one


@pytest.fixture(scope="session")
def walking_by(tmp_path_factory) -> Path:
    """Three people walk by one after the other: two to the right, one to the left; 132 frames of eleven seconds."""
    return one_by_one().scene.write(tmp_path_factory.mktemp("videos") / "one by one.mp4")


@pytest.fixture(scope="session")
def waiting(tmp_path_factory) -> Path:
    """One stands at the counter, one comes and goes, one stays away; 120 frames of ten seconds."""
    return at_the_counter().scene.write(tmp_path_factory.mktemp("videos") / "counter.mp4")

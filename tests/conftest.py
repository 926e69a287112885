"""What all tests share: two CPUs for TensorFlow, rules for real data, and a small folder of drawn faces."""

import os
from pathlib import Path

# Read by TensorFlow when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.datasets.rendered import rendered, write_utkface

# Only possible before TensorFlow's first operation, and an import makes none. GPUs are hidden, since they round too
# coarsely for what is compared here.
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_modifyitems(items):
    """Skip the tests on real data where there is none."""
    if os.environ.get("MTL_KERAS_DATA"):
        return
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(pytest.mark.skip(reason="MTL_KERAS_DATA names no folder of real data"))


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory) -> Path:
    """A folder of 24 drawn faces of 96 pixels, named as UTKFace's."""
    return write_utkface(tmp_path_factory.mktemp("rendered") / "faces", 24, seed=1, size=96)


@pytest.fixture
def faces(faces_folder) -> pd.DataFrame:
    """The label table of those faces, with a label of every task that is drawn."""
    return rendered(faces_folder)

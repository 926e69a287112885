"""Exported networks that tests share: to make one takes seconds."""

import keras
import pytest

from mtl_keras.serving.export import export
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


@pytest.fixture(scope="session")
def small_model(tiny_backbone) -> MultiTaskModel:
    """An untrained network of crops of 32 pixels a side, of which answers differ from face to face."""
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER, HEAD_POSE], tiny_backbone, shared_units=(16,), head_units=(8,))
    model.set_weights([2 * weight for weight in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def exported(small_model, faces_folder, tmp_path_factory):
    """Give a function that returns the folder of `small_model` in a format and a precision, each written once."""
    trained = model_folder.save(small_model, tmp_path_factory.mktemp("exported") / "model", run="first")
    written = {}

    def folder(form: str, precision: str = "float32"):
        if (form, precision) not in written:
            images = faces_folder if precision == "int8" else None
            written[form, precision] = export(trained, form, precision, images)
        return written[form, precision]

    return folder

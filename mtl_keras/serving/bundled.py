"""The model that comes with the package: it answers wherever no other is named."""

from importlib.resources import files
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.training.model_folder import SIDECAR

# An exported network, with its sidecar and its model card; `experiments/model_in_the_box.py` writes it.
FOLDER = Path(str(files("mtl_keras.serving"))) / "bundled_model"
# At most that many megabytes, of 10^6 bytes, may come with the package.
MOST_MEGABYTES = 6
CARD = "MODEL_CARD.md"


def has_bundled_model() -> bool:
    """Return whether a model comes with this copy of the package."""
    return (FOLDER / SIDECAR).is_file()


def bundled_model() -> Path:
    """Return the folder of the model that comes with the package; its `MODEL_CARD.md` says what it is worth.

    Where none does, a `UserError` says what to name in its place.
    """
    if not has_bundled_model():
        raise UserError(
            "no model given, and none comes with this copy of mtl_keras; name the folder of a trained one, as "
            "`mtl-keras train --preset facenet_utk` makes of drawn faces in a few minutes"
        )
    return FOLDER

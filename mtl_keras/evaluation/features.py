"""A trunk's features of many images, computed once and kept on disk."""

import hashlib
import json
import os
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import PIL
import tensorflow as tf

from mtl_keras import __version__
from mtl_keras.data.augment import view
from mtl_keras.data.decoding import naming_images
from mtl_keras.data.images import READING
from mtl_keras.data.pipeline import InputSpec, batches
from mtl_keras.errors import UserError, printable
from mtl_keras.files import replacing
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.state_files import DamagedFileError, read_arrays, read_or_none
from mtl_keras.training.model import MultiTaskModel


def image_batches(
    model: MultiTaskModel, table: pd.DataFrame, batch_size: int = 64, flip: bool = False, zoom: float = 1.0
) -> tf.data.Dataset:
    """Return batches of images (B, S, S, 3) uint8 in the table's order, each as `view` shows it."""
    read = batches(table, InputSpec([], model.image_size, model.resize_method), batch_size)
    return read.map(lambda images, labels, masks: view(images, flip, zoom))


def features_path(
    model: MultiTaskModel, table: pd.DataFrame, cache: Path, weights: str, flip: bool = False, what: str = "features"
) -> Path:
    """Return the file in `cache` where `trunk_features` keeps what it returns for the same arguments.

    `what` begins the file's name: something else that a network says of the images may be kept likewise. `weights`
    tells apart trunks of one name: the sha256 of a weights file, or how the trunk was initialized.
    The file's name hashes that, the backbone, its precision, the crop, every file's path, size and time of change, and
    the versions of what computes features and reads images.
    """
    files = [(path, _stat(path)) for path in table["path"]]
    settings = model.get_config()
    key = {
        # By its name where it has one: that of the user's own holds names of layers, which differ from call to call.
        "backbone": model.backbone if model.backbone in BACKBONES else settings["backbone"],
        "image_size": model.image_size,
        "border": settings["border"],
        "resize_method": model.resize_method,
        "precision": model.dtype_policy.name,
        "weights": weights,
        "flip": flip,
        "reading": READING,
        "versions": [__version__, keras.__version__, tf.__version__, PIL.__version__],
        "files": [(str(Path(path).resolve()), stat.st_size, stat.st_mtime_ns) for path, stat in files],
    }
    return cache / f"{what}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}.npz"


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise UserError(
            f"{printable(path)}: {error.strerror}; it was deleted or moved since the images were checked"
        ) from None


def trunk_features(
    model: MultiTaskModel, table: pd.DataFrame, cache: Path, weights: str, flip: bool = False
) -> np.ndarray:
    """Return the features (N, D) float32 of the table's images, from `cache` (a folder) where they are there already.

    `features_path` says what they depend on.
    """
    path = features_path(model, table, cache, weights, flip)
    if (kept := read_or_none(_read_features, path, (len(table), model.feature_network().output_shape[-1]))) is not None:
        return kept
    features = features_of(model, table, flip)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, features=features)
    return features


def _read_features(path: Path, shape: tuple[int, int]) -> np.ndarray:
    features = read_arrays(path, {"features": ("f", 2)})["features"]
    if features.shape != shape or features.dtype != np.float32 or not np.isfinite(features).all():
        raise DamagedFileError(path, f"it holds features {features.shape} of {features.dtype}; expected {shape}")
    return features


def features_of(model: MultiTaskModel, table: pd.DataFrame, flip: bool = False) -> np.ndarray:
    """Return the features (N, D) float32 of the table's images that every head of a model reads."""
    # Only the trunk runs: the heads may not be trained yet.
    images = image_batches(model, table, flip=flip)
    with naming_images():
        features = model.feature_network().predict(images, verbose="auto").astype(np.float32)
    # The last batch may have been filled.
    return features[: len(table)]

"""The features of a frozen trunk that all runs on it share, and the seconds that they took."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtl_keras.evaluation.features import features_path, trunk_features
from mtl_keras.files import replacing
from mtl_keras.state_files import positive_number, read_json, read_or_none
from mtl_keras.studies.settings import Network
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

# Beside the runs, so that it is kept with them.
SECONDS = "shared_features.json"


class SharedFeatures(NamedTuple):
    """Features (N, D) of the training images, of these mirrored, of the validation and of the test images."""

    train: np.ndarray
    mirrored: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def shared_features(
    model: MultiTaskModel, parts: tuple[pd.DataFrame, ...], out: Path, weights: str, name: str
) -> SharedFeatures:
    """Return the features that the trunk of a model gives of each part, from `out/cache` where they are there already.

    The seconds that they take are noted under this name: they belong to none of the runs that share them.
    """
    # What is measured is what the saved model will answer, and that computes in float32.
    exact = model_folder.in_float32(model)
    asked = ((model, parts[0], False), (model, parts[0], True), (exact, parts[1], False), (exact, parts[2], False))
    asked = [(trunk, part, out / "cache", weights, flip) for trunk, part, flip in asked]
    started, known = time.time(), all(features_path(*each).exists() for each in asked)
    found = SharedFeatures(*(trunk_features(*each) for each in asked))
    if not known:
        path = out / "checkpoints" / SECONDS
        noted = {**seconds_noted(out), name: max(0.1, round(time.time() - started, 1))}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    return found


def seconds_noted(out: Path) -> dict[str, float]:
    """Return the seconds that features took, by the name of their network."""
    path = out / "checkpoints" / SECONDS
    return read_or_none(read_json, path, {str: positive_number}, lost="these seconds are not told") or {}


def network_name(network: Network) -> str:
    """Return the name of the trunk whose features are shared, such as `facenet, border 16`."""
    size = [f"{network.image_size} pixels"] if network.image_size else []
    return ", ".join([network.backbone, *size, *([f"border {network.border}"] if network.border else [])])


def seconds_note(out: Path, names: list[str]) -> list[str]:
    """Return the note below a table on the features that runs of these networks share, if it is known."""
    noted = {name: seconds for name, seconds in seconds_noted(out).items() if name in names}
    if not noted:
        return []
    shown = (f"{seconds:.0f} s" + (f" ({name})" if len(noted) > 1 else "") for name, seconds in noted.items())
    return [f"features of the frozen trunk, computed once for all runs: {', '.join(shown)}"]

"""A trained model on disk: a folder with `model.keras` and its sidecar `model.json`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras

from mtl_keras import __version__
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.files import replacing_folder
from mtl_keras.training.model import MultiTaskModel


def sidecar(model: MultiTaskModel, crop: CropGeometry = UTKFACE_CROP, run: str = "") -> dict:
    """Return what a reader of the model's outputs must know: tasks, output order, input size and crop geometry.

    `run` is the name of the training run that made the model, if there was one.
    """
    return {
        "format": 1,
        "mtl_keras": __version__,
        "tasks": [asdict(task) for task in model.tasks],
        "outputs": [task.name for task in model.tasks],
        "backbone": model.backbone,
        "image_size": model.image_size,
        "crop": asdict(crop),
        **({"run": run} if run else {}),
    }


def save(model: MultiTaskModel, folder: Path | str, crop: CropGeometry = UTKFACE_CROP, run: str = "") -> Path:
    """Write the model's folder, without optimizer state; an older one is replaced only once the new one is whole.

    `crop` says how the faces that it was trained on were cut, and so how photos are to be cut for it; `run` is the name
    of the training run.
    """
    folder = Path(folder)
    with replacing_folder(folder) as temporary:
        # Rebuilt, not compiled: a model that is to be used needs no optimizer, which is twice as large as itself.
        in_float32(model).save(temporary / "model.keras")
        text = json.dumps(sidecar(model, crop, run), indent=2) + "\n"
        (temporary / "model.json").write_text(text, encoding="utf-8")
    return folder


def in_float32(model: MultiTaskModel) -> MultiTaskModel:
    """Return an uncompiled copy that computes in float32, so that a saved model answers alike on every machine."""
    with _computing_in_float32():
        copy = MultiTaskModel.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


@contextmanager
def _computing_in_float32() -> Iterator[None]:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def load(folder: Path | str) -> MultiTaskModel:
    """Read a model's folder; anything that is missing, damaged or of another version is an error that names it.

    Tasks of the model that TASKS does not hold are added to it.
    """
    folder = Path(folder)
    read_sidecar(folder)
    try:
        with _computing_in_float32():
            model = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything for a damaged archive.
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder / 'model.keras'}: cannot be read ({reason}); copy the folder anew") from None
    if not isinstance(model, MultiTaskModel):
        raise UserError(
            f"{folder / 'model.keras'}: holds a {type(model).__name__}; expected a model saved by mtl_keras"
        )
    return model


def read_sidecar(folder: Path | str) -> dict:
    """Read `model.json` of a model's folder; its `crop` is given as a `CropGeometry`."""
    path = Path(folder) / "model.json"
    for name in ("model.keras", "model.json"):
        if not (path.parent / name).is_file():
            raise UserError(
                f"{folder}: no {name} in it; expected the folder of a trained model, as an experiment writes it"
            )
    damaged = UserError(f"{path}: damaged; train the model again or copy the folder anew")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise damaged from None
    if version != 1:
        raise UserError(f"{path}: format {version!r} is unknown to mtl_keras {__version__}; update it")
    try:
        return {**about, "crop": CropGeometry(**about["crop"])}
    except (KeyError, TypeError, UserError):
        raise damaged from None


def megabytes(folder: Path | str) -> float:
    """Return the size of a model's folder in megabytes (10^6 bytes)."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6

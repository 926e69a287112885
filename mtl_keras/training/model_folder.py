"""A trained model on disk: a folder with `model.keras` and its sidecar `model.json`."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras

from mtl_keras import __version__
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.tasks import TASKS, add_task
from mtl_keras.training.model import MultiTaskModel


def sidecar(model: MultiTaskModel, crop: CropGeometry = UTKFACE_CROP) -> dict:
    """Return what a reader of the model's outputs must know: tasks, output order, input size and crop geometry."""
    return {
        "format": 1,
        "mtl_keras": __version__,
        "tasks": [asdict(task) for task in model.tasks],
        "outputs": [task.name for task in model.tasks],
        "backbone": model.backbone,
        "image_size": model.image_size,
        "resize_method": model.resize_method,
        "crop": asdict(crop),
    }


def save(model: MultiTaskModel, folder: Path | str, crop: CropGeometry = UTKFACE_CROP) -> Path:
    """Write the model's folder, without optimizer state; an older one is replaced only once the new one is whole.

    `crop` says how the faces that it was trained on were cut, and so how photos are to be cut for it.
    """
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; free space or use another folder") from None
    try:
        # Rebuilt, not compiled: a model that is to be used needs no optimizer, which is twice as large as itself.
        bare = in_float32(model)
        bare.save(temporary / "model.keras")
        (temporary / "model.json").write_text(json.dumps(sidecar(model, crop), indent=2) + "\n", encoding="utf-8")
        temporary.chmod(0o755)
        _replace_folder(temporary, folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; free space or use another folder") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _replace_folder(new: Path, folder: Path) -> None:
    """Move a folder to another's place; if that fails, the other one is back where it was."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(None, "a file is there")
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(new, folder)
        except OSError:
            if any(old.iterdir()):
                os.replace(old, folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


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
    for task in model.tasks:
        if task.name not in TASKS:
            add_task(task)
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

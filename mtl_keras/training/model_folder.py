"""A trained model on disk: a folder with `model.keras` and its sidecar `model.json`."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras

from mtl_keras import __version__, state_files
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.files import replacing_folder
from mtl_keras.models.backbones.backbone import unknown_class
from mtl_keras.models.weights import set_weights
from mtl_keras.precision import computing_in
from mtl_keras.state_files import CELL, DamagedFileError, count, name_inside
from mtl_keras.tasks import task_from
from mtl_keras.training.model import MultiTaskModel

# The files of a model's folder: the network, and beside it what a reader of its answers must know.
NETWORK, SIDECAR = "model.keras", "model.json"
SCHEMA = {
    "format": int,
    "tasks": [{"name": str, "kind": str}],
    "image_size?": count,
    "crop": {"kind": str, "landmarks": {str: [float]}, "height?": float, "keep_roll?": bool},
    "run?": name_inside,
    "on_request?": [str],
    "export?": {"format?": CELL, "files?": {str: str}},
}
MEND = "train the model again or copy the folder anew"


def sidecar(
    model: MultiTaskModel, crop: CropGeometry = UTKFACE_CROP, run: str = "", on_request: Sequence[str] = ()
) -> dict:
    """Return what a reader of the model's outputs must know: tasks, output order, input size and crop geometry.

    `run` is the name of the training run that made the model, if there was one, and `on_request` are the names of the
    tasks that are answered only for who asks for them.
    """
    return {
        "format": 1,
        "mtl_keras": __version__,
        "tasks": [asdict(task) for task in model.tasks],
        "outputs": [task.name for task in model.tasks],
        "backbone": model.backbone,
        "image_size": model.image_size,
        "crop": asdict(crop.for_tasks(model.tasks)),
        **({"run": run} if run else {}),
        **({"on_request": [*on_request]} if on_request else {}),
    }


def save(
    model: MultiTaskModel,
    folder: Path | str,
    crop: CropGeometry = UTKFACE_CROP,
    run: str = "",
    on_request: Sequence[str] = (),
) -> Path:
    """Write the model's folder, without optimizer state; an older one is replaced only once the new one is whole.

    `crop` says how the faces that it was trained on were cut, and so how photos are to be cut for it; `run` is the name
    of the training run. `on_request` are the names of tasks that are answered only for who asks for them. A folder that
    holds anything but a model is left alone: it is an error.
    """
    folder = Path(folder)
    if not isinstance(model, MultiTaskModel):
        raise UserError(f"a {type(model).__name__} cannot be saved as a model's folder; expected a MultiTaskModel")
    if strangers := {*on_request}.difference(task.name for task in model.tasks):
        names = ", ".join(task.name for task in model.tasks)
        raise UserError(f"on_request {sorted(strangers)[0]!r}: expected tasks of the model: {names}")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SIDECAR).is_file():
        raise UserError(f"{folder}: holds other files than a model's; name a new folder, or that of an older model")
    with replacing_folder(folder) as temporary:
        # Rebuilt, not compiled: a model that is to be used needs no optimizer, which is twice as large as itself.
        in_float32(model).save(temporary / NETWORK)
        text = json.dumps(sidecar(model, crop, run, on_request), indent=2) + "\n"
        (temporary / SIDECAR).write_text(text, encoding="utf-8")
    return folder


def in_float32(model: MultiTaskModel) -> MultiTaskModel:
    """Return an uncompiled copy that computes in float32, so that a saved model answers alike on every machine."""
    with computing_in("float32"):
        copy = MultiTaskModel.from_config(model.get_config())
    set_weights(copy, model.get_weights())
    return copy


def load(folder: Path | str) -> MultiTaskModel:
    """Read a model's folder, or the `model.keras` in it.

    Anything that is missing, damaged or of another version is an error that names it. Tasks of the model that TASKS
    does not hold are added to it.
    """
    read_sidecar(folder)
    path = folder_of_model(folder) / NETWORK
    model = read_network(path)
    if not isinstance(model, MultiTaskModel):
        raise UserError(f"{path}: holds a {type(model).__name__}; expected a model saved by mtl_keras")
    return model


def read_network(path: Path) -> keras.Model:
    """Read a file of Keras in safe mode, to compute in float32; what cannot be read so is an error that names it."""
    try:
        with computing_in("float32"):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything for a damaged archive.
        if unknown := unknown_class(error):
            raise UserError(
                f"{path}: has a layer of the class {unknown}, which Keras does not know here; import the module that "
                "defines it before loading, with @keras.saving.register_keras_serializable() before the class"
            ) from None
        reason = " ".join(str(error).split())[:200]
        if path.is_file() and not zipfile.is_zipfile(path):
            # Of such a file Keras says that there is none.
            reason = "it is damaged or cut short"
        raise UserError(f"{path}: cannot be read ({reason}); copy the folder anew") from None


def folder_of_model(path: Path | str) -> Path:
    """Return a model's folder, given by itself or by the `model.keras` in it."""
    path = Path(path)
    if path.suffix != ".keras" or path.is_dir():
        return path
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected the folder of a trained model, or the {NETWORK} in it")
    if path.name != NETWORK or not (path.parent / SIDECAR).is_file():
        raise UserError(
            f"{path}: expected the {NETWORK} of a model's folder, with its {SIDECAR} beside it; read another file with "
            "keras.saving.load_model, and write such a folder with mtl_keras.save"
        )
    return path.parent


def read_sidecar(folder: Path | str) -> dict:
    """Read `model.json` of a model's folder, or beside a `model.keras`; its `crop` is given as a `CropGeometry`."""
    path = folder_of_model(folder) / SIDECAR
    about = read_json(path) if path.is_file() else {}
    if "export" in about:
        what = f"holds a network that was exported as {about['export'].get('format')}, for prediction only"
        raise UserError(f"{folder}: {what}; give the folder of the model that it was made of")
    if not path.parent.exists():
        raise UserError(f"{folder}: no such folder; expected the folder of a trained model")
    # An exported network has another file in the place of the first: what it lacks here is the sidecar.
    for name in (SIDECAR, NETWORK):
        if not (path.parent / name).is_file():
            such = f"such as {found[0]}" if (found := models_in(path.parent)) else "as an experiment writes it"
            raise UserError(f"{folder}: no {name} in it; expected the folder of a trained model, {such}")
    return about


def models_in(folder: Path) -> list[Path]:
    """Return the folders of the models that a results folder holds; none of any other folder."""
    return sorted(path.parent for path in folder.glob(f"models/*/{SIDECAR}"))


def read_json(path: Path) -> dict:
    """Read a file `model.json`; what is damaged is an error.

    Its `crop` is given as a `CropGeometry`, and `on_request` as a tuple, also where there is none.
    """
    version = state_files.read_json(path, {"format": CELL}, MEND)["format"]
    if version != 1:
        raise UserError(f"{path}: format {repr(version)[:40]} is unknown to mtl_keras {__version__}; update it")
    about = state_files.read_json(path, SCHEMA, MEND)
    on_request = tuple(about.get("on_request", ()))
    # A name that is no task's may be the misspelt one of a task that nobody shall be told of unasked.
    if strangers := {*on_request}.difference(each["name"] for each in about["tasks"]):
        raise DamagedFileError(path, f"on_request names {min(strangers)[:40]!r}, which is no task", MEND)
    try:
        tasks = [task_from(fields) for fields in about["tasks"]]
        return {**about, "on_request": on_request, "crop": CropGeometry(**about["crop"]).for_tasks(tasks)}
    except (TypeError, UserError) as error:
        raise DamagedFileError(path, error, MEND) from None


def megabytes(folder: Path | str) -> float:
    """Return the size of a model's folder in megabytes (10^6 bytes)."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6

"""Pretrained weights: any file of Keras' own, and finding, downloading and reading those of keras-facenet."""

import hashlib
import importlib.util
import os
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
from tqdm import tqdm

from mtl_keras.errors import UserError
from mtl_keras.files import open_regular
from mtl_keras.models.normalization import with_keras_norms

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 20


class Published(NamedTuple):
    """One weight file on the web: its address, its sha256 in hexadecimal and its file name."""

    url: str
    sha256: str
    file: str


def _published() -> dict[str, Published]:
    # find_spec locates keras-facenet without importing it (its __init__ needs OpenCV); only its table is executed.
    package = importlib.util.find_spec("keras_facenet")
    if package is None or not package.submodule_search_locations:
        return {}
    path = Path(package.submodule_search_locations[0]) / "metadata.py"
    spec = importlib.util.spec_from_file_location("keras_facenet_metadata", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The two models of 2017 are left out: they expect each image to be standardized by its own mean and deviation,
    # and would give poor features with the fixed (pixel - 127.5) / 128 that this library applies.
    return {
        name: Published(entry["keras_weights_url"], entry["keras_weights_sha256"], entry["keras_weights_filename"])
        for name, entry in module.MODEL_METADATA.items()
        if entry["fixed_image_standardization"]
    }


PUBLISHED: dict[str, Published] = _published()


def sha256(path: Path | str) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


# === Files of any network ===
def weights_file(path: str | Path) -> Path:
    """Return the path of a weights file; where there is none is a `UserError`."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise UserError(
            f"weights {str(path)!r}: no such file, and no name of this backbone's; give the path of a `.weights.h5`, "
            "`.h5` or `.keras` file, or begin at random (--weights None)"
        )
    return found


def load_keras_weights(model: keras.Model, path: Path | str) -> None:
    """Set all weights of a model from a file that Keras wrote of the same network: `.weights.h5`, `.h5` or `.keras`.

    Only arrays are read. A file that does not fit the model is a `UserError`, and the model is then unchanged.
    """
    before = model.get_weights()
    try:
        try:
            model.load_weights(path)
        except Exception:
            # Files of weights go by the classes of layers: perhaps it is one of the network as Keras has it.
            plain = with_keras_norms(model)
            plain.load_weights(path)
            model.set_weights(plain.get_weights())
    except Exception as error:  # Keras and h5py raise nearly anything for what does not fit, or is damaged.
        set_weights(model, before)
        raise UserError(
            f"{path}: does not fit {model.name!r} ({' '.join(str(error).split())[:200]}); give a file that Keras wrote "
            "of the same network without its top: `.weights.h5`, `.h5` or `.keras`"
        ) from None
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        set_weights(model, before)
        raise UserError(f"{path}: holds values that are not finite; download the file again, or give another one")


def set_weights(model: keras.Model, weights: list[np.ndarray]) -> None:
    """Give a model these weights as Keras does, which forgets that a `Normalization` keeps its statistics twice."""
    model.set_weights(weights)
    _finalize(model)


def _finalize(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
        elif isinstance(layer, keras.Model):
            _finalize(layer)


def weights_cache() -> Path:
    """Return the folder of downloaded weights, `mtl_keras` in `~/.keras` or in what KERAS_HOME names."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "mtl_keras"


# === Finding a file of keras-facenet ===
def find_weights(name_or_path: str) -> Path:
    """The weight file of that path, or the published one of that name, downloaded when it is not in the cache.

    The cache is `weights_cache`. An unknown name, a failed download and a wrong checksum are each a `UserError`.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if name_or_path not in PUBLISHED:
        names = ", ".join(PUBLISHED) or "none, since the package keras-facenet is not installed"
        raise UserError(f"weights {str(name_or_path)!r}: no such file; give a path or a published name ({names})")
    published = PUBLISHED[name_or_path]
    cached = weights_cache() / published.file
    if not cached.is_file():
        _download(published, cached)
    elif (found := sha256(cached)) != published.sha256:
        raise UserError(
            f"{cached}: sha256 is {found}, expected {published.sha256}: delete the file to download it again, "
            "or give its path instead of the name to use it as it is"
        )
    return cached


def _download(published: Published, target: Path) -> None:
    """Writes the published file to `target`, which appears only once its checksum is right."""
    partial = None
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(published.url, timeout=_TIMEOUT_SECONDS) as response,
            tempfile.NamedTemporaryFile(dir=target.parent, prefix=target.name, suffix=".part", delete=False) as file,
        ):
            partial = Path(file.name)
            size = int(response.headers.get("Content-Length") or 0) or None
            with tqdm(total=size, desc=published.file, unit="B", unit_scale=True) as bar:
                while chunk := response.read(_CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    bar.update(len(chunk))
        if digest.hexdigest() != published.sha256:
            raise UserError(
                f"{published.url}: sha256 of the download is {digest.hexdigest()}, expected {published.sha256}: it was "
                f"cut short or changed on the way; try again, or fetch it elsewhere and put it at {target}"
            )
        os.replace(partial, target)
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{published.url}: download failed ({error}): fetch it on a machine with a network and put it at {target}, "
            "or give the path of a weight file"
        ) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


# === Reading a file of keras-facenet ===
def load_facenet_weights(model: keras.Model, path: Path | str) -> None:
    """Sets the weights of a FaceNet trunk from a keras-facenet `.h5` file, by layer name and array name.

    Arrays may be float16, float32 or float64. Layers that only the file has (`Bottleneck`, or blocks that a smaller
    trunk lacks) are ignored. Only arrays are read. A file that cannot be read, and an array that is missing, of
    another shape or not finite, is a `UserError`, and the model is then unchanged.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such weight file: give the path of a keras-facenet `.h5` file")
    variables = [(f"{layer.name}/{v.name}", layer.name, v) for layer in model.layers for v in layer.weights]
    try:
        with h5py.File(path, "r") as file:
            if "layer_names" not in file.attrs:
                raise UserError(f"{path}: holds no layer_names: expected a file of weights only, `NAME-weights.h5`")
            values = [_array(file, path, layer, array, v.shape) for array, layer, v in variables]
    except UserError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:  # h5py raises any of these on damage
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a readable HDF5 file, or a truncated or damaged one ({reason}): download it again, "
            "or give another file"
        ) from error
    # Nothing is assigned before all arrays have been checked, so that a bad file leaves the model as it was.
    for (_, _, variable), value in zip(variables, values, strict=True):
        variable.assign(value)


def _array(file: h5py.File, path: Path | str, layer: str, array: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 array of that name, such as `Conv2d_1a_3x3/kernel`, checked against the shape that is needed."""
    hint = "give a weight file of keras-facenet, or one made for this trunk"
    group = file.get(layer)
    # Keras 2 wrote `kernel:0` where Keras 3 writes `kernel`.
    found = [group[name] for name in (array, f"{array}:0") if name in group] if isinstance(group, h5py.Group) else []
    if not found or not isinstance(found[0], h5py.Dataset):
        raise UserError(f"{path}: array {array} is missing: {hint}")
    dataset = found[0]
    # HDF5 can point at other files; a weight file has no reason to, and following it would read files unasked.
    if dataset.file.filename != file.filename or dataset.external or dataset.is_virtual:
        raise UserError(f"{path}: array {array} lies in another file: {hint}")
    if dataset.shape != tuple(shape) or dataset.dtype.kind != "f":
        raise UserError(
            f"{path}: array {array} is {dataset.dtype} of shape {dataset.shape}, "
            f"expected float of shape {tuple(shape)}: {hint}"
        )
    value = dataset[()].astype("float32")
    if not np.isfinite(value).all():
        raise UserError(f"{path}: array {array} holds values that are not finite: download the file again, or {hint}")
    return value

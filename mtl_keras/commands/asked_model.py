"""The model that answers a command: the one that the command line names, or the one that comes with the package."""

import sys
from glob import has_magic
from pathlib import Path

from mtl_keras.files import EXTENSIONS, image_files
from mtl_keras.serving.bundled import CARD, bundled_model
from mtl_keras.training.model_folder import NETWORK, SIDECAR, models_in


def model_or_bundled(model: Path | None) -> Path:
    """Return the model that is named, or else the folder of the one in the package, which is said on stderr."""
    if model is not None:
        return model
    folder = bundled_model()
    print(f"the model that comes with mtl_keras answers; what it is worth: {folder / CARD}", file=sys.stderr)
    return folder


def model_and_images(words: tuple[Path, ...]) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the model that the first of a command line's words names, None where it names an image, and the others.

    It names a model where the folder of one lies there, or a results folder, which holds several, or nothing that could
    be an image.
    """
    return (words[0], words[1:]) if words and _names_a_model(words[0]) else (None, words)


def _names_a_model(path: Path) -> bool:
    if path.is_dir():
        # An exported network without its sidecar is a damaged model, not a folder of images.
        exported = [*path.glob("model.*"), *path.glob("saved_model.pb")]
        found = any((path / name).is_file() for name in (NETWORK, SIDECAR)) or bool(models_in(path))
        return found or any(exported) and not any(image_files(path))
    could_be_images = path.exists() or has_magic(str(path)) or path.suffix.lower() in EXTENSIONS
    return path.suffix == Path(NETWORK).suffix or not could_be_images

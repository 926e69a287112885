"""From a trained model to a folder that needs no Keras: in another format, in fewer bits."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mtl_keras.data.images import read_image, resize
from mtl_keras.errors import UserError, printable
from mtl_keras.files import check_writable, image_files, replacing_folder
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.look import Portrait
from mtl_keras.quiet import without_notes
from mtl_keras.serving.compared import answered, compared
from mtl_keras.serving.exported import sums
from mtl_keras.serving.formats import FORMATS, PRECISIONS
from mtl_keras.serving.formats.format import Format, Order
from mtl_keras.serving.predictor import as_pixels
from mtl_keras.serving.runtime import in_keras
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

# At most this number of images is calibrated on; fewer than ADVISED say little of what comes.
MOST, ADVISED = 1000, 300
# What the operating system says where there is no room for a file.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# On this number of drawn faces answers are compared where there are no images.
DRAWN, GENDERS = 16, ("male", "female")

Images = np.ndarray | Path | str | Iterable[Path | str | np.ndarray]


def export(
    model: MultiTaskModel | Path | str,
    format: str,
    precision: str = "float32",
    calibrate: Images | None = None,
    out: Path | str | None = None,
    float_layers: tuple[str, ...] = (),
) -> Path:
    """Write a model, or the one in a folder, in a format of FORMATS, and return the folder.

    The network there takes images (B, H, W, 3) uint8 of any sides, resizes them itself, and gives {task: (B, K)}
    float32. Its `model.json` is that of the model, with the files' sums and how far its answers are from the model's.
    `calibrate` are crops of faces, on which int8 is calibrated and answers are compared: a folder of images, several of
    them, or an array (N, H, W, 3); without it, drawn faces are compared. `out` is by default `exports/FORMAT-PRECISION`
    in the model's folder. Layers whose names one of the regular expressions `float_layers` finds stay in float.
    """
    form = checked(format, precision, calibrate is not None, float_layers)
    built = isinstance(model, MultiTaskModel)
    if built and out is None:
        raise UserError("a model that is in no folder has no place for its export; give `out`, a folder")
    folder = Path(out) if out is not None else model_folder.folder_of_model(model) / "exports" / f"{format}-{precision}"
    _check_replaceable(folder)
    about = {} if built else model_folder.read_sidecar(model)
    steps = ("reading", "writing", "comparing")
    with tqdm(total=len(steps), unit="step", bar_format="{desc} {n}/{total} [{elapsed}]") as bar:
        bar.set_description_str(f"{format} {precision}: reading")
        network = model_folder.in_float32(model) if built else model_folder.load(model)
        crops = _crops(network, calibrate)
        with replacing_folder(folder) as temporary:
            _next(bar, f"{format} {precision}: writing")
            with redirect_stdout(sys.stderr), _converting(format):
                form.write(Order(network, precision, crops, tuple(float_layers)), temporary)
            _next(bar, f"{format} {precision}: comparing with Keras")
            with _converting(format), without_notes():  # LiteRT's first run says which kernels it takes
                found = answered(form.read(temporary, precision, network.image_size), crops)
            differs = compared(network.tasks, answered(in_keras(network), crops), found)
            of = "drawn faces" if calibrate is None else "images"
            sidecar = {
                **model_folder.sidecar(
                    network,
                    about.get("crop", model_folder.UTKFACE_CROP),
                    about.get("run", ""),
                    about.get("on_request", ()),
                ),
                "resize_method": network.resize_method,
                "export": {
                    "format": format,
                    "precision": precision,
                    "files": sums(temporary),
                    "compared": {"images": len(crops), "of": of, "tasks": differs},
                },
            }
            text = json.dumps(sidecar, indent=2) + "\n"
            (temporary / model_folder.SIDECAR).write_text(text, encoding="utf-8")
        _next(bar, f"{format} {precision}: done")
    return folder


@contextmanager
def _converting(format: str) -> Iterator[None]:
    """Say in one line what a converter or a runtime cannot do: each has exceptions of its own."""
    try:
        yield
    except (UserError, OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        # TensorFlow's own errors say it in words.
        if lacking := next((number for number in NO_ROOM if os.strerror(number) in str(error)), None):
            raise OSError(lacking, os.strerror(lacking)) from None
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        others = ", ".join(name for name in FORMATS if name != format)
        raise UserError(f"{format} cannot hold this network ({reason}); choose another format: {others}") from None


def _next(bar: tqdm, what: str) -> None:
    bar.update()
    bar.set_description_str(what)


def checked(format: str, precision: str, has_images: bool, float_layers: tuple[str, ...]) -> Format:
    """Return a format, after refusing what it does not have: a precision, mixed layers, packages, or images for it."""
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}")
    form = FORMATS[format]
    if precision not in form.precisions:
        others = [name for name in FORMATS if precision in FORMATS[name].precisions]
        there = f"{format} has {', '.join(form.precisions)}; {precision} is in {', '.join(others)}"
        raise UserError(f"format {format} has no precision {precision}: {there}")
    if precision in form.calibrated and not has_images:
        raise UserError(
            f"{format} {precision} is calibrated on crops of faces; give --calibrate DIR with about {ADVISED} or more"
        )
    if float_layers and precision not in form.calibrated:
        raise UserError(f"{format} {precision} leaves no layers in float; give float layers with openvino int8 only")
    if missing := next((package for package in form.packages if find_spec(package) is None), None):
        raise UserError(f'the package {missing} is not installed; run: pip install "mtl-keras[{form.extra}]"')
    return form


def _check_replaceable(folder: Path) -> None:
    """Refuse a place where something else lies than an exported network."""
    check_writable(folder, folder=True)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    path = folder / model_folder.SIDECAR
    if not path.is_file() or "export" not in model_folder.read_json(path):
        raise UserError(f"{folder}: holds other files than an exported network's; name a new folder")


def _crops(model: MultiTaskModel, images: Images | None) -> np.ndarray:
    """Return crops (N, S, S, 3) uint8 of images, or of drawn faces, at the side that a network sees."""
    if images is None:
        images = [render(Portrait(age=5 * seed, gender=GENDERS[seed % 2], seed=seed)) for seed in range(DRAWN)]
    elif isinstance(images, str | Path):
        folder = Path(images)
        if not folder.exists():
            raise UserError(f"{folder}: no such file or folder; expected a folder of crops of faces")
        images = sorted(image_files(folder)) or [folder]
        if folder.is_dir() and images == [folder]:
            raise UserError(f"{folder}: holds no images; expected a folder of crops of faces")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise UserError(f"images to calibrate on of shape {images.shape}; expected several, (N, H, W, 3) or a list")
    images = list(images)
    if not images:
        raise UserError("there are no images to calibrate on; expected crops of faces")
    # Files are often sorted by what they show.
    chosen = np.random.default_rng(0).permutation(len(images))[:MOST]
    pixels = list(filter(lambda each: each is not None, (_pixels(images[number], number) for number in sorted(chosen))))
    if not pixels:
        raise UserError("none of the images to calibrate on can be read; expected crops of faces")
    return np.stack([resize(each, model.image_size, model.resize_method) for each in pixels])


def _pixels(image: np.ndarray | Path | str, number: int) -> np.ndarray | None:
    """Return an image (H, W, 3) uint8; None, which is said, of a file that cannot be read."""
    if isinstance(image, np.ndarray):
        return as_pixels(image, f"image {number}")
    try:
        return read_image(image)
    except UserError as error:
        print(f"skipped {printable(str(error))}", file=sys.stderr)
        return None

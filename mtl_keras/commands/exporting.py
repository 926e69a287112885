"""The options of `mtl-keras export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from mtl_keras.serving.formats import FORMATS, PRECISIONS


@dataclass(frozen=True)
class Export:
    """Write a trained model in another format, in which it answers faster and without Keras.

    Example: mtl-keras export runs/facenet_utk/models/NAME --format openvino --precision int8 --calibrate UTKFace
    """

    # Folder of a trained model.
    model: Positional[Path]
    # The format; `mtl-keras list formats` prints them.
    format: Literal[tuple(FORMATS)]
    # What the network computes in; openvino has all three, litert float32 and int8, the others float32.
    precision: Literal[PRECISIONS] = "float32"
    # Folder of crops of faces, such as UTKFace, at any depth: openvino's int8 is calibrated on up to 1000 of them, and
    # answers are compared with Keras' on them. 300 or more are advised.
    calibrate: Annotated[Path | None, arg(metavar="DIR")] = None
    # Folder to write; by default exports/FORMAT-PRECISION in the model's.
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    # Layers that stay in float when others become int8: regular expressions, each for a part of a layer's name.
    float_layers: Annotated[tuple[str, ...], arg(metavar="NAME...")] = ()

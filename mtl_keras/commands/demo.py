"""The command `mtl-keras demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mtl_keras.errors import UserError


@dataclass(frozen=True)
class Demo:
    """Show a web page on which a model answers about photos, of files or the camera; it answers over HTTP as well.

    Example: mtl-keras demo runs/facenet_utk/models/NAME
    """

    # Folder of a trained model.
    model: Positional[Path | None] = None
    # What finds faces in photos, of `mtl-keras list detectors`; "none" takes each photo as one face.
    detector: Annotated[str, arg(metavar="NAME")] = "mtcnn"
    # Address to listen at; 0.0.0.0 lets other computers in.
    host: str = "127.0.0.1"
    # Port to listen at; 0 takes a free one.
    port: int = 7860


def demo(options: Demo) -> None:
    """Show the page until Ctrl+C."""
    if options.model is None:
        raise UserError(
            "no model given; `mtl-keras train --preset facenet_utk` trains one on drawn faces in a few minutes, "
            "and prints the folder to name behind `mtl-keras demo`"
        )
    # Here, since `--help` needs no TensorFlow.
    from mtl_keras.serving.page.server import serve

    serve(options.model, options.detector, options.host, options.port)

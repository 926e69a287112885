"""The command `mtl-keras demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mtl_keras.commands.asking import Asked


@dataclass(frozen=True)
class Demo(Asked):
    """Show a web page on which a model answers about photos, of files or the camera; it answers over HTTP as well.

    Example: mtl-keras demo
    """

    # Folder of a trained model, or of an exported one; without it, the model that comes with the package.
    model: Positional[Path | None] = None
    # What finds faces in photos, of `mtl-keras list detectors`; "none" takes each photo as one face.
    detector: Annotated[str, arg(metavar="NAME")] = "mtcnn"
    # Address to listen at; 0.0.0.0 lets other computers in.
    host: str = "127.0.0.1"
    # Port to listen at; 0 takes a free one.
    port: int = 7860


def demo(options: Demo) -> None:
    """Show the page until Ctrl+C."""
    # Here, since `--help` needs no TensorFlow.
    from mtl_keras.commands.asked_model import model_or_bundled
    from mtl_keras.serving.page.server import serve
    from mtl_keras.serving.runtime import open_runtime

    runtime = open_runtime(model_or_bundled(options.model), options.tasks)
    serve(runtime, options.detector, options.host, options.port)

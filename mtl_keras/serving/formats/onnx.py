"""ONNX, for ONNX Runtime and many others."""

from pathlib import Path, PurePosixPath

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.formats.format import Format, Order, Run, for_any_size, images_of, threads

FILE = "model.onnx"


def write(order: Order, folder: Path) -> None:
    """Write `model.onnx`, all in one file."""
    needed("tf2onnx.handler", "serve").tf_op("Erfc").register_compat_handler(_erfc, 9)
    network = for_any_size(order.model)
    network.export(folder / FILE, "onnx", verbose=False, input_signature=[images_of(None, None)])


def _erfc(graph, node, **settings: object) -> None:
    """Write a node erfc(x) of tf2onnx's graph as 1 - erf(x): ONNX has no erfc, of which Keras' exact GELU is made."""
    (output,) = outputs = node.output
    kinds, shapes = [graph.get_dtype(output)], [graph.get_shape(output)]
    one = graph.make_const(f"{node.name}/one", np.array(1, np.float32))
    erf = graph.make_node("Erf", node.input, dtypes=kinds, shapes=shapes)
    graph.remove_node(node.name)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=outputs, dtypes=kinds, shapes=shapes)


def read(folder: Path, precision: str, image_size: int) -> Run:
    """Return what runs `model.onnx` in ONNX Runtime."""
    runtime, path = needed("onnxruntime", "serve"), folder / FILE
    check_outside(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {"image": images}), strict=True))

    return run


def check_outside(path: Path) -> None:
    """Refuse a network that keeps data in a file outside its folder."""
    onnx = needed("onnx", "serve")
    with open(path, "rb") as file:
        model = onnx.load(file, load_external_data=False)
    for tensor in _tensors(model):
        for entry in tensor.external_data:
            place = PurePosixPath(entry.value.replace("\\", "/"))
            if entry.key == "location" and not (path.parent / place).resolve().is_relative_to(path.parent.resolve()):
                raise UserError(f"{path}: wants data of {entry.value!r}, outside its folder; get the folder elsewhere")


def _tensors(message) -> list:
    """Return every tensor at any depth of a message, which may stand in graphs within graphs."""
    found, todo = [], [message]
    while todo:
        message = todo.pop()
        if message.DESCRIPTOR.name == "TensorProto":
            found.append(message)
            continue
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE:
                todo += value if field.is_repeated else [value]
    return found


ONNX = Format(("float32",), write, read, packages=("onnx", "tf2onnx", "onnxruntime"))

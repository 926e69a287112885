"""The forms in which a trained network can be written for use, one file each."""

from mtl_keras.tables import Table

# name -> Format
FORMATS = Table(
    "format",
    {
        "keras": "mtl_keras.serving.formats.keras:KERAS",
        "savedmodel": "mtl_keras.serving.formats.savedmodel:SAVEDMODEL",
        "onnx": "mtl_keras.serving.formats.onnx:ONNX",
        "litert": "mtl_keras.serving.formats.litert:LITERT",
        "openvino": "mtl_keras.serving.formats.openvino:OPENVINO",
    },
)
# What a network may compute in; each format has some of these.
PRECISIONS = ("float32", "bfloat16", "int8")

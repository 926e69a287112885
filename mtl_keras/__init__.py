"""One Keras network that learns several things about a face from data sets that each label only some of them."""

import os

# TensorFlow reads these when it is first imported. Its notes on the processor are no news to whoever uses the package.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# By itself it takes oneDNN's kernels only with AVX-512 or newer, but with AVX2 BKNet trains twice as fast on them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

from mtl_keras import datasets
from mtl_keras.data.audit import check_images, conflicts, resolve_conflicts
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.pipeline import batches
from mtl_keras.data.shards import read_shards, shard_batches, shard_table
from mtl_keras.data.split import split
from mtl_keras.data.table import combine, read_table, write_table
from mtl_keras.evaluation.metrics import evaluate
from mtl_keras.faces.crop import crop_faces
from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.folder import read_crops
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import run
from mtl_keras.tasks import (
    AGE,
    AGE_ARGMAX,
    AGE_GROUP,
    AGE_GROUP_ORDINAL,
    AGE_REGRESSION,
    ETHNICITY,
    EXPRESSION,
    EYEGLASSES,
    GENDER,
    HEAD_POSE,
    SMILE,
    Task,
    add_task,
)
from mtl_keras.training.trainer import MultiTaskModel

__all__ = [
    "AGE",
    "AGE_ARGMAX",
    "AGE_GROUP",
    "AGE_GROUP_ORDINAL",
    "AGE_REGRESSION",
    "CropSettings",
    "ETHNICITY",
    "EXPRESSION",
    "EYEGLASSES",
    "Experiment",
    "GENDER",
    "HEAD_POSE",
    "MultiTaskModel",
    "SMILE",
    "Task",
    "add_task",
    "batches",
    "check_images",
    "combine",
    "conflicts",
    "crop_faces",
    "datasets",
    "evaluate",
    "pack_shards",
    "read_crops",
    "read_shards",
    "read_table",
    "resolve_conflicts",
    "run",
    "shard_batches",
    "shard_table",
    "split",
    "write_table",
]

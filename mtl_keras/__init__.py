"""One Keras network that learns several things about a face from data sets that each label only some of them."""

import os
import sys

from mtl_keras import quiet
from mtl_keras.tables import Table

# TensorFlow reads these when it is first imported. Its notes on the processor are no news to whoever uses the package.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
quiet.install()
# By itself it takes oneDNN's kernels only with AVX-512 or newer, but with AVX2 BKNet trains twice as fast on them.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

# Each is imported when it is first used: a command's help needs no TensorFlow, which takes seconds to start.
_NAMES = Table(
    "name",
    {
        "AGE": "mtl_keras.tasks:AGE",
        "AGE_ARGMAX": "mtl_keras.tasks:AGE_ARGMAX",
        "AGE_GROUP": "mtl_keras.tasks:AGE_GROUP",
        "AGE_GROUP_ORDINAL": "mtl_keras.tasks:AGE_GROUP_ORDINAL",
        "AGE_REGRESSION": "mtl_keras.tasks:AGE_REGRESSION",
        "CountSettings": "mtl_keras.serving.people.settings:CountSettings",
        "CropSettings": "mtl_keras.faces.cut:CropSettings",
        "ETHNICITY": "mtl_keras.tasks:ETHNICITY",
        "EXPRESSION": "mtl_keras.tasks:EXPRESSION",
        "EYEGLASSES": "mtl_keras.tasks:EYEGLASSES",
        "Experiment": "mtl_keras.studies.settings:Experiment",
        "GENDER": "mtl_keras.tasks:GENDER",
        "HEAD_POSE": "mtl_keras.tasks:HEAD_POSE",
        "MultiTaskModel": "mtl_keras.training.model:MultiTaskModel",
        "SMILE": "mtl_keras.tasks:SMILE",
        "Predictor": "mtl_keras.serving.predictor:Predictor",
        "Task": "mtl_keras.tasks:Task",
        "UserError": "mtl_keras.errors:UserError",
        "add_task": "mtl_keras.kinds:add_task",
        "aggregate": "mtl_keras.training.weightings.aggregate:aggregate",
        "batches": "mtl_keras.data.pipeline:batches",
        "bundled_model": "mtl_keras.serving.bundled:bundled_model",
        "calibrate": "mtl_keras.evaluation.calibration:calibrate",
        "check_images": "mtl_keras.data.audit:check_images",
        "combine": "mtl_keras.data.table:combine",
        "conflicts": "mtl_keras.data.audit:conflicts",
        "count_people": "mtl_keras.serving.people.counter:count_people",
        "crop_faces": "mtl_keras.faces.crop:crop_faces",
        "datasets": "mtl_keras.datasets",
        "evaluate": "mtl_keras.evaluation.metrics:evaluate",
        "export": "mtl_keras.serving.export:export",
        "leaks": "mtl_keras.data.leaks:leaks",
        "load": "mtl_keras.training.model_folder:load",
        "open_runtime": "mtl_keras.serving.runtime:open_runtime",
        "pack_shards": "mtl_keras.data.packing:pack_shards",
        "read_crops": "mtl_keras.faces.folder:read_crops",
        "read_shards": "mtl_keras.data.shards:read_shards",
        "read_table": "mtl_keras.data.table:read_table",
        "resolve_conflicts": "mtl_keras.data.audit:resolve_conflicts",
        "resolve_leaks": "mtl_keras.data.leaks:resolve_leaks",
        "run": "mtl_keras.studies.study:run",
        "save": "mtl_keras.training.model_folder:save",
        "shard_batches": "mtl_keras.data.shards:shard_batches",
        "shard_table": "mtl_keras.data.shards:shard_table",
        "split": "mtl_keras.data.split:split",
        "task_covariance": "mtl_keras.models.sharing.relationship:task_covariance",
        "write_table": "mtl_keras.data.table:write_table",
    },
)
__all__ = list(_NAMES)


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _NAMES[name]


def __dir__() -> list[str]:
    return [*globals(), *_NAMES]


# `keras.saving.load_model` finds the classes of this package only where they are imported.
if "keras" in sys.modules:
    import mtl_keras.training.model  # noqa: F401

"""The command `mtl-keras list`."""

from mtl_keras.commands.options import List
from mtl_keras.tables import imported

PLACES = {
    "datasets": "mtl_keras.datasets:DATASETS",
    "tasks": "mtl_keras.tasks:TASKS",
    "backbones": "mtl_keras.models.backbones:BACKBONES",
    "sharing": "mtl_keras.models.sharing:SHARING",
    "weightings": "mtl_keras.training.weightings:WEIGHTINGS",
    "formats": "mtl_keras.serving.formats:FORMATS",
}
# A trunk of features that were computed before takes no images: it serves training inside the package only.
INTERNAL = ("features",)


def print_names(options: List) -> None:
    """Print the names of what there is to choose from, one a line."""
    print("\n".join(name for name in imported(PLACES[options.what]) if name not in INTERNAL))

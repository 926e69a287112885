"""The command `mtl-keras list`."""

from mtl_keras.commands.options import LISTS, List
from mtl_keras.tables import imported

# A trunk of features that were computed before takes no images: it serves training inside the package only.
INTERNAL = ("features",)


def print_names(options: List) -> None:
    """Print the names of what there is to choose from, one a line."""
    print("\n".join(name for name in imported(LISTS[options.what]) if name not in INTERNAL))

"""The command `mtl-keras list`."""

from mtl_keras.commands.options import LISTS, List
from mtl_keras.tables import Table, imported

# A trunk of features that were computed before takes no images: it serves training inside the package only.
INTERNAL = ("features",)


def print_names(options: List) -> None:
    """Print the names of what there is to choose from, one a line; of a family of names, how they are formed."""
    table = imported(LISTS[options.what])
    families = [f"{family}NAME" for family in table.families] if isinstance(table, Table) else []
    print("\n".join([*(name for name in table if name not in INTERNAL), *families]))

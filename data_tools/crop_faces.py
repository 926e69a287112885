"""Find the faces of photos, align them and write them as a folder of crops with the table of their labels.

    python data_tools/crop_faces.py --dataset genki4k --data GENKI-4K --out crops --margin 0.2
    python data_tools/crop_faces.py --images photos --out crops --faces all

Leaves JPEG crops named as their photos, `table.csv` with the labels, `skipped.csv` with the photos that gave no crop
and why, and the settings. A run that was stopped goes on where it was.
"""

import tyro

from mtl_keras.commands.main import run
from mtl_keras.commands.options import Crop
from mtl_keras.errors import guarded


def main() -> None:
    """Crop the photos that the command line names."""
    guarded(lambda: run(tyro.cli(Crop, description=__doc__)))


if __name__ == "__main__":
    main()

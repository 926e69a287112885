"""Draw a folder of labeled faces, laid out like a public data set.

    python data_tools/render_faces.py --out faces --count 2000 --seed 0 --layout utkface

Takes one to two minutes for 2,000 faces on two cores, and leaves 2,000 JPEG images named as UTKFace names its aligned
crops, with all labels (also smile, expression, eyeglasses and head pose) in `attributes.csv`. The same settings give
the same bytes. The faces are cartoons that say nothing about people.
"""

import tyro

from mtl_keras.data_commands import Render
from mtl_keras.errors import guarded


def main() -> None:
    """Draw the faces that the command line asks for."""
    guarded(tyro.cli(Render, description=__doc__).run)


if __name__ == "__main__":
    main()

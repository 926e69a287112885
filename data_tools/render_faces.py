"""Draw a folder of labeled faces, laid out like a public data set.

    python data_tools/render_faces.py --out faces --count 2000 --seed 0 --layout utkface

Layouts are utkface (aligned crops), genki4k (whole photos with smile and head pose), fer2013 (grey crops with
expressions), celeba (40 attributes), biwi (frames with head pose) and w300lp (faces turned by up to 70 degrees); the
library's reader of the same name reads the folder. All labels (age, gender, ethnicity, smile, expression, eyeglasses,
head pose) are also in `attributes.csv`.
Takes one to two minutes for 2,000 faces on two cores, for the larger frames of biwi about five minutes and 600 MB. The
same settings give the same bytes. The faces are cartoons that say nothing about people.
"""

import tyro

from mtl_keras.commands.main import run
from mtl_keras.commands.options import Render
from mtl_keras.errors import guarded


def main() -> None:
    """Draw the faces that the command line asks for."""
    guarded(lambda: run(tyro.cli(Render, description=__doc__)))


if __name__ == "__main__":
    main()

"""Age, gender, ethnicity, expression, smile and head pose of customers, with one network from sets that label a part.

python experiments/customer_characteristics.py

    renders five sets of cartoon faces that are laid out like public ones, and trains a small network on them: about
    five minutes on two cores.

python experiments/customer_characteristics.py --data UTKFace RAF-DB FER2013 GENKI-4K FairFace

    the real thing: FaceNet with the weights that --weights names, all tasks in one network and each in one of its own,
    and a small network under several weightings and ways of sharing, whose table is in
    results/customer_characteristics/. It takes days on two cores; --single-task none --no-variants takes two to three
    hours where they compute in bfloat16, else four. --resume goes on after an interruption.

LAGENDA, AffectNet, BIWI, 300W-LP or a CSV file of your own may join the sets, or stand in their place.

Writes to runs/customer_characteristics/ or runs/customer_characteristics_rendered/, or to the folder that --out names.
"""

from mtl_keras.commands.arguments import run_preset
from mtl_keras.errors import guarded


def main() -> None:
    """Run with the command line's arguments, over the preset's defaults for real or for rendered faces."""
    run_preset("customer_characteristics", __doc__)


if __name__ == "__main__":
    guarded(main)

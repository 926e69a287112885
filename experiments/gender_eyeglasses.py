"""Gender and eyeglasses with one small network, cross-validated against two.

python experiments/gender_eyeglasses.py

    renders 4,500 cartoon faces and trains one network and two: a few minutes on two cores.

python experiments/gender_eyeglasses.py --rendered-faces 9000 --folds 10 --test-data CelebA

    compares them by 10-fold cross-validation, and tests what was trained on rendered faces on real ones as well: the
    table in results/gender_eyeglasses_rendered/, about 40 minutes on two cores. --repeats 10 does as the original work.

python experiments/gender_eyeglasses.py --data CelebA

    trains on real faces, which are few: a tenth tells after how many epochs to stop, then all are trained on for as
    many. The folder is CelebA's (its images, list_attr_celeba.txt and, if there, list_eval_partition.txt), class
    folders such as male/eyeglasses/1.jpg, or holds a CSV file with the columns path, gender and eyeglasses. --resume
    goes on after an interruption.

Writes to runs/gender_eyeglasses/ or runs/gender_eyeglasses_rendered/, or to the folder that --out names.
"""

from mtl_keras.commands.arguments import run_preset
from mtl_keras.errors import guarded


def main() -> None:
    """Run with the command line's arguments, over the preset's defaults for real or for rendered faces."""
    run_preset("gender_eyeglasses", __doc__)


if __name__ == "__main__":
    guarded(main)

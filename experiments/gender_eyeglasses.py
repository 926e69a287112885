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

from dataclasses import replace
from pathlib import Path

from mtl_keras.commands.arguments import Arguments, has_data, parse, run_experiment
from mtl_keras.datasets import celeba, class_folders, csv_file
from mtl_keras.datasets.recognition import first_that_reads
from mtl_keras.errors import guarded
from mtl_keras.studies.plan import Comparison, CrossValidation
from mtl_keras.studies.settings import Experiment

# The work itself: no dropout, no decay, no change of the images; a rate divided by the epoch's number; at the second
# epoch without a lower validation loss it stops.
NETWORK = Experiment(
    tasks=("gender", "eyeglasses"),
    backbone="gender_eyeglasses",
    frozen_epochs=0,
    epochs=30,
    batch_size=32,
    learning_rate=1e-3,
    schedule="harmonic",
    trunk_rate=1.0,
    weight_decay=0.0,
    dropout=0.0,
    ema=0.0,
    patience=2,
    augment=False,
    crop="celeba",
)
# Real faces are fewer than drawings: none is given away.
REAL = replace(NETWORK, refit=True)
# Images that change at random want more epochs, and a rate that falls to 0.
AUGMENTED = {"augment": True, "epochs": 40, "schedule": "cosine", "patience": 40, "ema": 0.99, "dropout": 0.3}


def main() -> None:
    """Run with the command line's arguments, over the defaults for real or for rendered faces."""
    real = has_data()
    name = "gender_eyeglasses"
    # Of drawings, which are quick to learn, one split has to do, and fewer than the table was made with.
    folds = CrossValidation(folds=10 if real else 0, stop_on_fold=True)
    default = Arguments(
        out=Path("runs") / (name if real else f"{name}_rendered"),
        rendered_faces=4500,
        experiment=REAL if real else NETWORK,
        comparison=Comparison(single_task="both", variants=real, cross_validation=folds),
    )
    run_experiment(
        parse(default, __doc__),
        first_that_reads((celeba, class_folders, csv_file)),
        variants={"without the validation rows": {"refit": False}, "with augmentation": AUGMENTED},
        layouts=("celeba_crops",),
    )


if __name__ == "__main__":
    guarded(main)

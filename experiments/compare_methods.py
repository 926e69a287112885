"""Ways of sharing and of weighting, against one network a task and against equal weights that were tuned.

python experiments/compare_methods.py

    trains small networks on 1,200 drawn faces, of which each keeps some of its labels, with three seeds each: eight
    weightings with hard sharing, and four ways of sharing with equal weights. The table in results/compare_methods/,
    in 55 runs of four to twelve seconds, so seven to eight minutes on two cores that do nothing else. --resume goes on
    after an interruption.

python experiments/compare_methods.py --full

    takes every weighting and every way of sharing, in 150 runs: about 20 minutes.

python experiments/compare_methods.py --weighting equal cagrad:c=0.2 --sharing hard mmoe

    compares these ways of sharing with each of these weightings; --methods mmoe+cagrad adds single pairs.

python experiments/compare_methods.py --data UTKFace --weights 20180408-102900

    trains heads on the features that FaceNet's frozen trunk gives of UTKFace, of all 17,000 training images: one to two
    minutes for each of 50 runs on one core, and six for those of mmoe. What the tasks share here is the dense layers
    behind the trunk, so methods differ there alone.

python experiments/compare_methods.py --data UTKFace --weights 20180408-102900 --epochs 4 --frozen-epochs 5 \\
    --gradients-at features --images 0.25 --weighting equal uncertainty mgda pcgrad --out runs/compare_methods_whole

    trains the whole of FaceNet, where gradients meet at its features in one pass through the trunk: 67 steps an epoch
    of a quarter of the images, about a second each, so six minutes for each of 35 runs, three to four hours on two
    cores. All images would take four times that.

python experiments/compare_methods.py --data UTKFace GENKI-4K RAF-DB --image-size 32 --images 0.5 --epochs 5 \\
    --patience 5 --batch-size 64 --dropout 0.3 --gradients-at features

    trains BKNet on sets that each label only some of the tasks, for a short time: three minutes for most of 55 runs on
    one core. At full length and with every method, --full --data UTKFace GENKI-4K RAF-DB is a day's work for a GPU.

Writes to runs/compare_methods/, or to the folder that --out names.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from mtl_keras.commands.arguments import FLAT, Arguments, has_data, is_given
from mtl_keras.errors import guarded, kept_if_interrupted
from mtl_keras.studies.plan import Common, Comparison, Methods
from mtl_keras.tables import imported

HIDDEN = (tyro.conf.Fixed, tyro.conf.Suppress)
# Without augmentation, since drawings do not need it. All epochs are trained, so that budgets are equal. An epoch costs
# as much for its validation and backup as for its steps: so few of them, with small batches.
DRAWN = Common(
    tasks=("age", "gender", "ethnicity"),
    backbone="small_cnn",
    frozen_epochs=0,
    epochs=4,
    patience=4,
    batch_size=32,
    learning_rate=2e-3,
    trunk_rate=1.0,
    ema=0.9,
    dropout=0.1,
    augment=False,
    precision="float32",
)
FACENET = Common(border=16, frozen_epochs=25, epochs=0, patience=25)
BKNET = Common(
    tasks=("age_group", "gender", "smile", "expression"),
    backbone="bknet",
    frozen_epochs=0,
    epochs=18,
    patience=18,
    batch_size=128,
    learning_rate=1e-3,
    trunk_rate=1.0,
    weight_decay=0.0,
    l2=1e-4,
    ema=0.99,
)


@dataclass(frozen=True)
class MethodArguments(Arguments):
    """What is compared, on what, and where it is written."""

    # Folder for tables, figures, models and checkpoints.
    out: Path = Path("runs/compare_methods")
    # How many faces to render where there is no data.
    rendered_faces: int = 1200
    # Which methods are compared.
    compared: FLAT[Methods] = field(default_factory=Methods)
    # What is trained, and how.
    experiment: FLAT[Common] = DRAWN
    comparison: Annotated[Comparison, *HIDDEN] = field(default_factory=Comparison)
    test_data: Annotated[tuple[Path, ...], *HIDDEN] = ()


def main() -> None:
    """Run with the command line's arguments, over the defaults for drawn faces or for those of data sets."""
    default = MethodArguments(compared=Methods(labels_kept=0.5))
    if has_data():
        default = MethodArguments(experiment=FACENET if is_given("--weights") else BKNET)
    arguments = tyro.cli(MethodArguments, default=default, description=__doc__)
    arguments = replace(arguments, experiment=arguments.experiment.experiment())
    with kept_if_interrupted(f"finished runs and epochs are kept in {arguments.out}; add --resume to go on"):
        # Only now: --help needs no TensorFlow.
        imported("mtl_keras.commands.methods:run")(arguments, arguments.compared)


if __name__ == "__main__":
    guarded(main)

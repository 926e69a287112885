"""Age, gender and ethnicity of a face with FaceNet, on UTKFace.

python experiments/facenet_utk.py

    renders 2,400 labelled cartoon faces and trains a small network on them: less than four minutes on two cores.

python experiments/facenet_utk.py --data UTKFace --weights 20180408-102900

    the real thing. Twelve networks and a small one are fine-tuned, of three seeds, which takes most of a day on two
    cores; --seeds 1 takes six hours, for the table in results/facenet_utk/, and with --single-task frozen half of that.
    --resume goes on after an interruption.

Writes to runs/facenet_utk/ or runs/facenet_utk_rendered/, or to the folder that --out names.
"""

from mtl_keras.commands.arguments import run_preset
from mtl_keras.errors import guarded


def main() -> None:
    """Run with the command line's arguments, over the preset's defaults for real or for rendered faces."""
    run_preset("facenet_utk", __doc__)


if __name__ == "__main__":
    guarded(main)

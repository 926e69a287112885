"""Age group, gender and smile with BKNet, from sets that each label only some of them.

python experiments/bknet_age_gender_smile.py

    renders 3 x 800 cartoon faces laid out as UTKFace, GENKI-4K and FER2013: about 4 minutes on two cores.

python experiments/bknet_age_gender_smile.py --data UTKFace GENKI-4K FER2013

    the real thing: the table in results/bknet_age_gender_smile/, in about four hours on two cores with bfloat16, or 40
    minutes with --seeds 1 --no-variants. Each folder is a set with UTKFace's or IMDB-WIKI's ages and genders,
    GENKI-4K's smiles or, if there, FER2013's expressions. Faces of whole photos are found and cut out first. --resume
    goes on after an interruption.
    The article's own training: --epochs 80 --batch-size 256 --schedule constant --ema 0 --balance genki4k=10

Writes to runs/bknet_age_gender_smile/ or runs/bknet_age_gender_smile_rendered/, or to the folder that --out names.
"""

from mtl_keras.commands.arguments import run_preset
from mtl_keras.errors import guarded


def main() -> None:
    """Run with the command line's arguments, over the preset's defaults for real or for rendered faces."""
    run_preset("bknet_age_gender_smile", __doc__)


if __name__ == "__main__":
    guarded(main)

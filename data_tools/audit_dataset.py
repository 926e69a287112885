"""Report on a data set: what it labels, what cannot be read, which images are copies, which labels are odd.

    python data_tools/audit_dataset.py --dataset utkface --data UTKFace --out audit

Takes about ten seconds for 13,500 images of 200 x 200 pixels, and leaves report.txt, report.html with thumbnails, and
CSV files of the counts, copies, conflicts, odd labels and skipped files.
"""

import tyro

from mtl_keras.commands.main import run
from mtl_keras.commands.options import Audit
from mtl_keras.errors import guarded


def main() -> None:
    """Report on the data set that the command line names."""
    guarded(lambda: run(tyro.cli(Audit, description=__doc__)))


if __name__ == "__main__":
    main()

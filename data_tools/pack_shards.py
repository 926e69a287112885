"""Pack a data set's images and labels into TFRecord shards, for training from many machines or an object store.

    python data_tools/pack_shards.py --dataset utkface --data UTKFace --out shards

Takes a second or two for 1,000 images of 200 x 200 pixels, most of it for checking them, and leaves files such as
`shard-00000-of-00006.tfrecord` with a `manifest.json`. Called again after an interruption it goes on where it stopped.
"""

import tyro

from mtl_keras.commands.main import run
from mtl_keras.commands.options import Pack
from mtl_keras.errors import guarded


def main() -> None:
    """Pack the data set that the command line names."""
    guarded(lambda: run(tyro.cli(Pack, description=__doc__)))


if __name__ == "__main__":
    main()

"""TFRecord shards -> image files and their label table, for what takes files, such as an experiment."""

import os
from pathlib import Path

import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from mtl_keras.data.manifest import Shards, reason
from mtl_keras.data.shards import MEND, shard_table
from mtl_keras.errors import UserError
from mtl_keras.files import TEXT, replacing_folder
from mtl_keras.state_files import name_inside


def unpack_shards(shards: Shards, folder: str | Path) -> pd.DataFrame:
    """Write the images of shards below `folder`, as they were packed, and return their label table.

    Each set of shards has a folder of its own there, by its contents, which is kept for the next call. It takes as much
    space as the shards.
    """
    contents = "-".join(["unpacked", shards.manifest["sha256"][:16], *([shards.split] if shards.split else [])])
    place = Path(folder) / contents
    table = shard_table(shards)
    if outside := [name for name in table["path"] if not name_inside(name)]:
        raise UserError(f"{shards.folder}: names an image {outside[0]!r}, which lies outside its folder; {MEND}")
    if not place.is_dir():
        # Nothing half-written is ever taken for the whole.
        with replacing_folder(place) as temporary:
            _write(shards, temporary)
    table["path"] = pd.array([os.path.join(place, name) for name in table["path"]], dtype=TEXT)
    table.attrs = {"skipped": [], "deviations": [], "cut_out": shards.manifest.get("cut_out", [])}
    return table


def _write(shards: Shards, folder: Path) -> None:
    """Write each image of the shards to its place in a folder."""
    spec = {name: tf.io.FixedLenFeature((), tf.string) for name in ("path", "image")}
    with tqdm(total=shards.rows, desc="unpacking shards", unit="image") as bar:
        for shard, skip, rows in shards.parts:
            try:
                for record in tf.data.TFRecordDataset(f"{shards.folder}/{shard['file']}").skip(skip).take(rows):
                    features = tf.io.parse_single_example(record, spec)
                    path = folder / os.fsdecode(features["path"].numpy())
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(features["image"].numpy())
                    bar.update()
            except tf.errors.OpError as error:
                raise UserError(f"{shards.folder}/{shard['file']}: cannot be read ({reason(error)}); {MEND}") from None

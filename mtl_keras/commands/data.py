"""The commands that prepare data: render, crop, audit and pack."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from mtl_keras.commands.options import Audit, Crop, DatasetOptions, Pack, Render
from mtl_keras.data.audit import check_images, tell
from mtl_keras.data.audit_page import write_report
from mtl_keras.data.leaks import leak_note, resolve_leaks
from mtl_keras.data.packing import pack_shards
from mtl_keras.datasets import DATASETS
from mtl_keras.errors import UserError, printable
from mtl_keras.faces.crop import crop_faces, photo_table
from mtl_keras.faces.cut import CropSettings
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces


def check_name(dataset: str) -> None:
    """Refuse an unknown name of a data set."""
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}; expected one of {', '.join(DATASETS)}")


def read(dataset: str, data: Path, strict: bool = False) -> pd.DataFrame:
    """Read a data set by its name and folder, and say what is odd in it; an unknown name is an error."""
    check_name(dataset)
    table = DATASETS[dataset](data, strict)
    tell(table)
    return table


@contextmanager
def faces_cut_out(photos: pd.DataFrame, folder: Path | None, settings: CropSettings) -> Iterator[pd.DataFrame]:
    """Give the label table of the faces of photos; without a `folder` to keep them, they are removed afterwards."""
    if folder:
        yield crop_faces(photos, folder, settings)
        return
    try:
        temporary = TemporaryDirectory(prefix="mtl-keras-crops-")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"no temporary folder for faces ({reason}); name one of your own with --crops DIR") from None
    with temporary as place:
        yield crop_faces(photos, place, settings)


def checked(options: DatasetOptions) -> pd.DataFrame:
    """Return the label table of the data set that the options name, with its images checked; say where copies stand."""
    table = check_images(read(options.dataset, options.data, options.strict))
    if note := leak_note(table):
        print(note, file=sys.stderr)
    return table


def render(options: Render) -> None:
    """Draw the faces and print where they are."""
    folder = write_faces(options.out, LAYOUTS[options.layout], options.count, options.seed, options.size)
    print(f"{options.count} faces in {folder}")


def crop(options: Crop) -> None:
    """Crop the faces and print how many there are, and where."""
    if (options.images is None) == (options.dataset is None) or (options.dataset is None) != (options.data is None):
        raise UserError("expected either --dataset NAME with --data DIR, or --images DIR")
    photos = (
        read(options.dataset, options.data, options.strict)
        if options.dataset
        else photo_table(options.images, leave_out=options.out)
    )
    settings = CropSettings(options.faces, options.size, options.margin, options.keep_roll)
    crops = crop_faces(photos, options.out, settings, n_jobs=options.jobs)
    print(f"{len(crops)} crops of {len(photos)} photos in {options.out}, {len(crops.attrs['skipped'])} skipped")


def audit(options: Audit) -> None:
    """Read and check all images, write the report, print it and where it is."""
    print(write_report(checked(options), options.out))
    print(f"\nreport: {options.out / 'report.html'}")


def pack(options: Pack) -> None:
    """Pack the images that can be read, and print how many there are, and where."""
    table = resolve_leaks(checked(options), options.leaks)
    for item in table.attrs.get("skipped", []):
        print(f"skipped {printable(item['path'])}: {item['reason']}", file=sys.stderr)
    shards = pack_shards(table, options.out, options.rows_per_shard, options.seed)["shards"]
    print(f"{len(table)} images in {len(shards)} shards in {options.out}")

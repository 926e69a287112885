"""The commands that prepare data: render, crop, audit and pack."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from mtl_keras.boxes import refuse_boxes
from mtl_keras.commands.options import Audit, Crop, Pack, Render
from mtl_keras.commands.text import by_box_alone
from mtl_keras.data.audit import check_images, tell
from mtl_keras.data.audit_page import write_report
from mtl_keras.data.leaks import leak_note, resolve_leaks
from mtl_keras.data.packing import check_packing, pack_shards
from mtl_keras.datasets import DATASETS
from mtl_keras.datasets.task_file import tasks_of_file
from mtl_keras.errors import SomeFailedError, UserError, printable
from mtl_keras.faces.crop import crop_faces, photo_table
from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.detectors import Detector, find_detector
from mtl_keras.faces.folder import NO_FACE
from mtl_keras.files import check_writable
from mtl_keras.owner import owned
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.scenes import SCENES
from mtl_keras.portraits.writer import write_faces


def check_name(dataset: str) -> None:
    """Refuse an unknown name of a data set."""
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}; expected one of {', '.join(DATASETS)}")


def read(dataset: str, data: Path, strict: bool = False, task_file: Path | None = None) -> pd.DataFrame:
    """Read a data set by its name and folder, and say what is odd in it; an unknown name is an error.

    `task_file` defines tasks of one's own, which the set may label.
    """
    check_name(dataset)
    with tasks_of_file(task_file):
        table = DATASETS[dataset](data, strict)
    tell(table)
    return table


@contextmanager
def faces_cut_out(
    photos: pd.DataFrame, folder: Path | None, settings: CropSettings, detector: Detector
) -> Iterator[pd.DataFrame]:
    """Give the label table of the faces of photos; without a `folder` to keep them, they are removed afterwards."""
    if folder:
        yield crop_faces(photos, folder, settings, detector=detector)
        return
    try:
        temporary = TemporaryDirectory(prefix="mtl-keras-crops-")
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"no temporary folder for faces ({reason}); name one of your own with --crops DIR") from None
    with temporary as place:
        yield crop_faces(photos, place, settings, detector=detector)


def checked(images: pd.DataFrame) -> pd.DataFrame:
    """Return a label table with its images checked, and say which copies stand in several of its parts."""
    table = check_images(images)
    if note := leak_note(table):
        print(note, file=sys.stderr)
    return table


def tell_skipped(table: pd.DataFrame) -> None:
    """Say which images are left out of a table, and why."""
    for item in table.attrs.get("skipped", []):
        print(f"skipped {printable(item['path'])}: {item['reason']}", file=sys.stderr)


def refuse_failed(images: pd.DataFrame, table: pd.DataFrame) -> None:
    """Let the exit code tell that some `images` did not come into `table` since they could not be read or cropped.

    What the reader of a data set leaves out by its own rules is no failure, nor is a photo that shows nobody.
    """
    new = table.attrs.get("skipped", [])[len(images.attrs.get("skipped", [])) :]
    if failed := [item for item in new if item["reason"] != NO_FACE]:
        first = printable(f"{failed[0]['path']}: {failed[0]['reason']}")
        raise SomeFailedError(
            f"{len(failed)} of {len(images)} images could not be used; the others are done; the first is {first}"
        )


def render(options: Render) -> None:
    """Draw the faces, or the video, and print where they are."""
    if options.scene:
        if changed := [name for name in ("count", "size", "layout") if getattr(options, name) != getattr(Render, name)]:
            raise UserError(f"--{changed[0]}: a scene has people, a size and a form of its own; leave it out")
        check_writable(options.out)
        known = SCENES[options.scene.replace("-", " ")](options.seed)
        print(f"{known.visitors} people, {known.scene.seconds:g} seconds: {known.scene.write(options.out)}")
        return
    check_writable(options.out, folder=True)
    folder = write_faces(options.out, LAYOUTS[options.layout], options.count, options.seed, options.size)
    print(f"{options.count} faces in {folder}")


def crop(options: Crop) -> None:
    """Crop the faces and print how many there are, and where."""
    if (options.images is None) == (options.dataset is None) or (options.dataset is None) != (options.data is None):
        raise UserError("expected either --dataset NAME with --data DIR, or --images DIR")
    detector = find_detector(options.detector)
    check_writable(options.out, folder=True)
    settings = CropSettings(options.faces, options.size, options.margin, options.keep_roll)
    photos = (
        read(options.dataset, options.data, options.strict, options.task_file)
        if options.dataset
        else photo_table(options.images, leave_out=options.out)
    )
    crops = crop_faces(photos, options.out, settings, options.jobs, detector)
    counts = len(crops), photos["path"].nunique(), len(crops.attrs["skipped"])
    print(f"{counts[0]} crops of {counts[1]} photos in {options.out}, {counts[2]} skipped{by_box_alone(crops)}")
    refuse_failed(photos, crops)


def audit(options: Audit) -> None:
    """Read and check all images, write the report, print it and where it is."""
    with owned(options.out):
        images = read(options.dataset, options.data, options.strict, options.task_file)
        print(write_report(checked(images), options.out))
    print(f"\nreport: {options.out / 'report.html'}")


def pack(options: Pack) -> None:
    """Pack the images that can be read, and print how many there are, and where."""
    check_packing(options.out, options.rows_per_shard, options.seed)
    images = read(options.dataset, options.data, options.strict, options.task_file)
    # Now already, since to check the images takes long.
    refuse_boxes(images)
    table = checked(images)
    kept = resolve_leaks(table, options.leaks)
    tell_skipped(kept)
    shards = pack_shards(kept, options.out, options.rows_per_shard, options.seed)["shards"]
    print(f"{len(kept)} images in {len(shards)} shards in {options.out}")
    refuse_failed(images, table)

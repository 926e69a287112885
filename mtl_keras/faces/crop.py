"""Crop the photos of a whole label table, in many processes or on many machines, and go on after a stop."""

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import pandas as pd
from joblib import Parallel, cpu_count, delayed, effective_n_jobs
from tqdm import tqdm

from mtl_keras.boxes import has_boxes, repeated
from mtl_keras.data.images import probe
from mtl_keras.data.table import complete
from mtl_keras.errors import UserError, printable
from mtl_keras.faces.cut import CropSettings, Photo, crop_batch_elsewhere
from mtl_keras.faces.detectors import DETECTOR, Detector, find_detector
from mtl_keras.faces.folder import append, is_done, names_of, open_folder, remove_crops, write_crops
from mtl_keras.files import EXTENSIONS, NO_IMAGE, folder_of, image_files, other_files
from mtl_keras.owner import owned
from mtl_keras.tasks import TASKS
from mtl_keras.workers import starting_workers

CROPPING = 1  # raised when the same photo is cropped differently, so that older folders are cropped anew
# A process holds photos in memory up to this number and this many pixels, or a single larger one.
BATCH_IMAGES, BATCH_PIXELS = 32, 32_000_000
# Photos of one size come into one batch, as far as they stand within this number of each other.
WINDOW = 512
# Starting one more process takes about as long as cropping this number of photos.
PROCESS_IMAGES = 250


def crop_faces(
    table: pd.DataFrame,
    folder: str | Path,
    settings: CropSettings | None = None,
    n_jobs: int | None = None,
    detector: str | Detector = DETECTOR,
) -> pd.DataFrame:
    """Cut the faces out of a table's photos into `folder`, and return the label table of the crops.

    Of a row with a `box` that face is cut out, whatever the settings choose: aligned if the detector finds it, else as
    the box alone tells, with the `confidence` 0. Of other rows a crop keeps the labels of its photo; only with "all",
    the crops of a photo with several faces have none, since nobody knows whose they are. Columns `photo`, `faces` (how
    many were found in it) and `confidence` are added, and `photo_box` takes the place of `box`.
    Photos without a face, and those that cannot be read, are in `attrs["skipped"]` with the reason.
    `mtl_keras.faces.folder` says what lies in the folder; `read_crops` reads it.

    A run that was stopped goes on where it was: unchanged photos whose crops are there are not looked at again.
    `detector` is one, or the name of one, of `mtl_keras.faces.detectors`.
    Other settings, also of the detector, start anew: the folder's crops are removed first, and a line says so.

    `n_jobs` processes work side by side, by default one for every two processors; each takes about 1 GB. They are
    joblib's: within `joblib.parallel_config(backend="dask")`, or "ray" after `ray.util.joblib.register_ray()`, the
    work is done by all machines of that cluster, which must see the photos and the folder under the same paths.
    """
    settings, detector = settings or CropSettings(), find_detector(detector)
    if n_jobs == 0:
        raise UserError("0 jobs: expected 1 or more, or -1 for one on every processor")
    table, folder = complete(table), Path(os.path.abspath(folder))
    rows = table.assign(path=[os.path.abspath(path) for path in table["path"]])
    _check(rows, folder)
    boxes = _boxes(rows)
    paths = list(boxes)
    oriented = [column for task in TASKS.values() if task.oriented for column in task.columns if column in table]
    if not settings.keep_roll and oriented and table[oriented].notna().any(axis=None):
        names = ", ".join(oriented)
        print(f"note: heads are turned upright, so {names} do not hold for the crops; keep_roll helps", file=sys.stderr)
    # Of a table with boxes all crops are numbered, so that no two ever have one name.
    given = {"boxes": True} if has_boxes(table) else {}
    with owned(folder):
        done = open_folder(folder, _as_json(settings, detector) | given)
        todo = []
        for path, name in zip(paths, names_of(paths, done), strict=True):
            stamp = _stamp(path)
            if not is_done(done.get(path), stamp, boxes[path], folder):
                todo.append(Photo(path, name, stamp, boxes[path]))
        before = len(paths) - len(todo)
        # A photo that has changed may give other crops, or none.
        remove_crops([done[photo.path] for photo in todo if photo.path in done], folder)
        with tqdm(total=len(paths), initial=before, desc="cropping faces", unit="image", disable=not todo) as bar:
            for lines in _in_parallel(todo, folder, settings, detector, n_jobs):
                # What cannot be read today may be readable tomorrow, so only what was seen is put down as done.
                append([line for line in lines if not line["reason"]], folder)
                done |= {line["photo"]: line for line in lines}
                bar.update(len(lines))
        return write_crops(table, [done[path] for path in rows["path"]], folder)


def photo_table(folder: str | Path, leave_out: str | Path | None = None) -> pd.DataFrame:
    """Return a label table without labels of all images in a folder, at any depth, but not of those in `leave_out`.

    Other files are in `attrs["skipped"]`.
    """
    folder = folder_of(folder, "photos")
    left_out = os.path.join(os.path.abspath(leave_out), "") if leave_out else None

    def kept(files: Iterable[str]) -> list[str]:
        return sorted(path for path in files if not left_out or not os.path.abspath(path).startswith(left_out))

    paths, skipped = [], [{"path": printable(path), "reason": NO_IMAGE} for path in kept(other_files(folder))]
    for path in kept(image_files(folder)):
        readable = printable(path)
        if path == readable:
            paths.append(path)
        else:
            skipped.append({"path": readable, "reason": "the name is not valid UTF-8"})
    if not paths:
        raise UserError(f"{folder}: holds no images; expected files that end in {', '.join(EXTENSIONS)}")
    table = complete(pd.DataFrame({"path": paths, "source": "photos"}))
    table.attrs = {"skipped": skipped, "deviations": []}
    return table


def _boxes(rows: pd.DataFrame) -> dict[str, list[str] | None]:
    """Return the boxes of each photo, those further to the left first; None where the table has none at all."""
    if not has_boxes(rows):
        return dict.fromkeys(rows["path"])
    boxes: dict[str, list[str] | None] = {path: [] for path in rows["path"]}
    given = rows[rows["box"].notna()]
    for path, box in zip(given["path"], given["box"], strict=True):
        boxes[path].append(box)
    # By which crops are numbered, whatever the order of the rows.
    return {path: sorted(several, key=lambda box: [*map(float, box.split())]) for path, several in boxes.items()}


def _check(rows: pd.DataFrame, folder: Path) -> None:
    """Refuse a table without rows or with a face in two of them, and photos where the crops are to go."""
    if not len(rows):
        raise UserError("crop_faces: the table has no rows; expected photos to crop")
    if twice := repeated(rows):
        raise UserError(f"crop_faces: {twice} is in two rows; keep one of them, or give each of its faces a `box`")
    own = os.path.join(os.path.realpath(folder), "")
    for place in sorted(set(rows["path"].map(os.path.dirname))):
        if os.path.join(os.path.realpath(place), "").startswith(own):
            raise UserError(f"{folder}: photos of the table lie in it ({place}); name another folder for the crops")


def _as_json(settings: CropSettings, detector: Detector) -> dict:
    """Return all that decides what the crops look like, as JSON gives it back."""
    crop = asdict(settings.widened)
    del crop["keep_roll"]  # It stands among the settings.
    crop["landmarks"] = {name: list(point) for name, point in crop["landmarks"].items()}
    fields = {
        "faces": settings.faces,
        "size": settings.size,
        "margin": settings.margin,
        "keep_roll": settings.keep_roll,
    }
    return {"cropping": CROPPING, **fields, "crop": crop, "detector": detector.settings}


def _stamp(path: str) -> list[int]:
    """Return what tells whether a file has changed: its bytes and its time."""
    try:
        status = os.stat(path)
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def _in_parallel(
    todo: list[Photo], folder: Path, settings: CropSettings, detector: Detector, n_jobs: int | None
) -> Iterator[list[dict]]:
    """Yield the journal's lines of each batch of photos as it is done, in any order."""
    if n_jobs is None and effective_n_jobs() == 1:
        n_jobs = min(max(1, cpu_count() // 2), 1 + len(todo) // PROCESS_IMAGES)
    home = os.getpid(), max(1, cpu_count() // effective_n_jobs(n_jobs))
    job = delayed(crop_batch_elsewhere)
    windows = (todo[start : start + WINDOW] for start in range(0, len(todo), WINDOW))
    works = ([job(batch, folder, settings, detector, home) for batch in _batches(window)] for window in windows)
    try:
        # Of its own accord joblib would give a process several batches at once.
        parallel = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
        works = [chain.from_iterable(works)]
    except ValueError:
        # Some back ends, Ray's among them, give results only all together: then a window at a time.
        parallel = Parallel(n_jobs=n_jobs, batch_size=1)
    try:
        for work in works:
            with starting_workers():
                lines = parallel(work)
            yield from lines
    except BrokenExecutor:
        ended = "a process that cropped faces was ended, mostly for want of memory"
        raise UserError(f"{folder}: {ended}; call again with fewer jobs: what is done is kept") from None


def _batches(photos: list[Photo]) -> Iterator[list[Photo]]:
    """Yield the photos in batches that fit into memory, sorted by size, since only equal sizes share a detection."""
    sized = []
    for photo in photos:
        try:
            sized.append((probe(photo.path), photo))
        except UserError as error:
            sized.append(((0, 0), photo._replace(reason=str(error).removeprefix(f"{photo.path}: "))))
    batch, pixels = [], 0
    for (width, height), photo in sorted(sized, key=lambda pair: pair[0]):
        if batch and (len(batch) == BATCH_IMAGES or pixels + width * height > BATCH_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(photo)
        pixels += width * height
    if batch:
        yield batch

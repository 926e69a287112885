"""The commands that prepare data: render, crop, audit and pack."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import pandas as pd
from tyro.conf import arg

from mtl_keras.data.audit import check_images
from mtl_keras.data.audit_page import write_report
from mtl_keras.data.packing import pack_shards
from mtl_keras.datasets import DATASETS
from mtl_keras.errors import UserError, shown
from mtl_keras.faces.crop import crop_faces, photo_table
from mtl_keras.faces.cut import CropSettings
from mtl_keras.portraits.layouts import LAYOUTS
from mtl_keras.portraits.writer import write_faces

Folder = Annotated[Path | None, arg(metavar="DIR")]


def check_name(dataset: str) -> None:
    """Refuse an unknown name of a data set."""
    if dataset not in DATASETS:
        raise UserError(f"unknown dataset {dataset!r}; expected one of {', '.join(DATASETS)}")


def read(dataset: str, data: Path, strict: bool = False) -> pd.DataFrame:
    """Read a data set by its name and folder; an unknown name is an error."""
    check_name(dataset)
    return DATASETS[dataset](data, strict)


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


@dataclass(frozen=True, kw_only=True)
class Reads:
    """The options of a command that reads a data set."""

    # Name of the data set, of `mtl-keras list datasets`.
    dataset: str
    # Folder of the data set.
    data: Path
    # Make everything that deviates from the data set's rules an error, instead of reading as much as it tells.
    strict: bool = False

    def table(self) -> pd.DataFrame:
        """Return the data set's label table, with its images checked."""
        return check_images(read(self.dataset, self.data, self.strict))


@dataclass(frozen=True)
class Render:
    """Draw a folder of labeled cartoon faces, laid out like a public data set; they say nothing about people.

    Example: mtl-keras render --out faces --count 2000 --seed 0 --layout utkface
    """

    # Folder to write; a complete one of the same settings is kept.
    out: Path
    # How many faces.
    count: int = 2000
    # Another seed draws other faces.
    seed: int = 0
    # Width of the images in pixels; by default that of the data set's own images.
    size: int | None = None
    # The data set whose files, folders and kind of image are imitated; its reader reads the folder.
    layout: Literal[tuple(LAYOUTS)] = "utkface"

    def run(self) -> None:
        """Draw the faces and print where they are."""
        folder = write_faces(self.out, LAYOUTS[self.layout], self.count, self.seed, self.size)
        print(f"{self.count} faces in {folder}")


@dataclass(frozen=True)
class Crop:
    """Find the faces of photos, align them and write them as a folder of crops with the table of their labels.

    Example: mtl-keras crop --dataset genki4k --data GENKI-4K --out crops --margin 0.2
    """

    # Folder for the crops; a run into it that was stopped goes on.
    out: Path
    # Name of the data set, of `mtl-keras list datasets`.
    dataset: str | None = None
    # Folder of the data set.
    data: Folder = None
    # Make everything that deviates from the data set's rules an error, instead of reading as much as it tells.
    strict: bool = False
    # Instead of a data set: a folder of photos without labels.
    images: Folder = None
    # Side of the crops in pixels.
    size: int = 200
    # How much wider the crops are than UTKFace's, on each side, as a share of the side.
    margin: float = 0.0
    # Which faces of a photo; with "all", only photos of one face keep their labels.
    faces: Literal["largest", "central", "all"] = "largest"
    # Do not turn heads upright, so that labels of roll are true of the crops.
    keep_roll: bool = False
    # Processes; by default one for every two processors.
    jobs: int | None = None

    def run(self) -> None:
        """Crop the faces and print how many there are, and where."""
        if (self.images is None) == (self.dataset is None) or (self.dataset is None) != (self.data is None):
            raise UserError("expected either --dataset NAME with --data DIR, or --images DIR")
        photos = (
            read(self.dataset, self.data, self.strict) if self.dataset else photo_table(self.images, leave_out=self.out)
        )
        settings = CropSettings(self.faces, self.size, self.margin, self.keep_roll)
        crops = crop_faces(photos, self.out, settings, n_jobs=self.jobs)
        print(f"{len(crops)} crops of {len(photos)} photos in {self.out}, {len(crops.attrs['skipped'])} skipped")


@dataclass(frozen=True, kw_only=True)
class Audit(Reads):
    """Report on data sets: what they label, what cannot be read, which images are copies, which labels are odd.

    Example: mtl-keras audit --dataset utkface --data UTKFace --out audit
    """

    # Folder for report.txt, report.html with thumbnails, and CSV files.
    out: Path = Path("audit")

    def run(self) -> None:
        """Read and check all images, write the report, print it and where it is."""
        print(write_report(self.table(), self.out))
        print(f"\nreport: {self.out / 'report.html'}")


@dataclass(frozen=True, kw_only=True)
class Pack(Reads):
    """Pack a data set's images and labels into TFRecord shards, for training from many machines or an object store.

    Example: mtl-keras pack --dataset utkface --data UTKFace --out shards
    """

    # Folder to write; packing that was interrupted goes on where it stopped.
    out: Path
    # At most how many images a shard holds.
    rows_per_shard: int = 4096
    # Another seed deals the images to the shards in another order.
    seed: int = 0

    def run(self) -> None:
        """Pack the images that can be read, and print how many there are, and where."""
        table = self.table()
        for item in table.attrs.get("skipped", []):
            print(f"skipped {shown(item['path'])}: {item['reason']}", file=sys.stderr)
        shards = pack_shards(table, self.out, self.rows_per_shard, self.seed)["shards"]
        print(f"{len(table)} images in {len(shards)} shards in {self.out}")


COMMANDS = {"render": Render, "crop": Crop, "audit": Audit, "pack": Pack}

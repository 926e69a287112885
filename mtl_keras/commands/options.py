"""The commands of `mtl-keras` and their options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from mtl_keras.commands.arguments import Train
from mtl_keras.commands.asking import Asked
from mtl_keras.commands.counting import Count
from mtl_keras.commands.demo import Demo
from mtl_keras.commands.exporting import Export
from mtl_keras.evaluation.views import VIEWS
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.scenes import SCENES

# What can be listed, and where its names stand.
LISTS = {
    "datasets": "mtl_keras.datasets:DATASETS",
    "tasks": "mtl_keras.tasks:TASKS",
    "backbones": "mtl_keras.models.backbones:BACKBONES",
    "sharing": "mtl_keras.models.sharing:SHARING",
    "weightings": "mtl_keras.training.weightings:WEIGHTINGS",
    "formats": "mtl_keras.serving.formats:FORMATS",
    "presets": "mtl_keras.studies.presets:PRESETS",
    "detectors": "mtl_keras.faces.detectors:DETECTORS",
}
File = Annotated[Path | None, arg(metavar="FILE")]
Folder = Annotated[Path | None, arg(metavar="DIR")]
# Settings may stand behind its name, as in "yunet:minimum_confidence=0.7".
Detector = Annotated[str, arg(metavar="NAME")]


@dataclass(frozen=True)
class List:
    """Print the names of what there is to choose from, one a line.

    Example: mtl-keras list tasks
    """

    # What to list.
    what: Positional[Literal[tuple(LISTS)]]


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """The options of a command that reads a data set."""

    # Name of the data set, of `mtl-keras list datasets`.
    dataset: str
    # Folder of the data set.
    data: Path
    # Make everything that deviates from the data set's rules an error, instead of reading as much as it tells.
    strict: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluate(DatasetOptions):
    """Measure a trained model on a data set: every task that the data labels, with 95 % intervals, and by group.

    Example: mtl-keras evaluate runs/facenet_utk/models/NAME --dataset utkface --data UTKFace --json figures.json
    """

    # Folder of a trained model, or of an exported one; without it, the model that comes with the package.
    model: Positional[Path | None] = None
    # File for the figures; the screen shows only the most important ones.
    json: File = None
    # Answer with the mean over each image and its mirror image, or over six views: a little better, in 2 or 6 times the
    # time.
    views: Literal[tuple(VIEWS)] = "one"
    # Photos in which faces are to be found, or images that are crops of one face each, such as UTKFace's; "auto" is
    # "detect" for sets of whole photos, such as GENKI-4K, or with boxes of faces, and "crop" for all others.
    faces: Literal["auto", "detect", "crop"] = "auto"
    # Folder that keeps the faces cut out of photos, for the next call; without one they are cut out at each call.
    crops: Folder = None
    # What finds faces in photos, of `mtl-keras list detectors`.
    detector: Detector = "mtcnn"
    # JSON file that defines tasks of your own, in place of a tasks.json beside a CSV file; the model brings its own.
    task_file: File = None


@dataclass(frozen=True)
class Predict(Asked):
    """Find the people in images and print what a model answers about each, one line a person.

    Example: mtl-keras predict photos/ --json people.json --draw drawn/
    """

    # The folder of a trained model, or of an exported one, or already the first image: without a model, the one that
    # comes with the package answers.
    first: Annotated[Positional[Path], arg(metavar="MODEL|PATH")]
    # Images, folders of images at any depth, and patterns in quotes, such as "photos/**/*.png".
    paths: Annotated[Positional[tuple[Path, ...]], arg(metavar="PATH...")] = ()
    # File for everything that was found: a list with one object an image.
    json: File = None
    # File for a table of the people, one row each.
    csv: File = None
    # Folder for copies of the images with boxes and answers drawn on them.
    draw: Folder = None
    # Photos in which faces are to be found, or images that are crops of one face each, such as UTKFace's.
    faces: Literal["detect", "crop"] = "detect"
    # What finds faces in photos, of `mtl-keras list detectors`; "none" is as `--faces crop`.
    detector: Detector = "mtcnn"


@dataclass(frozen=True)
class Render:
    """Draw a folder of labeled cartoon faces, laid out like a public data set, or a video of a shop with such people.

    They say nothing about people.

    Example: mtl-keras render --out faces --count 2000 --seed 0 --layout utkface
    """

    # Folder to write; a complete one of the same settings is kept. Of a scene, the video file, such as shop.mp4.
    out: Path
    # How many faces.
    count: int = 2000
    # Another seed draws other faces.
    seed: int = 0
    # Width of the images in pixels; by default that of the data set's own images.
    size: int | None = None
    # The data set whose files, folders and kind of image are imitated; its reader reads the folder.
    layout: Literal[tuple(LAYOUTS)] = "utkface"
    # In place of a folder of faces: a video of people who walk through a drawn shop, on which to try `count`.
    scene: Literal[tuple(name.replace(" ", "-") for name in SCENES)] | None = None


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
    # JSON file that defines tasks of your own, in place of a tasks.json beside a CSV file, which needs no mention.
    task_file: File = None
    # Instead of a data set: a folder of photos without labels.
    images: Folder = None
    # Side of the crops in pixels.
    size: int = 200
    # How much wider the crops are than UTKFace's, on each side, as a share of the side.
    margin: float = 0.0
    # Which faces of a photo where no box of a face is given; with "all", only photos of one face keep their labels.
    faces: Literal["largest", "central", "all"] = "largest"
    # Do not turn heads upright, so that labels of roll are true of the crops.
    keep_roll: bool = False
    # What finds the faces, of `mtl-keras list detectors`.
    detector: Detector = "mtcnn"
    # Processes; by default one for every two processors.
    jobs: int | None = None


@dataclass(frozen=True, kw_only=True)
class Audit(DatasetOptions):
    """Report on data sets: what they label, what cannot be read, which images are copies, which labels are odd.

    Example: mtl-keras audit --dataset utkface --data UTKFace --out audit
    """

    # Folder for report.txt, report.html with thumbnails, and CSV files.
    out: Path = Path("audit")
    # JSON file that defines tasks of your own, in place of a tasks.json beside a CSV file, which needs no mention.
    task_file: File = None


@dataclass(frozen=True, kw_only=True)
class Pack(DatasetOptions):
    """Pack a data set's images and labels into TFRecord shards, for training from many machines or an object store.

    Example: mtl-keras pack --dataset utkface --data UTKFace --out shards
    """

    # Folder to write; packing that was interrupted goes on where it stopped.
    out: Path
    # At most how many images a shard holds.
    rows_per_shard: int = 4096
    # Photos that stand in several of the set's own parts: keep all copies, or drop those that are trained on.
    leaks: Literal["keep", "drop"] = "keep"
    # Another seed deals the images to the shards in another order.
    seed: int = 0
    # JSON file that defines tasks of your own, in place of a tasks.json beside a CSV file, which needs no mention.
    task_file: File = None


COMMANDS = {
    "list": List,
    "train": Train,
    "evaluate": Evaluate,
    "predict": Predict,
    "export": Export,
    "count": Count,
    "render": Render,
    "crop": Crop,
    "audit": Audit,
    "pack": Pack,
    "demo": Demo,
}

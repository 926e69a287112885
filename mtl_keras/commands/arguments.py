"""The command line that every experiment has in common."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mtl_keras.errors import kept_if_interrupted
from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.presets import PRESETS
from mtl_keras.studies.presets.plain import PLAIN
from mtl_keras.studies.presets.preset import Preset
from mtl_keras.studies.settings import Experiment
from mtl_keras.tables import imported

FLAT = tyro.conf.OmitArgPrefixes


@dataclass(frozen=True)
class Arguments:
    """What an experiment reads, trains and writes."""

    # Folders of the data sets, or of shards that `mtl-keras pack` made of them. Without any, the experiment renders
    # faces of its own.
    data: tuple[Path, ...] = ()
    # Folders of data sets on which what was trained is tested as well: on their test images, or on all of a set that
    # comes without parts of its own. Images that are trained on, and copies of them, are left out.
    test_data: tuple[Path, ...] = ()
    # Folder for tables, figures, models and checkpoints.
    out: Path = Path("runs/experiment")
    # Go on where an earlier call with the same settings and data stopped; without it, everything is trained anew. Data
    # are told apart by names and labels, in the order of --data, not by what images show.
    resume: bool = False
    # Folder for what TensorBoard shows of each run while it trains; needs the package tensorboard.
    tensorboard: Path | None = None
    # Make every file name that deviates from the data set's rule an error, instead of reading as much as it tells.
    strict: bool = False
    # Read every image first, to skip what is damaged and find copies of one photo; --no-check trusts millions of files.
    check: bool = True
    # Copies of one photo with different labels: keep them, drop the images, or blank the labels at odds.
    conflicts: Literal["keep", "drop", "blank"] = "keep"
    # Photos that stand in several of a set's own parts: keep all copies, or drop those that are trained on.
    leaks: Literal["keep", "drop"] = "keep"
    # How many faces to render where there is no data.
    rendered_faces: int = 2400
    # What is trained, and how.
    experiment: FLAT[Experiment] = field(default_factory=Experiment)
    # What it is compared with.
    comparison: FLAT[Comparison] = field(default_factory=Comparison)

    def into(self, out: Path) -> "Arguments":
        """Return these arguments with another folder; who writes to a stand-in for `out` shows TensorBoard nothing."""
        return replace(self, out=out, tensorboard=self.tensorboard if out == self.out else None)


@dataclass(frozen=True)
class Train(Arguments):
    """Train a network on any data, as the experiments do, and write tables, figures and models to a folder.

    Each --data names a folder of a data set, NAME=FOLDER where several readers could read it, a CSV file with a column
    `path`, or a folder of shards. Without --tasks all is learned that the data label. Columns of a CSV file that no
    task names become tasks of their own, as far as that is clear; it is printed how, and how to change it.

    Example: mtl-keras train --data UTKFace my_faces.csv --tasks age gender hat --single-task both --out runs/mine
    """

    # The settings and published figures of an experiment, of `mtl-keras list presets`; other flags change single ones.
    preset: str | None = None
    # JSON file that defines tasks of your own, in place of what the columns of CSV files look like and of a tasks.json
    # beside one, which needs no mention.
    task_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None


def has_data() -> bool:
    """Return whether the command line names data, on which the defaults of an experiment depend."""
    return is_given("--data")


def is_given(flag: str) -> bool:
    """Return whether the command line has this flag."""
    return any(argument.split("=")[0] == flag for argument in sys.argv[1:])


def default_arguments(name: str, preset: Preset) -> Arguments:
    """Return what the command line of an experiment is parsed over; `name` is that of its folder in runs/."""
    real = has_data()
    chosen = preset.defaults(real)
    return Arguments(
        out=Path("runs") / (name if real else f"{name}_rendered"),
        rendered_faces=preset.rendered_faces,
        experiment=chosen.on(value_of("--backbone"), value_of("--weights") is not None),
        comparison=chosen.comparison,
    )


def default_train() -> Train:
    """Return what `mtl-keras train` is parsed over: the defaults of the preset that the command line names."""
    name = value_of("--preset")
    default = default_arguments(name or "train", PRESETS[name] if name else PLAIN)
    return Train(**vars(default), preset=name)


def value_of(flag: str) -> str | None:
    """Return the last value that the command line gives behind this flag; None without one, and for the word None."""
    words, found = sys.argv[1:], None
    for place, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name == flag:
            found = value if sign else next(iter(words[place + 1 :]), None)
    return None if found == "None" else found


def parse(default: Arguments, description: str) -> Arguments:
    """Read the command line over these defaults; `--help` shows the description and every default."""
    return tyro.cli(Arguments, default=default, description=description)


def run_preset(name: str, description: str) -> None:
    """Run the experiment of a preset, with the command line's arguments over its defaults."""
    preset = PRESETS[name]
    arguments = parse(default_arguments(name, preset), description)
    with kept_if_interrupted(f"finished runs and epochs are kept in {arguments.out}; add --resume to go on"):
        # Only now: --help needs no TensorFlow.
        imported("mtl_keras.commands.train:train_preset")(arguments, preset)

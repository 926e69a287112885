"""The command line that every experiment has in common."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import tyro

from mtl_keras.errors import kept_if_interrupted
from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.settings import Experiment
from mtl_keras.tables import imported

FLAT = tyro.conf.OmitArgPrefixes


@dataclass(frozen=True)
class Arguments:
    """What an experiment reads, trains and writes."""

    # Folders of the data sets, or of shards that `mtl-keras pack` made of them. Without any, the experiment renders
    # faces of its own.
    data: tuple[Path, ...] = ()
    # Folders of data sets on which what was trained is tested as well, on their test images.
    test_data: tuple[Path, ...] = ()
    # Folder for tables, figures, models and checkpoints.
    out: Path = Path("runs/experiment")
    # Go on where an earlier call with the same settings stopped; without it, everything is trained anew.
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


def has_data() -> bool:
    """Return whether the command line names data, on which the defaults of an experiment depend."""
    return any(argument.split("=")[0] == "--data" for argument in sys.argv[1:])


def parse(default: Arguments, description: str) -> Arguments:
    """Read the command line over these defaults; `--help` shows the description and every default."""
    return tyro.cli(Arguments, default=default, description=description)


def run_experiment(
    arguments: Arguments,
    read: Callable,
    reported: Iterable[dict] = (),
    variants: Mapping[str, dict] = MappingProxyType({}),
    layouts: Iterable[str] = ("utkface",),
) -> None:
    """Do what `mtl_keras.commands.experiment.run` says, importing it only now: `--help` needs no TensorFlow."""
    with kept_if_interrupted(f"finished runs and epochs are kept in {arguments.out}; add --resume to go on"):
        imported("mtl_keras.commands.experiment:run")(arguments, read, reported, variants, layouts)

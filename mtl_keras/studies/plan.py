"""What a results table compares: the settings of a comparison, and of its cross-validation."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

import tyro

from mtl_keras.errors import UserError
from mtl_keras.studies.settings import Experiment


@dataclass(frozen=True)
class CrossValidation:
    """How a table is cross-validated."""

    # Number of folds; 0 for no cross-validation.
    folds: int = 0
    # Number of cross-validations, each with other folds and initial weights.
    repeats: int = 1
    # Deal only the rows of this source to folds, and train on all others every time; measured are this source's tasks.
    fold_source: str = ""
    # Stop early by the loss on the fold itself and report that as validation, as some articles do; else a tenth of the
    # other rows serves for it, and the fold is only measured.
    stop_on_fold: bool = False

    def __post_init__(self):
        if self.folds < 0 or self.folds == 1 or self.repeats < 1:
            raise UserError(
                f"folds {self.folds}, repeats {self.repeats}: expected 0 folds or at least 2, and at least 1 repeat"
            )


@dataclass(frozen=True)
class Comparison:
    """What stands in a results table beside the multi-task runs."""

    # Train each task alone as well: not at all, on the frozen trunk only, or in both stages (twice the time a task).
    single_task: Literal["none", "frozen", "both"] = "frozen"
    # Train with each of the experiment's changed settings as well, to show what they are worth. What such a change
    # sets, which may be the network and its epochs, it sets whatever other flags say.
    variants: bool = True
    # Of the experiment's changed settings only these, by name; all if not given.
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME...")] = ()
    # With these changed settings, by name, train each task alone too: what sharing is worth to networks of their kind.
    alone: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME...")] = ()
    # Train this smaller backbone as well.
    small: str | None = None
    # Number of seeds for the runs of all tasks and of each task alone, to show how much depends on chance.
    seeds: int = 1
    # Cross-validate one network of all tasks against one for each.
    cross_validation: tyro.conf.OmitArgPrefixes[CrossValidation] = field(default_factory=CrossValidation)

    def __post_init__(self):
        if self.seeds < 1:
            raise UserError(f"seeds {self.seeds}: expected at least 1")


@dataclass(frozen=True)
class Common(Experiment):
    """What all runs of a comparison of methods have in common."""

    sharing: Annotated[str, tyro.conf.Fixed, tyro.conf.Suppress] = "hard"
    weighting: Annotated[str, tyro.conf.Fixed, tyro.conf.Suppress] = "equal"
    loss_weights: Annotated[tuple[float, ...], tyro.conf.Fixed, tyro.conf.Suppress] = ()

    def experiment(self) -> Experiment:
        """Return these settings with hard sharing and equal weights."""
        return Experiment(**asdict(self))


@dataclass(frozen=True)
class Methods:
    """Which ways of sharing and of weighting are compared; without any, eight weightings and four ways of sharing."""

    # Ways of sharing, with settings of their own if wanted, each with each of the weightings, or with equal weights.
    sharing: tuple[str, ...] = ()
    # Weightings, such as cagrad:c=0.2, each with each of the ways of sharing, or with hard sharing.
    weighting: tuple[str, ...] = ()
    # Further pairs of both, such as mmoe+cagrad.
    methods: tuple[str, ...] = ()
    # Every weighting and every way of sharing, where none are named.
    full: bool = False
    # Number of seeds that each is trained with; two at least tell what is chance of the training.
    seeds: int = 3
    # Share of the training images that are used.
    images: float = 1.0
    # Share of their labels that these keep, at least one each; 1 keeps all.
    labels_kept: float = 1.0

    def __post_init__(self):
        if self.seeds < 1 or not (0 < self.images <= 1 and 0 < self.labels_kept <= 1):
            raise UserError(
                f"seeds {self.seeds}, images {self.images}, labels_kept {self.labels_kept}: expected at least 1 seed, "
                "and shares above 0, 1 at most"
            )

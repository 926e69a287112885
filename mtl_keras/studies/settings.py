"""The settings of an experiment: what to train and how, whether that can work, and what its runs are called."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

import tyro

from mtl_keras.data.sampling import parse_balance
from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, Task, add_task, find
from mtl_keras.training import distribute

AGES = {"expectation": AGE, "argmax": AGE_ARGMAX, "regression": AGE_REGRESSION}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a training run."""

    # What to learn, of `mtl-keras list tasks`; in Python also a `Task` of one's own.
    tasks: tuple[str, ...] = ("age", "gender", "ethnicity")
    # The trunk, of `mtl-keras list backbones`.
    backbone: str = "facenet"
    # What the tasks share behind the trunk, of `mtl-keras list sharing`.
    sharing: str = "hard"
    # How the losses are weighed, of `mtl-keras list weightings`.
    weighting: str = "equal"
    # A fixed weight for each task, in their order, in place of a weighting.
    loss_weights: tuple[float, ...] = ()
    # What a task's loss is divided by: the number of its labelled examples, or, as in some articles, the whole batch.
    loss_mean: Literal["labelled", "batch"] = "labelled"
    # How often training sees which rows: "sources" or a task's name for equally many of each source or class, or
    # SOURCE=TIMES, such as genki4k=10; several with commas.
    balance: str = ""
    # A FaceNet weights file, or the name of a published one (20180402-114759, 20180408-102900).
    weights: str | None = None
    # Side of the network's input in pixels; if not given the backbone's own, less the border.
    image_size: int | None = None
    # So many mirrored pixels are added on each side: for crops that are tighter than those the weights were made with.
    border: int = 0
    # How faces of photos are to be cut out for the network: as the images are that it was trained on.
    crop: Literal["utkface", "celeba"] = "utkface"
    # Age as the expected value of 117 bins, as the most probable of them, or by regression.
    age: Literal["expectation", "argmax", "regression"] = "expectation"
    # Standard deviation in years of the Gaussian that stands for an age label; 0 trains on its bin alone.
    age_label_std: float = 2.0
    # So many times the error of the expected age in years is added to the cross-entropy of its bins.
    age_error_weight: float = 0.2
    # At most so many epochs for the heads on the frozen trunk's features; 0 leaves the stage out.
    frozen_epochs: int = 25
    # So many epochs for the whole network; 0 leaves the stage out.
    epochs: int = 7
    # Images a step of the fine-tuning, over all devices.
    batch_size: int = 64
    # Highest learning rate of the fine-tuning.
    learning_rate: float = 3e-4
    # How it goes on: it warms up, then falls to 0 as a cosine; stays as it is; or is divided by the epoch's number.
    schedule: Literal["cosine", "constant", "harmonic"] = "cosine"
    # The trunk learns so many times as fast as the heads.
    trunk_rate: float = 0.7
    # Leave the first layers of a trunk with given weights as they are, which saves a third of the time.
    freeze_stem: bool = True
    # Decay of the kernels, decoupled from their gradients as in AdamW.
    weight_decay: float = 0.05
    # Half the squared norm of all kernels is added to the loss so many times.
    l2: float = 0.0
    # Share of the features that is dropped behind each dense layer of the heads.
    dropout: float = 0.5
    # Momentum of the moving average of the weights; 0 for none.
    ema: float = 0.995
    # Stop after so many epochs without a lower validation loss.
    patience: int = 4
    # Then train the whole network once more, on the validation rows as well, for as many epochs as were best.
    refit: bool = False
    # Change the training images at random: mirror, rotate, zoom, shift, color, erase.
    augment: bool = True
    # auto: bfloat16 where the machine computes in it, else float32. Answers are always computed in float32.
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    # How training is spread over devices; auto takes all GPUs, or the workers that TF_CONFIG names.
    strategy: Literal["auto", "one", "mirrored", "workers", "tpu"] = "auto"
    # Of the split, the initial weights, the order and the augmentation.
    seed: int = 0
    # What tells this run apart in tables from the usual one, of which a setting was changed.
    variant: Annotated[str, tyro.conf.Suppress] = ""

    def __post_init__(self):
        names = tuple(add_task(task).name if isinstance(task, Task) else task for task in self.tasks)
        object.__setattr__(self, "tasks", names)

    def chosen_tasks(self) -> list[Task]:
        """Return the tasks to learn, age in the form that `age` names."""
        chosen = find(self.tasks)
        age = AGES.get(self.age)
        if age is None:
            raise UserError(f"age {self.age!r} is unknown; expected one of {', '.join(AGES)}")
        if age.values:
            # The most probable bin is no mean, so the mean's error is nothing to train it on.
            error_weight = self.age_error_weight if age.readout == "mean" else 0.0
            age = replace(age, label_std=self.age_label_std, error_weight=error_weight)
        return [age if task.name == "age" else task for task in chosen]

    def chosen_weighting(self) -> str | dict[str, float]:
        """Return the weighting's name, or {task: weight} where `loss_weights` are given."""
        if not self.loss_weights:
            return self.weighting
        if len(self.loss_weights) != len(self.tasks):
            raise UserError(
                f"loss weights {self.loss_weights}: expected one for each of the tasks {', '.join(self.tasks)}"
            )
        return dict(zip(self.tasks, self.loss_weights, strict=True))


def check(experiment: Experiment) -> None:
    """Refuse settings that cannot work, before anything is read or trained."""
    experiment.chosen_tasks()
    experiment.chosen_weighting()
    parse_balance(experiment.balance)
    if experiment.backbone not in BACKBONES:
        raise UserError(f"unknown backbone {experiment.backbone!r}; expected one of {', '.join(BACKBONES)}")
    least = dict.fromkeys(("epochs", "frozen_epochs", "trunk_rate", "ema", "dropout", "l2", "border"), 0)
    least |= {"age_label_std": 0, "age_error_weight": 0, "batch_size": 1, "patience": 1}
    for name, value in asdict(experiment).items():
        if name in least and value < least[name]:
            raise UserError(f"{name} is {value}; expected at least {least[name]}")
    if not experiment.epochs and not experiment.frozen_epochs:
        raise UserError("epochs and frozen_epochs are both 0, so there is nothing to train; raise one of them")
    if experiment.ema >= 1 or experiment.dropout >= 1 or experiment.learning_rate <= 0:
        raise UserError("expected ema and dropout below 1 and a learning_rate above 0")


def precision(name: str) -> str:
    """Return the Keras dtype policy of this name; "auto" takes bfloat16 where the machine computes in it."""
    return name if name != "auto" else "mixed_bfloat16" if distribute.computes_bfloat16() else "float32"


def whole_stage(experiment: Experiment) -> str:
    """Return what the training of the whole network is called: there is nothing to fine-tune in a fresh one."""
    return "fine-tuned" if experiment.weights or experiment.frozen_epochs else "trained"


def name_of(experiment: Experiment, stage: str) -> str:
    """Return the name of a stage's run and folder, such as `facenet-age-gender-fine-tuned`."""
    return "-".join([experiment.backbone, *experiment.tasks, stage, *experiment.variant.replace(",", "").split()])


def label_of(experiment: Experiment, stage: str) -> str:
    """Return how a stage's run is called in tables and figures, such as `facenet, age alone, frozen`."""
    alone = [f"{experiment.tasks[0]} alone"] if len(experiment.tasks) == 1 else []
    return ", ".join([experiment.backbone, *alone, stage, *filter(None, [experiment.variant])])

"""The settings of an experiment: what to train and how, whether that can work, and what its runs are called."""

import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Annotated, Literal, get_args, get_origin

import tyro

from mtl_keras import choices
from mtl_keras.data.sampling import parse_balance, parse_composition
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import CROPS, CropGeometry
from mtl_keras.studies.stages import Stage
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, Task, check_several, find

AGES = {"expectation": AGE, "argmax": AGE_ARGMAX, "regression": AGE_REGRESSION}


@dataclass(frozen=True)
class Network:
    """What is learned, and the network that learns it."""

    # What to learn, of `mtl-keras list tasks`; in Python also a `Task` of one's own.
    tasks: tuple[str, ...] = ("age", "gender", "ethnicity")
    # Age as the expected value of 117 bins, as the most probable of them, or by regression.
    age: Literal["expectation", "argmax", "regression"] = "expectation"
    # Standard deviation in years of the Gaussian that stands for an age label; 0 trains on its bin alone.
    age_label_std: float = 2.0
    # Weight of the absolute error of the expected age, in years, beside the cross-entropy of the age's bins.
    age_error_weight: float = 0.2
    # The trunk, of `mtl-keras list backbones`, such as keras_applications/EfficientNetB0; in Python also a Keras model.
    backbone: str = "facenet"
    # What the tasks share, of `mtl-keras list sharing`, with settings of its own behind a colon: mmoe:experts=4.
    sharing: str = "hard"
    # File of the trunk's pretrained weights, or the name of published ones: imagenet for networks of
    # keras.applications, 20180402-114759 or 20180408-102900 for FaceNet.
    weights: str | None = None
    # Side of the network's input in pixels; if not given the backbone's own, less the border.
    image_size: int | None = None
    # Mirrored pixels added on each side, for crops that are tighter than those that the weights were made with.
    border: int = 0
    # Share of the features that is dropped behind each dense layer of the heads.
    dropout: float = 0.5

    def __post_init__(self):
        check_several(self.tasks)
        if other := [task for task in self.tasks if task in (AGE_ARGMAX, AGE_REGRESSION)]:
            raise UserError(f"task 'age' of kind {other[0].kind!r}: name it 'age' and set `age` to another form")
        # A list serves as well; only a tuple of names can be compared, hashed and noted.
        names = tuple(_added(task) if isinstance(task, Task) else task for task in self.tasks)
        object.__setattr__(self, "tasks", names)
        if not isinstance(self.backbone, str):
            object.__setattr__(self, "backbone", _entered(self.backbone))

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


@dataclass(frozen=True)
class Weighting:
    """How the losses of the tasks become one."""

    # How the tasks are weighed, of `mtl-keras list weightings`, with settings of its own behind a colon: cagrad:c=0.4.
    weighting: str = "equal"
    # Where a weighting of gradients sees them: at all parameters that tasks share, or, which takes one pass through the
    # trunk in place of one a task, at the features that all tasks read.
    gradients_at: Literal["parameters", "features"] = "parameters"
    # A fixed weight for each task, in their order, in place of a weighting.
    loss_weights: tuple[float, ...] = ()
    # What a task's loss is divided by: the number of its labelled examples, or, as in some articles, the whole batch.
    loss_mean: Literal["labelled", "batch"] = "labelled"

    def chosen_weighting(self, tasks: tuple[str, ...]) -> str | dict[str, float]:
        """Return the weighting's name, or {task: weight} where `loss_weights` are given."""
        if not self.loss_weights:
            return self.weighting
        if len(self.loss_weights) != len(tasks):
            raise UserError(f"loss weights {self.loss_weights}: expected one for each of the tasks {', '.join(tasks)}")
        return dict(zip(tasks, self.loss_weights, strict=True))


@dataclass(frozen=True)
class Training:
    """How the network is trained: first its heads on a frozen trunk, then all of it."""

    # Maximum number of epochs for the heads on the frozen trunk's features; 0 leaves the stage out.
    frozen_epochs: int = 25
    # Maximum number of epochs for the whole network; 0 leaves the stage out.
    epochs: int = 7
    # Images a step of the fine-tuning, over all devices and machines together.
    batch_size: int = 64
    # Parts of a batch that are taken one after the other, for a batch that would not fit into memory.
    accumulate: int = 1
    # Highest learning rate of the fine-tuning.
    learning_rate: float = 3e-4
    # How it goes on: it warms up, then falls to 0 as a cosine; stays as it is; or is divided by the epoch's number.
    schedule: Literal["cosine", "constant", "harmonic"] = "cosine"
    # Trunk learning rate = trunk_rate x head rate.
    trunk_rate: float = 0.7
    # Leave the first layers of a trunk with given weights as they are, which saves a third of the time.
    freeze_stem: bool = True
    # Decay of the kernels, decoupled from their gradients as in AdamW.
    weight_decay: float = 0.05
    # Factor of half the squared norm of all kernels, which is added to the loss.
    l2: float = 0.0
    # Momentum of the moving average of the weights; 0 for none.
    ema: float = 0.995
    # Stop after this number of epochs without a lower validation loss.
    patience: int = 4
    # Make the probabilities of classes true: divide the scores of each task by a temperature, fitted on the validation
    # rows (Guo et al., 2017), so that the likelihood of their labels is highest. No answer changes its class.
    calibrate: bool = False
    # Then train the whole network once more, on the validation rows as well, for as many epochs as were best.
    refit: bool = False
    # auto: bfloat16 where the machine computes in it, else float32. Answers are always computed in float32.
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    # How training is spread over devices; auto takes all GPUs, or the workers that TF_CONFIG names.
    strategy: Literal["auto", "one", "mirrored", "workers", "tpu"] = "auto"
    # Let batch norms take the statistics of all replicas together, so that the result does not depend on their number.
    sync_batch_norm: bool = True
    # Of the split, the initial weights, the order and the augmentation.
    seed: int = 0


@dataclass(frozen=True)
class Data:
    """Which images training sees, how often, and how they are changed."""

    # How faces of photos are to be cut out for the network: as the images are that it was trained on.
    crop: Literal["utkface", "celeba"] = "utkface"
    # How often training sees which rows: "sources" or a task's name for equally many of each source or class,
    # temperature=T for a number in proportion to a source's rows to the power of T, or SOURCE=TIMES, such as
    # genki4k=10; several with commas.
    balance: str = ""
    # Rows of each source in every batch, such as utkface=32,genki4k=16, in place of the batch size.
    composition: str = ""
    # Change the training images at random: mirror, rotate, zoom, shift, color, erase.
    augment: bool = True
    # Share of the changed training images that lose all color.
    gray: float = 0.1
    # Folder of a trained network whose answers stand in for labels that training images lack, of classes where it is
    # sure (pseudo-labels: Lee, 2013). Each task needs labels of some images all the same.
    teacher: str | None = None


@dataclass(frozen=True)
class Experiment(Data, Training, Weighting, Network):
    """Everything that decides a training run: the settings of its four parts, side by side."""

    # What tells this run apart in tables from the usual one, of which a setting was changed.
    variant: Annotated[str, tyro.conf.Suppress] = ""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "loss_weights", tuple(self.loss_weights))

    def chosen_crop(self) -> CropGeometry:
        """Return how the faces of photos are cut out for a network of these tasks."""
        return CROPS[self.crop].for_tasks(self.chosen_tasks())


def _added(task: Task) -> str:
    """Make a task of one's own known, and return its name."""
    # Here, since it brings Keras along, which takes seconds.
    from mtl_keras.kinds import add_task

    return add_task(task).name


def _entered(model: object) -> str:
    """Make a trunk of one's own known, and return its name."""
    import keras

    from mtl_keras.models.backbones import BACKBONES
    from mtl_keras.models.backbones.backbone import as_backbone

    parts = as_backbone(model)
    name = parts.build.name if isinstance(parts.build, keras.Model) else parts.build.__name__
    if name in BACKBONES and not BACKBONES.is_own(name):
        raise UserError(f"backbone {name!r}: one of the library is called so; give the model a name of its own")
    BACKBONES[name] = parts
    return name


# Names of tasks longer than this together do not go into the name of a folder, which systems limit to 255 letters.
LONGEST = 120
LEAST = dict.fromkeys(
    ("epochs", "frozen_epochs", "trunk_rate", "ema", "dropout", "l2", "border", "weight_decay", "gray"), 0
)
LEAST |= {"seed": 0, "age_label_std": 0, "age_error_weight": 0, "batch_size": 1, "patience": 1, "accumulate": 1}


def check(experiment: Experiment) -> None:
    """Refuse settings that cannot work, before anything is read or trained."""
    # Here, since they bring TensorFlow along, which takes seconds.
    from mtl_keras.models.backbones import BACKBONES
    from mtl_keras.models.sharing import SHARING
    from mtl_keras.studies.teacher import check_teacher
    from mtl_keras.training import weightings

    found = weightings.find(experiment.chosen_weighting(experiment.tasks), list(experiment.tasks))
    parse_balance(experiment.balance)
    parse_composition(experiment.composition)
    BACKBONES.check(experiment.backbone)
    choices.check(SHARING, experiment.sharing)
    check_teacher(experiment)
    values = asdict(experiment)
    for field in fields(experiment):
        value = values[field.name]
        if get_origin(field.type) is Literal and value not in get_args(field.type):
            raise UserError(f"{field.name} {value!r}: expected one of {', '.join(get_args(field.type))}")
        if field.type is int and not isinstance(value, int):
            raise UserError(f"{field.name} is {value!r}; expected a whole number")
        if field.name in LEAST and not value >= LEAST[field.name]:
            raise UserError(f"{field.name} is {value}; expected at least {LEAST[field.name]}")
    experiment.chosen_tasks()
    if not experiment.epochs and not experiment.frozen_epochs:
        raise UserError("epochs and frozen_epochs are both 0, so there is nothing to train; raise one of them")
    if experiment.gradients_at == "features" and found.needs == "losses":
        raise UserError(f"gradients_at 'features': weighting {experiment.weighting!r} needs no gradients; leave it")
    if experiment.gradients_at == "features" and experiment.accumulate > 1:
        raise UserError("gradients_at 'features' takes batches whole: set accumulate to 1, or it to 'parameters'")
    if experiment.gray > 1:
        raise UserError(f"gray is {experiment.gray}; expected a share of the images, from 0 to 1")
    if experiment.gray != Data.gray and not experiment.augment:
        raise UserError(f"gray {experiment.gray}: no image is changed without augment; leave it, or add --augment")
    for name in ("ema", "dropout"):
        if values[name] >= 1:
            raise UserError(f"{name} is {values[name]}; expected a number below 1")
    if not 0 < experiment.learning_rate < math.inf:
        raise UserError(f"learning_rate is {experiment.learning_rate}; expected a number above 0")
    # One task shows whether the network can be built, as three trunks of FaceNet's size would.
    parts = (experiment.backbone, experiment.sharing, experiment.image_size, experiment.border)
    if not _has_common_features(experiment.chosen_tasks()[0], *parts) and experiment.frozen_epochs:
        raise UserError(f"sharing {experiment.sharing!r} has no stage with a frozen trunk: set frozen_epochs to 0")


@cache
def _has_common_features(task: Task, backbone: str, sharing: str, image_size: int | None, border: int) -> bool:
    """Build a network, and return whether all tasks read the same features, on which heads alone can be trained."""
    from mtl_keras.training.model import MultiTaskModel

    network = MultiTaskModel([task], backbone, sharing, image_size, border)
    return network.feature_network() is not None


def with_tasks(experiment: Experiment, tasks: tuple[str, ...]) -> Experiment:
    """Return the same settings for some of the experiment's tasks, each with its own weight of the loss.

    For one task there is nothing to weigh, and a teacher of other tasks is left out.
    """
    from mtl_keras.studies.teacher import teaches

    tasks = replace(experiment, tasks=tasks, loss_weights=()).tasks  # names, of tasks as well
    if missing := [name for name in tasks if name not in experiment.tasks]:
        raise UserError(f"task {missing[0]!r}: expected some of the experiment's: {', '.join(experiment.tasks)}")
    weights = dict(zip(experiment.tasks, experiment.loss_weights, strict=False)) if len(tasks) > 1 else {}
    chosen = tuple(weights[name] for name in tasks if name in weights)
    alone = {"weighting": "equal", "gradients_at": "parameters"} if len(tasks) == 1 else {}
    found = replace(experiment, tasks=tasks, loss_weights=chosen, **alone)
    return found if teaches(found) else replace(found, teacher=None)


def whole_stage(experiment: Experiment) -> Stage:
    """Return what the training of the whole network is called: there is nothing to fine-tune in a fresh one."""
    return Stage.FINE_TUNED if experiment.weights or experiment.frozen_epochs else Stage.TRAINED


def last_stage(experiment: Experiment) -> Stage:
    """Return the last stage that the experiment trains."""
    return whole_stage(experiment) if experiment.epochs else Stage.FROZEN


def name_of(experiment: Experiment, stage: Stage) -> str:
    """Return the name of a stage's run and of its model's folder, such as `facenet-age-gender-fine-tuned`.

    Where the tasks' names would be too long, their number stands for them.
    """
    tasks = "-".join(experiment.tasks)
    if len(tasks) > LONGEST:
        tasks = f"{len(experiment.tasks)}-tasks"
    variant = experiment.variant.replace(",", "").split()
    return "-".join([experiment.backbone.replace("/", "-"), tasks, stage, *variant])


def label_of(experiment: Experiment, stage: Stage) -> str:
    """Return how a stage's run is called in tables and figures, such as `facenet, age alone, frozen`."""
    alone = [f"{experiment.tasks[0]} alone"] if len(experiment.tasks) == 1 else []
    return ", ".join([experiment.backbone, *alone, stage, *filter(None, [experiment.variant])])

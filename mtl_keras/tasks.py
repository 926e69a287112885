"""What a network can learn about a face: each task's name, kind, classes and unit."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from mtl_keras.errors import UserError
from mtl_keras.state_files import finite_number, misfit

# Columns of a label table that are no labels, and those that tables of cut out faces have besides.
TABLE_COLUMNS = ("path", "box", "source", "split", "group", "image", "times")
CROP_COLUMNS = ("photo", "photo_box", "faces", "confidence")
# What is told of a person besides the answers, one a task.
PERSON_KEYS = ("box", "confidence", "landmarks", "reliable", "reason")
# Names that stand for something else in the logs of training.
LOGGED = ("loss", "val", "l2", "epoch", "seconds")
# What TensorFlow takes as the beginning of a layer's name.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Of classes, bins or numbers of one task, which a head has as many outputs of.
MOST_OUTPUTS = 10_000
TAKEN = {*TABLE_COLUMNS, *CROP_COLUMNS, *PERSON_KEYS, *LOGGED}


@dataclass(frozen=True)
class Task:
    """One thing to learn, and how its labels and answers are written.

    Its `name` of letters, digits and underscores is that of its column, layers, figures and answers.
    `kind` is one of `mtl_keras.kinds.KINDS`, which says what a task of it needs: `categorical` and `ordinal` answer
    with one of `classes`; `expectation` with the expected value of a softmax over `values` (Rothe et al., DEX, 2015);
    `regression` with one number, or with one for each of `outputs`; `angle` likewise, in degrees.
    `label_std` spreads the label of an `expectation` task over its bins as a Gaussian of that many units
    (label distribution learning; Gao et al., 2017); 0 trains on the labelled bin alone. `error_weight` times the
    absolute error of the expected value is added to its loss (Gao et al., 2018). `readout` says whether an
    `expectation` task answers with the mean of its distribution or with the most probable bin ("argmax").
    A `regression` head learns (label - center) / scale, so that its loss is of the size of a cross-entropy.
    `within` is the error up to which a number counts as right (the cumulative score of age estimation), and `range`
    the smallest and the largest number that a label may be; without it the kind's own range holds.
    `class_weights` say how much an example of each class counts in training, 1 without them.
    `oriented` says that a label does not hold for the image mirrored or turned: training then does neither, and
    answers are averaged over mirrored looks only where the kind knows what a mirror makes of them, as of yaw, pitch and
    roll.
    """

    name: str
    kind: str
    classes: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    outputs: tuple[str, ...] = ()
    unit: str = ""
    label_std: float = 0.0
    error_weight: float = 0.0
    readout: str = "mean"
    center: float = 0.0
    scale: float = 1.0
    within: float | None = None
    range: tuple[float, float] | None = None
    oriented: bool = False
    class_weights: tuple[float, ...] = ()

    def __post_init__(self):
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name) or self.name in TAKEN:
            raise UserError(
                f"task {self.name!r}: expected a name of letters (a to z), digits and underscores that begins with a "
                f"letter and is none of {', '.join(sorted(TAKEN))}"
            )
        # JSON knows lists only, and a task must be hashable.
        for name, value in (("classes", self.classes), ("values", self.values), ("outputs", self.outputs)):
            if isinstance(value, str):
                raise UserError(f"task {self.name!r}: {name} {value!r}: expected several, in a list or tuple")
            object.__setattr__(self, name, tuple(value))
            if len(value) > MOST_OUTPUTS:
                raise UserError(f"task {self.name!r}: has {len(value)} {name}; expected at most {MOST_OUTPUTS}")
        object.__setattr__(self, "range", self.range and tuple(self.range))
        object.__setattr__(self, "class_weights", tuple(self.class_weights))
        weights = self.class_weights
        if weights and not (len(weights) == len(self.classes) and all(weight >= 0 for weight in weights)):
            expected = f"a number of at least 0 for each of its {len(self.classes)} classes"
            raise UserError(f"task {self.name!r}: class_weights {list(weights)}: expected {expected}")
        for name, entries in (("classes", self.classes), ("outputs", self.outputs)):
            if not all(isinstance(entry, str) and entry.strip() for entry in entries):
                raise UserError(f"task {self.name!r}: {name} {list(entries)}: expected texts, none of them blank")
            if repeated := [entry for entry, times in Counter(entries).items() if times > 1]:
                raise UserError(f"task {self.name!r}: {name} has {repeated[0]!r} twice; expected each only once")
            if wrong := [entry for entry in entries if any("\ud800" <= sign <= "\udfff" for sign in entry)]:
                raise UserError(f"task {self.name!r}: {name} has {wrong[0]!r}; expected texts of valid Unicode")
        if wrong := [output for output in self.outputs if "." in output]:
            raise UserError(f"task {self.name!r}: output {wrong[0]!r}: expected a name without a dot")
        if self.range and not (len(self.range) == 2 and self.range[0] < self.range[1]):
            raise UserError(f"task {self.name!r}: range {self.range}: expected a smaller and a larger number")
        if self.label_std < 0 or self.error_weight < 0 or (self.within is not None and not self.within > 0):
            raise UserError(f"task {self.name!r}: expected label_std and error_weight of at least 0, within above 0")

    @property
    def size(self) -> int:
        """Width of the head's output: number of classes, bins or numbers."""
        return len(self.classes or self.values or self.outputs) or 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the label table that hold this task's label."""
        return tuple(f"{self.name}.{output}" for output in self.outputs) or (self.name,)


AGE = Task("age", "expectation", values=tuple(float(age) for age in range(117)), unit="years", within=5.0)
AGE_GROUP = Task("age_group", "categorical", classes=("1-13", "14-23", "24-39", "40-55", "56-80"), unit="years")
AGE_GROUP_ORDINAL = replace(AGE_GROUP, name="age_group_ordinal", kind="ordinal")
GENDER = Task("gender", "categorical", classes=("male", "female"))
ETHNICITY = Task("ethnicity", "categorical", classes=("white", "black", "asian", "indian", "others"))
SMILE = Task("smile", "categorical", classes=("not_smiling", "smiling"))
EYEGLASSES = Task("eyeglasses", "categorical", classes=("no_eyeglasses", "eyeglasses"))
EXPRESSION = Task(
    "expression", "categorical", classes=("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
)
EXPRESSION_8 = Task("expression_8", "categorical", classes=(*EXPRESSION.classes, "contempt"))
# Sets that give ages in bins of their own cannot be mapped onto other bins without inventing what they do not say.
AGE_DECADE = Task(
    "age_decade",
    "categorical",
    classes=("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"),
    unit="years",
)
AGE_RANGE = Task(
    "age_range",
    "categorical",
    classes=("0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60-100"),
    unit="years",
)
# In units of 10 degrees an error weighs as much as one of a class. BKNet (48 pixels, 15 epochs of GENKI-4K, validation)
# errs by 3.8, 4.1 and 2.0 degrees of yaw, pitch and roll; in units of 30 by 5.1, 5.1 and 3.6.
HEAD_POSE = Task("head_pose", "angle", outputs=("yaw", "pitch", "roll"), unit="degrees", scale=10.0, oriented=True)
# The two other ways of the FaceNet article to learn age: the most probable of its 117 bins, and regression with MSE.
AGE_ARGMAX = replace(AGE, readout="argmax")
AGE_REGRESSION = Task("age", "regression", unit="years", center=33.0, scale=20.0, within=5.0)

TASKS = {
    task.name: task
    for task in (
        AGE,
        AGE_GROUP,
        AGE_GROUP_ORDINAL,
        AGE_DECADE,
        AGE_RANGE,
        GENDER,
        ETHNICITY,
        SMILE,
        EYEGLASSES,
        EXPRESSION,
        EXPRESSION_8,
        HEAD_POSE,
    )
}

BUILT_IN = tuple(TASKS)


def add_task(task: Task) -> Task:
    """Enter a task of one's own into TASKS and return it: from then on its name works wherever a task's name does.

    The same definition again is fine. Another one under a known name, and a name that another task has a column of
    already, are errors.
    """
    if not isinstance(task, Task):
        raise UserError(
            f"task {task!r}: expected a Task, such as Task('hat', 'categorical', classes=('no_hat', 'hat'))"
        )
    if known := TASKS.get(task.name):
        if known != task:
            differ = [field for field, value in asdict(task).items() if asdict(known)[field] != value]
            raise UserError(
                f"task {task.name!r} is defined already, with another {' and '.join(differ)}; give it another name"
            )
        return task
    if {task.name, *task.columns}.intersection(column for other in TASKS.values() for column in other.columns):
        raise UserError(f"task {task.name!r}: another task has a column of this name; give it another name")
    TASKS[task.name] = task
    return task


# What the fields of a task hold.
FIELDS = {
    "name": str,
    "kind": str,
    "classes": [str],
    "values": [finite_number],
    "outputs": [str],
    "unit": str,
    "label_std": finite_number,
    "error_weight": finite_number,
    "readout": str,
    "center": finite_number,
    "scale": finite_number,
    "within": (finite_number, None),
    "range": ([finite_number], None),
    "oriented": bool,
    "class_weights": [finite_number],
}


def task_from(fields: dict) -> Task:
    """Return the task that `dataclasses.asdict` gave these fields of, also after JSON.

    A field that an older version did not note is taken from the task of that name in TASKS.
    """
    if unknown := {*fields}.difference(FIELDS):
        raise UserError(f"a task has no field {min(unknown)[:40]!r}; expected some of {', '.join(FIELDS)}")
    schema = {name: each for name, each in FIELDS.items() if name in fields or name in ("name", "kind")}
    if wrong := misfit(fields, schema):
        raise UserError(f"a task: {wrong}")
    known = TASKS.get(fields["name"])
    return Task(**{**(asdict(known) if known else {}), **fields})


def check_several(tasks: Sequence) -> None:
    """Refuse what is no list of tasks or names, such as a single one."""
    if not isinstance(tasks, list | tuple):
        got = repr(tasks.name if isinstance(tasks, Task) else tasks)
        raise UserError(f"tasks {got}: expected several, in a list or tuple, such as ('age', 'gender')")


def tasks_of(tasks: Sequence[Task | str]) -> list[Task]:
    """Return tasks that are each given as themselves or by their name in TASKS, in this order.

    Anything else, and two tasks of one name, are errors.
    """
    check_several(tasks)
    if strangers := [task for task in tasks if not isinstance(task, str | Task)]:
        raise UserError(f"task {strangers[0]!r}: expected a Task, or the name of one: {', '.join(TASKS)}")
    found = [task if isinstance(task, Task) else find([task])[0] for task in tasks]
    names = [task.name for task in found]
    if not names or len({*names}) < len(names):
        raise UserError(f"tasks {names}: expected at least one, each only once")
    return found


def find(names: list[str] | tuple[str, ...]) -> list[Task]:
    """Return the tasks of these names, in this order; an unknown or repeated name is an error."""
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise UserError(f"unknown task {unknown[0]!r}; expected some of: {', '.join(TASKS)}; add_task adds one")
    if not names or len(set(names)) < len(names):
        raise UserError(f"tasks {list(names)}: expected at least one name, each only once")
    return [TASKS[name] for name in names]


def name_before_class(task: Task, tasks: Iterable[Task]) -> str:
    """Return what is to be said before a class of a task, among those of others: its name, or "" where that is clear.

    "female" says it all; "no", "24-39" and classes that several tasks have do not.
    """
    everywhere = Counter(name for each in tasks for name in each.classes)
    unclear = any(everywhere[name] > 1 or len(name) < 3 or not any(map(str.isalpha, name)) for name in task.classes)
    return task.name if unclear else ""

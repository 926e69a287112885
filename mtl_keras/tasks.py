"""What a network can learn about a face: each task's name, kind, classes and unit."""

from dataclasses import dataclass, replace

from mtl_keras.errors import UserError

KINDS = ("categorical", "expectation", "regression")


@dataclass(frozen=True)
class Task:
    """One thing to learn, and how its labels and answers are written.

    `categorical` answers with one of `classes`; `expectation` with the expected value of a softmax over `values`
    (Rothe et al., DEX, 2015); `regression` with one number, or with one for each of `outputs`.
    `label_std` spreads the label of an `expectation` task over its bins as a Gaussian of that many units
    (label distribution learning; Gao et al., 2017); 0 trains on the labelled bin alone. `error_weight` times the
    absolute error of the expected value is added to its loss (Gao et al., 2018). `readout` says whether an
    `expectation` task answers with the mean of its distribution or with the most probable bin ("argmax").
    A `regression` head learns (label - center) / scale, so that its loss is of the size of a cross-entropy.
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

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UserError(f"task {self.name!r}: kind {self.kind!r} is unknown; expected one of {', '.join(KINDS)}")
        if self.readout not in ("mean", "argmax"):
            raise UserError(f"task {self.name!r}: readout {self.readout!r} is unknown; expected mean or argmax")
        needed = {"categorical": self.classes, "expectation": self.values, "regression": (None, None)}[self.kind]
        if len(needed) < 2:
            field = "classes" if self.kind == "categorical" else "values"
            raise UserError(
                f"task {self.name!r}: a task of kind {self.kind!r} needs at least two `{field}`, got {len(needed)}"
            )

    @property
    def size(self) -> int:
        """Width of the head: number of classes, bins or regressed numbers."""
        return {"categorical": len(self.classes), "expectation": len(self.values)}.get(
            self.kind, max(1, len(self.outputs))
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the label table that hold this task's label."""
        return tuple(f"{self.name}.{output}" for output in self.outputs) or (self.name,)


AGE = Task("age", "expectation", values=tuple(float(age) for age in range(117)), unit="years")
AGE_GROUP = Task("age_group", "categorical", classes=("1-13", "14-23", "24-39", "40-55", "56-80"), unit="years")
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
HEAD_POSE = Task("head_pose", "regression", outputs=("yaw", "pitch", "roll"), unit="degrees", scale=30.0)
# The two other ways of the FaceNet article to learn age: the most probable of its 117 bins, and regression with MSE.
AGE_ARGMAX = replace(AGE, readout="argmax")
AGE_REGRESSION = Task("age", "regression", unit="years", center=33.0, scale=20.0)

TASKS = {
    task.name: task
    for task in (
        AGE,
        AGE_GROUP,
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


def find(names: list[str] | tuple[str, ...]) -> list[Task]:
    """Return the tasks of these names, in this order; an unknown or repeated name is an error."""
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise UserError(f"unknown task {unknown[0]!r}; expected some of: {', '.join(TASKS)}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"tasks {list(names)}: expected at least one name, each only once")
    return [TASKS[name] for name in names]

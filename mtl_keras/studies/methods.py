"""Which methods are compared: pairs of a way of sharing and a weighting, by name, and what each has come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mtl_keras import choices
from mtl_keras.errors import UserError
from mtl_keras.models.sharing import SHARING
from mtl_keras.studies.plan import Methods
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment, check
from mtl_keras.training.weightings import WEIGHTINGS, find

HARD, EQUAL, JOIN = "hard", "equal", "+"
# What is compared where nothing is named: one of each idea, of those that other comparisons have too. `random` shows
# what any weights would do.
USUAL_WEIGHTINGS = (EQUAL, "uncertainty", "random", "dwa", "gradnorm", "mgda", "pcgrad", "cagrad")
USUAL_SHARING = (HARD, "cross_stitch", "mmoe", "relationship")
# How the baseline's name begins, before what tuning has changed.
TUNED = "tuned equal"


class Group(StrEnum):
    """The groups of methods, in the order in which a table shows them."""

    REFERENCE = "to compare with"
    WEIGHTING = "ways of weighting, with hard sharing"
    SHARING = "ways of sharing, with equal weights"
    BOTH = "both"


@dataclass
class Method:
    """A method as a table shows it: its name and group, the settings that it changes, its runs, or why it has none.

    `runs` are one a seed, and `rows` what `runs.csv` says of them and of those that diverged.
    """

    name: str
    group: Group
    settings: Experiment
    runs: list[Run] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    why: str = ""


# === Which methods ===


def chosen(common: Experiment, asked: Methods) -> list[Method]:
    """Return the methods that are asked for, equal weights with hard sharing first; an unknown name is an error."""
    if len(common.tasks) < 2:
        raise UserError(f"tasks {', '.join(common.tasks)}: ways of sharing and of weighting are for two tasks or more")
    pairs = [(HARD, EQUAL)]
    if asked.sharing or asked.weighting:
        pairs += [(way, weights) for way in asked.sharing or (HARD,) for weights in asked.weighting or (EQUAL,)]
    elif not asked.methods:
        weightings, ways = (WEIGHTINGS, SHARING) if asked.full else (USUAL_WEIGHTINGS, USUAL_SHARING)
        pairs += [(HARD, weights) for weights in weightings] + [(way, EQUAL) for way in ways]
    pairs += [_pair(text) for text in asked.methods]
    for way, weights in pairs:
        choices.check(SHARING, way)
        choices.check(WEIGHTINGS, weights)
    return [_method(common, *pair) for pair in dict.fromkeys(pairs)]


def _pair(text: str) -> tuple[str, str]:
    """Return the way of sharing and the weighting of "SHARING+WEIGHTING", or of the name of one of them."""
    way, joined, weights = text.partition(JOIN)
    if joined:
        return way.strip(), weights.strip()
    name = choices.name_of(text)
    if name not in SHARING and name not in WEIGHTINGS:
        known = ", ".join([*SHARING, *WEIGHTINGS])
        raise UserError(f"unknown method {text!r}; expected SHARING{JOIN}WEIGHTING, or one of {known}")
    return (text, EQUAL) if name in SHARING else (HARD, text)


def _method(common: Experiment, way: str, weights: str) -> Method:
    if common.gradients_at != "parameters" and find(weights, list(common.tasks)).needs == "losses":
        common = replace(common, gradients_at="parameters")
    if (way, weights) == (HARD, EQUAL):
        return Method(EQUAL, Group.REFERENCE, common)
    name = f"{way} {JOIN} {weights}"
    group = Group.BOTH
    if way == HARD:
        name, group = weights, Group.WEIGHTING
    elif weights == EQUAL:
        name, group = way, Group.SHARING
    # The name of a folder too: no sign that is none there.
    variant = name.replace(":", " ").replace("/", "-").replace(",", " ")
    return Method(name, group, replace(common, sharing=way, weighting=weights, variant=variant))


def usable(methods: Iterable[Method]) -> list[Method]:
    """Check the settings of all methods; one that cannot work says why, now and in the table."""
    methods = list(methods)
    for method in methods:
        try:
            check(method.settings)
        except UserError as error:
            if method.group == Group.REFERENCE:
                raise
            leave_out(method, error)
    return methods


def leave_out(method: Method, error: UserError) -> None:
    """Note why a method has no runs, and say it."""
    method.why = str(error)
    print(f"left out: {method.name}, since {error}", flush=True)

"""How the tasks are weighed against each other, one function each."""

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.from_losses import equal, fixed
from mtl_keras.training.weightings.mgda import mgda
from mtl_keras.training.weightings.pcgrad import pcgrad
from mtl_keras.training.weightings.uncertainty import uncertainty
from mtl_keras.training.weightings.weighting import Weighting

# name -> function(task names) -> Weighting
WEIGHTINGS = {"equal": equal, "uncertainty": uncertainty, "mgda": mgda, "pcgrad": pcgrad}


def find(weighting: str | dict[str, float] | Weighting, tasks: list[str]) -> Weighting:
    """Return the weighting of these tasks for a name of WEIGHTINGS or for fixed weights by task."""
    if isinstance(weighting, Weighting):
        return weighting
    if isinstance(weighting, dict):
        return fixed(tasks, weighting)
    if weighting not in WEIGHTINGS:
        raise UserError(
            f"unknown weighting {weighting!r}; expected one of {', '.join(WEIGHTINGS)}, or a weight for each task"
        )
    return WEIGHTINGS[weighting](tasks)

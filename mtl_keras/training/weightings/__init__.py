"""How the tasks' losses are weighed against each other, one function each."""

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.from_losses import equal, fixed

# name -> function(task names) -> function(losses (T,)) -> weights (T,)
WEIGHTINGS = {"equal": equal}


def find(weighting: str | dict[str, float], names: list[str]):
    """Return the function losses (T,) -> weights (T,) for a name of WEIGHTINGS or for fixed weights by task."""
    if isinstance(weighting, dict):
        return fixed(names, weighting)
    if weighting not in WEIGHTINGS:
        raise UserError(
            f"unknown weighting {weighting!r}; expected one of {', '.join(WEIGHTINGS)}, or a weight for each task"
        )
    return WEIGHTINGS[weighting](names)

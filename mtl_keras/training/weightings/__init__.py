"""How the tasks are weighed against each other, one function each."""

from mtl_keras.tables import Table

# name -> function(task names) -> Weighting
WEIGHTINGS = Table(
    "weighting",
    {
        "equal": "mtl_keras.training.weightings.from_losses:equal",
        "uncertainty": "mtl_keras.training.weightings.uncertainty:uncertainty",
        "geometric_mean": "mtl_keras.training.weightings.geometric_mean:geometric_mean",
        "mgda": "mtl_keras.training.weightings.mgda:mgda",
        "pcgrad": "mtl_keras.training.weightings.pcgrad:pcgrad",
    },
)


def find(weighting, tasks: list[str]):
    """Return the `Weighting` of these tasks: a name of WEIGHTINGS, {task: weight} for fixed ones, or one itself."""
    # A list of names needs no Keras.
    from mtl_keras.training.weightings.from_losses import fixed

    if isinstance(weighting, str):
        return WEIGHTINGS[weighting](tasks)
    return fixed(tasks, weighting) if isinstance(weighting, dict) else weighting

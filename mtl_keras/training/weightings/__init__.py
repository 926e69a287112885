"""How the tasks are weighed against each other, one function each."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mtl_keras.choices import configured
from mtl_keras.errors import UserError
from mtl_keras.tables import Table

# name -> function(task names, settings) -> Weighting
WEIGHTINGS = Table(
    "weighting",
    {
        "equal": "mtl_keras.training.weightings.from_losses:equal",
        "uncertainty": "mtl_keras.training.weightings.uncertainty:uncertainty",
        "dwa": "mtl_keras.training.weightings.dwa:dwa",
        "random": "mtl_keras.training.weightings.random:random",
        "geometric_mean": "mtl_keras.training.weightings.geometric_mean:geometric_mean",
        "imtl_l": "mtl_keras.training.weightings.imtl_l:imtl_l",
        "stch": "mtl_keras.training.weightings.stch:stch",
        "famo": "mtl_keras.training.weightings.famo:famo",
        "gradnorm": "mtl_keras.training.weightings.gradnorm:gradnorm",
        "excess_mtl": "mtl_keras.training.weightings.excess_mtl:excess_mtl",
        "db_mtl": "mtl_keras.training.weightings.db_mtl:db_mtl",
        "auto_lambda": "mtl_keras.training.weightings.auto_lambda:auto_lambda",
        "forum": "mtl_keras.training.weightings.forum:forum",
        "moml": "mtl_keras.training.weightings.moml:moml",
        "pbi": "mtl_keras.training.weightings.pbi:pbi",
        "cosmos": "mtl_keras.training.weightings.cosmos:cosmos",
        "mgda": "mtl_keras.training.weightings.mgda:mgda",
        "pcgrad": "mtl_keras.training.weightings.pcgrad:pcgrad",
        "gradvac": "mtl_keras.training.weightings.gradvac:gradvac",
        "graddrop": "mtl_keras.training.weightings.graddrop:graddrop",
        "cagrad": "mtl_keras.training.weightings.cagrad:cagrad",
        "imtl_g": "mtl_keras.training.weightings.imtl_g:imtl_g",
        "nash_mtl": "mtl_keras.training.weightings.nash_mtl:nash_mtl",
        "aligned_mtl": "mtl_keras.training.weightings.aligned_mtl:aligned_mtl",
        "fairgrad": "mtl_keras.training.weightings.fairgrad:fairgrad",
        "config": "mtl_keras.training.weightings.config:config",
        "dual_proj": "mtl_keras.training.weightings.dual_proj:dual_proj",
        "upgrad": "mtl_keras.training.weightings.upgrad:upgrad",
        "sdmgrad": "mtl_keras.training.weightings.sdmgrad:sdmgrad",
        "moco": "mtl_keras.training.weightings.moco:moco",
        "modo": "mtl_keras.training.weightings.modo:modo",
        "cr_mogm": "mtl_keras.training.weightings.cr_mogm:cr_mogm",
        "pcd": "mtl_keras.training.weightings.pcd:pcd",
    },
)


def find(
    weighting,
    tasks: list[str],
    size: Callable[[], int] = lambda: 0,
    numbers: tuple[str, ...] = (),
    settings: Mapping = MappingProxyType({}),
):
    """Return the `Weighting` of these tasks.

    It is chosen by a name of WEIGHTINGS, with settings of its own behind a colon ("cagrad:c=0.4"), by {task: weight}
    for fixed ones, or is one itself. A function of the table that takes `size` is given the number of values in all
    variables that the tasks share, of which `size()` is asked only then; one that takes `numbers` those of the tasks
    that answer numbers. `settings` come on top of those behind the colon.
    """
    # A list of names needs no Keras.
    from mtl_keras.training.weightings.from_losses import fixed
    from mtl_keras.training.weightings.weighting import Weighting

    if isinstance(weighting, dict):
        return fixed(tasks, weighting)
    if isinstance(weighting, Weighting):
        return weighting
    if not isinstance(weighting, str):
        raise UserError(f"weighting {weighting!r}: expected a name of WEIGHTINGS, {{task: weight}} or a Weighting")
    make = configured(WEIGHTINGS, weighting, **settings)
    taken = inspect.signature(make).parameters
    given = {"size": size() if "size" in taken else 0, "numbers": numbers}
    return make(tasks, **{name: value for name, value in given.items() if name in taken})

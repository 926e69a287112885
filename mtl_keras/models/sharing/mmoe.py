"""Multi-gate mixture of experts: experts that all tasks read, each through a gate of its own.

Source: Ma, Zhao, Yi, Chen, Hong and Chi, Modeling task relationships in multi-task learning with multi-gate
mixture-of-experts, 2018, https://doi.org/10.1145/3219819.3220007.
"""

from mtl_keras.models.sharing.experts import check_count, expert, softmax_mixture
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk


def mmoe(trunk: Trunk, tasks: list[str], settings: Settings, *, experts: int = 8) -> Shared:
    """Share one trunk, whose features x go through N `experts` f: task k reads the sum of g_k(x)_i f_i(x).

    Its gate g_k(x) is softmax(W_k x), (B, N). The paper has 8 experts.
    """
    check_count("mmoe: experts", experts, 2)
    network = trunk.build()

    def by_task(features) -> dict:
        made = [expert(features, settings, f"expert_{number}") for number in range(experts)]
        return {task: softmax_mixture(task, features, made) for task in tasks}

    return Shared([network], by_task, common=network)

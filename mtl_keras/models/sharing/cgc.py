"""Customized gate control: experts that all tasks read beside experts of each task, in one level.

Source: Tang, Liu, Zhao and Gong, Progressive layered extraction (PLE): a novel multi-task learning (MTL) model for
personalized recommendations, 2020, https://doi.org/10.1145/3383313.3412236.
"""

from mtl_keras.models.sharing.ple import ple
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk


def cgc(
    trunk: Trunk, tasks: list[str], settings: Settings, *, shared_experts: int = 1, task_experts: int = 1
) -> Shared:
    """Share one trunk and `shared_experts`, beside which each task has `task_experts` of its own.

    Task k reads the sum of its own and the shared experts f, g_k(x)_i f_i(x), where its gate g_k(x) is softmax(W_k x)
    of the trunk's features x. The paper searches for the numbers of experts.
    """
    return ple(trunk, tasks, settings, shared_experts=shared_experts, task_experts=task_experts, levels=1)

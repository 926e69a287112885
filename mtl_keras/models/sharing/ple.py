"""Progressive layered extraction: experts that all tasks read beside experts of each task, in several levels.

Source: Tang, Liu, Zhao and Gong, Progressive layered extraction (PLE): a novel multi-task learning (MTL) model for
personalized recommendations, 2020, https://doi.org/10.1145/3383313.3412236.
"""

from mtl_keras.models.sharing.experts import check_count, expert, softmax_mixture
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk

# What stands in the names of layers for the part that all tasks read.
SHARED = "shared"


def ple(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    shared_experts: int = 1,
    task_experts: int = 1,
    levels: int = 2,
) -> Shared:
    """Share one trunk, and `levels` of experts: `shared_experts` for all tasks and `task_experts` for each, a level.

    In a level, task k goes on with the sum of its own and the shared experts, weighed by softmax(W_k x), x being what
    it has read from the level before; what the next shared experts read is the sum of all experts of the level. The
    last level has no shared gate. The paper has 2 levels and searches for the numbers of experts.
    """
    for setting, value in (("shared_experts", shared_experts), ("task_experts", task_experts), ("levels", levels)):
        check_count(setting, value, 1)
    network = trunk.build()

    def by_task(features) -> dict:
        by_reader = dict.fromkeys([*tasks, None], features)  # None: the part that all tasks read
        for level in range(1, levels + 1):
            end = "" if level == levels else f"_level_{level}"
            made = {
                reader: [
                    expert(x, settings, f"{reader or SHARED}{end}_expert_{number}")
                    for number in range(task_experts if reader else shared_experts)
                ]
                for reader, x in by_reader.items()
            }
            mixed = {
                task: softmax_mixture(f"{task}{end}", by_reader[task], [*made[task], *made[None]]) for task in tasks
            }
            if level < levels:
                everyone = [each for experts in made.values() for each in experts]
                mixed[None] = softmax_mixture(f"{SHARED}{end}", by_reader[None], everyone)
            by_reader = mixed
        return by_reader

    return Shared([network], by_task, common=network)

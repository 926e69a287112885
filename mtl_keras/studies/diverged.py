"""A run that diverged: what is said of it, and what stands for it in a results table."""

from mtl_keras.errors import UserError
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment, label_of, last_stage
from mtl_keras.studies.stages import Stage
from mtl_keras.training.divergence import Diverged


class DivergedRun(UserError):
    """A run that was stopped because a loss became infinite or NaN.

    `row` stands for it in `runs.csv`, without figures; `finished` are the runs of the settings' earlier stages.
    """

    def __init__(self, settings: Experiment, why: Diverged):
        name, tasks = label_of(settings, last_stage(settings)), ", ".join(settings.tasks)
        super().__init__(f"{name}: {why}")
        self.row = {"run": name, "tasks": tasks, "backbone": settings.backbone, "stage": Stage.DIVERGED}
        self.row["seed"] = settings.seed
        self.finished: list[Run] = []

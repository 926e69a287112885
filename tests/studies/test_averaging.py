"""The mean of the weights before and after fine-tuning."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.studies.averaging import average_weights
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.stages import Stage
from mtl_keras.studies.study import Study
from mtl_keras.training import model_folder


@pytest.fixture
def multi(tiny_model, tmp_path) -> list[Run]:
    """Runs of two stages, of whose models all weights are 1 and 3."""
    found = []
    for value, stage in ((1.0, Stage.FROZEN), (3.0, Stage.FINE_TUNED)):
        tiny_model.set_weights([np.full_like(weight, value) for weight in tiny_model.get_weights()])
        folder = model_folder.save(tiny_model, tmp_path / stage)
        found.append(Run({"run": stage}, pd.DataFrame(), pd.DataFrame(), folder, tmp_path / "checkpoints" / stage))
    return found


def test_three_quarters_are_of_the_weights_after_fine_tuning(tiny_backbone, faces, multi, tmp_path):
    experiment = Experiment(tasks=("age", "gender", "ethnicity", "head_pose"), backbone=tiny_backbone)
    parts = (faces[:2], faces[:2], faces[:5])
    run = average_weights(Study(parts, tmp_path / "out"), experiment, multi, needs_model=True)
    assert run.row["run"] == "tiny, fine-tuned, averaged weights" and run.row["stage"] == "fine-tuned"
    assert all((weight == 2.5).all() for weight in model_folder.load(run.model).get_weights())
    resumed = Study(parts, tmp_path / "out", resume=True)
    # What is there is taken, unless one of the two was trained anew.
    assert average_weights(resumed, experiment, [], needs_model=True).row == run.row
    resumed.trained.add(multi[0].folder)
    multi[1].model = multi[0].model
    again = average_weights(resumed, experiment, multi, needs_model=True)
    assert all((weight == 1).all() for weight in model_folder.load(again.model).get_weights())

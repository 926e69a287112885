"""The stage of a run that trains the heads alone, on features of the trunk as it is, and which stages settings have."""

from dataclasses import replace

from mtl_keras.studies.network import FROZEN_BATCH
from mtl_keras.studies.settings import Experiment

# What of the settings only the other stage uses: changing it must not make the frozen one start anew.
UNUSED_BY_FROZEN = {
    "epochs": 0, "refit": False, "trunk_rate": 0.0, "freeze_stem": True, "augment": False, "gray": 0.1, "ema": 0.0,
    "batch_size": FROZEN_BATCH, "accumulate": 1, "composition": "", "learning_rate": 3e-4, "schedule": "cosine",
    "sync_batch_norm": True,
}  # fmt: skip


def frozen_stage(settings: Experiment) -> Experiment:
    """Return the settings of the frozen stage, by which its run is known whatever the other stage does."""
    return replace(settings, **UNUSED_BY_FROZEN)


def stages_of(settings: Experiment) -> list[Experiment]:
    """Return the settings of each stage that these settings ask for, in the order in which they are trained."""
    frozen = [frozen_stage(settings)] if settings.frozen_epochs else []
    return [*frozen, *([settings] if settings.epochs else [])]

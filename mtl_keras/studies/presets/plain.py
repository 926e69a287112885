"""What is trained where no preset is named: a network that learns from scratch in minutes, on any set of images."""

from dataclasses import replace

from mtl_keras.studies.presets.preset import Defaults, Preset
from mtl_keras.studies.settings import Experiment

# BKNet's rate; the small batches and the short memory of the averaged weights are for sets of a few hundred images.
DRAWN = Experiment(
    backbone="bknet",
    frozen_epochs=0,
    epochs=20,
    batch_size=32,
    learning_rate=1e-3,
    trunk_rate=1.0,
    ema=0.97,
    dropout=0.3,
    patience=20,
    calibrate=True,
)
# No tasks: all that the data label.
PLAIN = Preset(real=Defaults(replace(DRAWN, tasks=())), drawn=Defaults(DRAWN))

"""Gender and eyeglasses with one small network, cross-validated against two."""

from dataclasses import replace

from mtl_keras.studies.plan import Comparison, CrossValidation
from mtl_keras.studies.presets.preset import Defaults, Preset
from mtl_keras.studies.settings import Experiment

# The work itself: no dropout, no decay, no change of the images; a rate divided by the epoch's number; at the second
# epoch without a lower validation loss it stops.
DRAWN = Experiment(
    tasks=("gender", "eyeglasses"),
    backbone="gender_eyeglasses",
    frozen_epochs=0,
    epochs=30,
    batch_size=32,
    learning_rate=1e-3,
    schedule="harmonic",
    trunk_rate=1.0,
    weight_decay=0.0,
    dropout=0.0,
    ema=0.0,
    patience=2,
    augment=False,
    crop="celeba",
)
# Real faces are fewer than drawings: none is given away.
REAL = replace(DRAWN, refit=True)
# Images that change at random want more epochs, and a rate that falls to 0.
AUGMENTED = {"augment": True, "epochs": 40, "schedule": "cosine", "patience": 40, "ema": 0.99, "dropout": 0.3}
VARIANTS = {"without the validation rows": {"refit": False}, "with augmentation": AUGMENTED}
# Of drawings, which are quick to learn, one split has to do, and fewer than the table was made with.
FOLDS = CrossValidation(stop_on_fold=True)

GENDER_EYEGLASSES = Preset(
    real=Defaults(
        REAL,
        Comparison(single_task="both", cross_validation=replace(FOLDS, folds=10)),
        variants=VARIANTS,
    ),
    drawn=Defaults(DRAWN, Comparison(single_task="both", variants=False, cross_validation=FOLDS), variants=VARIANTS),
    readers=("celeba", "class_folders", "csv_file"),
    layouts=("celeba_crops",),
    rendered_faces=4500,
)

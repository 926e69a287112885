"""Age group, gender and smile with BKNet, from sets that each label only some of them."""

from dataclasses import replace

from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.presets.preset import Defaults, Preset
from mtl_keras.studies.settings import Experiment

REPORTED = (
    {
        "run": "article's code",
        "smile.accuracy": 0.9280,
        "gender.accuracy": 0.9358,
        "age_group.accuracy": 0.6136,
    },
    {"run": "BKNet paper", "smile.accuracy": 0.9623},
)
# The articles' network and L2 (half the squared norm of the kernels); smiles twice, a rate that falls to 0 and
# averaged weights make 36 epochs do, where the articles train for 80.
REAL = Experiment(
    tasks=("smile", "gender", "age_group"),
    backbone="bknet",
    frozen_epochs=0,
    epochs=36,
    batch_size=128,
    learning_rate=1e-3,
    trunk_rate=1.0,
    weight_decay=0.0,
    l2=1e-4,
    dropout=0.5,
    ema=0.99,
    patience=36,
    balance="genki4k=2",
)
# So few drawings make few steps an epoch, unless the batches are small; unchanged, they are learned in ten epochs.
DRAWN = replace(REAL, epochs=10, batch_size=32, dropout=0.3, augment=False, patience=10)
# The article's: Adam at a constant rate, smiles ten times. Such epochs are longer: 16 see as many images as 36 others.
ARTICLE = {"epochs": 16, "batch_size": 256, "schedule": "constant", "ema": 0.0, "balance": "genki4k=10"}
WITH_EXPRESSION = {"with expression": {"tasks": ("smile", "gender", "age_group", "expression")}}
VARIANTS = {
    "each row once": {"balance": ""},
    "sources alike": {"balance": "sources"},
    "smiles ten times": {"balance": "genki4k=10", "epochs": 16},
    "recipe of the article": ARTICLE,
    "half as long": {"epochs": 18},
    **WITH_EXPRESSION,
}

BKNET_AGE_GENDER_SMILE = Preset(
    real=Defaults(REAL, Comparison(single_task="both", seeds=3), REPORTED, VARIANTS),
    drawn=Defaults(DRAWN, Comparison(single_task="both"), variants=WITH_EXPRESSION),
    readers=("genki4k", "fer2013", "imdb_wiki", "utkface"),
    layouts=("utkface", "genki4k", "fer2013"),
    rendered_faces=800,
)

"""Presets, one file each: the settings and published figures of an experiment, for real and for drawn faces."""

from mtl_keras.tables import Table

PRESETS = Table(
    "preset",
    {
        "facenet_utk": "mtl_keras.studies.presets.facenet_utk:FACENET_UTK",
        "bknet_age_gender_smile": "mtl_keras.studies.presets.bknet_age_gender_smile:BKNET_AGE_GENDER_SMILE",
        "gender_eyeglasses": "mtl_keras.studies.presets.gender_eyeglasses:GENDER_EYEGLASSES",
        "customer_characteristics": "mtl_keras.studies.presets.customer_characteristics:CUSTOMER_CHARACTERISTICS",
    },
)

"""The table of trunks: one file a network, one line here."""

from mtl_keras.tables import Table

BACKBONES = Table(
    "backbone",
    {
        "facenet": "mtl_keras.models.backbones.facenet:FACENET",
        "facenet_small": "mtl_keras.models.backbones.facenet:FACENET_SMALL",
        "bknet": "mtl_keras.models.backbones.bknet:BKNET",
        "gender_eyeglasses": "mtl_keras.models.backbones.gender_eyeglasses:GENDER_EYEGLASSES",
        "small_cnn": "mtl_keras.models.backbones.small_cnn:SMALL_CNN",
        "mobilenet_v3_small": "mtl_keras.models.backbones.keras_applications:MOBILENET_V3_SMALL",
        "alexnet": "mtl_keras.models.backbones.alexnet:ALEXNET",
        "swin_tiny": "mtl_keras.models.backbones.swin:SWIN_TINY",
        "features": "mtl_keras.models.backbones.features:FEATURES",
    },
    {"keras_applications/": "mtl_keras.models.backbones.keras_applications:keras_application"},
)

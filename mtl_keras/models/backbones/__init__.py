"""The table of trunks: one file a network, one line here."""

from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.backbones.bknet import BKNET
from mtl_keras.models.backbones.facenet import FACENET, FACENET_SMALL
from mtl_keras.models.backbones.features import FEATURES
from mtl_keras.models.backbones.gender_eyeglasses import GENDER_EYEGLASSES

BACKBONES: dict[str, Backbone] = {
    "facenet": FACENET,
    "facenet_small": FACENET_SMALL,
    "bknet": BKNET,
    "gender_eyeglasses": GENDER_EYEGLASSES,
    "features": FEATURES,
}

"""Public datasets: each function turns a dataset's folder on disk into a label table."""

from mtl_keras.datasets.adience import adience
from mtl_keras.datasets.affectnet import affectnet
from mtl_keras.datasets.appa_real import appa_real
from mtl_keras.datasets.biwi import biwi
from mtl_keras.datasets.celeba import celeba
from mtl_keras.datasets.class_folders import class_folders
from mtl_keras.datasets.csv_file import csv_file
from mtl_keras.datasets.fairface import fairface
from mtl_keras.datasets.fer2013 import fer2013
from mtl_keras.datasets.fitted_poses import aflw2000, w300lp
from mtl_keras.datasets.genki4k import genki4k
from mtl_keras.datasets.imdb_wiki import imdb_wiki
from mtl_keras.datasets.lagenda import lagenda
from mtl_keras.datasets.raf_db import raf_db
from mtl_keras.datasets.rendered import rendered
from mtl_keras.datasets.utkface import utkface

DATASETS = {
    "adience": adience,
    "affectnet": affectnet,
    "aflw2000": aflw2000,
    "appa_real": appa_real,
    "biwi": biwi,
    "celeba": celeba,
    "class_folders": class_folders,
    "csv_file": csv_file,
    "fairface": fairface,
    "fer2013": fer2013,
    "genki4k": genki4k,
    "imdb_wiki": imdb_wiki,
    "lagenda": lagenda,
    "raf_db": raf_db,
    "rendered": rendered,
    "utkface": utkface,
    "w300lp": w300lp,
}
# Sets of whole photos, or of crops with a wide margin: their faces are cut out before a network sees them.
PHOTOS = ("aflw2000", "appa_real", "biwi", "genki4k", "imdb_wiki", "lagenda", "w300lp")

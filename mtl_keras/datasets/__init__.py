"""Public datasets: each function turns a dataset's folder on disk into a label table."""

from mtl_keras.datasets.celeba import celeba
from mtl_keras.datasets.class_folders import class_folders
from mtl_keras.datasets.csv_file import csv_file
from mtl_keras.datasets.fer2013 import fer2013
from mtl_keras.datasets.genki4k import genki4k
from mtl_keras.datasets.rendered import rendered
from mtl_keras.datasets.utkface import utkface

DATASETS = {
    "celeba": celeba,
    "class_folders": class_folders,
    "csv_file": csv_file,
    "fer2013": fer2013,
    "genki4k": genki4k,
    "rendered": rendered,
    "utkface": utkface,
}

"""Public datasets: each function turns a dataset's folder on disk into a label table."""

from mtl_keras.datasets.utkface import utkface

DATASETS = {
    "utkface": utkface,
}

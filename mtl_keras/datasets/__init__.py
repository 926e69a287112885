"""Public datasets: each function turns a dataset's folder on disk into a label table."""

from mtl_keras.datasets.rendered import rendered
from mtl_keras.datasets.utkface import utkface

DATASETS = {
    "rendered": rendered,
    "utkface": utkface,
}

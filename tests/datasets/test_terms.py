"""The terms of data sets are those that their page tells, and no public set lacks them."""

import re
from pathlib import Path

from mtl_keras.datasets import DATASETS
from mtl_keras.datasets.terms import TERMS

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
YOUR_OWN = {"class_folders", "csv_file"}


def test_every_public_set_has_the_terms_of_the_page():
    assert {*TERMS} == {*DATASETS} - YOUR_OWN
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    assert {name: terms for name, (_, terms) in TERMS.items()} == {name: told[name] for name in TERMS}

"""Folds hold every row once and never part a group."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.folds import folds
from mtl_keras.errors import UserError
from mtl_keras.tasks import SMILE

NOT = next(name for name in SMILE.classes if name != "smiling")


def labels(count=60, source="genki4k"):
    rows = np.arange(count)
    return pd.DataFrame(
        {
            "path": [f"{source}/{row}.jpg" for row in rows],
            "source": source,
            "group": rows // 2,
            "smile": np.where(rows % 4 < 2, "smiling", NOT),
            "gender": np.where(rows % 6 < 3, "male", "female"),
        }
    )


def both():
    other = labels(10, "utkface").assign(group=lambda table: table["group"] + 1000)
    return pd.concat([labels(), other], ignore_index=True)


def test_every_row_is_in_one_fold_and_groups_stay_together():
    table = labels()
    held = []
    for rest, fold in folds(table, 4, stratify=("smile", "gender")):
        assert not set(rest["group"]) & set(fold["group"])
        assert len(rest) + len(fold) == len(table)
        held += fold["path"].tolist()
    assert sorted(held) == sorted(table["path"])


def test_folds_have_their_share_of_every_class():
    for _, fold in folds(labels(), 5, stratify=("smile",)):
        assert abs((fold["smile"] == "smiling").mean() - 0.5) < 0.1


def test_only_the_rows_of_the_named_source_are_dealt():
    parts = list(folds(both(), 4, source="genki4k"))
    assert all(set(fold["source"]) == {"genki4k"} for _, fold in parts)
    assert all((rest["source"] == "utkface").sum() == 10 for rest, _ in parts)
    assert sum(len(fold) for _, fold in parts) == 60


def test_the_seed_decides_the_folds_and_a_given_split_does_not():
    def first(seed, table):
        return next(iter(folds(table, 4, seed)))[1]["path"].tolist()

    assert first(0, labels()) == first(0, labels().assign(split="train"))
    assert first(0, labels()) != first(1, labels())
    assert next(iter(folds(labels().assign(split="train"), 4)))[0]["split"].isna().all()


def test_a_blank_label_is_a_class_of_its_own_when_folds_are_dealt():
    table = labels().assign(smile=lambda t: t["smile"].mask(t.index % 3 == 0))
    assert sum(len(fold) for _, fold in folds(table, 3, stratify=("smile",))) == len(table)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"count": 1}, "1 folds: expected 2 to 30"),
        ({"count": 31}, "31 folds"),
        ({"count": 2, "source": "nowhere"}, "no source 'nowhere'; the table has genki4k"),
        ({"count": 2, "stratify": ("mood",)}, "'mood'"),
    ],
)
def test_folds_that_cannot_be_are_errors(arguments, told):
    with pytest.raises(UserError, match=told):
        list(folds(labels(), **arguments))

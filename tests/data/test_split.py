"""Cutting a table into parts: groups, shares, the parts that a set comes with, and those that it lacks."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.data.audit import check_images
from mtl_keras.data.leaks import resolve_leaks
from mtl_keras.data.split import split
from mtl_keras.data.table import SPLITS, combine
from mtl_keras.datasets import DATASETS
from mtl_keras.errors import UserError


def make_table(count: int, source: str = "faces", **columns) -> pd.DataFrame:
    """A table of `count` rows, each its own group, with ages spread over 0 to 116."""
    table = pd.DataFrame({"path": [f"/data/{source}/{number:05d}.jpg" for number in range(count)], "source": source})
    table["age"] = np.random.default_rng(0).integers(0, 117, count).astype(float)
    return table.assign(**columns)


def counts(parts: tuple[pd.DataFrame, ...]) -> list[int]:
    return [len(part) for part in parts]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=30, max_size=60),
    seed=st.integers(0, 3),
    fractions=st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.7, 0.3, 0.0)]),
)
@settings(max_examples=30, deadline=None)
def test_split_never_cuts_a_group_and_loses_no_row(sizes, seed, fractions):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    table = make_table(len(groups), group=groups)
    parts = split(table, fractions, seed)
    assert sorted(pd.concat(parts)["path"]) == sorted(table["path"])
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        assert not set(parts[first]["group"]) & set(parts[second]["group"])
    for part, name, fraction in zip(parts, SPLITS, fractions, strict=True):
        assert set(part["split"]) <= {name}
        assert abs(len(part) - fraction * len(table)) <= max(sizes)


def test_split_gives_every_decade_its_share():
    table = make_table(4000)
    parts = split(table, (0.8, 0.1, 0.1))
    assert [len(part) for part in parts] == [3200, 400, 400]
    for part, fraction in zip(parts, (0.8, 0.1, 0.1), strict=True):
        counts = (part["age"] // 10).value_counts()
        expected = (table["age"] // 10).value_counts() * fraction
        assert (counts - expected).abs().max() <= 2


def test_split_depends_on_neither_row_order_nor_place():
    table = make_table(500, group=np.arange(500) // 2)
    moved = table.assign(path="/elsewhere" + table["path"]).sample(frac=1, random_state=1)
    for here, there in zip(split(table, seed=3), split(moved, seed=3), strict=True):
        assert here["path"].map(os.path.basename).tolist() == there["path"].map(os.path.basename).tolist()
    assert split(table, seed=3)[2]["path"].tolist() != split(table, seed=4)[2]["path"].tolist()


def test_split_respects_a_given_split_and_fills_the_rest():
    official = make_table(30, "official", split=["train"] * 10 + ["validation"] * 5 + ["test"] * 15)
    assert [len(part) for part in split(official)] == [10, 5, 15]
    mixed = combine([official, make_table(100, "free")])
    mixed.loc[mixed["source"] == "free", "group"] = np.r_[mixed["group"][0], mixed["group"].max() + np.arange(1, 100)]
    train, validation, test = split(mixed)
    assert [(part["source"] == "official").sum() for part in (train, validation, test)] == [10, 5, 15]
    assert "/data/free/00000.jpg" in set(train["path"])
    assert (validation["source"] == "free").sum() == pytest.approx(10, abs=1)


def test_split_works_without_ages_and_by_a_class():
    table = make_table(100, smile=["smiling"] * 20 + ["not_smiling"] * 80).drop(columns="age")
    assert [len(part) for part in split(table)] == [80, 10, 10]
    assert [(part["smile"] == "smiling").sum() for part in split(table, stratify="smile")] == [16, 2, 2]


def test_split_mistakes_are_named():
    with pytest.raises(UserError, match="fractions"):
        split(make_table(50), (0.8, 0.1, 0.2))
    with pytest.raises(UserError, match="stratify 'agee'"):
        split(make_table(50), stratify="agee")
    with pytest.raises(UserError, match="^the table has no row; expected one for each image"):
        split(make_table(0, "a"))
    with pytest.raises(UserError, match="2 rows in 2 groups are too few"):
        split(make_table(2))


# === Large groups and several sets ===


@pytest.mark.parametrize("seed", range(3))
def test_small_groups_fill_what_a_large_one_left(seed):
    table = make_table(800, group=np.r_[np.zeros(600, int), np.arange(1, 201)])
    parts = split(table, seed=seed)
    assert counts(parts) == [640, 80, 80]
    # Of every age: not the youngest in one part because it was furthest behind when they were dealt.
    assert [part["age"].mean() for part in parts[1:]] == pytest.approx([58, 58], abs=8)
    # One group more than its share: the rest goes to the others.
    assert counts(split(make_table(100, group=np.r_[np.zeros(90, int), np.arange(1, 11)]), seed=seed)) == [90, 5, 5]


def test_people_with_many_images_are_dealt_by_the_seed():
    table = make_table(2300, group=np.repeat(np.arange(23), 100))
    parts = [split(table, seed=seed) for seed in range(4)]
    assert {tuple(counts(each)) for each in parts} == {(1900, 200, 200)}
    assert len({tuple(sorted(set(each[2]["group"]))) for each in parts}) > 1


def test_a_set_more_leaves_the_parts_of_the_others_as_they_were():
    # Of sizes and labels that leave the shares of the first uneven.
    first, second = make_table(103, "b"), make_table(57, "a", age=3.0)
    official = make_table(41, "c", split=["train"] * 30 + ["test"] * 11)
    together = split(combine([second, first, official]))
    for table in (first, second, official):
        source = table["source"].iloc[0]
        for alone, part in zip(split(table), together, strict=True):
            assert alone["path"].tolist() == part["path"][part["source"] == source].tolist()


def test_many_small_sets_get_their_shares_together():
    assert counts(split(combine([make_table(3, f"set {number}") for number in range(20)]))) == [48, 6, 6]


# === Sets that come with some of the parts ===


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"train": 120}, [96, 12, 12]),
        ({"train": 90, "test": 30}, [81, 9, 30]),
        ({"train": 90, "validation": 30}, [81, 9, 30]),
        ({"train": 80, "validation": 20, "test": 20}, [80, 20, 20]),
    ],
)
def test_training_rows_take_the_place_of_parts_that_a_set_lacks(given, expected):
    table = make_table(120, split=np.repeat([*given], [*given.values()]), group=np.arange(120) // 2)
    parts = split(table)
    assert counts(parts) == pytest.approx(expected, abs=1) and sum(counts(parts)) == 120
    groups = [set(part["group"]) for part in parts]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    if "test" in given or "validation" in given:
        # What is measured is what the set means for it, to the row.
        held = table["path"][table["split"] == ("test" if "test" in given else "validation")]
        assert parts[2]["path"].tolist() == held.tolist()
    shuffled = split(table.sample(frac=1, random_state=0))
    assert [part["path"].tolist() for part in shuffled] == [part["path"].tolist() for part in parts]
    if counts(parts) != [80, 20, 20]:
        assert split(table, seed=1)[1]["path"].tolist() != parts[1]["path"].tolist()


@pytest.mark.parametrize("parts", [["validation"], ["test"], ["validation", "test"]])
def test_a_set_without_training_rows_is_an_error_alone_and_stays_as_it_is_beside_others(parts):
    held = make_table(20, "held", split=[parts[row % len(parts)] for row in range(20)])
    with pytest.raises(UserError, match=f"no row to train on: `split` says {' and '.join(parts)} in all 20; empty"):
        split(held)
    found = pd.concat(split(combine([held, make_table(100, "other")])))
    assert found[found["source"] == "held"].sort_values("path")["split"].tolist() == held["split"].tolist()


def test_a_part_that_is_not_asked_for_is_not_held_out():
    table = make_table(120, split=["train"] * 90 + ["test"] * 30)
    assert counts(split(table, (0.9, 0.0, 0.1))) == [90, 0, 30]
    assert counts(split(table, (0.5, 0.3, 0.2))) == [63, 27, 30]
    assert counts(split(table.assign(split="train"), (0.9, 0.1, 0.0))) == [108, 12, 0]
    # Neither do validation rows serve as a test that nobody asks for, or that empty cells give anyway.
    official = make_table(120, split=["train"] * 90 + ["validation"] * 30)
    assert counts(split(official, (0.9, 0.1, 0.0))) == [90, 30, 0]
    blank = make_table(40, "faces", path=[f"{row}.jpg" for row in range(40)], split=None)
    assert counts(split(combine([official, blank]))) == [122, 34, 4]


def test_a_group_that_a_set_has_in_several_parts_is_told_of_and_stays(capsys):
    table = make_table(40, split=["train"] * 30 + ["test"] * 10, group=[*range(30), *range(10)])
    train, validation, test = split(table)
    assert "in several parts (train, test) of faces: 10 groups" in capsys.readouterr().err
    assert len(test) == 10 and set(test["group"]) < set(train["group"])
    assert len(validation) == 2 and not set(validation["group"]) & set(train["group"])
    split(resolve_leaks(table, "drop"))
    assert capsys.readouterr().err == ""


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "folder", "tested"),
    [
        ("raf_db", "RAF-DB", "test"),
        ("fairface", "FairFace", "validation"),
        ("fer2013", "FER2013", "validation"),
        ("celeba", "CelebA", "validation"),
    ],
)
def test_real_sets_that_come_with_two_parts_get_the_third(real_data, name, folder, tested):
    table = DATASETS[name](real_data / folder)
    own = table["split"].value_counts()
    parts = split(table)
    assert [*own.index] == ["train", tested]
    assert counts(parts) == pytest.approx(
        [0.9 * own["train"], 0.1 * own["train"], own[tested]], abs=0.002 * own["train"]
    )
    assert sorted(parts[2]["path"]) == sorted(table["path"][table["split"] == tested])


@pytest.mark.realdata
def test_real_copies_across_the_parts_of_a_set_are_told_of(real_data, capsys):
    table = check_images(DATASETS["fer2013"](real_data / "FER2013"))
    across = table.groupby("image")["split"].nunique() > 1
    train, _, test = split(table)
    told = capsys.readouterr().err
    assert across.sum() > 100 and f"(train, validation) of fer2013: {across.sum()} photos" in told
    assert set(train["image"]) & set(test["image"]) == set(across[across].index)
    train, validation, test = split(resolve_leaks(table, "drop"))
    assert not set(train["image"]) & set(test["image"]) and not set(validation["image"]) & set(test["image"])
    assert len(test) == (table["split"] == "validation").sum() and "in several" not in capsys.readouterr().err


@pytest.mark.realdata
def test_real_faces_are_split_by_decade(real_data):
    table = combine([DATASETS["utkface"](real_data / "UTKFace")])
    parts = split(table)
    assert sum(len(part) for part in parts) == len(table)
    assert [len(part) / len(table) for part in parts] == pytest.approx([0.8, 0.1, 0.1], abs=0.001)
    shares = [(part["age"] // 10).value_counts(normalize=True) for part in parts]
    assert (shares[0] - shares[2]).abs().max() < 0.002

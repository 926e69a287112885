"""How often rows are seen: exactly as told in every epoch, or in the mean over epochs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.data.sampling import (
    balanced,
    compose,
    composed_length,
    draw,
    length,
    of_sources,
    parse_balance,
    times_of,
)
from mtl_keras.errors import UserError

TABLE = pd.DataFrame(
    {
        "path": [f"{row}.jpg" for row in range(10)],
        "source": ["big"] * 8 + ["small"] * 2,
        "smile": ["smiling"] * 2 + ["not_smiling"] * 6 + [None] * 2,
    }
)


def seen(table, epochs=1):
    times, random = times_of(table), np.random.default_rng(0)
    return sum(np.bincount(draw(times, random), minlength=len(table)) for _ in range(epochs)) / epochs


def test_without_balance_every_row_is_seen_once():
    np.testing.assert_array_equal(seen(TABLE), np.ones(10))


def test_a_source_is_repeated_as_often_as_told():
    np.testing.assert_array_equal(seen(balanced(TABLE, {"small": 10})), [1] * 8 + [10] * 2)
    np.testing.assert_array_equal(seen(balanced(TABLE, {"big": 0})), [0] * 8 + [1] * 2)


def test_a_part_of_a_time_is_right_in_the_mean():
    table = balanced(TABLE, {"small": 2.5, "big": 0.25})
    assert length(times_of(table)) == 7
    np.testing.assert_allclose(seen(table, 4000), [0.25] * 8 + [2.5] * 2, atol=0.05)


def test_sources_are_seen_equally_often_and_the_epoch_stays_as_long():
    counts = seen(balanced(TABLE, "sources"), 500)
    assert counts[:8].sum() == pytest.approx(5, abs=0.05) and counts.sum() == 10


@pytest.mark.parametrize(
    ("temperature", "powers"), [(0.5, [4, 3, 2]), (1, [16, 9, 4]), (0, [1, 1, 1]), (1000, [1, 0, 0])]
)
def test_by_temperature_sources_are_seen_in_proportion_to_a_power_of_their_rows(temperature, powers):
    table = pd.DataFrame({"source": ["a"] * 16 + ["b"] * 9 + ["c"] * 4})
    times = pd.Series(times_of(balanced(table, f"temperature={temperature}")))
    expected = [29 * power / sum(powers) for power in powers]
    assert times.groupby(table["source"]).sum().tolist() == pytest.approx(expected)
    assert times.groupby(table["source"]).nunique().tolist() == [1, 1, 1] and length(times) == 29


def test_classes_are_seen_equally_often_and_unlabelled_rows_once():
    counts = seen(balanced(TABLE, "smile"), 500)
    assert counts[:2].sum() == pytest.approx(4, abs=0.05) and counts[2:8].sum() == pytest.approx(4, abs=0.05)
    np.testing.assert_allclose(counts[8:], 1, atol=0.05)


def test_the_order_is_random_and_follows_the_generator():
    first, again, other = (draw(np.ones(50), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist() and first.tolist() != sorted(first)


def test_every_batch_has_its_composition_and_the_longest_source_is_seen_whole():
    sources, times = TABLE["source"].to_numpy(), np.ones(10)
    rows = compose(times, sources, {"big": 3, "small": 1}, np.random.default_rng(0))
    assert composed_length(times, sources, {"big": 3, "small": 1}) == 3 and len(rows) == 12
    for batch in rows.reshape(3, 4):
        assert (sources[batch] == "big").sum() == 3 and (sources[batch] == "small").sum() == 1
    assert set(range(8)) <= set(rows.tolist()) and {8, 9} <= set(rows.tolist())


@settings(max_examples=50)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=30).filter(lambda times: sum(times) >= 1), st.integers(0, 9))
def test_any_times_are_kept_to_within_one(times, seed):
    times = np.array(times)
    rows = draw(times, np.random.default_rng(seed))
    # The epoch is a whole number of rows, so all times are scaled by that number over their sum.
    scaled = times * length(times) / times.sum()
    counts = np.bincount(rows, minlength=len(times))
    assert len(rows) == length(times) and (np.abs(counts - scaled) < 1 + 1e-6).all()


@pytest.mark.parametrize(
    ("balance", "says"),
    [
        ({"tiny": 2}, "no source 'tiny'; the table has big, small"),
        ({"small": -1}, "seen -1 times"),
        ({"small": float("nan")}, "seen nan times"),
        ({"big": 0, "small": 0}, "no row of big, small is to be seen"),
        ("age", "expected SOURCE=TIMES, sources, temperature=T, smile"),
        ("temperature=-1", "balance 'temperature=-1': expected temperature=T, a number of at least 0, such as 0.5"),
    ],
)
def test_an_impossible_balance_is_one_line(balance, says):
    with pytest.raises(UserError, match=says):
        balanced(TABLE, balance)


@pytest.mark.parametrize(
    ("composition", "says"),
    [
        ({"big": 3}, "a number of rows for each source, big, small"),
        ({"big": 0, "small": 0}, "not all 0"),
        ({"big": 1.5, "small": 1}, "whole numbers"),
    ],
)
def test_an_impossible_composition_is_one_line(composition, says):
    with pytest.raises(UserError, match=says):
        composed_length(np.ones(10), TABLE["source"].to_numpy(), composition)


def test_times_that_are_none_are_one_line():
    with pytest.raises(UserError, match="column 'times'"):
        times_of(TABLE.assign(times=0))
    for times in (-1, np.inf):
        with pytest.raises(UserError, match="column 'times': expected how often"):
            times_of(TABLE.assign(times=times))
    with pytest.raises(UserError, match="an epoch of 2,000,000,008 images, .*: expected 100,000,000 at most"):
        times_of(balanced(TABLE, {"small": 1e9}))


def test_a_balance_can_be_for_the_sources_that_are_there():
    assert of_sources("genki4k=2, utkface=3", {"utkface", "other"}) == " utkface=3"
    assert of_sources("genki4k=2", {"utkface"}) == "" and parse_balance("") is None
    for other in ("", "sources", "gender", "temperature=0.5"):
        assert of_sources(other, {"utkface"}) == other


def test_balance_is_written_as_a_name_or_as_times_of_sources():
    assert parse_balance("") is None and parse_balance("sources") == "sources"
    assert parse_balance("temperature=0.5") == "temperature=0.5"
    assert parse_balance("genki4k=10, fer2013=0.5") == {"genki4k": 10.0, "fer2013": 0.5}
    for text in ("genki4k=", "genki4k=x", "genki4k=2,fer2013"):
        with pytest.raises(UserError, match="is not SOURCE=TIMES"):
            parse_balance(text)
    for text, says in (
        ("genki4k=2,genki4k=3", "names genki4k twice"),
        ("genki4k=-1", "seen -1.0 times"),
        ("genki4k=inf", "seen inf times"),
        ("gender,gender", "expected SOURCE=TIMES, sources, temperature=T, .*gender"),
        ("age", "balance 'age': expected SOURCE=TIMES"),
    ):
        with pytest.raises(UserError, match=says):
            parse_balance(text)
    for text in ("temperature=", "temperature=0.5,genki4k=2", "temperature=inf"):
        with pytest.raises(UserError, match="expected temperature=T"):
            parse_balance(text)

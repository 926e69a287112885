"""Tables that mean different things by one column are refused, with both sets and both meanings in the message."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.table import combine
from mtl_keras.errors import UserError


def table(source: str, units: dict | None = None, **labels) -> pd.DataFrame:
    rows = len(next(iter(labels.values())))
    made = pd.DataFrame({"path": [f"{source}-{row}.jpg" for row in range(rows)], "source": source, **labels})
    made.attrs["units"] = units or {}
    return made


def test_sets_that_agree_or_share_nothing_are_joined():
    joined = combine(
        [
            table("a", gender=["male", None], age=[3.0, np.nan], hat=["yes", "no"]),
            table("b", gender=[None, None], smile=["smiling", None]),
            table("c", gender=["female", "male"], age=[4, 5], hat=["no", "no"]),
        ]
    )
    assert len(joined) == 6 and joined["gender"].notna().sum() == 3


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"gender": ["male"]}, {"gender": ["m"]}, "gender is male or female in 'a' and m in 'b'"),
        ({"gender": ["male"]}, {"gender": [1]}, "gender is male or female in 'a' and a number in 'b'"),
        ({"hat": ["yes"]}, {"hat": [1.0]}, "hat is text in 'a' and a number in 'b'"),
        (
            {"head_pose.yaw": [0.1]},
            {"head_pose.yaw": [10.0], "units": {"head_pose.yaw": "radians"}},
            "head_pose.yaw is in degrees in 'a' and in radians in 'b'",
        ),
        ({"age": [30.0]}, {"age": [360.0], "units": {"age": "months"}}, "in years in 'a' and in months in 'b'"),
    ],
)
def test_a_mismatch_names_both_sets_and_both_meanings(first, second, says):
    with pytest.raises(UserError, match=says) as error:
        combine([table("a", **first), table("b", **second)])
    assert "\n" not in str(error.value) and "bring both to the same" in str(error.value)


def test_tables_without_a_source_are_numbered():
    tables = [table("x", gender=["male"]).drop(columns="source"), table("y", gender=["?"]).drop(columns="source")]
    with pytest.raises(UserError, match="in 'table 1' and \\? in 'table 2'"):
        combine(tables)


def test_a_unit_of_a_single_set_that_is_not_the_tasks_is_refused():
    with pytest.raises(UserError, match="age is in months in 'b'; convert it to years first"):
        combine([table("b", units={"age": "months"}, age=[360.0])])

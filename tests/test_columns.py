"""How a header is matched to the columns that are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_keras.columns import match_header
from mtl_keras.errors import UserError

MEANT = ("path", "age", "gender", "age_group", "head_pose.yaw")


@pytest.mark.parametrize(
    ("name", "column"),
    [
        (" gender", "gender"),
        ("Gender", "gender"),
        ("\ufeffpath", "path"),
        ("AgeGroup", "age_group"),
        ("age-group ", "age_group"),
        ("Age Group", "age_group"),
        ("head_pose_yaw", "head_pose.yaw"),
    ],
)
def test_a_near_name_is_read_as_the_column_and_told(name, column):
    header = match_header(["x", name], MEANT)
    assert header.places == {column: 1} and header.unknown == ["x"]
    assert header.read_as == f"columns read as they are meant: {name!r} as {column}"


def test_a_name_as_it_is_written_comes_before_near_ones():
    header = match_header(["Age", "age", "note"], MEANT, unused=["note"])
    assert header.places == {"age": 1} and header.near == {} and header.unknown == ["Age"]
    assert header.read_as == ""


def test_known_columns_that_nobody_wants_are_neither_read_nor_told():
    assert match_header(["age", "Service_Test"], ["age"], ["service_test"]) == ({"age": 0}, {}, [])


@pytest.mark.parametrize("names", [("age", "age"), ("Age", " age"), ("Age", "Age")])
def test_a_column_that_is_there_twice_is_an_error(names):
    with pytest.raises(UserError, match="keep one of them"):
        match_header(names, MEANT)


def test_a_name_that_is_near_to_two_columns_is_neither():
    assert match_header(["AB"], ["a_b", "a.b"]).unknown == ["AB"]


@given(st.lists(st.text(max_size=5) | st.sampled_from([*MEANT, "Age", " path"]), max_size=6, unique=True))
def test_every_name_of_any_header_is_read_or_named(names):
    try:
        header = match_header(names, MEANT)
    except UserError:
        return
    read = {names[place] for place in header.places.values()}
    assert read | set(header.unknown) == set(names) and not read & set(header.unknown)
    assert set(header.near) <= read and set(header.places) <= set(MEANT)

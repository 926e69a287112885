"""Members of a table with settings of their own, chosen by one text."""

from typing import Literal

import pytest

from mtl_keras import choices
from mtl_keras.errors import UserError
from mtl_keras.tables import Table


def cake(
    tasks,
    *,
    eggs: int = 2,
    sugar: float = 0.5,
    baked: bool = True,
    form: Literal["round", "square"] = "round",
    parts: tuple[float, ...] = (),
    layers: int | None = None,
):
    """What it was called with."""
    return tasks, eggs, sugar, baked, form, parts, layers


def box(tasks, *, of: str = "", eggs: int = 0):
    """What it was called with."""
    return tasks, of, eggs


TABLE = Table("cake", {})
TABLE["box"] = box
TABLE["cake"] = cake
TABLE["plain"] = lambda tasks: tasks


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("cake", (1, 2, 0.5, True, "round", (), None)),
        ("cake:", (1, 2, 0.5, True, "round", (), None)),
        ("cake:eggs=3,sugar=1e-3", (1, 3, 1e-3, True, "round", (), None)),
        ("cake: baked=no, form=square", (1, 2, 0.5, False, "square", (), None)),
        ("cake:parts=1/0.5/2,layers=4", (1, 2, 0.5, True, "round", (1.0, 0.5, 2.0), 4)),
        ("cake:layers=None", (1, 2, 0.5, True, "round", (), None)),
    ],
)
def test_a_choice_is_a_name_and_settings(choice, expected):
    assert choices.configured(TABLE, choice)(1) == expected
    assert choices.name_of(choice) == "cake"


def test_settings_behind_a_choice_that_is_a_value_are_its_own():
    for choice in ("box:eggs=9,of=cake:eggs=3,sugar=1", "box:of=cake:eggs=3,sugar=1,eggs=9"):
        assert choices.configured(TABLE, choice)(1) == (1, "cake:eggs=3,sugar=1", 9)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("pie:eggs=1", "unknown cake 'pie'"),
        ("cake:salt=1", "unknown setting 'salt'; it has eggs=2, sugar=0.5, baked=True, form=round"),
        ("cake:eggs", "'eggs': expected SETTING=VALUE"),
        ("cake:eggs=two", "eggs is 'two'; expected a whole number"),
        ("cake:sugar=nan", "sugar is 'nan'; expected a finite number"),
        ("cake:sugar=x", "sugar is 'x'; expected a number"),
        ("cake:baked=maybe", "baked is 'maybe'; expected true or false"),
        ("cake:form=oval", "form is 'oval'; expected one of round, square"),
        ("cake:parts=1/b", "parts is 'b'; expected a number"),
        ("plain:eggs=1", "plain: unknown setting 'eggs'; it has none"),
    ],
)
def test_a_wrong_choice_is_one_line_that_says_what_there_is(choice, said):
    with pytest.raises(UserError, match=said) as error:
        choices.check(TABLE, choice)
    assert "\n" not in str(error.value)


def test_settings_are_given_as_values_too():
    assert choices.configured(TABLE, "cake:eggs=3", sugar=0.1)(1)[:3] == (1, 3, 0.1)
    with pytest.raises(UserError, match="unknown setting 'salt'"):
        choices.configured(TABLE, "cake", salt=1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sugar": float("nan")}, "sugar is 'nan'; expected a finite number"),
        ({"sugar": None}, "sugar is 'None'; expected a number"),
        ({"eggs": 1.5}, "eggs is '1.5'; expected a whole number"),
        ({"form": "oval"}, "form is 'oval'; expected one of round, square"),
        ({"parts": ("a",)}, "parts is 'a'; expected a number"),
    ],
)
def test_wrong_values_are_refused_as_wrong_texts_are(settings, said):
    with pytest.raises(UserError, match=said):
        choices.configured(TABLE, "cake", **settings)


def test_values_stay_what_they_are():
    assert choices.configured(TABLE, "cake", sugar=0.1 + 0.2, parts=[1, 0.5], layers=None, baked=False)(1) == (
        1, 2, 0.1 + 0.2, False, "round", (1.0, 0.5), None,
    )  # fmt: skip

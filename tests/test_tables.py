"""Tables whose members are imported when they are asked for."""

import pytest

from mtl_keras.errors import UserError
from mtl_keras.tables import Table, imported


def test_a_member_is_imported_when_it_is_asked_for_and_not_before():
    table = Table("number", {"pi": "math:pi", "broken": "no_such_module:x"})
    assert list(table) == ["pi", "broken"] and len(table) == 2 and "broken" in table
    assert table["pi"] == pytest.approx(3.14159, abs=1e-4)
    with pytest.raises(ModuleNotFoundError):
        table["broken"]


def test_an_unknown_name_is_an_error_that_names_the_known_and_the_nearest():
    with pytest.raises(UserError, match=r"unknown number 'pie'; expected one of pi, e; did you mean pi\?"):
        Table("number", {"pi": "math:pi", "e": "math:e"})["pie"]
    with pytest.raises(UserError, match="unknown number 'zzz'; expected one of pi$"):
        Table("number", {"pi": "math:pi"})["zzz"]


def test_a_member_of_ones_own_is_added_and_removed():
    table = Table("number", {"pi": "math:pi"})
    table["two"] = 2
    assert table["two"] == 2 and list(table) == ["pi", "two"]
    del table["two"]
    assert "two" not in table and table.get("two", 3) == 3 and list(table.items()) == [("pi", table["pi"])]


def test_a_place_without_a_name_is_a_module():
    assert imported("math").pi == imported("math:pi")


def test_a_family_makes_a_member_of_what_follows_its_name():
    table = Table("number", {"pi": "math:pi"}, {"number/": "builtins:float", "text/": "builtins:str"})
    assert table["text/x/y"] == "x/y" and table.get("text/z") == "z"
    assert "text/x" in table and "tex" not in table and list(table) == ["pi"]
    with pytest.raises(UserError, match="expected one of pi, number/NAME, text/NAME"):
        table["tex"]


def test_what_was_added_is_ones_own():
    table = Table("number", {"pi": "math:pi"}, {"text/": "builtins:str"})
    table["two"] = 2
    assert [table.is_own(name) for name in ("two", "pi", "text/x", "three")] == [True, False, False, False]

"""A member of a table with settings of its own, chosen by one text, such as "cagrad:c=0.4"."""

import functools
import inspect
import math
from collections.abc import Callable
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from mtl_keras.errors import UserError
from mtl_keras.tables import Table

# How a yes or no is written, and what stands between several values of one setting.
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
BETWEEN = "/"


def settings_of(member: Callable) -> dict[str, inspect.Parameter]:
    """Return the settings that a table's function takes: its arguments after the `*`, each with a usual value."""
    parameters = inspect.signature(member).parameters
    return {name: each for name, each in parameters.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def configured(table: Table, choice: str, **settings) -> Callable:
    """Return a table's function of the choice "NAME" or "NAME:SETTING=VALUE,SETTING=VALUE", with its settings.

    Several values of one setting have a / between them. A value that is a choice itself, "cr_mogm:of=cagrad:c=0.4",
    takes the settings behind it that are not of this function. `settings` are such values themselves. An unknown
    setting, or a value of the wrong kind, is a `UserError` that names what there is.
    """
    name, _, texts = str(choice).partition(":")
    member = table[name]
    known = settings_of(member)
    for text in _parted(texts, known):
        setting, equals, value = (part.strip() for part in text.partition("="))
        _check_known(name, setting, known)
        if not equals:
            raise UserError(f"{name}: {text!r}: expected SETTING=VALUE, such as {_usual(known)}")
        settings[setting] = _parsed(f"{name}: {setting}", value, known[setting].annotation)
    for setting, value in settings.items():
        _check_known(name, setting, known)
        # What a text would be refused for is refused as a value too.
        settings[setting] = _parsed(f"{name}: {setting}", _shown(value), known[setting].annotation)
    return functools.partial(member, **settings)


def _parted(texts: str, known: dict) -> list[str]:
    """Return the texts of single settings, a choice that is a value with the settings of its own."""
    found = []
    for text in filter(None, texts.split(",")):
        if found and ":" in found[-1] and text.partition("=")[0].strip() not in known:
            found[-1] += f",{text}"
        else:
            found.append(text)
    return found


def check(table: Table, choice: str) -> None:
    """Refuse an unknown name, unknown settings, and values of the wrong kind."""
    configured(table, choice)


def name_of(choice: str) -> str:
    """Return the name of a choice, without its settings."""
    return choice.partition(":")[0]


def _check_known(name: str, setting: str, known: dict) -> None:
    if setting not in known:
        has = f"it has {_usual(known)}" if known else "it has none"
        raise UserError(f"{name}: unknown setting {setting!r}; {has}")


def _usual(known: dict[str, inspect.Parameter]) -> str:
    return ", ".join(f"{name}={_shown(each.default)}" for name, each in known.items())


def _shown(value: object) -> str:
    return BETWEEN.join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _parsed(what: str, text: str, kind: type) -> object:
    """Return the value that a text stands for, of a setting's kind: a number, text, yes or no, or several of these."""
    if get_origin(kind) in (Union, UnionType):
        if text in ("None", ""):
            return None
        kind = next(each for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is tuple:
        return tuple(_parsed(what, part, get_args(kind)[0]) for part in filter(None, text.split(BETWEEN)))
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise UserError(f"{what} is {text!r}; expected one of {', '.join(get_args(kind))}")
        return text
    if kind is bool:
        if text.lower() not in TRUTHS:
            raise UserError(f"{what} is {text!r}; expected true or false")
        return TRUTHS[text.lower()]
    try:
        value = kind(text)
    except ValueError:
        words = {int: "a whole number", float: "a number"}
        raise UserError(f"{what} is {text!r}; expected {words[kind]}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{what} is {text!r}; expected a finite number")
    return value

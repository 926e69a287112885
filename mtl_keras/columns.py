"""How the header of a file of separated values is matched to the columns that are meant."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from mtl_keras.errors import UserError


class Header(NamedTuple):
    """What a header holds: the place of each column that is meant, which names are read as which, and what is left."""

    places: dict[str, int]
    near: dict[str, str]
    unknown: list[str]

    @property
    def read_as(self) -> str:
        """Say which names are read as which, "" where all are written as they are meant."""
        shown = ", ".join(f"{name!r} as {column}" for name, column in self.near.items())
        return f"columns read as they are meant: {shown}" if shown else ""


def match_header(names: Iterable[str], meant: Iterable[str], unused: Iterable[str] = ()) -> Header:
    """Find columns in a header by their names, or else by what is near: blanks, capitals, `_`, `-` and `.` apart.

    `unused` are columns that are known and not wanted. A column that is there twice is an error that lacks the file.
    """
    names, meant, unused = list(names), set(meant), set(unused)
    exact = {name: place for place, name in enumerate(names) if name in meant | unused}
    forms = Counter(map(form, meant | unused))
    by_form = {form(name): name for name in meant | unused if forms[form(name)] == 1}
    places, near, unknown = {}, {}, []
    for place, name in enumerate(names):
        column = name if name in exact else by_form.get(form(name))
        if column is None or (column != name and column in exact):
            unknown.append(name)
            continue
        if column in places:
            first = names[places[column]]
            again = f"{first!r} twice" if first == name else f"{first!r} and {name!r}, which mean the same"
            raise UserError(f"has the columns {again}; keep one of them")
        places[column] = place
        if column != name and column in meant:
            near[name] = column
    return Header({name: place for name, place in places.items() if name in meant}, near, unknown)


def form(name: str) -> str:
    """Return a name without what may be written otherwise."""
    return re.sub(r"[\s_.\-\ufeff]+", "", name).casefold()

"""Files that this library wrote, read again: each against a schema, since anything may have changed them meanwhile.

A schema of JSON is a type (`int` and `float` are no truth values, and `float` takes whole numbers too), None, a tuple
of schemas of which one must hold, a function that tells whether a value is right, `[schema]` for a list,
`{str: schema}` for an object with any names, or `{"name": schema}` for one with at least these; a name that ends in
"?" may be missing. One of arrays is `{name: (kinds, dimensions)}`, with the kinds of `numpy.dtype.kind`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import as_numbers, open_regular, unescaped

# What a cell of a table of ours may hold.
CELL = (str, int, float, bool, None)


class DamagedFileError(UserError):
    """A file of ours that is missing or does not hold what it should; its `reason` lacks the file and the way out."""

    def __init__(self, path: Path | str, reason: object, mend: str = ""):
        self.reason = " ".join(str(reason).split())[:200] or type(reason).__name__
        super().__init__(f"{path}: damaged ({self.reason}); {mend or 'copy it again, or remove it'}")


# === Reading ===


def read_json(path: Path | str, schema: Any, mend: str = "") -> Any:
    """Return what a JSON file holds; what does not fit the schema is a `DamagedFileError` that ends with `mend`."""
    try:
        with open_regular(path) as file:
            contents = file.read()
    except (OSError, UserError) as error:
        raise DamagedFileError(path, _reason(error), mend) from None
    return parse_json(contents, schema, path, mend)


def parse_json(contents: bytes, schema: Any, path: Path | str, mend: str = "") -> Any:
    """Return what the contents of a JSON file hold, as `read_json` does; `path` names them in the error."""
    try:
        value = json.loads(contents.decode("utf-8"), parse_int=_whole)
    except RecursionError:
        raise DamagedFileError(path, "it is nested too deep", mend) from None
    except ValueError as error:
        raise DamagedFileError(path, f"it is no JSON: {error}", mend) from None
    if wrong := misfit(value, schema):
        raise DamagedFileError(path, wrong, mend)
    return value


def read_csv(
    path: Path,
    keys: tuple[str, ...],
    numbers: tuple[str, ...] = (),
    texts: tuple[str, ...] = (),
    as_text: bool = False,
    mend: str = "",
) -> pd.DataFrame:
    """Read a CSV file of ours with the columns `keys` of text and `numbers`; an empty cell is NaN.

    The first of the keys must be in every row. Any other column is of numbers too, but for those of `texts`, which may
    be missing. With `as_text` every cell is text, and an empty one "".
    """
    try:
        # Only an empty cell is missing: a run may well be named "none" or "nan".
        dtype = str if as_text else dict.fromkeys((*keys, *texts), str)
        with open_regular(path) as file:
            table = pd.read_csv(file, dtype=dtype, na_filter=not as_text, keep_default_na=False, na_values=[""])
        # Where rows are longer than the header, pandas takes their first cells for an index.
        if not {*keys, *numbers} <= {*table} or not isinstance(table.index, pd.RangeIndex):
            raise ValueError(f"it is no table with the columns {', '.join((*keys, *numbers))}")
        if keys and table[keys[0]].isna().any():
            raise ValueError(f"a row of it has no {keys[0]}")
        others = [] if as_text else table.columns.difference([*keys, *texts], sort=False)
        table = table.assign(**{name: _numbers(table[name]) for name in others})
        return unescaped(table)
    except Exception as error:  # Damaged text makes pandas raise nearly anything.
        mend = mend or "expected figures of earlier runs: run the experiment first, or mend or remove the file"
        raise DamagedFileError(path, _reason(error), mend) from None


def _numbers(cells: pd.Series) -> pd.Series:
    """Return the cells of a column as numbers; Keras writes NA where an epoch has no such figure."""
    if pd.api.types.is_numeric_dtype(cells):
        return cells
    found = as_numbers(cells)
    if (wrong := cells[found.isna() & cells.notna() & ~cells.isin(["NA", "nan"])]).size:
        raise ValueError(f"column {cells.name!r} holds {str(wrong.iloc[0])[:40]!r}; expected numbers")
    return found


def read_arrays(path: Path, schema: dict[str, tuple[str, int]], mend: str = "") -> dict[str, np.ndarray]:
    """Return the arrays of a file of `numpy.savez`, whose checksums are compared; those that `schema` lacks as well."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # Damaged archives make zipfile and numpy raise nearly anything.
        raise DamagedFileError(path, _reason(error), mend) from None
    for name, (kinds, dimensions) in schema.items():
        found = arrays.get(name)
        if found is None or found.dtype.kind not in kinds or found.ndim != dimensions:
            raise DamagedFileError(path, f"it has no array {name!r} of {dimensions} dimensions", mend)
    return arrays


def read_or_none(read: Callable[..., Any], path: Path, *arguments: Any, lost: str = "made anew") -> Any:
    """Return what `read(path, *arguments)` does; None where there is no such file, or, told aloud, a damaged one.

    For what can be made again, or done without: `lost` says which.
    """
    if not Path(path).exists():
        return None
    try:
        return read(path, *arguments)
    except DamagedFileError as error:
        print(f"{path}: damaged ({error.reason}); {lost}", file=sys.stderr)
        return None


def _reason(error: Exception) -> object:
    return error.strerror or error if isinstance(error, OSError) else error


# === Schemas ===


def misfit(value: Any, schema: Any, place: str = "it") -> str:
    """Say where a value does not fit a schema, "" where it does."""
    if isinstance(schema, dict) and isinstance(value, dict):
        if {*schema} == {str}:
            pairs = [(name, value[name], schema[str]) for name in value]
        else:
            if missing := [name for name in schema if not name.endswith("?") and name not in value]:
                return f"{place} has no {missing[0]}"
            named = {name.removesuffix("?"): each for name, each in schema.items()}
            pairs = [(name, value[name], each) for name, each in named.items() if name in value]
        return next(filter(None, (misfit(each, wanted, str(name)[:40]) for name, each, wanted in pairs)), "")
    if isinstance(schema, list) and isinstance(value, list | tuple):
        return next(filter(None, (misfit(each, schema[0], f"an entry of {place}") for each in value)), "")
    if isinstance(schema, tuple):
        wrong = [misfit(value, each, place) for each in schema]
        return "" if "" in wrong else wrong[0]
    return "" if _is(value, schema) else f"{place} is {repr(value)[:40]}; expected {_words(schema)}"


def _is(value: Any, schema: Any) -> bool:
    """Return whether a single value is of a schema that is no list and no object."""
    if schema is None or isinstance(schema, dict | list):
        return schema is None and value is None
    if schema in (int, float):
        return isinstance(value, (int, float) if schema is float else int) and not isinstance(value, bool)
    return isinstance(value, schema) if isinstance(schema, type) else bool(schema(value))


def _words(schema: Any) -> str:
    if isinstance(schema, dict | list):
        return "an object" if isinstance(schema, dict) else "a list"
    known = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", dict: "an object"}
    return "null" if schema is None else known.get(schema) or schema.__name__.replace("_", " ").strip()


def count(value: Any) -> bool:
    """Tell whether a value is a whole number of at least 0."""
    return _is(value, int) and value >= 0


def positive_number(value: Any) -> bool:
    """Tell whether a value is a number above 0 that is not infinite."""
    return _is(value, float) and 0 < value < float("inf")


def finite_number(value: Any) -> bool:
    """Tell whether a value is a number that is not infinite."""
    return _is(value, float) and abs(value) < float("inf")


def name_inside(value: Any) -> bool:
    """Tell whether a value is the name of a file that cannot lie outside its folder, on this system or another."""
    if not isinstance(value, str) or not value or "\0" in value or any("\ud800" <= sign < "\udc80" for sign in value):
        return False
    windows = PureWindowsPath(value)
    return not (".." in windows.parts or windows.anchor or PurePosixPath(value).is_absolute())


def _whole(text: str) -> int:
    if abs(number := int(text)) >= 2**63:
        raise ValueError("a whole number of it is too large")
    return number

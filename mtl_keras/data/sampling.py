"""How often each row of a label table is seen in an epoch: repetition, balance of sources and of classes.

The column `times` says how often; 2.5 is twice in one half of the epochs and three times in the other. Without the
column every row is seen once. It counts for shuffled batches only: what is measured is seen once.
"""

from collections.abc import Container

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.tasks import TASKS

TIMES = "times"
TEMPERATURE = "temperature="
# What an epoch may show: the order of more would not fit into memory.
MOST_ROWS = 100_000_000


def balanced(table: pd.DataFrame, balance: str | dict[str, float]) -> pd.DataFrame:
    """Return a copy of a label table with the column `times` as `balance` says.

    {source: times} repeats the rows of a source; "sources" shows all sources equally often, and the name of a
    task of classes all of them, each with as many rows an epoch as the table has (of that task's, its labelled
    ones); rows without the label are seen once. "temperature=T" is between: of n rows of a source an epoch shows a
    number in proportion to n ** T, such that 1 leaves all as they are, and 0 is "sources". That exponent is the 0.7 of
    multilingual BERT (Devlin et al., 2019), and 1/T of Arivazhagan et al., Massively multilingual neural machine
    translation in the wild, 2019.
    """
    table = table.copy()
    if isinstance(balance, dict):
        sources = set(table["source"])
        _check_times(balance)
        for source in balance:
            if source not in sources:
                known = ", ".join(sorted(sources))
                raise UserError(f'balance: no source {source!r}; the table has {known}; choose --balance "" for none')
        table[TIMES] = table["source"].map(balance).astype(np.float64).fillna(1.0)
        if len(table) and not table[TIMES].any():
            raise UserError(f"balance: no row of {', '.join(sorted(sources))} is to be seen; expected one that is")
        return table
    temperature = _temperature(balance) if balance.startswith(TEMPERATURE) else 0.0
    if not balance.startswith(TEMPERATURE):
        _check_name(balance, table)
    cells = table[balance if balance in TASKS else "source"]
    counts = cells.value_counts().astype(np.float64)
    # Of the largest, since powers of counts may be beyond any number.
    powers = (counts / counts.max()) ** temperature
    shares = powers / powers.sum()
    table[TIMES] = cells.map(shares * counts.sum() / counts).astype(np.float64).fillna(1.0)
    return table


def _check_times(balance: dict[str, float]) -> None:
    for source, times in balance.items():
        if not (np.isfinite(times) and times >= 0):
            raise UserError(f"balance: {source!r} is to be seen {times} times; expected 0 or more")


def _check_name(balance: str, labelled: Container[str]) -> None:
    """Refuse what is neither "sources" nor one of these tasks, as far as they have classes."""
    tasks = [name for name, task in TASKS.items() if task.classes and name in labelled]
    if balance not in ("sources", *tasks):
        expected = ", ".join(("SOURCE=TIMES", "sources", f"{TEMPERATURE}T", *tasks))
        raise UserError(f"balance {balance!r}: expected {expected}")


def _temperature(balance: str) -> float:
    """Return the number behind "temperature="."""
    try:
        temperature = float(balance.removeprefix(TEMPERATURE))
    except ValueError:
        temperature = np.nan
    if not (np.isfinite(temperature) and temperature >= 0):
        raise UserError(f"balance {balance!r}: expected {TEMPERATURE}T, a number of at least 0, such as 0.5")
    return temperature


def parse_balance(text: str) -> str | dict[str, float] | None:
    """Return what `balanced` takes of a text such as "sources", "temperature=0.5", "gender" or "genki4k=10,fer2013=2".

    "" stands for None.
    """
    if text.startswith(TEMPERATURE):
        _temperature(text)
        return text
    if "=" in text:
        found = _by_source(text, "balance", "TIMES", float)
        _check_times(found)
        return found
    if text:
        _check_name(text, TASKS)
    return text or None


def of_sources(balance: str, sources: Container[str]) -> str:
    """Return a balance's text without the sources that are not among these; of another kind of balance, all of it."""
    if "=" not in balance or balance.startswith(TEMPERATURE):
        return balance
    return ",".join(part for part in balance.split(",") if part.partition("=")[0].strip() in sources)


def parse_composition(text: str) -> dict[str, int]:
    """Return the rows of each source in a batch, from text such as "utkface=32,genki4k=16"; {} from ""."""
    return _by_source(text, "composition", "ROWS", int) if text else {}


def _by_source(text: str, what: str, unit: str, number: type) -> dict:
    """Return {source: number} from text such as "genki4k=10,fer2013=1"."""
    found = {}
    for part in text.split(","):
        source, _, value = part.partition("=")
        try:
            value = number(value)
        except ValueError:
            raise UserError(f"{what} {text!r}: {part!r} is not SOURCE={unit}, such as genki4k=10") from None
        if source.strip() in found:
            raise UserError(f"{what} {text!r}: names {source.strip()} twice; expected each source once")
        found[source.strip()] = value
    return found


def times_of(table: pd.DataFrame) -> np.ndarray:
    """Return how often each row is seen in an epoch (N,)."""
    if TIMES not in table:
        return np.ones(len(table))
    times = pd.to_numeric(table[TIMES], errors="coerce").fillna(1.0).to_numpy(np.float64)
    if not (np.isfinite(times).all() and (times >= 0).all() and times.sum() >= 0.5):
        raise UserError(f"column {TIMES!r}: expected how often a row is seen in an epoch, 0 or more, and not all 0")
    if times.sum() > MOST_ROWS:
        raise UserError(
            f"an epoch of {times.sum():,.0f} images, as the balance or the column {TIMES!r} has it: expected "
            f"{MOST_ROWS:,} at most"
        )
    return times


def length(times: np.ndarray) -> int:
    """Return the number of rows that an epoch shows, the same for each epoch."""
    return int(np.rint(times.sum()))


def draw(times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the rows of one epoch in a random order: row i floor(times[i]) or ceil(times[i]) times.

    Systematic sampling (Madow and Madow, 1944): equally spaced marks on a line on which each row, in a random order,
    is as long as its times.
    """
    mixed, count = random.permutation(len(times)), length(times)
    ends = np.cumsum(times[mixed]) * (count / times.sum())
    marks = np.arange(count) + random.random()
    return random.permutation(mixed[np.minimum(np.searchsorted(ends, marks, side="right"), len(times) - 1)])


def composed_length(times: np.ndarray, sources: np.ndarray, composition: dict[str, int]) -> int:
    """Return the number of batches of a fixed composition in an epoch: until the source that lasts longest is seen."""
    check_composition(sources, composition)
    return max(-(-length(times[sources == source]) // rows) for source, rows in composition.items() if rows)


def compose(
    times: np.ndarray, sources: np.ndarray, composition: dict[str, int], random: np.random.Generator
) -> np.ndarray:
    """Return the rows of one epoch such that each batch holds `composition[source]` rows of each source.

    Sources that run out before the longest one are drawn anew.
    """
    batches, columns = composed_length(times, sources, composition), []
    for source, rows in composition.items():
        members, drawn = np.flatnonzero(sources == source), []
        while rows and sum(map(len, drawn)) < batches * rows:
            drawn.append(members[draw(times[members], random)])
        if rows:
            columns.append(np.concatenate(drawn)[: batches * rows].reshape(batches, rows))
    return np.concatenate(columns, axis=1).reshape(-1)


def check_composition(sources: np.ndarray, composition: dict[str, int]) -> None:
    """Refuse a composition that names unknown sources, leaves one out, or has no rows."""
    known = set(sources.tolist())
    if set(composition) != known:
        raise UserError(
            f"batches of {composition}: expected a number of rows for each source, {', '.join(sorted(known))}"
        )
    if any(not isinstance(rows, int) or rows < 0 for rows in composition.values()) or not any(composition.values()):
        raise UserError(f"batches of {composition}: expected whole numbers of rows, 0 or more, and not all 0")

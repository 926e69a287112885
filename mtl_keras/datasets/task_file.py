"""Tasks of one's own in a JSON file: `tasks.json` beside a CSV file, or any that is named.

It holds a list of objects with the fields of `mtl_keras.Task`, as the sidecar `model.json` of a model's folder does:
`[{"name": "hat", "kind": "categorical", "classes": ["no", "yes"]}]`, or an object with such a list as `tasks`.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, fields
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.files import open_regular, replacing
from mtl_keras.tasks import TASKS, Task

NAME = "tasks.json"
FIELDS = [field.name for field in fields(Task)]
TEXTS, NUMBERS = ("classes", "outputs"), ("values", "class_weights", "range")
SINGLE = {"name": "a text", "kind": "a text", "unit": "a text", "readout": "a text", "oriented": "true or false"}
# What a task means, apart from how it is learned.
MEANING = ("kind", *TEXTS, "values")
_named: ContextVar[Path | None] = ContextVar("the task file that is named", default=None)


@contextmanager
def tasks_of_file(path: Path | None) -> Iterator[None]:
    """Enter the tasks of a file into TASKS; until the end of this context no `tasks.json` beside a CSV file is read."""
    if path:
        add_tasks_of(path)
    before = _named.set(path)
    try:
        yield
    finally:
        _named.reset(before)


def task_file_beside(csv: Path) -> Path | None:
    """Return the task file in the folder of a CSV file, None where there is none or where another one is named."""
    path = csv.parent / NAME
    return path if path.is_file() and not _named.get() else None


def overruled(csv: Path) -> list[dict]:
    """Return an entry for `attrs["deviations"]` where a file beside a CSV file is not read, since another is named."""
    path, named = csv.parent / NAME, _named.get()
    if not named or not path.is_file() or path.samefile(named):
        return []
    return [{"path": str(path), "reason": f"not read, since {named} is named in its place"}]


def add_tasks_of(path: Path) -> list[Task]:
    """Enter the tasks of a file into TASKS and return them; a damaged file is an error that names entry and field.

    One that is known already and means the same stays as it is: how it is learned the settings or its model say.
    """
    # Here, since it brings Keras along, which takes seconds.
    from mtl_keras.kinds import add_task

    found = []
    for number, entry in enumerate(_entries(path), 1):
        where = f"{path}: entry {number}"
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            where += f" ({entry['name']!r})"
        try:
            task = _task(entry)
            if task.name in [other.name for other in found]:
                raise UserError("name: an entry before has it; expected each only once")
            found.append(TASKS[task.name] if _is_known(task) else add_task(task))
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    return found


def write_task_file(tasks: Iterable[Task], path: Path) -> None:
    """Write tasks as a file that `add_tasks_of` reads."""
    with replacing(path) as temporary:
        temporary.write_text(task_file_text(tasks), encoding="utf-8")


def task_file_text(tasks: Iterable[Task]) -> str:
    """Return what a file of these tasks holds: of each those fields alone that differ from their defaults."""
    usual = asdict(Task("task", ""))
    entries = [
        {name: value for name, value in asdict(task).items() if name in ("name", "kind") or value != usual[name]}
        for task in tasks
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def _entries(path: Path) -> list:
    """Return the objects that a file lists."""
    try:
        with open_regular(path) as file:
            read = json.loads(file.read().decode("utf-8-sig"))
    except (OSError, UserError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read ({reason}); expected a JSON file of tasks") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON ({error}); expected a list of tasks") from None
    entries = read.get("tasks") if isinstance(read, dict) else read
    if not isinstance(entries, list) or not entries:
        example = '[{"name": "hat", "kind": "categorical", "classes": ["no", "yes"]}]'
        raise UserError(f"{path}: expected a list of tasks, such as {example}")
    return entries


def _task(entry: object) -> Task:
    """Return the task that an entry of a file describes; what is wrong is an error that begins with the field."""
    if not isinstance(entry, dict):
        raise UserError(f"is {entry!r}; expected an object with name, kind and so on")
    if unknown := [name for name in entry if name not in FIELDS]:
        raise UserError(f"{unknown[0]}: no such field; expected some of {', '.join(FIELDS)}")
    if missing := [name for name in ("name", "kind") if name not in entry]:
        raise UserError(f"{missing[0]}: is missing; expected {SINGLE[missing[0]]}")
    for name, value in entry.items():
        if not _fits(name, value):
            expected = SINGLE.get(name, "a number")
            several = {**dict.fromkeys(TEXTS, "a list of texts"), **dict.fromkeys(NUMBERS, "a list of numbers")}
            raise UserError(f"{name}: is {json.dumps(value)}; expected {several.get(name, expected)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return Task(**values)


def _fits(name: str, value: object) -> bool:
    """Return whether a value is of a field's type."""
    if name in ("within", "range") and value is None:
        return True
    if name in TEXTS + NUMBERS:
        kind = _is_text if name in TEXTS else _is_number
        return isinstance(value, list) and all(map(kind, value))
    if name == "oriented":
        return isinstance(value, bool)
    return _is_text(value) if name in SINGLE else _is_number(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # JSON's NaN and Infinity are no numbers to go by.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_known(task: Task) -> bool:
    """Return whether there is a task of this name that means the same."""
    if task.name not in TASKS:
        return False
    mine, given = asdict(TASKS[task.name]), asdict(task)
    return all(mine[name] == given[name] for name in MEANING)

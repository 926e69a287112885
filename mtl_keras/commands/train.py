"""The command `mtl-keras train`, and the experiments that are presets of it."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from mtl_keras.commands.arguments import Arguments, Train
from mtl_keras.commands.experiment import run
from mtl_keras.data.manifest import MANIFEST, Shards, read_manifest
from mtl_keras.data.table import label_columns, missing_outputs
from mtl_keras.datasets.own_tasks import described, inferred, task_name, unknown_columns
from mtl_keras.datasets.recognition import Reader, first_of, split_name
from mtl_keras.datasets.task_file import (
    NAME,
    add_tasks_of,
    task_file_beside,
    task_file_text,
    tasks_of_file,
    write_task_file,
)
from mtl_keras.errors import UserError
from mtl_keras.intervals import end_columns
from mtl_keras.kinds import add_task
from mtl_keras.studies.presets import PRESETS
from mtl_keras.studies.presets.plain import PLAIN
from mtl_keras.studies.presets.preset import Preset
from mtl_keras.studies.results_folder import results_folder
from mtl_keras.tasks import TASKS


def train(options: Train) -> None:
    """Train what the options ask for, on data whose own tasks are found first."""
    with tasks_of_file(options.task_file):
        train_preset(options, PRESETS[options.preset] if options.preset else PLAIN, given=bool(options.task_file))


def train_preset(arguments: Arguments, preset: Preset, given: bool = False) -> None:
    """Train as the arguments say, with what else the preset has for real faces, or for drawn ones without data.

    Where tasks of one's own are `given`, the columns of CSV files are not looked at.
    """
    with results_folder(arguments.out, arguments.experiment.strategy, arguments.resume) as out:
        _train_into(arguments.into(out), preset, given)


def _train_into(arguments: Arguments, preset: Preset, given: bool) -> None:
    read, chosen = cache(first_of(preset.readers)), preset.defaults(real=bool(arguments.data))
    find_own_tasks(arguments, given)
    if not arguments.experiment.tasks:
        tasks = labelled(arguments.data, read, arguments.strict)
        print(f"tasks, as the data label them: {', '.join(tasks)}", file=sys.stderr)
        arguments = replace(arguments, experiment=replace(arguments.experiment, tasks=tasks))
    reported = [{**row, "stage": "reported"} for row in chosen.reported]
    run(arguments, read, reported, chosen.variants, preset.layouts, chosen.experiment.balance)


def find_own_tasks(arguments: Arguments, given: bool = False) -> None:
    """Make known the tasks that shards hold, that a `tasks.json` defines and, without one, that CSV files show.

    Where tasks are `given`, the columns of CSV files are not looked at. What is inferred is said, and written to
    `tasks.json` of the results folder, to be changed there.
    """
    several = [*arguments.data, *arguments.test_data]
    for folder in several:
        if (folder / MANIFEST).is_file():
            for task in Shards(str(folder), read_manifest(str(folder))).tasks.values():
                if task.name not in TASKS:
                    add_task(task)
    files = [file for file in map(csv_of, several) if file]
    defined = {file: path for file in files if (path := task_file_beside(file))}
    for path in dict.fromkeys(defined.values()):
        add_tasks_of(path)
    if bare := [file for file in files if file not in defined and not given]:
        infer(bare, arguments)


def infer(files: Iterable[Path], arguments: Arguments) -> None:
    """Make known the tasks that columns of CSV files show; say which, how to change them, and what is left out.

    Where tasks are asked for by name, only their columns are looked at.
    """
    asked = arguments.experiment.tasks
    columns = {
        column: cells for column, cells in unknown_columns(files).items() if not asked or task_name(column) in asked
    }
    tasks, left_out = inferred(columns)
    if asked and left_out:
        column, reason = next(iter(left_out.items()))
        raise UserError(f"column {column!r}: {reason}; to learn it all the same, define it in a {NAME}")
    if tasks:
        target = arguments.out / NAME
        known = target.read_bytes() if target.is_file() else b""
        added = [add_task(task) for task in tasks.values()]
        if known and known != task_file_text(added).encode():
            changed = "it was edited, or the data have changed"
            raise UserError(f"{target}: holds other tasks ({changed}); name it with --task-file {target}, or remove it")
        write_task_file(added, target)
        for column, task in tasks.items():
            print(described(task, columns[column]), file=sys.stderr)
        print(f"to change this, edit {target} and name it: --task-file {target}", file=sys.stderr)
    for column, reason in left_out.items():
        print(f"left out: column {column!r}, since {reason}", file=sys.stderr)


def csv_of(place: Path) -> Path | None:
    """Return the CSV file with a column `path` that a place is, or that is the only one of its folder, or None."""
    name, place = split_name(place)
    if name not in ("", "csv_file"):
        return None
    found = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    if len(found) != 1 or not found[0].is_file():
        return None
    try:
        unknown_columns(found)
    except UserError:
        # What is wrong with it the reader says.
        return None
    return found[0]


def labelled(places: Iterable[Path], read: Reader, strict: bool) -> tuple[str, ...]:
    """Return the names of the tasks that data sets label, in the order of TASKS."""
    known = set()
    for place in places:
        if (place / MANIFEST).is_file():
            known |= Shards(str(place), read_manifest(str(place))).tasks.keys()
        else:
            table = read(place, strict)
            known |= tasks_in(table)
            for task in TASKS.values():
                if missing := missing_outputs(table, task):
                    print(f"{place}: {task.name} is left out, since {', '.join(missing)} has no label", file=sys.stderr)
    if not known:
        mend = "`mtl-keras list tasks` names them, and --task-file adds your own"
        raise UserError(f"{', '.join(map(str, places))}: no image has a label of any task; {mend}")
    return tuple(name for name in TASKS if name in known)


def tasks_in(table: pd.DataFrame) -> set[str]:
    """Return the names of the tasks of which a label table has labels."""
    filled = {column for column in label_columns(table) if table[column].notna().any()}
    named = (task for task in TASKS.values() if filled.issuperset(task.columns) or filled & {*end_columns(task)})
    return {task.name for task in named}

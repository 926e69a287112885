"""What was counted as files: a row a person, a row a minute, a summary, and figures."""

import csv
import json
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import check_writable, escaped, plain, replacing
from mtl_keras.kinds import kind_of
from mtl_keras.serving.people.plots import draw_ages, draw_classes, draw_visitors
from mtl_keras.serving.people.visitors import Visitor
from mtl_keras.tasks import Task

PEOPLE, MINUTES, SUMMARY = "people.csv", "minutes.csv", "summary.json"
KNOWN = (
    "person",
    "tracks",
    "first_seen",
    "last_seen",
    "seconds",
    "zone_seconds",
    "entered",
    "left",
    "frames",
    "looks",
    "reliable",
)
MINUTE = ("minute", "frames", "mean_present", "most_present", "new", "entered", "left")


def answer_columns(task: Task) -> list[str]:
    """Return the columns of `people.csv` that hold a task's answer and how sure it is."""
    if kind_of(task).names:
        return [f"{task.name}.class", f"{task.name}.probability", f"{task.name}.agreement"]
    if task.outputs:
        return [*(f"{column}.value" for column in task.columns), *(f"{column}.spread" for column in task.columns)]
    return [f"{task.name}.value", f"{task.name}.std", f"{task.name}.spread"]


def person_row(visitor: Visitor, tasks: list[Task]) -> dict:
    """Return the row of `people.csv` of a person."""
    row = {
        "person": min(visitor.tracks),
        "tracks": " ".join(map(str, visitor.tracks)),
        "first_seen": round(visitor.first, 3),
        "last_seen": round(visitor.last, 3),
        "seconds": round(visitor.seconds, 3),
        "zone_seconds": round(visitor.zone_seconds, 3),
        "entered": visitor.entered,
        "left": visitor.left,
        "frames": visitor.frames,
        "looks": visitor.looks.taken,
        "reliable": visitor.looks.reliable,
    }
    found = visitor.looks.sure(tasks)
    for task in tasks:
        answer, sure = found.get(task.name, ({}, {}))
        if task.outputs:
            for output, column in zip(task.outputs, task.columns, strict=True):
                row |= {f"{column}.value": answer.get(output), f"{column}.spread": sure.get(output)}
        else:
            row |= {column: {**answer, **sure}.get(column.rpartition(".")[2]) for column in answer_columns(task)}
    return row


class Report:
    """The files of a count in a folder; rows are written as they come, so that a stop loses none."""

    def __init__(self, folder: Path, tasks: list[Task]):
        self.folder, self._tasks = Path(folder), tasks
        check_writable(self.folder, folder=True)
        columns = [*KNOWN, *(column for task in tasks for column in answer_columns(task))]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._people, self._person_writer = _table(self.folder / PEOPLE, columns)
            self._minutes, self._minute_writer = _table(self.folder / MINUTES, MINUTE)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error.strerror}); name another folder") from None

    def person(self, visitor: Visitor) -> None:
        """Write the row of somebody who left."""
        row = pd.DataFrame([person_row(visitor, self._tasks)], dtype=object)
        self._person_writer.writerow(escaped(row).iloc[0].to_dict())
        self._people.flush()

    def minute(self, row: dict) -> None:
        """Write the row of a minute that is over."""
        self._minute_writer.writerow(row)
        self._minutes.flush()

    def close(self, summary: dict) -> None:
        """Complete the tables; write the summary and the figures of what was counted."""
        self._people.close()
        self._minutes.close()
        with replacing(self.folder / SUMMARY) as temporary:
            temporary.write_text(json.dumps(plain(summary), indent=2) + "\n", encoding="utf-8")
        draw_visitors(self.folder / MINUTES, self.folder / "visitors.png")
        draw_ages(self.folder / PEOPLE, self._tasks, self.folder / "ages.png")
        draw_classes(self.folder / PEOPLE, self._tasks, self.folder / "answers.png")


def _table(path: Path, columns: tuple[str, ...] | list[str]) -> tuple:
    file = path.open("w", newline="", encoding="utf-8")
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    file.flush()
    return file, writer

"""The people that were found in images, as a CSV file."""

from collections.abc import Iterable
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.files import check_writable, write_rows
from mtl_keras.tasks import PERSON_KEYS

# Where a person is, before the answers.
PLACE = ("path", "person", "x", "y", "width", "height", "confidence", "reliable", "reason")


def rows_of(results: Iterable[dict]) -> list[dict]:
    """Return a row a person of the objects of `Predictor.predict`.

    Its columns are those of PLACE, of which `person` counts from 1 in each image, and one for each number and class
    of an answer: `age.value`, `age.std`, `gender.class`, `gender.probability`, `head_pose.yaw`.
    """
    rows = []
    for result in results:
        for number, person in enumerate(result["people"], 1):
            values = (result["path"], number, *person["box"], *(person[name] for name in PLACE[6:]))
            answers = {
                f"{task}.{name}": value
                for task, answer in person.items()
                if task not in PERSON_KEYS
                for name, value in answer.items()
            }
            rows.append(dict(zip(PLACE, values, strict=True)) | answers)
    return rows


def check_csv(path: Path | None) -> None:
    """Refuse a place for the table that cannot be written, or where something other than such a table would be lost."""
    if path is None:
        return
    check_writable(path)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(5) not in (b"", b"path,"):
                raise UserError(f"{path}: holds something other than a table of people; name another file")


def write_people(results: Iterable[dict], path: Path) -> None:
    """Write `rows_of` as CSV; where nobody was found there is no column of an answer."""
    rows = rows_of(results)
    write_rows(rows, list(dict.fromkeys([*PLACE, *(column for row in rows for column in row)])), path)

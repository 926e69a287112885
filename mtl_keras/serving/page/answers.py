"""What was found in a photo as a piece of a web page: the photo with boxes, bars, distributions and a table."""

import base64
import io
import json
from html import escape
from itertools import cycle

import numpy as np
import pandas as pd
from PIL import Image

from mtl_keras.colors import COLORS
from mtl_keras.data.images import decode
from mtl_keras.serving.drawing import describe, draw_on, labels_of
from mtl_keras.serving.page.distribution import distribution
from mtl_keras.serving.people_table import rows_of
from mtl_keras.serving.person import Person
from mtl_keras.tasks import Task

# Longer side in pixels of the photo as it is shown.
SHOWN_SIDE = 1280
# The most probable classes have bars; of a task with many more classes the others are left out.
MOST_BARS = 8


def shown(contents: bytes, people: list[Person], tasks: list[Task]) -> str:
    """Return all that was found in a photo as HTML that needs no other file: pictures and downloads lie within it."""
    count = "No face found" if not people else "1 person" if len(people) == 1 else f"{len(people)} people"
    # Decoded again, and as small as it is shown, rather than kept while it waits.
    picture = decode(contents, SHOWN_SIDE // 2)
    found = [person.as_json() for person in people]
    image = draw_on(picture, found, labels_of(found))
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    alt = f"The photo, with a box around each face: {count}" if people else "The photo"
    parts = [f"<h2>{count}</h2>", f'<img class="photo" alt="{alt}" src="{_as_url(image)}">']
    if not people:
        parts.append(
            "<p>Faces are found from about 20 pixels on, when both eyes can be seen. If the picture is one face that "
            "fills it, choose <em>One face, cut out</em> and take it again.</p>"
        )
        return "".join(parts)
    cards = [_card(*pair, tasks, color) for pair, color in zip(enumerate(people, 1), cycle(COLORS), strict=False)]
    table = pd.DataFrame(rows_of([{"path": "", "people": found}])).drop(columns="path")
    files = {
        "people.csv": ("text/csv", table.to_csv(index=False), "Download table (CSV)"),
        "people.json": ("application/json", json.dumps(found, indent=2), "JSON"),
    }
    return "".join([*parts, f'<div class="people">{"".join(cards)}</div>', table_of(table), downloads(files)])


def _card(number: int, person: Person, tasks: list[Task], color: str) -> str:
    """Return what is answered about a person, under the color of its box."""
    note = "" if not person.reason else f'<p class="note">Not to be relied on: {escape(person.reason)}</p>'
    crop = f'<img alt="" src="{_as_url(Image.fromarray(person.crop))}">'
    answers = "".join(_answer(task, person) for task in tasks)
    heading = f"<header>{crop}<h3>Person {number}</h3></header>"
    return f'<article style="--person: {color}" aria-label="Person {number}">{heading}{note}{answers}</article>'


def _answer(task: Task, person: Person) -> str:
    """Return a task's answer in words, and what stands behind it: bars of classes, or a distribution of numbers."""
    words = ", ".join(describe({task.name: person.answers[task.name]}))
    words = escape(words.removeprefix(f"{_spoken(task.name)} "))
    heading = f"<h4><span>{escape(_spoken(task.name))}</span> <strong>{words}</strong></h4>"
    outputs = person.outputs[task.name]
    if task.classes:
        return heading + _bars(task, outputs)
    return heading + (distribution(task, outputs, words) if task.values else "")


def _bars(task: Task, probabilities: np.ndarray) -> str:
    kept = np.sort(np.argsort(-probabilities, kind="stable")[:MOST_BARS])
    rows = []
    for place in kept:
        percent, name = 100 * float(probabilities[place]), escape(_spoken(task.classes[place]))
        bar = f'<span class="track"><span style="width: {percent:.1f}%"></span></span>'
        rows.append(f"<li><span>{name}</span>{bar}<span>{percent:.0f} %</span></li>")
    return f'<ul class="bars">{"".join(rows)}</ul>'


def table_of(table: pd.DataFrame) -> str:
    """Return a table as HTML that opens at a click."""
    head = "".join(f'<th scope="col">{escape(_spoken(name))}</th>' for name in table)
    cells = table.astype(object).where(table.notna(), "")
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in cells.to_numpy())
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<details><summary>Table</summary><div class="scroll" tabindex="0">{table}</div></details>'


def downloads(files: dict[str, tuple[str, str, str]]) -> str:
    """Return links that hold the files themselves: {name: (type, contents, words of the link)}."""
    links = [
        f'<a class="download" download="{name}" href="data:{kind};base64,{_base64(text.encode())}">{title}</a>'
        for name, (kind, text, title) in files.items()
    ]
    return f'<p class="downloads">{"".join(links)}</p>'


def _as_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{_base64(file.getvalue())}"


def _base64(contents: bytes) -> str:
    return base64.b64encode(contents).decode()


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")

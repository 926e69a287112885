"""The people of a video, counted, as a piece of the page."""

import base64
import os
import tempfile
from html import escape
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.page.answers import downloads, table_of
from mtl_keras.serving.page.limits import Limits
from mtl_keras.serving.page.uploads import move
from mtl_keras.serving.runtime import Runtime

COUNTER = "mtl_keras.serving.people.counter"
# What the report of a count draws, each with words for who cannot see it.
FIGURES = {
    "visitors.png": "Visitors minute by minute",
    "ages.png": "Ages of the visitors",
    "answers.png": "What is answered about the visitors",
}


def can_count() -> bool:
    """Say whether the packages are installed that counting needs."""
    try:
        for module in ("cv2", "supervision", "trackers", COUNTER):
            needed(module, "people")
    except UserError:
        return False
    return True


def counted(path: str, runtime: Runtime, limits: Limits) -> str:
    """Return as HTML how many people are in a video file, when, and what is answered about each.

    The file, and all that counting writes, are deleted: what is of use stands in the page itself.
    """
    people = needed(COUNTER, "people")
    with tempfile.TemporaryDirectory(dir=Path(path).parents[1]) as folder:
        video, out = os.path.join(folder, os.path.basename(path)), Path(folder, "counted")
        move(path, video)
        try:
            settings = people.CountSettings(stop_after=limits.video_length)
            summary = people.count_people(video, runtime, out, settings)
        except UserError as error:
            # Neither the name that the file has here nor where it lies is anybody's business.
            said = str(error).replace(str(out), "the report").replace(video, "the video")
            said = said.replace(folder, "")
            return f'<p class="wrong" role="alert">This video cannot be counted: {escape(said)}.</p>'
        table = pd.read_csv(out / "people.csv")
        figures = [_figure(out / name, words) for name, words in FIGURES.items() if (out / name).exists()]
    facts = (
        ("visitors", summary["visitors"]),
        ("at once, at most", summary["most_present"]),
        ("present on average", f"{summary['mean_present']:.1f}"),
        ("seconds looked at", f"{summary['seconds']:.0f}"),
    )
    cards = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    visitors = "1 visitor" if summary["visitors"] == 1 else f"{summary['visitors']} visitors"
    files = {"visitors.csv": ("text/csv", table.to_csv(index=False), "Download table (CSV)")}
    return f'<h2>{visitors}</h2><dl class="facts">{cards}</dl>{"".join(figures)}{table_of(table)}{downloads(files)}'


def _figure(path: Path, words: str) -> str:
    return (
        f'<img class="figure" alt="{words}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
    )

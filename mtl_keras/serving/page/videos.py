"""The people of a video, counted, as a piece of the page."""

import base64
import os
import tempfile
from html import escape
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.page.answers import downloads, table_of
from mtl_keras.serving.page.limits import Limits
from mtl_keras.serving.page.uploads import move
from mtl_keras.serving.people.plots import read_people
from mtl_keras.serving.runtime import Runtime

COUNTER = "mtl_keras.serving.people.counter"
# How videos begin: MP4 and MOV by the name of their first part; Matroska and WebM, AVI, Ogg, FLV, Windows Media, MPEG.
QUICKTIME = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
STARTS = (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV", b"0&\xb2u", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"G")
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
        # Without the ending of its name, which would tell FFmpeg to take a list of other files for a video.
        video, out = os.path.join(folder, "video"), Path(folder, "counted")
        try:
            move(path, video)
            check_video(video)
            settings = people.CountSettings(stop_after=limits.video_length)
            summary = people.count_people(video, runtime, out, settings)
        except UserError as error:
            # Neither the name that the file has here nor where it lies is anybody's business.
            said = str(error).replace(str(out), "the report").replace(video, "the video")
            said = said.replace(folder, "").removeprefix("video: ")
            return f'<p class="wrong" role="alert">This video cannot be counted: {escape(said)}.</p>'
        table = read_people(out / "people.csv", [task.name for task in runtime.tasks])
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


def check_video(path: str) -> None:
    """Refuse a file that does not begin as a video does: a playlist of other files would make FFmpeg open those."""
    with open(path, "rb") as file:
        start = file.read(16)
    if start[4:8] not in QUICKTIME and not start.startswith(STARTS):
        raise UserError("no video of a known format; expected MP4, MOV, WebM, MKV, AVI, Ogg or MPEG")


def _figure(path: Path, words: str) -> str:
    return (
        f'<img class="figure" alt="{words}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
    )

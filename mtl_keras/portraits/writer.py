"""Drawn faces as a folder that is laid out like a public data set."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from PIL import Image
from tqdm import tqdm

from mtl_keras.datasets.rendered import ATTRIBUTES, MANIFEST
from mtl_keras.errors import UserError
from mtl_keras.files import replacing_folder
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.look import LIMITS, Portrait
from mtl_keras.portraits.scene import Frame
from mtl_keras.state_files import read_json, read_or_none
from mtl_keras.tasks import ETHNICITY, EXPRESSION, EYEGLASSES, GENDER, HEAD_POSE, SMILE
from mtl_keras.workers import starting_workers

DRAWING = 6  # raised when the same portrait is drawn differently, so that older folders are drawn anew
BATCH, MANY = 25, 500
# Share of people up to an age: many adults, babies and some very old people, roughly as in UTKFace.
AGES = np.array(
    [
        (0, 0),
        (1, 0.04),
        (5, 0.12),
        (10, 0.19),
        (18, 0.28),
        (26, 0.46),
        (36, 0.65),
        (46, 0.76),
        (60, 0.88),
        (80, 0.97),
        (100, 0.997),
        (117, 1),
    ]
)
# Of people who look about near a camera, in degrees: the standard deviation of each angle, and the most.
ANGLES = {"yaw": (17, 45), "pitch": (9, 25), "roll": (7, 20)}
SERIOUS = tuple(name for name in EXPRESSION.classes if name != "happy")


@dataclass(frozen=True)
class Shot:
    """One image to write: its file (a path below the folder), who is in it, and how it is framed."""

    file: str
    portrait: Portrait
    frame: Frame
    grey: bool = False


@dataclass(frozen=True)
class Plan:
    """All that a folder will hold: the images, and what each label file holds (by its path below the folder)."""

    shots: list[Shot]
    texts: dict[str, str | bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a public data set lays out its folder.

    `plan` takes a count of faces, a seed and a width of images in pixels, by default the set's own `width`.
    """

    name: str
    width: int
    plan: Callable[[int, int, int], Plan]


def sample_portraits(count: int, seed: int = 0) -> list[Portrait]:
    """Choose the labels of `count` portraits: genders and ethnicities balanced, half with eyeglasses, 45 % smiling.

    Labels are independent of each other, except that smiling goes with a happy face (or, for one in eight, a
    surprised one), and not smiling with all the others.
    """
    if count < 1:
        raise UserError(f"count {count!r}: expected at least one portrait")
    if seed < 0:
        raise UserError(f"seed {seed!r} is negative; expected 0 or more")
    random = np.random.Generator(np.random.PCG64(seed))
    ages = np.minimum(np.interp(random.random(count), AGES[:, 1], AGES[:, 0]).astype(int), LIMITS["age"][1])
    people = random.permutation(count) % (len(GENDER.classes) * len(ETHNICITY.classes))
    glasses = random.permutation(count) % 2
    smiles = random.random(count) < 0.45
    expressions, seeds = random.random(count), random.integers(0, 2**31, count)
    angles = {
        name: np.clip(random.normal(0, spread, count), -most, most).round(2) for name, (spread, most) in ANGLES.items()
    }
    portraits = []
    for i in range(count):
        if smiles[i]:
            expression = "happy" if expressions[i] < 0.875 else "surprise"
        else:
            expression = SERIOUS[int(expressions[i] * len(SERIOUS))]
        portraits.append(
            Portrait(
                age=int(ages[i]),
                gender=GENDER.classes[people[i] % len(GENDER.classes)],
                ethnicity=ETHNICITY.classes[people[i] // len(GENDER.classes)],
                smile=SMILE.classes[int(smiles[i])],
                expression=expression,
                eyeglasses=EYEGLASSES.classes[glasses[i]],
                yaw=float(angles["yaw"][i]),
                pitch=float(angles["pitch"][i]),
                roll=float(angles["roll"][i]),
                seed=int(seeds[i]),
            )
        )
    return portraits


def write_faces(folder: str | Path, layout: Layout, count: int, seed: int = 0, size: int | None = None) -> Path:
    """Draw `count` faces into a folder laid out like a public data set, and return the folder.

    `size` is the images' width in pixels, by default the set's own. Beside the set's own files lie `attributes.csv`
    with all labels and `rendered.json` with the settings. The same settings give the same bytes. A complete folder of
    the same settings is kept; one with missing files is drawn anew; a folder with anything else in it is an error, and
    so is a full disk. Nothing half-drawn takes its place.
    """
    folder, size = Path(folder), layout.width if size is None else size
    plan = layout.plan(count, seed, size)
    manifest = {"layout": layout.name, "count": count, "seed": seed, "size": size, "drawing": DRAWING}
    texts = {
        **plan.texts,
        ATTRIBUTES: _attributes(plan.shots).to_csv(index=False),
        MANIFEST: json.dumps(manifest, indent=1) + "\n",
    }
    if _is_complete(folder, {*texts, *(shot.file for shot in plan.shots)}, manifest):
        return folder
    with replacing_folder(folder) as temporary:
        batches = [plan.shots[i : i + BATCH] for i in range(0, count, BATCH)]
        # Processes, since drawing holds Python's lock; for fewer faces starting them takes longer than drawing.
        workers = min(2, cpu_count()) if count >= MANY else 1
        jobs = (delayed(_draw)(temporary, batch) for batch in batches)
        with tqdm(total=count, desc=f"drawing {folder.name}", unit="face") as bar:
            with starting_workers():
                counts = Parallel(n_jobs=workers, return_as="generator")(jobs)
            for drawn in counts:
                bar.update(drawn)
        for file, text in texts.items():
            path = temporary / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            else:
                path.write_text(text, encoding="utf-8", newline="\n")
    return folder


def _utkface(count: int, seed: int, width: int) -> Plan:
    """Plan [age]_[gender]_[race]_[yyyymmddHHMMSSFFF].jpg.chip.jpg; every index has a time of its own."""
    shots = []
    for index, portrait in enumerate(sample_portraits(count, seed)):
        time = datetime(2025, 1, 1) + timedelta(seconds=7 * index)
        milliseconds = int.from_bytes(hashlib.sha256(f"{seed} {index}".encode()).digest()[:4], "big") % 1000
        gender, race = GENDER.classes.index(portrait.gender), ETHNICITY.classes.index(portrait.ethnicity)
        name = f"{portrait.age}_{gender}_{race}_{time:%Y%m%d%H%M%S}{milliseconds:03d}.jpg.chip.jpg"
        shots.append(Shot(name, portrait, Frame(width, width, width)))
    return Plan(shots)


UTKFACE = Layout("utkface", 200, _utkface)


def _attributes(shots: list[Shot]) -> pd.DataFrame:
    """Return the table of files and all their labels, with the seed from which a portrait can be drawn again."""
    rows = [{"file": shot.file, **vars(shot.portrait)} for shot in shots]
    return pd.DataFrame(rows).rename(columns=dict(zip(HEAD_POSE.outputs, HEAD_POSE.columns, strict=True)))


def _draw(folder: Path, shots: list[Shot]) -> int:
    """Draw and save images, and return how many."""
    for shot in shots:
        path = folder / shot.file
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(render(shot.portrait, shot.frame))
        (image.convert("L") if shot.grey else image).save(path, quality=95)  # PNG knows no quality
    return len(shots)


def _is_complete(folder: Path, files: set[str], manifest: dict) -> bool:
    """Tell whether the folder holds exactly these files; a folder with others in it is an error."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; expected a folder to draw into, or a new name")
    missing = files.union(parent.as_posix() for file in files for parent in Path(file).parents) - {"."}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name not in missing:
            raise UserError(
                f"{folder}: holds other files than these faces (such as {name}); name a new folder or empty it"
            )
        missing.remove(name)
    if missing:
        return False
    written = read_or_none(read_json, folder / MANIFEST, {}, lost="drawn anew")
    return written == manifest and all((folder / file).stat().st_size > 0 for file in files)

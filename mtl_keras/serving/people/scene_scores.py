"""A table of how well people are counted in every drawn scene, and a picture of one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_keras.extras import needed
from mtl_keras.files import replacing
from mtl_keras.portraits.moving import Scene, Seen
from mtl_keras.portraits.scenes import LINE, SCENES, SIMPLE, ZONE
from mtl_keras.serving.people.counter import PeopleCounter
from mtl_keras.serving.people.scores import NoisyTruth, follow
from mtl_keras.serving.people.settings import DETECTOR, CountSettings
from mtl_keras.serving.people.sightings import Faces, Sighting

COLUMNS = ("scene", "detector", "seed", "people", "visitors", "crossings", "crossed", "hota", "deta", "assa", "idf1",
           "switches")  # fmt: skip
MEASURED = COLUMNS[3:]


def score_scenes(seeds: int, told: Callable[[dict], None] = lambda row: None) -> list[dict]:
    """Return a row with `COLUMNS` for every scene, detector and seed; `told` is called with each when it is there."""
    faces = Faces(DETECTOR)

    def yunet(pixels: np.ndarray, seen: list[Seen]) -> list[Sighting]:
        return faces(pixels)

    rows = []
    for scene, make in SCENES.items():
        for seed in range(seeds):
            known = make(seed)
            for detector, see in (("YuNet", yunet), ("truth with noise", NoisyTruth(seed))):
                found = follow(known, see)
                counted = {"people": known.visitors, "visitors": found.visitors}
                crossings = {"crossings": known.entered + known.left, "crossed": found.entered + found.left}
                scores = {name: round(value, 4) for name, value in found.scores._asdict().items()}
                rows.append({"scene": scene, "detector": detector, "seed": seed, **counted, **crossings, **scores})
                told(rows[-1])
    return rows


def score_lines(rows: list[dict]) -> list[str]:
    """Return the lines of a Markdown table of the means over seeds."""
    lines = [
        "| scene | detector | people | counted | crossings | counted | HOTA | DetA | AssA | IDF1 | switches |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for scene, detector in dict.fromkeys((row["scene"], row["detector"]) for row in rows):
        chosen = [row for row in rows if (row["scene"], row["detector"]) == (scene, detector)]
        means = [float(np.mean([row[name] for row in chosen])) for name in MEASURED]
        cells = [*(f"{mean:.1f}".removesuffix(".0") for mean in means[:4]), *(f"{mean:.3f}" for mean in means[4:8])]
        kind = "" if scene in SIMPLE else " (hard)"
        lines.append(f"| {scene}{kind} | {detector} | {' | '.join(cells)} | {means[8]:.1f} |")
    return lines


def draw_scene(folder: Path, scene: Scene, seconds: float) -> None:
    """Write `scene.png`, a moment of a scene as the annotated video shows it, its drawn faces not hidden."""
    cv2 = needed("cv2", "people")
    video, out = folder / "scene.mp4", folder / "counted"
    scene.write(video)
    PeopleCounter(video, None, out, CountSettings(line=LINE, zone=ZONE, show_faces=True)).run()
    reader = cv2.VideoCapture(str(out / "annotated.mp4"))
    reader.set(cv2.CAP_PROP_POS_FRAMES, round(seconds * scene.frame_rate))
    picture = Image.fromarray(cv2.cvtColor(reader.read()[1], cv2.COLOR_BGR2RGB))
    reader.release()
    with replacing(folder / "scene.png") as temporary:
        picture.resize((2 * scene.width, 2 * scene.height), Image.Resampling.LANCZOS).save(temporary, format="png")
    for file in (video, *out.iterdir()):
        file.unlink()
    out.rmdir()

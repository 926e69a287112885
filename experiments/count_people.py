"""How well people are counted in drawn scenes whose truth is known: HOTA, IDF1, and the counts themselves.

python experiments/count_people.py

    follows the people of six scenes, drawn anew with each of three seeds, as YuNet sees them, and as a detector does
    that misses one face in ten: two minutes on two cores. Expect exact counts in the simple scenes, HOTA of about 0.8.

python experiments/count_people.py --identities CelebA --weights 20180408-102900

    also measures from which cosine of FaceNet's features on two faces are taken for one person.

Writes scores.csv, table.md, run.json, a picture of a scene with tracks and, with --identities, same_person.md to
runs/count_people/, or to the folder that --out names.
"""

import time
from pathlib import Path

import tyro

from mtl_keras.errors import guarded, kept_if_interrupted
from mtl_keras.files import replacing, write_rows
from mtl_keras.owner import owned


def main(
    seeds: int = 3, identities: Path | None = None, weights: str | None = None, out: Path = Path("runs/count_people")
) -> None:
    """Score tracks and counts in every scene and write the table.

    Args:
        seeds: How many times each scene is drawn, with other people.
        identities: Folder of CelebA, whose identities are known; then FaceNet's features are measured too.
        weights: Weights file of FaceNet, or its published name.
        out: Folder for the table.
    """
    from mtl_keras.datasets.celeba import celeba
    from mtl_keras.portraits.scenes import crowd
    from mtl_keras.serving.people.recognizing import Recognizing
    from mtl_keras.serving.people.same_person import rate_lines, same_person_rates
    from mtl_keras.serving.people.scene_scores import COLUMNS, draw_scene, score_lines, score_scenes
    from mtl_keras.studies.provenance import write_run_json

    with owned(out):
        start = time.perf_counter()
        with kept_if_interrupted("nothing was written"):
            rows = score_scenes(seeds, lambda row: print(f"{row['scene']}, {row['detector']}: HOTA {row['hota']:.3f}"))
            write_rows(rows, list(COLUMNS), out / "scores.csv")
            draw_scene(out, crowd(1).scene, 6.0)
            if identities:
                rates = same_person_rates(celeba(identities), Recognizing(weights or "20180408-102900"))
                write_rows(rates, list(rates[0]), out / "same_person.csv")
                write_lines(rate_lines(rates), out / "same_person.md")
        write_lines(score_lines(rows), out / "table.md")
        write_run_json(out, {"seconds": time.perf_counter() - start, "settings": {"seeds": seeds}})
        print(f"table: {out / 'table.md'}")


def write_lines(lines: list[str], path: Path) -> None:
    """Write lines of text."""
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))

"""Time and peak memory of a training step under each weighting, beside equal weights.

python experiments/step_costs.py

    measures FaceNet with three tasks, 32 images of 160 x 160 pixels and random weights, under every weighting, each in
    a fresh process and with its gradients taken at features and at parameters: hours on two cores, so choose some.

python experiments/step_costs.py --backbone gender_eyeglasses --weightings equal mgda pcgrad

    takes a minute.

Writes step_costs.csv, table.md and run.json to runs/step_costs/, or to the folder that --out names. Nothing else should
run meanwhile; the ratio in the row of equal weights shows how exact the others are. Expect at most 1.2 where gradients
are taken at features, and at most 2.5 at parameters. experiments/step_costs_libmtl.py adds rows of LibMTL. Linux only.
"""

import time
from pathlib import Path

import tyro

from mtl_keras.errors import guarded, kept_if_interrupted
from mtl_keras.files import replacing
from mtl_keras.owner import owned
from mtl_keras.studies.provenance import write_run_json
from mtl_keras.studies.step_costs import Step, cost_lines, step_costs, write_costs
from mtl_keras.training.weightings import WEIGHTINGS


def main(
    backbone: str = "facenet",
    batch_size: int = 32,
    image_size: int | None = None,
    sharing: str = "hard",
    weightings: tuple[str, ...] = (),
    repeats: int = 5,
    out: Path = Path("runs/step_costs"),
) -> None:
    """Measure these weightings, all by default, and write what a step of each costs.

    Args:
        backbone: The trunk, of `mtl-keras list backbones`.
        batch_size: Images of a step.
        image_size: Side of the images in pixels; the backbone's own if not given.
        sharing: What the tasks share, of `mtl-keras list sharing`.
        weightings: Which are measured, of `mtl-keras list weightings`; all if not given.
        repeats: Steps of each that are timed.
        out: Folder for the table.
    """
    with owned(out):
        start, rows = time.perf_counter(), []

        def told(row: dict) -> None:
            rows.append(row)
            write_costs(rows, out)
            print(f"{row['weighting']} {row['gradients_at']}: {row['ms']:.0f} ms, {row['ratio']:.2f} of equal weights")

        step = Step(backbone, batch_size, sharing=sharing, image_size=image_size)
        with kept_if_interrupted(f"what was measured is kept in {out}"):
            step_costs(step, list(weightings or WEIGHTINGS), repeats, told)
        with replacing(out / "table.md") as temporary:
            temporary.write_text("\n".join(cost_lines(out)) + "\n", encoding="utf-8")
        write_run_json(
            out, {"seconds": time.perf_counter() - start, "settings": {**step._asdict(), "repeats": repeats}}
        )
        print(f"table: {out / 'table.md'}")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))

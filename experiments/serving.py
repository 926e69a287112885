"""Measure trained networks in every format and precision: size, speed beside Keras and OpenVINO, and accuracy.

    python experiments/serving.py --models runs/facenet_utk/models/NAME runs/bknet/models/NAME --data UTKFace

For FaceNet and BKNet on UTKFace about 40 minutes on two cores that do nothing else; what was measured is kept, and the
same command with --resume goes on. Without --data, a tiny network on drawn faces takes under two minutes and shows that
everything runs; its accuracy says nothing. To expect of FaceNet in OpenVINO's int8: a file of 24 MB, and several times
the speed of Keras.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

import mtl_keras as mtl
from mtl_keras.boxes import refuse_boxes
from mtl_keras.data.derive import derived
from mtl_keras.data.images import read_image, resize
from mtl_keras.errors import UserError, guarded, kept_if_interrupted
from mtl_keras.evaluation.metrics import differences, metrics_with_intervals
from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.extras import needed
from mtl_keras.files import replacing, write_rows
from mtl_keras.kinds import kind_of, metric_of
from mtl_keras.owner import owned
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.serving.compared import answered
from mtl_keras.serving.exported import read_exported
from mtl_keras.serving.formats import FORMATS
from mtl_keras.serving.formats.openvino import FILE, settings
from mtl_keras.serving.runtime import Runtime, open_runtime
from mtl_keras.state_files import read_csv
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.provenance import data_fingerprint, write_run_json
from mtl_keras.studies.runs import read_run
from mtl_keras.studies.timing import milliseconds_in_turns
from mtl_keras.training import model_folder

KEYS = ("model", "format", "precision", "float_layers")
BATCH = 32
# So many training images calibrate int8.
CALIBRATION = 300
# What takes turns: Keras, OpenVINO by itself with the same file (else its float32), what is measured, and `Predictor`.
TIMED = ("keras", "openvino", "this", "predictor")


def variants(model: mtl.MultiTaskModel) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return every format and precision, OpenVINO's first, and int8 with the heads in float."""
    pairs = [(name, precision, ()) for name in reversed([*FORMATS]) for precision in FORMATS[name].precisions]
    return [*pairs, ("openvino", "int8", tuple(f"{task.name}_" for task in model.tasks))]


def exported(place: tuple, network: Path, crops: np.ndarray, out: Path) -> Path:
    """Return the folder of an export, which is written unless it is there and whole."""
    name, precision, kept = place
    folder = out / f"{name}-{precision}{'-float-heads' if kept else ''}"
    try:
        if folder.is_dir() and read_exported(folder):
            return folder
    except UserError:
        print(f"{folder}: written anew")
    images = crops if precision in FORMATS[name].calibrated else None
    return mtl.export(network, name, precision, images, folder, kept)


def bare_openvino(folder: Path, precision: str) -> Callable:
    """Return what runs an export of OpenVINO as its own documentation does."""
    core = needed("openvino", "serve").Core()
    network = core.compile_model(folder / FILE, "CPU", settings(core, precision))
    return lambda images: network([images])


def speeds(reference: Runtime, bare: Callable, folder: Path, crops: np.ndarray, repeats: int) -> dict[str, float]:
    """Return the median milliseconds an image, alone and in batches, of all that take turns."""
    predictor = mtl.Predictor(folder, faces="crop")
    runs = (reference.run, bare, open_runtime(folder).run, lambda images: predictor(list(images)))
    found = {}
    for name, count in (("alone", 1), ("batch", min(BATCH, len(crops)))):
        images = crops[:count]
        steps = [lambda run=run: run(images) for run in runs]  # noqa: B023 - called within this round
        for step in (step for step in steps for _ in range(3)):
            step()
        medians = np.median(milliseconds_in_turns(steps, repeats), axis=0) / count
        found |= {f"{what}_{name}_ms": round(float(value), 4) for what, value in zip(TIMED, medians, strict=True)}
    return found


def accuracy(table: pd.DataFrame, tasks: list, expected: dict, outputs: dict) -> dict[str, float]:
    """Return each task's main figure and how far it is from that of Keras, with intervals."""
    first, other = (with_predictions(table, tasks, each) for each in (outputs, expected))
    figures = metrics_with_intervals(first, tasks)
    found = {}
    for task in tasks:
        name = f"{task.name}.{kind_of(task).SCORE.name}"
        (differs,) = (row for row in differences(first, other, task) if row["metric"] == name)
        found |= {key: figures[key] for key in (name, f"{name}.low", f"{name}.high")}
        found |= {f"{name}.{key}": differs[key] for key in ("difference",)}
        found |= {f"{name}.difference.{key}": differs[key] for key in ("low", "high")}
    return found


def measured(folder: Path, parts: dict, row: dict, out: Path, repeats: int) -> dict:
    """Return the row of one network in one form, completed by everything that is measured of it."""
    runtime, place = parts["runtime"], tuple(row[key] for key in KEYS[1:])
    crops, kept = parts["calibration"], tuple(filter(None, place[2].split()))
    export = exported((*place[:2], kept), folder, crops, out)
    same = place[1] if place[0] == "openvino" else "float32"
    bare_folder = exported(("openvino", same, kept), folder, crops, out)
    size = sum((export / name).stat().st_size for name in read_exported(export)["export"]["files"])
    timed = speeds(runtime, bare_openvino(bare_folder, same), export, parts["crops"], repeats)
    outputs = answered(open_runtime(export).run, parts["crops"])
    tasks = [task for task in runtime.tasks if parts["test"].get(task.columns[0]) is not None]
    return {**row, "mb": size / 1e6, **timed, **accuracy(parts["test"], tasks, parts["expected"], outputs)}


def tested(folder: Path, table: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a network is measured on: its run's own test images, since it may know those of `test`."""
    name = model_folder.read_sidecar(folder).get("run")
    run = read_run(folder.resolve().parents[1] / "checkpoints" / name, table) if name else None
    if run is None or not len(run.predictions):
        print(f"{folder}: no checkpoints/ beside models/ says what it was tested on; taking the data set's test split")
        return test
    return table[table["path"].isin(run.predictions["path"])]


def parts_of(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> dict:
    """Return a network of Keras, the crops that it sees of both tables, and its answers."""
    runtime = open_runtime(folder)
    # An age group follows from an age.
    test = derived(test, runtime.tasks)
    train = train[~train["path"].isin(test["path"])]
    train = train.sample(min(CALIBRATION, len(train)), random_state=0)
    sides = (runtime.image_size, runtime.resize_method)
    calibration, crops = (
        np.stack([resize(read_image(path), *sides) for path in each["path"]]) for each in (train, test)
    )
    expected = answered(runtime.run, crops)
    return {"runtime": runtime, "calibration": calibration, "crops": crops, "test": test, "expected": expected}


def write_markdown(rows: pd.DataFrame, path: Path) -> None:
    """Write the table, network by network: times in milliseconds an image, and how many times faster than Keras."""
    scores = [name for name in rows if f"{name}.difference" in rows]
    speed = ["ms alone", "x Keras", "ms in batches", "x Keras", "Predictor / OpenVINO, alone", "in batches"]
    heads = ["format", "precision", "in float", "MB", *speed, *(title(name) for name in scores)]
    lines = []
    for model, several in rows.groupby("model", sort=False):
        lines.append([f"*{model}*", *[""] * (len(heads) - 1)])
        for row in several.to_dict("records"):
            cells = [row["format"], row["precision"], row["float_layers"] or "–", f"{row['mb']:.1f}"]
            for name in ("alone", "batch"):
                own, keras = row[f"this_{name}_ms"], row[f"keras_{name}_ms"]
                cells += [f"{own:.2f}", f"{keras / own:.1f}"]
            cells += [f"{row[f'predictor_{name}_ms'] / row[f'openvino_{name}_ms']:.2f}" for name in ("alone", "batch")]
            lines.append([*cells, *(figure(row, name) for name in scores)])
    text = "\n".join(table_lines(heads, lines, text=(0, 1, 2)))
    with replacing(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def title(name: str) -> str:
    """Return the heading of a figure such as "gender.accuracy": "gender %"."""
    return f"{name.rpartition('.')[0].replace('_', ' ')} {metric_of(name).heading}, minus Keras'"


def figure(row: dict, name: str) -> str:
    """Return a figure of a row, and in brackets how far it is from that of Keras, with the interval of that."""
    if pd.isna(row[name]):
        return "–"
    factor = metric_of(name).factor
    keys = ("", ".difference", ".difference.low", ".difference.high")
    value, *ends = (round(factor * row[f"{name}{key}"], 2) + 0.0 for key in keys)  # no -0.00
    return "{:.2f}, {:+.2f} [{:+.2f}, {:+.2f}]".format(value, *ends)


def drawn(out: Path) -> tuple[Path, Path]:
    """Return a tiny untrained network's folder, and a folder of drawn faces."""
    model = mtl.MultiTaskModel([mtl.AGE, mtl.GENDER], "bknet", image_size=32)
    return model_folder.save(model, out / "model"), write_faces(out / "faces", LAYOUTS["utkface"], 80, seed=1, size=64)


def main(
    models: tuple[Path, ...] = (),
    data: Path | None = None,
    dataset: str = "utkface",
    repeats: int = 30,
    resume: bool = False,
    out: Path = Path("runs/serving"),
) -> None:
    """Measure the models of these folders on the images of a data set that their runs were tested on.

    Of a folder that no run's `checkpoints/` lie beside, that is the data set's test split. int8 is calibrated on images
    of the training split.
    """
    start = time.perf_counter()
    if bool(models) != bool(data):
        raise UserError("measuring takes both --models and --data; give neither for a tiny drawn version")
    with owned(out):
        path = out / "serving.csv"
        rows = read_csv(path, KEYS).fillna({"float_layers": ""}).to_dict("records") if resume and path.exists() else []
        done = {tuple(row[key] for key in KEYS) for row in rows}
        with (
            kept_if_interrupted(f"rows are kept in {path}; add --resume to go on"),
            tempfile.TemporaryDirectory() as drawings,
        ):
            if not data:
                model, data = drawn(Path(drawings))
                models, repeats = (model,), min(repeats, 5)
            table = mtl.check_images(mtl.datasets.DATASETS[dataset](data))
            refuse_boxes(table)
            train, _, test = mtl.split(table, seed=0)
            for folder in models:
                network, parts = mtl.load(folder), None
                for name, precision, layers in variants(network):
                    row = dict(zip(KEYS, (folder.name, name, precision, " ".join(layers)), strict=True))
                    if tuple(row.values()) in done:
                        continue
                    parts = parts or parts_of(folder, train, tested(folder, table, test).reset_index(drop=True))
                    rows.append(measured(folder, parts, row, out / "exports" / folder.name, repeats))
                    write_rows(rows, list(dict.fromkeys(key for each in rows for key in each)), path)
                    print(f"{' '.join(row.values())}: {rows[-1]['this_batch_ms']:.2f} ms an image", flush=True)
            fingerprint = data_fingerprint(table)
        write_markdown(pd.DataFrame(rows).astype(object).fillna(np.nan), out / "table.md")
        info = {"seconds": time.perf_counter() - start, "data_fingerprint": fingerprint}
        write_run_json(out, info)
        print(f"table: {out / 'table.md'}")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))

"""Whatever stands in a file, it is read or refused in one line: inputs that are changed at random, kind by kind.

The suite tries a few of each kind. `MTL_KERAS_FUZZ=20000 pytest -n 0 -s tests/test_fuzz.py` tries that many of each,
which takes twenty minutes of one core, and prints how many were read and how many refused.
"""

import contextlib
import io
import json
import os
import random
import runpy
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data import manifest
from mtl_keras.data.inspection import inspect_images
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.shards import shard_table
from mtl_keras.data.table import read_table
from mtl_keras.datasets import DATASETS
from mtl_keras.datasets.matlab import read_mat
from mtl_keras.datasets.task_file import add_tasks_of
from mtl_keras.errors import UserError
from mtl_keras.faces.folder import JOURNAL, open_folder
from mtl_keras.files import free_name, write_rows
from mtl_keras.studies import results, runs
from mtl_keras.studies.temperatures import kept_outputs, temperatures_noted
from mtl_keras.tasks import GENDER, TASKS
from mtl_keras.training.conflict import read_conflict
from mtl_keras.training.model_folder import read_sidecar, sidecar

COUNT = int(os.environ.get("MTL_KERAS_FUZZ", 60))
LAYOUTS = runpy.run_path(str(Path(__file__).parent / "datasets" / "test_laws.py"))
TINY = LAYOUTS["TINY"]
# What a value of a file may be in the place of another.
TOKENS = [
    *b"""1e300 -1 0 1.5 inf -inf nan NaN null true "" '' [] {} x 1e9 = @ + - '= " , ; [[ {" ]] None 0x10 NA""".split(),
    *rb"""20-29 70+ 1,5 ../x /etc/x ..\\x C:\\x \ud800 9223372036854775808 -9223372036854775809 1e-400 path""".split(),
    *map(str.encode, ("\u202e", "\ufeff", "１", "½", "²", "\0", "\x1b", "\n", "\r\n", "", " ", "1" + "0" * 400)),
    *(b"\xff\xfe", bytes(16), b"9" * 5000, b"[" * 20_000, b'{"a":' * 5000, b"x" * 9999, b"\xed\xa0\x80"),
]
VALUES = [None, True, -1, 0, 1.5, 1e300, float("inf"), float("nan"), 10**19, 10**400, "", "x", "../x", "/x", "\ud800"]
VALUES += ["a\0b", [], {}, [[]], [None], {"": 0}, ["x"] * 3, "9" * 50]


def mutated(contents: bytes, draw: random.Random) -> bytes:
    """Return contents that are cut, torn, doubled, flipped or told otherwise at one place or a few."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at, length = draw.randrange(len(contents) + 1), draw.choice((0, 1, 1, 2, 4, 8, 64))
        cells = [place for place, sign in enumerate(contents) if sign in b',; \t\n:"[]{}']
        if cells and draw.random() < 0.5:  # a whole cell
            place = draw.randrange(len(cells))
            at = cells[place] + 1
            length = (cells[place + 1] if place + 1 < len(cells) else len(contents)) - at
        new = _piece(contents, contents[at : at + length], draw)
        contents = contents[:at] + new + contents[at + length :] if draw.random() < 0.93 else contents[:at]
    return contents


def _piece(contents: bytes, old: bytes, draw: random.Random) -> bytes:
    """Return what takes the place of a piece of the contents."""
    kind = draw.randrange(5)
    if kind < 2:
        return draw.choice(TOKENS)
    if kind == 2:
        return draw.randbytes(max(1, len(old)))
    if kind == 3:
        return contents[draw.randrange(len(contents) + 1) :][: draw.choice((1, 8, 200))]
    return bytes(sign ^ (1 << draw.randrange(8)) for sign in old)


def changed(value: object, draw: random.Random) -> object:
    """Return what JSON holds with another value at one place at any depth."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.15:
        return draw.choice(VALUES)
    copy = value.copy()
    key = draw.choice([*value]) if isinstance(value, dict) else draw.randrange(len(value))
    if draw.random() < 0.15:
        copy.pop(key)
    elif draw.random() < 0.1 and isinstance(copy, dict):
        copy[draw.choice(("x", "", "age", key))] = copy.pop(key)
    else:
        copy[key] = changed(value[key], draw)
    return copy


def json_text(value: object, draw: random.Random) -> bytes:
    """Return JSON of a value that was changed, or whose text was."""
    if draw.random() < 0.6:
        return json.dumps(changed(value, draw)).encode()
    return mutated(json.dumps(value).encode(), draw)


# === Kinds: each takes an empty folder and returns a function that reads one changed input ===


def file_names(folder):
    names = ["26_1_2_20170116174525125.jpg.chip.jpg", "train_00001.jpg", "frame_00003_rgb.png", "happy", "a b.JPG"]
    readers = [DATASETS[name] for name in ("utkface", "class_folders", "raf_db", "biwi", "appa_real")]

    def read(draw):
        name = mutated(draw.choice(names).encode(), draw).replace(b"/", b"_").replace(b"\0", b"")[:200]
        shutil.rmtree(folder)
        place = os.fsencode(folder) + draw.choice((b"/", b"/happy/", b"/01/"))
        os.makedirs(place)
        with contextlib.suppress(IsADirectoryError):
            open(place + (name or b"x"), "wb").close()  # noqa: SIM115
        free_name(os.fsdecode(name), ".jpg", set())
        draw.choice(readers)(folder)

    return read


def csv(folder):
    (folder / "a.jpg").touch()
    (folder / "b.jpg").touch()
    contents = (
        b"path,source,split,group,gender,age,smile,head_pose.yaw,age.low,age.high,box\n"
        b"a.jpg,x,train,1,male,20,smiling,1.5,,,1 2 30 40\nb.jpg,,test,2,female,,,,20,29,1 2 3 4\n"
    )

    def read(draw):
        (folder / "labels.csv").write_bytes(mutated(contents, draw))
        draw.choice((DATASETS["csv_file"], read_table))(folder / "labels.csv")

    return read


def lists(folder):
    places = {}
    for number, name in enumerate(name for name, tiny in TINY.items() if tiny.labels):
        places[name] = LAYOUTS["lay_out"](folder / str(number), name)

    def read(draw):
        name = draw.choice([*places])
        file, contents = draw.choice([*TINY[name].labels.items()])
        try:
            (places[name] / file).write_bytes(mutated(contents, draw))
            LAYOUTS["reader_of"](name)(places[name])
        finally:
            (places[name] / file).write_bytes(contents)

    return read


def mat(folder):
    from scipy.io import savemat

    values = {"numbers": np.arange(6.0).reshape(2, 3), "texts": np.array(["a", "bc"], object), "one": {"x": 1}}
    kinds = []
    for options in ({}, {"do_compression": True}, {"format": "4"}):
        file = io.BytesIO()
        savemat(file, {"wanted": values["numbers"] if options.get("format") else values}, **options)
        kinds.append(file.getvalue())

    def read(draw):
        (folder / "a.mat").write_bytes(mutated(draw.choice(kinds), draw))
        read_mat(folder / "a.mat", "wanted")

    return read


def model_json(folder):
    about = json.loads(json.dumps(sidecar(_Named(), run="a", on_request=["gender"])))
    exported = {"format": "onnx", "precision": "float32", "files": {"model.onnx": "0" * 64}}
    (folder / "model.keras").touch()
    (folder / "model.onnx").touch()
    from mtl_keras.serving.exported import read_exported

    def read(draw):
        name, value, reader = draw.choice((
            ("model.json", about, lambda: read_sidecar(folder)),
            ("model.json", {**about, "export": exported}, lambda: read_exported(folder)),
            ("tasks.json", about["tasks"], lambda: add_tasks_of(folder / "tasks.json")),
        ))  # fmt: skip
        (folder / name).write_bytes(json_text(value, draw))
        reader()

    return read


class _Named:
    """What a sidecar tells of a model."""

    tasks, backbone, image_size = [TASKS["age"], TASKS["gender"], TASKS["head_pose"]], "bknet", 48


def packed(folder):
    """Pack two rows with images, and return the manifest without its seal."""
    LAYOUTS["draw"](folder / "a.png")
    LAYOUTS["draw"](folder / "b.png")
    table = pd.DataFrame({"path": [str(folder / "a.png"), str(folder / "b.png")], "split": ["train", "test"]})
    labels = {"source": "x", "gender": ["male", None], "age": [20.0, 3.0], "head_pose.yaw": [1.0, None]}
    written = pack_shards(table.assign(**labels), folder / "shards")
    return folder / "shards", {key: value for key, value in written.items() if key != "sha256"}


def manifests(folder):
    place, whole = packed(folder)

    def read(draw):
        new = changed(whole, draw)
        if isinstance(new, dict) and draw.random() < 0.8:
            text = json.dumps({**new, "sha256": manifest._seal(new)}).encode()
        else:
            text = json_text(whole, draw)
        (place / "manifest.json").write_bytes(text)
        found = manifest.Shards(str(place), manifest.read_manifest(str(place)), draw.choice((None, "train")))
        assert found.rows <= 2 and found.labelled("age") >= 0 and len(found.tasks) <= 3
        [manifest.damage(found.folder, shard, True) for shard, _, _ in found.parts]

    return read


def tfrecords(folder):
    place, whole = packed(folder)
    file = str(place / whole["shards"][0]["file"])
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    contents = Path(file).read_bytes()

    def read(draw):
        if draw.random() < 0.2:
            Path(file).write_bytes(mutated(contents, draw))
        else:
            with tf.io.TFRecordWriter(file) as writer:
                for record in records:
                    example = tf.train.Example.FromString(record)
                    one, other = draw.sample([*example.features.feature], 2)
                    new = draw.choice((example.features.feature[other], *_features(draw)))
                    example.features.feature[one].CopyFrom(new)
                    text = example.SerializeToString()
                    writer.write(text if draw.random() < 0.8 else mutated(text, draw))
        shard_table(manifest.Shards(str(place), whole))

    return read


def _features(draw):
    number = draw.choice((-1, 0, 99, -(2**63), 2**63 - 1))
    yield tf.train.Feature()
    yield tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
    yield tf.train.Feature(float_list=tf.train.FloatList(value=[draw.choice((-1.0, 1e30, np.inf, np.nan))]))
    yield tf.train.Feature(bytes_list=tf.train.BytesList(value=[draw.choice(TOKENS)] * draw.choice((1, 1, 2))))


def run_files(folder):
    """Rows, answers, learning curves, settings, temperatures, tables of results, and arrays that are kept."""
    table = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "source": "x", "gender": ["male", "female"]})
    answered = table.assign(**{"gender.class": ["male", "female"], "gender.probability": [0.5, 1.0]})
    run, outputs = folder / "net-12345678", {"gender": np.eye(2, dtype="float32")}
    (run / "backup").mkdir(parents=True)
    runs.write_run(run, {"run": "a", "tasks": "gender", "seed": 1, "age.mae": None}, answered)
    write_rows([{"epoch": epoch, "loss": 1.5, "val_loss": 2, "seconds": 3} for epoch in (0, 1)],
               ["epoch", "loss", "val_loss", "seconds"], run / "history.csv")  # fmt: skip
    write_rows([{"epoch": 0, "first": "a", "second": "b", "cosine": 0.5}],
               ["epoch", "first", "second", "cosine"], run / "conflict.csv")  # fmt: skip
    (run / "settings.json").write_text(json.dumps({"seed": 0, "tasks": ["gender"], "units": [1, 2]}))
    (run / "temperatures.json").write_text(json.dumps({"gender": 1.25}))
    row = {"run": "a", "tasks": "gender", "backbone": "x", "stage": "trained", "gender.accuracy": 0.5}
    results.write_runs([row], run)
    results.write_differences([{"run": "a", "baseline": "b", "metric": "gender.accuracy", "difference": 0.1}], run)
    results.write_sets([{"run": "a", "source": "x", "images": 2, "gender.accuracy": 0.5}], run)
    kept_outputs(run, "test", table, [GENDER], lambda: outputs)
    inspect_images([str(run / "row.json")], run / "images.npz")
    LAYOUTS["draw"](folder / "a.png")
    inspect_images([str(folder / "a.png")], run / "images.npz")
    open_folder(folder / "crops", {"size": 1})
    line = {"photo": "a", "name": "a", "faces": 1, "stamp": [1, 2], "crops": [{"file": "a.jpg", "confidence": 1.0}]}
    (folder / "crops" / JOURNAL).write_text(json.dumps(line) + "\n")
    from mtl_keras.studies.sets import set_lines

    readers = {
        "row.json": lambda: runs.read_run(run, table),
        "predictions.csv": lambda: runs.read_run(run, table),
        "history.csv": lambda: runs.read_history(run),
        "conflict.csv": lambda: read_conflict(run / "conflict.csv"),
        "settings.json": lambda: runs.find_folder(folder, "net", {"seed": 0}, {"seed": 1}),
        "temperatures.json": lambda: temperatures_noted(run),
        "runs.csv": lambda: results.write_markdown(run, [GENDER]),
        "differences.csv": lambda: results.write_markdown(run, [GENDER]),
        "sets.csv": lambda: set_lines(run, [GENDER]),
        "outputs-test.npz": lambda: kept_outputs(run, "test", table, [GENDER], lambda: outputs),
        "images.npz": lambda: inspect_images([str(folder / "a.png")], run / "images.npz"),
        f"../crops/{JOURNAL}": lambda: open_folder(folder / "crops", {"size": 1}),
        "../crops/crops.json": lambda: open_folder(folder / "crops", {"size": 1}),
    }
    whole = {name: (run / name).read_bytes() for name in readers}

    def read(draw):
        name = draw.choice([*readers])
        try:
            text = json_text(json.loads(whole[name]), draw) if name.endswith(".json") else mutated(whole[name], draw)
            (run / name).write_bytes(text)
            readers[name]()
        finally:
            for each in (name, f"../crops/{JOURNAL}"):
                (run / each).write_bytes(whole[each])

    return read


@pytest.mark.parametrize(
    "kind", [file_names, csv, lists, mat, model_json, manifests, tfrecords, run_files], ids=lambda kind: kind.__name__
)
def test_a_changed_input_is_read_or_refused_in_one_line(tmp_path, kind, no_new_tasks, capsys):
    (tmp_path / "inputs").mkdir()
    known = {*TASKS}
    read, refused, failed = kind(tmp_path / "inputs"), 0, {}
    for number in range(COUNT):
        draw = random.Random(number)
        try:
            read(draw)
        except UserError as error:
            assert str(error) and "\n" not in str(error)
            refused += 1
        except Exception as error:  # noqa: BLE001
            failed.setdefault(f"{type(error).__name__}: {str(error)[:200]}", number)
        for name in {*TASKS} - known:
            TASKS.pop(name)
    with capsys.disabled():
        if COUNT > 1000:
            print(f"\n{kind.__name__}: {COUNT} inputs, {refused} refused, {COUNT - refused} read, {len(failed)} failed")
    assert not failed

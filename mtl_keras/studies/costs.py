"""What it costs to ask one network of several tasks, and one network for each task: parameters and time an image."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from mtl_keras.data.table import write_table
from mtl_keras.state_files import read_csv
from mtl_keras.studies.markdown import table_lines
from mtl_keras.training.model import MultiTaskModel

ROUNDS, BATCH = 30, 32
EACH = "a network of one task, the mean of these"
COLUMNS = ("networks", "parameters", "milliseconds_alone", "milliseconds_in_batches")


def compare_costs(one: MultiTaskModel, several: list[MultiTaskModel], out: Path) -> None:
    """Write `costs.csv` in the folder `out`: parameters and milliseconds an image of a model, of several, and of each.

    What each of several costs is their mean. An image is asked alone, and in batches of 32. Both sides take turns, so
    that whatever else the machine does slows them alike, and the median of 30 rounds counts.
    """
    sides = {"one network of all tasks": [one], f"{len(several)} networks of one task": several}
    alone, batched = (milliseconds(list(sides.values()), size) for size in (1, BATCH))
    parameters = (sum(m.count_params() for m in models) for models in sides.values())
    rows = [list(row) for row in zip(sides, parameters, alone, batched, strict=True)]
    rows.append([EACH, *(cost / len(several) for cost in rows[1][1:])])
    write_table(pd.DataFrame(rows, columns=list(COLUMNS)), out / "costs.csv")


def milliseconds(sides: list[list[MultiTaskModel]], batch_size: int, rounds: int = ROUNDS) -> list[float]:
    """Return for each side the milliseconds an image that its models take one after another, answering batches."""
    asked, random = [], np.random.default_rng(0)
    for models in sides:
        calls = []
        for model in models:
            side = model.image_size
            images = tf.constant(random.integers(0, 256, (batch_size, side, side, 3)), tf.uint8)
            answer = tf.function(lambda images, model=model: model(images, training=False))
            # Of a function that is called TensorFlow would complain that it is traced anew for each model.
            calls.append((answer.get_concrete_function(images), images))
        asked.append(calls)
    times = np.zeros((rounds + 2, len(sides)))
    for row in times:
        for number, calls in enumerate(asked):
            started = time.perf_counter()
            for call, images in calls:
                tf.nest.map_structure(lambda answer: answer.numpy(), call(images))
            row[number] = time.perf_counter() - started
    # The first rounds warm up.
    return (1000 * np.median(times[2:], axis=0) / batch_size).tolist()


def cost_lines(out: Path) -> list[str]:
    """Return the lines of a Markdown table of `costs.csv` in this folder; none where there is no such file."""
    if not (out / "costs.csv").exists():
        return []
    table = read_csv(out / "costs.csv", COLUMNS[:1], COLUMNS[1:])[[*COLUMNS]]
    rows = [
        (name, f"{count / 1e6:.2f}", f"{alone:.2f}", f"{batched:.2f}") for name, count, alone, batched in table.values
    ]
    shares = [
        (
            f"one takes, of {what}",
            *(f"{table[column].iloc[0] / table[column].iloc[place]:.0%}" for column in COLUMNS[1:]),
        )
        for place, what in enumerate(("several", "one of one task"), start=1)
        if place < len(table)
    ]
    headings = ("", "parameters (millions)", "ms alone", "ms an image in batches")
    title = f"What an answer costs in float32, one image at a time and in batches of {BATCH}:"
    return ["", title, "", *table_lines(headings, [*rows, *shares])]

"""What training costs by the number of workers and of shards, and what it would cost on many more images."""

import math
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.timing import peak_memory

ROWS_PER_SHARD = 4096
FLOAT = 4  # bytes
DAY = 86_400  # seconds


def write_images(folder: Path, rows: int, side: int = 200) -> pd.DataFrame:
    """Write an image and links to it under other names, as many as rows, and return their label table."""
    pixels = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3)).astype("uint8")
    folder.mkdir(parents=True)
    first = folder / "0.jpg"
    Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(first, quality=90)
    for number in range(1, rows):
        os.link(first, folder / f"{number}.jpg")
    paths = [str(folder / f"{number}.jpg") for number in range(rows)]
    return pd.DataFrame({"path": paths, "source": "made_up", "age": np.arange(rows) % 117})


def measure_reading(folder: str, side: int, batch_size: int) -> dict:
    """Return what one shuffled pass over the shards of a folder costs: images a second of one core, and memory.

    Memory is in MiB above what the process has before; seconds are those of all processors together.
    """
    # Here, since it brings TensorFlow along, which takes seconds.
    from mtl_keras.data.pipeline import InputSpec
    from mtl_keras.data.shards import read_shards, shard_batches
    from mtl_keras.tasks import AGE

    shards = read_shards(folder, verify=False)

    def a_pass():
        return shard_batches(shards, InputSpec([AGE], side), batch_size, shuffle=True)

    next(iter(a_pass()))  # what is loaded at its first use should not count
    with peak_memory() as peak:
        started, worked, images = time.perf_counter(), time.process_time(), 0
        for batch, _, _ in a_pass():
            images += len(batch)
        worked, seconds = time.process_time() - worked, time.perf_counter() - started
    size = sum(shard["bytes"] for shard, _, _ in shards.parts)
    found = {"shards": len(shards.parts), "images": images, "images_per_second": images / seconds}
    found |= {"images_per_core_second": images / worked, "peak_mib": peak[0] if peak else math.nan}
    return {**found, "bytes_per_image": size / images}


def exchanged_numbers(parameters: int, shared: int, tasks: int) -> list[tuple[str, str, int]]:
    """Return how many numbers a step adds up over replicas: kinds of weighting, where gradients are taken, numbers.

    Dot products of the tasks' whole gradients are no sum of those that replicas have: at the parameters, a Gramian
    takes these gradients themselves. Those at features are each replica's own, so that there dot products add up.
    """
    whole = parameters + tasks * shared
    return [
        ("losses", "", parameters + tasks),
        ("Gramian", "features", parameters + tasks + tasks**2),
        ("Gramian", "parameters", whole + tasks),
        ("gradients", "features", parameters + tasks),
        ("gradients", "parameters", whole + tasks),
    ]


def network_sizes(backbone: str, tasks: tuple[str, ...]) -> tuple[int, int]:
    """Return how many parameters a network trains, and how many of them its tasks share."""
    from mtl_keras.training.model import MultiTaskModel

    model = MultiTaskModel(list(tasks), backbone)
    return sum(math.prod(variable.shape) for variable in model.trainable_variables), model.shared_size()


def needed(images: int, workers: pd.DataFrame, reading: pd.DataFrame) -> list[tuple[str, str]]:
    """Return what one epoch of a number of images needs, from what was measured."""
    largest, alone = reading.iloc[-1], workers[workers["workers"] == 1].iloc[0]
    trains, reads = alone["images_per_second"], largest["images_per_core_second"]
    hours = images / trains / 3600
    return [
        (f"shards of {ROWS_PER_SHARD:,} images", f"{math.ceil(images / ROWS_PER_SHARD):,}"),
        ("bytes of all shards (GiB)", f"{images * largest['bytes_per_image'] / 2**30:,.0f}"),
        ("hours that one core reads", f"{images / reads / 3600:,.1f}"),
        ("hours that one worker as measured trains", f"{hours:,.1f}"),
        ("workers for an epoch a day, if exchange were free", f"{math.ceil(images / trains / DAY):,}"),
        ("reading cores that keep one worker busy", f"{trains / reads:.2f}"),
    ]


def report(workers: pd.DataFrame, reading: pd.DataFrame, images: int, networks: dict[str, tuple], tasks: int) -> str:
    """Return the page's tables in Markdown: what was measured, and what these images would need."""
    heads = ("workers", "images a second", "of one worker", "ms a step", "ms of exchange", "share of exchange (%)")
    first = workers["images_per_second"].iloc[0]
    rows = [
        (
            f"{row.workers:.0f}",
            f"{row.images_per_second:,.0f}",
            f"{row.images_per_second / first:.2f}",
            f"{row.step_ms:.0f}",
            f"{row.exchange_ms:.1f}",
            f"{100 * row.share_of_exchange:.0f}",
        )
        for row in workers.itertuples()
    ]
    lines = table_lines(heads, rows)
    heads = ("shards", "images", "images a second", "images a second a core", "peak memory (MiB)", "bytes an image")
    columns = ["shards", "images", "images_per_second", "images_per_core_second", "peak_mib", "bytes_per_image"]
    rows = [[f"{value:,.0f}" for value in row] for row in reading[columns].itertuples(index=False)]
    lines += ["", *table_lines(heads, rows), ""]
    lines += table_lines((f"{images:,} images need", ""), needed(images, workers, reading))
    lines += ["", *exchange_lines(networks, tasks)]
    return "\n".join(lines) + "\n"


def exchange_lines(networks: dict[str, tuple], tasks: int) -> list[str]:
    """Return a table of the MiB that each kind of weighting adds up over replicas in a step, for each network."""
    heads = ("weighting needs", "gradients at", *(f"{name} (MiB a step)" for name in networks))
    by_network = [exchanged_numbers(*sizes, tasks) for sizes in networks.values()]
    rows = [
        (*kinds[0][:2], *(f"{numbers * FLOAT / 2**20:,.2f}" for *_, numbers in kinds))
        for kinds in zip(*by_network, strict=True)
    ]
    return table_lines(heads, rows, text=(0, 1))

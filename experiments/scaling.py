"""Workers and shards: images a second, the share of communication, and from these what 100 million images need.

python experiments/scaling.py

    1, 2 and 3 workers on this machine train BKNet, and 1, 10 and 100 shards of 512 made-up images are read: about five
    minutes on two idle cores, and 400 MiB of temporary files. Nothing else should run meanwhile.

python experiments/scaling.py --workers 1 2 --shards 1 2 --rows-per-shard 64 --steps 3 --image-size 32

    tries it in a minute.

Writes workers.csv, reading.csv, table.md and run.json to runs/scaling/, or to the folder that --out names. Workers of
one machine share its cores, so that their images a second fall short of what as many machines do: what is measured is
the exchange. Expect flat memory by the number of shards.
"""

import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import tyro

from mtl_keras.data.packing import pack_shards
from mtl_keras.data.table import write_table
from mtl_keras.errors import UserError, guarded, kept_if_interrupted
from mtl_keras.files import check_writable, replacing
from mtl_keras.studies.provenance import write_run_json
from mtl_keras.studies.scaling import measure_reading, network_sizes, report, write_images
from mtl_keras.studies.scaling_workers import Load, measure_workers
from mtl_keras.studies.timing import in_fresh_process


def main(
    workers: tuple[int, ...] = (1, 2, 3),
    shards: tuple[int, ...] = (1, 10, 100),
    rows_per_shard: int = 512,
    image_size: int = 160,
    backbone: str = "bknet",
    networks: tuple[str, ...] = ("bknet", "facenet"),
    batch_size: int = 64,
    steps: int = 20,
    images: int = 100_000_000,
    out: Path = Path("runs/scaling"),
) -> None:
    """Measure, and write the tables.

    Args:
        workers: Numbers of workers, 1 first.
        shards: Numbers of shards that are read.
        rows_per_shard: Images of a shard.
        image_size: Side to which read images are brought, in pixels.
        backbone: The trunk that workers train, of `mtl-keras list backbones`.
        networks: Trunks whose exchange is told.
        batch_size: Images a step, of all workers together.
        steps: Steps that are timed.
        images: Number of images that the needs are told of.
        out: Folder for the tables.
    """
    if workers[:1] != (1,) or min(*workers, *shards, rows_per_shard, steps, batch_size, images) < 1:
        raise UserError(f"workers {workers}, shards {shards}: expected numbers of at least 1, and 1 worker first")
    check_writable(out, folder=True)
    start, load = time.perf_counter(), Load(backbone, batch_size=batch_size, steps=steps)
    trained, read = [], []
    with kept_if_interrupted("nothing was written"), tempfile.TemporaryDirectory() as temporary:
        for count in workers:
            trained.append(measure_workers(count, load))
            print(f"{count} workers: {trained[-1]['images_per_second']:,.0f} images a second", file=sys.stderr)
        for count in sorted(set(shards)):
            table = write_images(Path(temporary, f"images-{count}"), count * rows_per_shard)
            pack_shards(table, Path(temporary, f"shards-{count}"), rows_per_shard)
            folder = str(Path(temporary, f"shards-{count}"))
            read.append(in_fresh_process(measure_reading, folder, image_size, batch_size))
            print(f"{count} shards: {read[-1]['images_per_second']:,.0f} images a second", file=sys.stderr)
        sizes = {name: in_fresh_process(network_sizes, name, load.tasks) for name in networks}
    trained, read = pd.DataFrame(trained), pd.DataFrame(read)
    write_table(trained, out / "workers.csv")
    write_table(read, out / "reading.csv")
    with replacing(out / "table.md") as temporary:
        temporary.write_text(report(trained, read, images, sizes, len(load.tasks)), encoding="utf-8")
    settings = {**load._asdict(), "shards": shards, "rows_per_shard": rows_per_shard, "image_size": image_size}
    write_run_json(out, {"seconds": time.perf_counter() - start, "settings": settings})
    print(f"tables: {out}")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))

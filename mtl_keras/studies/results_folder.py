"""Who writes to a results folder: one process, and of several workers the chief."""

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from mtl_keras.errors import UserError
from mtl_keras.owner import owned
from mtl_keras.studies.runs import fingerprint
from mtl_keras.training import distribute
from mtl_keras.training.cluster import copy_from_chief, naming_who_is_gone, read_cluster, told_by_chief

# What each worker makes of the data for itself.
OWN = ("cache", "data")


@contextmanager
def results_folder(out: Path, strategy: str, resume: bool = False) -> Iterator[Path]:
    """Give the folder to write results to, and let nobody else write there: `out`, or what stands for it.

    Where several workers train together, with one command line, only the chief writes to `out`. Each other one gets a
    temporary folder of its own, with what the chief has there if it is to go on with it, and prints no results; a
    worker that ends before its time ends the others, with one line that names it. Called before anything else of
    TensorFlow, since a cluster cannot be joined later.
    """
    if not distribute.joins_workers(strategy):
        with owned(out):
            yield out
        return
    workers, chief = distribute.strategy(strategy), read_cluster().is_chief
    with naming_who_is_gone(_going_on()), ExitStack() as stack:
        refused = ""
        if chief:
            try:
                stack.enter_context(owned(out))
            except UserError as error:
                refused = str(error)
        # The others would wait for it.
        if refused := told_by_chief(workers, refused.encode()).decode():
            raise UserError(refused)
        place = out if chief else Path(stack.enter_context(TemporaryDirectory(prefix="mtl-keras-worker-")))
        if resume:
            copy_from_chief(workers, place, left_out=OWN)
        if not chief:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        yield place
    if not chief:
        print(f"this worker is done; tables, figures and models are in the chief's {out}", file=sys.stderr)


def check_agreement(strategy: str, noted: dict) -> None:
    """Refuse workers that are about to train different things: their steps would not be of one training."""
    if not distribute.joins_workers(strategy):
        return
    own = fingerprint(json.dumps(noted, sort_keys=True, default=str)).encode()
    differ = told_by_chief(distribute.strategy(strategy), own) != own
    if differ:
        raise UserError(
            "this worker is to train something else than the chief: its data, weights or settings differ; give every "
            "worker the same command and the same files"
        )


def _going_on() -> str:
    """Return the command of this process, with --resume."""
    started = ["python"] if sys.argv[0].endswith(".py") else []
    again = [] if "--resume" in sys.argv else ["--resume"]
    return shlex.join([*started, *sys.argv, *again])

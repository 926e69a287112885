"""What the experiment on methods does: read the data, train every method, and write the table after each."""

import sys
import time
from contextlib import redirect_stdout

from mtl_keras.commands.arguments import Arguments
from mtl_keras.commands.experiment import read_and_check
from mtl_keras.data.split import split
from mtl_keras.datasets.recognition import first_of
from mtl_keras.datasets.rendered import rendered
from mtl_keras.files import check_writable
from mtl_keras.studies import provenance
from mtl_keras.studies.method_report import MethodReport
from mtl_keras.studies.method_study import MethodStudy
from mtl_keras.studies.methods import chosen
from mtl_keras.studies.plan import Methods
from mtl_keras.studies.results_folder import results_folder
from mtl_keras.training.tensorboard import logging_to

# Of so few faces a tenth is too little to choose by on validation, or to tell methods apart on test images.
DRAWN_PARTS = (0.6, 0.2, 0.2)


def run(arguments: Arguments, asked: Methods) -> None:
    """Compare the methods that are asked for, and print the table and where everything is."""
    # Before anything is read: a wrong name should not be found after that.
    chosen(arguments.experiment, asked)
    with results_folder(arguments.out, arguments.experiment.strategy, arguments.resume) as out:
        _compare_into(arguments.into(out), asked)


def _compare_into(arguments: Arguments, asked: Methods) -> None:
    out, started = arguments.out, time.time()
    if arguments.tensorboard:
        check_writable(arguments.tensorboard, folder=True)
    read = first_of(("utkface", "genki4k", "raf_db")) if arguments.data else rendered
    with redirect_stdout(sys.stderr), logging_to(arguments.tensorboard):
        common, _, (table, _) = read_and_check(arguments, read, ("utkface",))
        parts = split(table, *(() if arguments.data else (DRAWN_PARTS,)), seed=common.seed)
        study = MethodStudy(common, asked, parts, out, arguments.resume)
        report = MethodReport(study, out)
        for _ in study.train():
            methods = report.write()
        report.draw(methods)
        about = {"settings": {"experiment": common, "methods": asked}, "seconds": round(time.time() - started, 1)}
        about |= {"data_fingerprint": provenance.data_fingerprint(table), "weights": study.study.weights_of(common)}
        provenance.write_run_json(out, about)
    print((out / "table.md").read_text(encoding="utf-8"))
    print(f"tables and figures: {out}")

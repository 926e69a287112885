"""Whether a network knows the data set that an image comes from, in a results folder: before and after training."""

from pathlib import Path

import pandas as pd

from mtl_keras.data.table import write_table
from mtl_keras.evaluation.features import features_of, trunk_features
from mtl_keras.evaluation.sources import rows_to_tell, tell_sources
from mtl_keras.state_files import read_csv, read_or_none
from mtl_keras.studies.network import build
from mtl_keras.studies.runs import SOURCES, Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.stages import Stage
from mtl_keras.studies.study import Study
from mtl_keras.training import model_folder

COLUMNS = ("features", "run", "images", "sources", "most_frequent", "accuracy", "balanced_accuracy")


def report_sources(study: Study, best: Run, experiment: Experiment) -> None:
    """Write `sources.csv`: how often a linear classifier guesses the source of validation images from features.

    They are those that all tasks read, of the trunk as it was before training, and of the run's model; without such
    features, several sources or a model there is no file. It is computed once and kept with the run.
    """
    kept, rows = best.folder / SOURCES, rows_to_tell(study.parts[1])
    if len(rows) and (few := sorted({*study.parts[1]["source"]} - {*rows["source"]})):
        print(f"sources.csv: without {', '.join(few)}, of which there are too few validation images to tell them apart")
    if read_or_none(read_csv, kept, COLUMNS[:2], COLUMNS[2:]) is None:
        trained = model_folder.load(best.model) if best.model and len(rows) else None
        if trained is None or trained.feature_network() is None:
            return
        first = model_folder.in_float32(build(experiment))
        weights = study.weights_of(experiment)
        features = {
            "before training": trunk_features(first, rows, study.out / "cache", weights),
            "trained": features_of(trained, rows),
        }
        found = [
            {"features": name, "run": best.row["run"], **tell_sources(each, rows)} for name, each in features.items()
        ]
        write_table(pd.DataFrame(found)[[*COLUMNS]], kept)
    write_table(read_csv(kept, COLUMNS[:2], COLUMNS[2:]), study.out / SOURCES)


def sources_note(out: Path) -> list[str]:
    """Return the note on `sources.csv` of this folder below a table; none where there is no such file."""
    if not (out / SOURCES).exists():
        return []
    before, after = read_csv(out / SOURCES, COLUMNS[:2], COLUMNS[2:]).to_dict("records")
    first, last, largest = before["balanced_accuracy"], after["balanced_accuracy"], after["most_frequent"]
    changed = f"{after['accuracy']:.1%} after ({last:.1%}; {after['run']})"
    if Stage.FROZEN.value in after["run"].split(", "):
        changed = f"and as many after, since {after['run']} leaves these features as they are"
    return [
        f"from the features of {after['images']} validation images, a logistic regression guesses which of "
        f"{after['sources']} data sets they are of: {before['accuracy']:.1%} right before training (mean over the sets "
        f"{first:.1%}), {changed}; {largest:.1%} are of the largest"
    ]

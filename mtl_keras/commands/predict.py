"""The command `mtl-keras predict`."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

from tqdm import tqdm

from mtl_keras.commands.asked_model import model_and_images, model_or_bundled
from mtl_keras.commands.options import Predict
from mtl_keras.commands.text import as_lines, check_json, write_json
from mtl_keras.errors import SomeFailedError, UserError, printable
from mtl_keras.files import NO_IMAGE, other_files
from mtl_keras.serving.drawing import drawings, write_drawing
from mtl_keras.serving.found_images import find_images
from mtl_keras.serving.people_table import check_csv, write_people
from mtl_keras.serving.predictor import MANY, Predictor


def predict(options: Predict) -> None:
    """Predict, write the JSON file, the table and the drawings, and print a line a person."""
    model, paths = model_and_images((options.first, *options.paths))
    if not paths and not model.exists():
        raise UserError(f"{model}: no such file or folder; expected an image or a folder of images, or a model before")
    if not paths:
        # Every word behind --tasks is the name of one.
        before = ", and before --tasks" if options.tasks else ""
        raise UserError(
            f"no images given; expected at least one image or folder, behind the model if one is named{before}"
        )
    images = find_images(paths)
    for other in chain.from_iterable(map(other_files, paths)):
        print(f"skipped {printable(other)}: {NO_IMAGE}", file=sys.stderr)
    if options.json and options.csv and options.json.absolute() == options.csv.absolute():
        raise UserError(f"{options.json}: named by both --json and --csv; name two files")
    check_json(options.json)
    check_csv(options.csv)
    targets = drawings(images, options.draw) if options.draw else {}
    predictor = Predictor(model_or_bundled(model), options.faces, options.detector, options.tasks)
    results = predictor.predict(images)
    try:
        _do_all(_outputs(options, results, targets))
    finally:
        for result in results:
            print("\n".join(as_lines(result)), file=sys.stderr if result["error"] else sys.stdout)
    if wrong := [result for result in results if result["error"]]:
        first = printable(f"the first is {wrong[0]['path']}: {wrong[0]['error']}")
        others = "" if len(wrong) == len(results) else "; the others are answered"
        raise SomeFailedError(f"{len(wrong)} of {len(results)} images cannot be used{others}; {first}")


def _outputs(options: Predict, results: list[dict], targets: dict) -> Iterator[Callable[[], None]]:
    """Give the work for each file that is asked for."""
    if options.json:
        yield partial(write_json, results, options.json)
    if options.csv:
        yield partial(write_people, results, options.csv)
    todo = [result for result in results if options.draw and not result["error"]]
    for result in tqdm(todo, desc="drawing", unit="image", disable=len(todo) < MANY):
        yield partial(write_drawing, result, targets[result["path"]])


def _do_all(works: Iterator[Callable[[], None]]) -> None:
    """Do all of some works, also after one that fails: what can be written is; the first failure is raised at last."""
    failed = []
    for work in works:
        try:
            work()
        except UserError as error:
            failed.append(error)
    if failed:
        raise failed[0]

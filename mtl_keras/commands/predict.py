"""The command `mtl-keras predict`."""

import sys
from itertools import chain

from tqdm import tqdm

from mtl_keras.commands.options import Predict
from mtl_keras.commands.text import as_lines, write_json
from mtl_keras.errors import UserError, printable
from mtl_keras.files import NO_IMAGE, other_files
from mtl_keras.serving.drawing import drawings, write_drawing
from mtl_keras.serving.predictor import MANY, Predictor, find_images


def predict(options: Predict) -> None:
    """Predict, print a line a person, and write the JSON file and the drawings."""
    if not options.paths:
        raise UserError("no images given; expected at least one image or folder behind the model")
    paths = find_images(options.paths)
    for other in chain.from_iterable(map(other_files, options.paths)):
        print(f"skipped {printable(other)}: {NO_IMAGE}", file=sys.stderr)
    targets = drawings(paths, options.draw) if options.draw else {}
    results = Predictor(options.model, options.faces).predict(paths)
    for result in results:
        print("\n".join(as_lines(result)))
    if options.json:
        write_json(results, options.json)
    wrong = [result for result in results if result["error"]]
    todo = [result for result in results if options.draw and not result["error"]]
    for result in tqdm(todo, desc="drawing", unit="image", disable=len(todo) < MANY):
        write_drawing(result, targets[result["path"]])
    if len(wrong) == len(results):
        first = f"{wrong[0]['path']}: {wrong[0]['error']}"
        several = f"none of {len(wrong)} images can be used; the first is "
        raise UserError(printable(first if len(wrong) == 1 else several + first))

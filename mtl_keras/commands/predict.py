"""The command `mtl-keras predict`."""

import sys
from itertools import chain

from tqdm import tqdm

from mtl_keras.commands.options import Predict
from mtl_keras.commands.text import as_lines, check_json, write_json
from mtl_keras.errors import SomeFailedError, UserError, printable
from mtl_keras.files import NO_IMAGE, other_files
from mtl_keras.serving.drawing import drawings, write_drawing
from mtl_keras.serving.predictor import MANY, Predictor, find_images


def predict(options: Predict) -> None:
    """Predict, write the JSON file and the drawings, and print a line a person."""
    if not options.paths:
        raise UserError("no images given; expected at least one image or folder behind the model")
    images = find_images(options.paths)
    for other in chain.from_iterable(map(other_files, options.paths)):
        print(f"skipped {printable(other)}: {NO_IMAGE}", file=sys.stderr)
    check_json(options.json)
    targets = drawings(images, options.draw) if options.draw else {}
    results = Predictor(options.model, options.faces).predict(images)
    try:
        if options.json:
            write_json(results, options.json)
        todo = [result for result in results if options.draw and not result["error"]]
        for result in tqdm(todo, desc="drawing", unit="image", disable=len(todo) < MANY):
            write_drawing(result, targets[result["path"]])
    finally:
        for result in results:
            print("\n".join(as_lines(result)), file=sys.stderr if result["error"] else sys.stdout)
    wrong = [result for result in results if result["error"]]
    if len(wrong) == len(results):
        first = f"{wrong[0]['path']}: {wrong[0]['error']}"
        several = f"none of {len(wrong)} images can be used; the first is "
        raise UserError(printable(first if len(wrong) == 1 else several + first))
    if wrong:
        raise SomeFailedError(f"{len(wrong)} of {len(results)} images cannot be used; the others are answered")

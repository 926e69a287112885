"""Put a trained network into the package, as the model that answers where none is named, with its model card.

python experiments/model_in_the_box.py --results runs/customer_characteristics \
    --data UTKFace RAF-DB FER2013 GENKI-4K FairFace

    takes the smallest network of the results folder that answers all, or the one that --model names; exports it as
    LiteRT with weights of 8 bits; measures it on the test images of the data that it was trained on, by set and by
    group of people; writes the card; and puts all into mtl_keras/serving/bundled_model, or the folder that --out names.
    A minute or two on two cores, once the faces are cut out. Expect 5.9 MB of BKNet, and figures that differ from those
    of `table.md` by 0.1 points; more than 6 MB are refused.
"""

import tyro

from mtl_keras.errors import guarded, kept_if_interrupted


def main() -> None:
    """Read the command line, and bundle what it names."""
    from mtl_keras.commands.bundling import Bundle, bundle

    options = tyro.cli(Bundle, description=__doc__)
    with kept_if_interrupted("the model that was in the package is kept"):
        bundle(options)


if __name__ == "__main__":
    guarded(main)

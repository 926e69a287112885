"""The command `mtl-keras`."""

import sys

import tyro
from tyro.conf import FlagCreatePairsOff

from mtl_keras.commands.arguments import Train, default_train
from mtl_keras.commands.counting import Count
from mtl_keras.commands.demo import Demo
from mtl_keras.commands.options import COMMANDS, Audit, Crop, Evaluate, Export, List, Pack, Predict, Render
from mtl_keras.errors import guarded, kept_if_interrupted
from mtl_keras.tables import imported

# What does a command's work is imported when it runs: TensorFlow takes seconds to start, and `--help` needs none of it.
WORK = {
    List: "mtl_keras.commands.names:print_names",
    Train: "mtl_keras.commands.train:train",
    Evaluate: "mtl_keras.commands.evaluate:evaluate",
    Predict: "mtl_keras.commands.predict:predict",
    Export: "mtl_keras.commands.export:export",
    Count: "mtl_keras.commands.count:count",
    Render: "mtl_keras.commands.data:render",
    Crop: "mtl_keras.commands.data:crop",
    Audit: "mtl_keras.commands.data:audit",
    Pack: "mtl_keras.commands.data:pack",
    Demo: "mtl_keras.commands.demo:demo",
}
# What Ctrl+C leaves of it.
KEPT = {
    List: "nothing was written",
    Train: "finished runs and epochs are kept in the folder that --out names; add --resume to go on",
    Evaluate: "no figures were written; faces that were cut out into --crops DIR are kept",
    Predict: "no answers were written",
    Export: "no network was written; an export of before is kept",
    Count: "what was counted until then is kept in --out DIR",
    Render: "no faces were written",
    Crop: "faces that were cut out are kept; the same command goes on",
    Audit: "files of the report that were written before are kept",
    Pack: "whole shards are kept; the same command goes on",
    Demo: "nothing of what came in is kept",
}


def main() -> None:
    """Run the command line's command."""
    guarded(lambda: run(parse()))


def run(options: object) -> None:
    """Do the work of a command with these options."""
    with kept_if_interrupted(KEPT[type(options)]):
        imported(WORK[type(options)])(options)


def parse() -> object:
    """Return the options of the command that the command line names; `--help` and mistakes in it end the program."""
    if sys.argv[1:2] == ["train"]:
        # Its defaults are those of a preset, for real or for drawn faces.
        return tyro.cli(Train, default=default_train(), prog="mtl-keras train", args=sys.argv[2:])
    description = (
        "Train and use networks that tell several things about a face. `mtl-keras COMMAND --help` shows an example."
    )
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="mtl-keras", description=description, config=(FlagCreatePairsOff,)
    )


if __name__ == "__main__":
    main()

"""The command `mtl-keras`."""

import tyro
from tyro.conf import FlagCreatePairsOff

from mtl_keras.commands.options import COMMANDS
from mtl_keras.errors import guarded


def main() -> None:
    """Run the command line's command."""
    guarded(lambda: parse().run())


def parse():
    """Return the command that the command line asks for; `--help` and what cannot be understood end the program."""
    description = "Use networks that tell several things about a face. `mtl-keras COMMAND --help` shows an example."
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="mtl-keras", description=description, config=(FlagCreatePairsOff,)
    )


if __name__ == "__main__":
    main()

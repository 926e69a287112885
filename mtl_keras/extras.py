"""Packages that only some users need, installed with an extra of this package."""

from importlib import import_module
from types import ModuleType

from mtl_keras.errors import UserError


def needed(module: str, extra: str) -> ModuleType:
    """Import a module of the packages of an extra; where it is missing, the error says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0]
        raise UserError(f'the package {missing} is not installed; run: pip install "mtl-keras[{extra}]"') from None

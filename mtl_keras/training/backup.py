"""What a run goes on with after it was broken off, on disk: the two newest backups, each checked before it is used."""

import os
import re
from pathlib import Path

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from mtl_keras.errors import UserError
from mtl_keras.files import remove
from mtl_keras.models.weights import sha256
from mtl_keras.state_files import read_arrays
from mtl_keras.training.trainer import Trainer

ANEW = "start anew, without --resume"
# The number of epochs before it, and the checksum of its bytes: one step makes the file known with both.
_NAME = re.compile(r"(\d+)-([0-9a-f]{64})\.npz")


def network_state(model: Trainer) -> list[keras.Variable]:
    """Return what a network answers with: its weights, its random generators and the state of its weighting."""
    # Keras' `weights` leaves the random generators out.
    weighting = model.weighting_state
    return [*model.variables, *(weighting.variables if weighting else [])]


def training_state(model: Trainer) -> list[keras.Variable]:
    """Return all that the next steps of a compiled model depend on, whose optimizer is built; `network_state` first."""
    drawn = global_seed_generator().state  # by layers without a generator of their own
    return [*network_state(model), *model.optimizer.variables, *model.skipped_steps.variables, drawn]


def values_of(variables: list[keras.Variable]) -> list[np.ndarray]:
    """Return copies of the variables' values."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: list[keras.Variable], values: list[np.ndarray]) -> None:
    """Give variables the values that they had before."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def check_fits(values: list[np.ndarray], variables: list[keras.Variable], run: Path) -> None:
    """Refuse values of the backup of a `run`, a folder, that are those of another network's variables."""
    found = [(value.shape, value.dtype.kind) for value in values]
    if found != [(tuple(variable.shape), np.dtype(variable.dtype).kind) for variable in variables]:
        what = "its backup is of another network, perhaps of another version of mtl_keras"
        raise UserError(f"{run}: {what}; {ANEW}")


# === Files ===


def write(backup: Path, epochs: int, arrays: list[np.ndarray]) -> None:
    """Write the backup of a run after this number of epochs, and drop all before it but the newest."""
    backup.mkdir(parents=True, exist_ok=True)
    unfinished = backup / "unfinished.npz"
    remove(unfinished)  # A link would be written through.
    np.savez(unfinished, *arrays)
    earlier = _newest_first(backup)
    os.replace(unfinished, backup / f"{epochs}-{sha256(unfinished)}.npz")
    for _, path in earlier[1:]:
        path.unlink()


def read(backup: Path) -> list[np.ndarray]:
    """Return the arrays of the newest backup in a folder, which `epochs_done` has checked; [] where there is none."""
    for _, path in _newest_first(backup)[:1]:
        return [*read_arrays(path, {}, ANEW).values()]
    return []


def epochs_done(backup: Path) -> int:
    """Return after how many epochs the newest backup in a folder was made that is whole; 0 without one.

    A damaged one is removed, and said aloud: the run goes on from the one before it.
    """
    found = _newest_first(backup)
    for place, (epochs, path) in enumerate(found):
        if _is_whole(path):
            return epochs
        others = [other for other, _ in found[place + 1 :]]
        then = f"the backup before it, after epoch {others[0]}" if others else "the first epoch: there is no other one"
        print(f"{path.parent.parent}: the backup after epoch {epochs} is damaged; going on from {then}", flush=True)
        remove(path)
    return 0


def _is_whole(path: Path) -> bool:
    """Return whether a file has the checksum of its name; what is no file has none."""
    try:
        return path.is_file() and sha256(path) == _NAME.fullmatch(path.name)[2]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); mend that, or {ANEW}") from None


def _newest_first(backup: Path) -> list[tuple[int, Path]]:
    """Return (number of epochs, file) of all backups in a folder."""
    found = [(match, path) for path in backup.glob("*.npz") if (match := _NAME.fullmatch(path.name))]
    return sorted(((int(match[1]), path) for match, path in found), reverse=True)

"""Which data set a folder or file holds, found out by trying its readers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import folder_of

Reader = Callable[..., pd.DataFrame]


def first_that_reads(readers: Sequence[Reader]) -> Reader:
    """Return a reader that takes a folder, or a CSV file, for the first of these sets whose layout it has.

    A folder that none of them can read is an error with the reason of each. With `strict` a folder of the right layout
    with a deviation in it is an error too, but never read as another set.
    """

    def read(folder: str | Path, strict: bool = False) -> pd.DataFrame:
        # One file may be a set as well.
        if not Path(folder).is_file():
            folder = folder_of(folder, " or ".join(reader.__name__ for reader in readers))
        reasons = []
        for reader in readers:
            try:
                table = reader(folder)
            except UserError as error:
                reasons.append(f"not {reader.__name__} ({str(error).removeprefix(f'{folder}: ')})")
                continue
            return reader(folder, strict=True) if strict else table
        raise UserError(f"{folder}: {'; '.join(reasons)}")

    return read

"""What the settings of weightings may be."""

import math

from mtl_keras.errors import UserError


def check_at_least_0(setting: str, value: float) -> None:
    """Refuse a value of `setting`, "NAME: SETTING", that is negative or no finite number."""
    if not 0 <= value < math.inf:
        raise UserError(f"{setting} is {value}; expected a number of at least 0")


def check_above_0(setting: str, value: float) -> None:
    """Refuse a value of `setting`, "NAME: SETTING", that is not above 0 or no finite number."""
    if not 0 < value < math.inf:
        raise UserError(f"{setting} is {value}; expected a number above 0")


def check_preference(setting: str, preference: tuple[float, ...] | None, tasks: list[str]) -> tuple[float, ...]:
    """Return one value a task, in their order, 1 without a preference; refuse all else."""
    values = (1.0,) * len(tasks) if preference is None else tuple(preference)
    if len(values) != len(tasks) or not all(0 <= value < math.inf for value in values) or not any(values):
        raise UserError(
            f"{setting} is {'/'.join(map(str, values))}; expected a number of at least 0 for each of the tasks "
            f"{', '.join(tasks)}, such as {'/'.join('1' for _ in tasks)}, and not only zeros"
        )
    return values

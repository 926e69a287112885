"""The option of every command that lets a model answer about people."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a model is asked."""

    # Names of what is to be answered, of the model's tasks; by default all but those that its model.json lists as
    # "on_request", such as ethnicity; "all" is every one.
    tasks: Annotated[tuple[str, ...], arg(metavar="NAME...")] = ()

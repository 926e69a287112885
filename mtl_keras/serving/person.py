"""What is known about one person in an image."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mtl_keras.kinds import Kind, kind_of
from mtl_keras.tasks import Task


@dataclass(frozen=True, eq=False)
class Person:
    """One person: the place of the face in the image, and what a network answers about it.

    `box` is (x, y, width, height) in pixels of the upright image, `landmarks` {name: (x, y)} likewise; `confidence`
    and `landmarks` are None where an image was taken whole. `crop` (S, S, 3) uint8 is the aligned face as the network
    saw it, `outputs` {task: (K,)} what its heads gave, and `answers` {task: answer} what that says, as JSON holds it.
    A `reason` says why the answers are not to be relied on (`mtl_keras.serving.reliability`); it is "" where nothing
    was found that speaks against them, and of an image taken whole, of which nothing is judged.
    """

    box: tuple[int, int, int, int]
    confidence: float | None
    landmarks: dict[str, tuple[float, float]] | None
    crop: np.ndarray
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    answers: dict[str, dict] = field(default_factory=dict)
    reason: str = ""

    @property
    def reliable(self) -> bool | None:
        """Whether nothing was found that speaks against the answers; None of an image taken whole."""
        return None if self.landmarks is None else not self.reason

    def as_json(self) -> dict:
        """Return `PERSON_KEYS` and an answer a task, in plain numbers."""
        return {
            "box": list(self.box),
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "landmarks": self.landmarks
            and {name: [round(x, 2), round(y, 2)] for name, (x, y) in self.landmarks.items()},
            "reliable": self.reliable,
            "reason": self.reason or None,
            **self.answers,
        }


class Found(NamedTuple):
    """What was found in an image: its path, where it came as one, the people, and in one line what is wrong with it."""

    path: str | None
    people: list[Person]
    error: str | None = None


def answers_of(tasks: Sequence[Task], outputs: dict[str, np.ndarray]) -> list[dict[str, dict]]:
    """Return {task: answer} for each of N people whose outputs are {task: (N, K)}."""
    answers = [_answers(kind_of(task), outputs[task.name]) for task in tasks]
    names = [task.name for task in tasks]
    return [dict(zip(names, about_one, strict=True)) for about_one in zip(*answers, strict=True)]


def _answers(kind: Kind, outputs: np.ndarray) -> list[dict]:
    """Return the answer to one task for each of N people, from outputs (N, K)."""
    columns = kind.answer_columns(np.asarray(outputs, np.float32))
    # As lists: a cell of an array costs ten times one of a list.
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [kind.as_json(dict(zip(columns, row, strict=True))) for row in rows]

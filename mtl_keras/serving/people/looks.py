"""What a network answers about one person, averaged over the frames in which it looked."""

from collections.abc import Iterable

import numpy as np

from mtl_keras.kinds import kind_of
from mtl_keras.serving.person import answers_of
from mtl_keras.tasks import Task

# More looks at one person are not kept: then every second one is dropped, and fewer are taken.
MOST_LOOKS = 64


class Looks:
    """The outputs {task: (K,)} of a network in frames of one person, spread evenly over the time they were seen.

    `taken` counts every look, also those that were dropped since.
    """

    def __init__(self):
        self.taken, self._kept, self._step, self._offered = 0, [], 1, 0

    def add(self, outputs: dict[str, np.ndarray]) -> None:
        """Note one look more."""
        self.taken += 1
        if self._offered % self._step == 0:
            self._kept.append(outputs)
        self._offered += 1
        if len(self._kept) == MOST_LOOKS:
            self._kept, self._step = self._kept[::2], 2 * self._step

    def join(self, other: "Looks") -> None:
        """Take over the looks at the same person at another time."""
        kept = self._kept + other._kept
        step = -(-len(kept) // MOST_LOOKS) if kept else 1
        self.taken, self._kept, self._step = self.taken + other.taken, kept[::step], max(self._step, other._step) * step

    def answers(self, tasks: Iterable[Task]) -> dict[str, dict]:
        """Return {task: answer} of the mean over the looks, and how sure each is; {} without a look.

        Beside what `mtl_keras.serving.person.answers_of` gives stands, for a class, its `agreement`: the share of looks
        that say the same; for numbers their `spread`: how far the looks lie from the mean, as the root of the mean
        square, one number for each output.
        """
        if not self._kept:
            return {}
        found = {}
        for task in tasks:
            kind = kind_of(task)
            looks = np.stack([outputs[task.name] for outputs in self._kept])  # (N, K)
            mean = kind.mean([look[None] for look in looks])  # (1, K)
            each, together = np.asarray(kind.answers(looks)), np.asarray(kind.answers(mean))
            answer = answers_of([task], {task.name: mean})[0][task.name]
            if kind.names:
                answer["agreement"] = round(float(np.mean(each == together)), 4)
            else:
                squares = np.asarray(kind.difference(together, each), np.float64) ** 2
                spread = np.sqrt(squares.mean(axis=0)).round(4)
                answer["spread"] = (
                    dict(zip(task.outputs, spread.tolist(), strict=True)) if task.outputs else float(spread)
                )
            found[task.name] = answer
        return found

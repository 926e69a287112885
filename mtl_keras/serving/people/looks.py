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

    Looks that are not reliable count only as long as there is no reliable one. `taken` is how many count, also those
    that were dropped since.
    """

    def __init__(self):
        self.taken, self.reliable, self._kept, self._step = 0, False, [], 1

    def add(self, outputs: dict[str, np.ndarray], reliable: bool = True) -> None:
        """Note one look more."""
        if reliable and not self.reliable:
            self.taken, self.reliable, self._kept, self._step = 0, True, [], 1
        elif self.reliable and not reliable:
            return
        if self.taken % self._step == 0:
            self._kept.append(outputs)
        self.taken += 1
        if len(self._kept) == MOST_LOOKS:
            self._kept, self._step = self._kept[::2], 2 * self._step

    def join(self, other: "Looks") -> None:
        """Take over the looks at the same person at another time."""
        if self.reliable != other.reliable:
            better = self if self.reliable else other
            self.taken, self.reliable, self._kept, self._step = better.taken, True, better._kept, better._step
            return
        kept = self._kept + other._kept
        step = -(-len(kept) // MOST_LOOKS) if kept else 1
        self.taken, self._kept, self._step = self.taken + other.taken, kept[::step], max(self._step, other._step) * step

    def mean(self, task: Task) -> np.ndarray:
        """Return the mean (1, K) of the outputs over the looks, of which there must be one."""
        return kind_of(task).mean([outputs[task.name][None] for outputs in self._kept])

    def sure(self, tasks: Iterable[Task]) -> dict[str, tuple[dict, dict]]:
        """Return {task: (answer, how sure it is)}; {} without a look.

        How sure a class is says its `agreement`, the share of looks that say the same; of numbers it is the `spread`,
        how far looks lie from the mean, as the root of the mean square, or one for each output of the task.
        """
        if not self._kept:
            return {}
        found = {}
        for task in tasks:
            kind = kind_of(task)
            looks = np.stack([outputs[task.name] for outputs in self._kept])  # (N, K)
            mean = self.mean(task)
            found_each = np.asarray(kind.answers(np.concatenate([looks, mean])))  # (N + 1,) or (N + 1, D)
            each, together = found_each[:-1], found_each[-1]
            answer = answers_of([task], {task.name: mean})[0][task.name]
            if kind.names:
                sure = {"agreement": round(float(np.mean(each == together)), 4)}
            else:
                squares = np.asarray(kind.difference(together, each), np.float64) ** 2
                spread = np.sqrt(squares.mean(axis=0)).round(4).tolist()
                sure = dict(zip(task.outputs, spread, strict=True)) if task.outputs else {"spread": spread}
            found[task.name] = (answer, sure)
        return found


def answers_together(everyone: list[Looks], tasks: list[Task]) -> list[dict[str, dict]]:
    """Return {task: answer} of the mean over the looks at each of several people, as `answers_of` gives it."""
    return answers_of(tasks, {task.name: np.concatenate([looks.mean(task) for looks in everyone]) for task in tasks})

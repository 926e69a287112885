"""Dynamic weight average: five epochs by hand, one of them without a label of a task."""

import numpy as np

from mtl_keras.training.weightings.dwa import dwa
from mtl_keras.training.weightings.weighting import Step

EPOCHS = np.array([[3.0, 1.0, 2.0], [2.0, 0.9, 0.5], [1.0, 0.0, 0.4], [0.9, 0.6, 0.4], [0.3, 0.3, 0.3]], "float32")
ALL, FEW = np.ones(3, bool), np.array([True, False, True])


def test_five_epochs_by_hand():
    weighting, losses_of = dwa(["a", "b", "c"], temperature=1.5), [[], [], []]
    for number, losses in enumerate(EPOCHS):
        present = FEW if number == 2 else ALL
        ratios = np.array([past[-1] / past[-2] if len(past) > 1 else 1.0 for past in losses_of])
        for chosen in (ALL, FEW):
            parts = np.exp(ratios / 1.5) * chosen
            weights = weighting.weigh(Step(losses, chosen))
            np.testing.assert_allclose(weights, chosen.sum() * parts / parts.sum(), rtol=1e-5)
        before = [row.numpy() for row in weighting.state.rows]
        weighting.end_epoch(losses, present)
        for row, old in zip(weighting.state.rows, before, strict=True):
            row.assign(np.where(present, row.numpy(), old))
        for task in np.flatnonzero(present):
            losses_of[task].append(losses[task])
    assert [len(past) for past in losses_of] == [5, 4, 5]

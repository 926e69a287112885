"""Gradients turned towards each other until they are as much alike as they used to be.

Source: Wang et al., Gradient vaccine: investigating and improving multi-task optimization in massively multilingual
models, 2021, https://arxiv.org/abs/2010.05874.
"""

import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.gramians import lengths
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def gradvac(tasks: list[str], *, beta: float = 0.01) -> Weighting:
    """Add to each task's gradient as much of each other one as gives them the cosine that they usually have.

    Where the cosine p of g_i and g_j is below the usual one q, g_i becomes
    g_i + |g_i| (q sqrt(1 - p^2) - p sqrt(1 - q^2)) / (|g_j| sqrt(1 - q^2)) g_j. Then q moves to (1 - beta) q + beta p;
    it starts at 0, where this is PCGrad, and moves where both tasks have a label. The order of the others is that of
    their names, as in `pcgrad`.
    """
    if not 0 <= beta <= 1:
        raise UserError(f"gradvac: beta is {beta}; expected a number from 0 to 1")
    usual = variable(np.zeros((len(tasks), len(tasks))), "usual_cosines")
    # The last tells which columns of the usual cosines are those of the tasks that are present.
    others = np.argsort(np.argsort(tasks)), np.arange(len(tasks))

    def weigh(step):  # -> (T,)
        return in_numpy(lambda *known: _alike(*known)[0].sum(0), step, usual, *others)

    def update(step):
        found = in_numpy(moved, step, usual, *others, columns=len(tasks))  # (T, T)
        present = ops.cast(step.present, "bool")
        usual.assign(ops.where(present[:, None] & present, found, usual))

    def moved(gramian, usual, ranks, columns):
        _, cosines = _alike(gramian, usual, ranks, columns)
        usual[:, columns.astype(int)] += beta * (cosines - usual[:, columns.astype(int)])
        return usual

    return Weighting("gramian", weigh, State([usual]), update=update)


def _alike(gramian, usual, ranks, columns) -> tuple[np.ndarray, np.ndarray]:
    """Return what each task's gradient is made of (N, N), and the cosine with each other when it was looked at (N, N).

    A cosine with itself, or with a gradient of 0, is as it is usually.
    """
    usual, sizes = usual[:, columns.astype(int)], lengths(gramian)
    made_of, cosines = np.eye(len(gramian)), usual.copy()
    for other in np.argsort(ranks):
        products = made_of @ gramian
        own = np.sqrt(np.maximum((products * made_of).sum(1), 0.0))
        there = (own * sizes[other] > 0) & (np.arange(len(sizes)) != other)
        cosine = np.clip(products[there, other] / (own[there] * sizes[other]), -1.0, 1.0)
        wanted = usual[there, other]
        sine, wanted_sine = np.sqrt(1 - cosine**2), np.sqrt(np.maximum(1 - wanted**2, 1e-12))
        more = own[there] * (wanted * sine - cosine * wanted_sine) / (sizes[other] * wanted_sine)
        made_of[there, other] += np.where(cosine < wanted, more, 0.0)
        cosines[there, other] = cosine
    return made_of, cosines

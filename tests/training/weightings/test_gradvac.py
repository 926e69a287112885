"""Gradient vaccine, written with vectors, over steps of which one lacks a task."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.gradvac import gradvac
from mtl_keras.training.weightings.weighting import Step

NAMES, BETA = ["b", "a", "c"], 0.3


def by_hand(gradients, usual, present) -> np.ndarray:
    """The combined gradient (P,); the usual cosines (3, 3) change in place."""
    combined = 0.0
    for task in present:
        changed = gradients[task].copy()
        for other in sorted(set(present) - {task}, key=lambda index: NAMES[index]):
            sizes = np.linalg.norm(changed), np.linalg.norm(gradients[other])
            cosine, wanted = changed @ gradients[other] / np.prod(sizes), usual[task, other]
            if cosine < wanted:
                lift = wanted * np.sqrt(1 - cosine**2) - cosine * np.sqrt(1 - wanted**2)
                changed += sizes[0] * lift / (sizes[1] * np.sqrt(1 - wanted**2)) * gradients[other]
                assert changed @ gradients[other] / np.linalg.norm(changed) / sizes[1] == pytest.approx(wanted)
            usual[task, other] = (1 - BETA) * wanted + BETA * cosine
        combined = combined + changed
    return combined


def test_gradients_are_turned_to_the_cosines_that_they_usually_have():
    random, weighting, usual = np.random.default_rng(0), gradvac(NAMES, beta=BETA), np.zeros((3, 3))
    (state,) = weighting.state.rows
    for present in ([0, 1, 2], [0, 1, 2], [0, 2], [0, 1, 2], [0, 1, 2]):
        gradients = random.normal(size=(3, 5)) + 0.3
        step = Step(None, np.isin(range(3), present), gradients @ gradients.T)
        found = np.asarray(weighting.weigh(step)) @ gradients
        np.testing.assert_array_equal(np.asarray(weighting.weigh(step)) @ gradients, found)
        weighting.update(step)
        before = usual.copy()
        np.testing.assert_allclose(found, by_hand(gradients, usual, present), rtol=1e-5)
        np.testing.assert_allclose(state, usual, rtol=1e-5)
        assert (before != usual).sum() == len(present) * (len(present) - 1)


def test_at_first_it_is_pcgrad():
    gradients = np.random.default_rng(1).normal(size=(5, 4))
    np.testing.assert_allclose(mtl.aggregate("gradvac", gradients), mtl.aggregate("pcgrad", gradients))
    with pytest.raises(UserError, match="gradvac: beta is 2.0"):
        mtl.aggregate("gradvac", gradients, beta=2.0)

"""The gradient that weightings make of a matrix of gradients, against published ones and where that is hard."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings import WEIGHTINGS

JACOBIAN = np.array([[1.0, 2.0, 0.0], [-2.0, 0.5, 1.0]])
# name in the file of published combinations -> weighting, its settings, tolerance relative to the combination's length
PUBLISHED = {
    "AlignedMTL": ("aligned_mtl", {}, 1e-10),
    "CAGrad_c0.4": ("cagrad", {"c": 0.4}, 1e-4),
    "ConFIG": ("config", {}, 1e-10),
    "DualProj": ("dual_proj", {}, 1e-10),
    "FairGrad_a1": ("fairgrad", {"alpha": 1.0}, 1e-6),
    "FairGrad_a2": ("fairgrad", {"alpha": 2.0}, 1e-6),
    "IMTLG": ("imtl_g", {}, 1e-10),
    "MGDA": ("mgda", {}, 1e-3),  # TorchJD's solver stops there
    "NashMTL": ("nash_mtl", {}, 1e-2),
    "UPGrad": ("upgrad", {}, 1e-10),
    "PCGrad": ("pcgrad", {}, 1e-10),
}
RANDOM = np.random.default_rng(0)
# Matrices of gradients that are hard to combine: singular Gramians, gradients that cancel out, very uneven lengths.
HARD = {
    "more tasks than parameters": RANDOM.normal(size=(8, 3)),
    "one parameter": RANDOM.normal(size=(5, 1)),
    "the same twice": np.repeat(RANDOM.normal(size=(2, 6)), 2, axis=0),
    "opposite": np.array([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0]]),
    "opposite and a third": np.array([[1.0, 2.0, 0.0], [-2.0, -4.0, 0.0], [0.0, 1.0, 1.0]]),
    "a zero": np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 1.0, 1.0]]),
    "zeros": np.zeros((3, 4)),
    "one task": np.array([[3.0, 4.0]]),
    "uneven": RANDOM.normal(size=(4, 10)) * np.array([[1e-4], [1.0], [1e4], [1.0]]),
    "many tasks": RANDOM.normal(size=(30, 40)),
}
OF_THE_GRAMIAN = [
    *("mgda", "pcgrad", "gradvac", "cagrad", "imtl_g", "nash_mtl", "aligned_mtl", "fairgrad"),
    *("config", "dual_proj", "upgrad", "sdmgrad", "cr_mogm"),
]


def test_it_is_the_weighted_sum_of_the_rows():
    shortest = (6.25 * JACOBIAN[0] + 6 * JACOBIAN[1]) / 12.25
    np.testing.assert_allclose(mtl.aggregate("mgda", JACOBIAN), shortest, rtol=1e-14)
    np.testing.assert_allclose(mtl.aggregate("equal", JACOBIAN, losses=[3.0, 4.0]), JACOBIAN.sum(0))


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_weighting_gives_a_gradient_of_plain_numbers(name):
    found = mtl.aggregate(name, JACOBIAN, [0.5, 2.0])
    assert type(found) is np.ndarray and found.dtype == "float64" and found.shape == (3,)
    assert np.isfinite(found).all() and np.abs(found).max() > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mgda", [1.0, 2.0]), r"shape \(2,\).*\(tasks, parameters\)"),
        (("mgda", [[np.nan]]), "finite"),
        (("equal", JACOBIAN), "weighs losses: give `losses`, one for each of the 2 rows"),
        (("equal", JACOBIAN, [1.0]), r"losses of shape \(1,\).*\(2,\)"),
        (("mgdaa", JACOBIAN), "mgda"),
    ],
)
def test_what_it_cannot_combine_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        mtl.aggregate(*arguments)


def fair(jacobian, combined) -> bool:
    """Whether a combination has the direction of Nash-MTL: every g_i . d times the weight of g_i is the same."""
    weights = np.linalg.lstsq(np.transpose(jacobian), combined, rcond=None)[0]
    shares = weights * (np.asarray(jacobian) @ combined)
    return np.abs(shares / shares.mean() - 1).max() < 1e-2


@pytest.mark.realdata
@pytest.mark.parametrize("published", PUBLISHED)
def test_it_is_what_was_published(published):
    name, settings, tolerance = PUBLISHED[published]
    cases = json.loads(Path(os.environ["MTL_KERAS_DATA"], "gradient_aggregation.json").read_text())["cases"]
    compared = 0
    for case in (case for case in cases if published in case["aggregated"]):
        expected, found = case["aggregated"][published], mtl.aggregate(name, case["jacobian"], **settings)
        if name == "nash_mtl" and not fair(case["jacobian"], expected):
            # TorchJD stops, after 20 programs or where one has no solution, before its weights solve the equation.
            assert fair(case["jacobian"], found)
            continue
        np.testing.assert_allclose(found, expected, atol=tolerance * np.linalg.norm(expected), rtol=0)
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("name", OF_THE_GRAMIAN)
def test_hard_ones_are_combined_alike_whatever_their_size(name):
    for hard, jacobian in HARD.items():
        usual, length = mtl.aggregate(name, jacobian), np.linalg.norm(jacobian)
        assert np.isfinite(usual).all()
        for size in (1e-6, 1e4):
            found = mtl.aggregate(name, size * jacobian)
            # The lengths of these two do not follow those of the gradients.
            found, unit = (found, 1.0) if name in ("nash_mtl", "fairgrad") else (found / size, length)
            np.testing.assert_allclose(found, usual, rtol=1e-6, atol=1e-6 * unit, err_msg=hard)


@pytest.mark.parametrize("name", ["mgda", "nash_mtl", "fairgrad", "dual_proj", "upgrad", "imtl_g"])
def test_a_gradient_that_two_tasks_have_counts_as_one_and_opposite_ones_cancel_out(name):
    first, second = np.array([2.0, 1.0, 0.0]), np.array([-1.0, 1.0, 1.0])
    once, twice = (mtl.aggregate(name, rows) for rows in ([first, second], [first, first, second]))
    assert min(once @ first, once @ second, twice @ first, twice @ second) > 0
    np.testing.assert_allclose(mtl.aggregate(name, [first, -first]), 0, atol=1e-3)

"""PCD against its closed form for two tasks and a solver for more, its averages by hand, and what cannot be met."""

import numpy as np
import pytest
from scipy.optimize import minimize

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.pcd import pcd
from mtl_keras.training.weightings.weighting import Step


def unit(rows) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_solver(jacobian, tau: float) -> np.ndarray:
    """The direction (P,) for the first row, by sequential quadratic programming."""
    first, *others = unit(jacobian)
    found = minimize(
        lambda d: np.square(d - first).sum() / 2,
        first,
        jac=lambda d: d - first,
        constraints={"type": "ineq", "fun": lambda d: others @ d - tau, "jac": lambda d: np.array(others)},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert found.success
    return unit(found.x) * np.linalg.norm(jacobian[0])


def test_of_two_tasks_just_enough_of_the_second_is_added():
    jacobian = np.array([[2.0, 0.0], [-3.0, 3.0]])
    first, second = unit(jacobian)
    expected = 2 * unit(first + (0.1 - first @ second) * second)
    np.testing.assert_allclose(mtl.aggregate("pcd", jacobian, tau=0.1), expected, rtol=1e-5)
    # Gradients that agree leave the primary task's as it is, whatever their sizes.
    np.testing.assert_allclose(mtl.aggregate("pcd", [[2.0, 0.0], [300.0, 300.0]], tau=0.1), [2.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("tasks", [3, 5, 8])
@pytest.mark.parametrize("tau", [0.0, 0.02, 0.3])
def test_of_more_tasks_it_is_the_nearest_direction(tasks, tau):
    random = np.random.default_rng(tasks)
    for _ in range(5):
        jacobian = random.normal(size=(tasks, 12)) * random.uniform(0.2, 3, (tasks, 1))
        found = mtl.aggregate("pcd", jacobian, tau=tau)
        np.testing.assert_allclose(found, by_solver(jacobian, tau), rtol=1e-4, atol=1e-5)
        assert (unit(jacobian[1:]) @ found > -1e-6).all()


def test_the_primary_task_is_the_named_one_or_else_the_first():
    jacobian = np.array([[2.0, 0.0], [-3.0, 3.0]])
    second = mtl.aggregate("pcd", jacobian, primary="task_1")
    np.testing.assert_allclose(second, mtl.aggregate("pcd", jacobian[::-1]), rtol=1e-6)
    assert np.linalg.norm(second) == pytest.approx(np.sqrt(18), rel=1e-5)


@pytest.mark.parametrize(
    ("jacobian", "expected"),
    [
        ([[1.0, 1.0], [1.0, 0.0], [-1.0, 0.0]], [1.0, 1.0]),  # no direction is along both of the others
        ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]),
        ([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]], [1.0, 1.0]),
    ],
    ids=["impossible", "primary without a gradient", "other without a gradient"],
)
def test_where_nothing_can_be_asked_it_is_the_primary_gradient(jacobian, expected):
    np.testing.assert_allclose(mtl.aggregate("pcd", jacobian), expected, atol=1e-6)


def test_five_steps_by_hand_one_without_the_primary_task():
    random = np.random.default_rng(2)
    weighting = pcd(["a", "b", "c"], primary="b", tau=0.3, beta=0.9)
    squares, steps = np.zeros(3), np.zeros(3)
    for number in range(5):
        here = np.array([True, number != 2, True])
        jacobian = random.normal(size=(3, 8)).astype("float32") * [[1.0], [number + 1.0], [5.0]]
        gramian = (jacobian @ jacobian.T).astype("float32")
        squares[here] = 0.9 * squares[here] + 0.1 * np.diag(gramian)[here]
        steps[here] += 1
        scales = 1 / np.sqrt(squares / np.where(steps > 0, 1 - 0.9**steps, 1))
        order = [1, 0, 2] if here[1] else [0, 2]  # without the primary task the first of the others leads
        scaled = scales[order, None] * jacobian[order]
        bounds = 0.3 * np.square(scaled[1:]).sum(1)
        found = minimize(
            lambda d, first: np.square(d - first).sum() / 2,
            scaled[0],
            args=(scaled[0],),
            constraints={"type": "ineq", "fun": lambda d, rows, least: rows @ d - least, "args": (scaled[1:], bounds)},
            options={"ftol": 1e-14, "maxiter": 500},
        ).x
        step = Step(None, here, gramian)
        weights = np.asarray(weighting.weigh(step))
        expected = unit(found) * np.linalg.norm(jacobian[order[0]])
        np.testing.assert_allclose(weights @ jacobian, expected, rtol=1e-3, atol=1e-4)
        before = [variable.numpy() for variable in weighting.state.rows]
        weighting.update(step)
        for variable, old in zip(weighting.state.rows, before, strict=True):
            variable.assign(np.where(here, variable.numpy(), old))
        assert weighting.state.rows[1].numpy().tolist() == steps.tolist()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"primary": "c"}, "pcd: primary is 'c'; expected one of the tasks a, b"),
        ({"tau": 1.5}, "pcd: tau is 1.5.*from 0 to 1"),
        ({"beta": 1.0}, "beta is 1.0.*below 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(UserError, match=said):
        pcd(["a", "b"], **settings)

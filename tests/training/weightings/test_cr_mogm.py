"""Moving averages of another weighting's weights."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings import find
from mtl_keras.training.weightings.weighting import Step

NAMES, RANDOM = ["a", "b", "c"], np.random.default_rng(0)


@pytest.mark.parametrize("inner", ["cagrad:c=0.4,rescale=square", "gradvac:beta=0.5", "sdmgrad"])
def test_weights_are_averaged_over_steps_from_the_first_on(inner):
    weighting, plain, average = find(f"cr_mogm:of={inner}", NAMES), find(inner, NAMES), None
    assert weighting.halves == plain.halves
    for _ in range(4):
        gradients = RANDOM.normal(size=((1 + plain.halves) * 3, 5))
        step = Step(None, np.ones(3, bool), gradients @ gradients.T)
        found = np.asarray(plain.weigh(step))
        average = found if average is None else 0.9 * average + 0.1 * found
        answer = weighting.weigh(step)
        np.testing.assert_allclose(answer, average, rtol=1e-5)
        weighting.update(step._replace(answer=answer))
        if plain.update:
            plain.update(step._replace(answer=found))


def test_an_absent_task_has_no_weight_and_starts_when_it_comes():
    weighting = find("cr_mogm:of=fairgrad,momentum=0.5", NAMES)
    first = Step(None, np.array([True, True, False]), np.diag([1.0, 4.0, 0.0]))
    np.testing.assert_allclose(weighting.weigh(first), [1.0, 0.5, 0.0], rtol=1e-6)
    before = [row.numpy() for row in weighting.state.rows]
    weighting.update(first)
    for row, old in zip(weighting.state.rows, before, strict=True):  # as the trainer does
        row.assign(np.concatenate([row[:2], old[2:]]))
    second = Step(None, np.ones(3, bool), np.diag([4.0, 4.0, 16.0]))
    np.testing.assert_allclose(weighting.weigh(second), [0.75, 0.5, 0.25], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"of": "equal"}, "of is 'equal'; expected a weighting by the Gramian"), ({"momentum": 1.0}, "momentum is 1.0")],
)
def test_what_cannot_be_is_refused(settings, said):
    with pytest.raises(UserError, match=f"cr_mogm: {said}"):
        mtl.aggregate("cr_mogm", np.eye(2), **settings)

"""What a training step costs: a slow and large weighting is seen, and every weighting has the rows that it should."""

import time

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.studies import step_costs as costs
from mtl_keras.studies.step_costs import Step, cost_lines, measured, needs_and_places, step_costs, write_costs
from mtl_keras.studies.timing import CLEAR
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings import WEIGHTINGS
from mtl_keras.training.weightings.weighting import Weighting

pytestmark = [
    pytest.mark.skipif(not CLEAR.exists(), reason="peak memory is measured on Linux"),
    pytest.mark.usefixtures("compiled"),
]
TINY = Step("features", 4, image_size=3)
FIGURES = {"ms": 12.0, "ratio": 1.5, "peak_mb": 3.0}


def costly(tasks):
    """Weighs equally, in 50 ms and 256 MiB."""

    def weights(losses):
        time.sleep(0.05)
        return losses * 0 + np.ones(2**25)[:3].astype("float32")

    def weigh(step):
        return tf.ensure_shape(tf.numpy_function(weights, [step.losses], tf.float32), (3,))

    return Weighting("losses", weigh)


def test_time_and_memory_of_a_costly_weighting_are_seen(monkeypatch):
    monkeypatch.setitem(WEIGHTINGS, "costly", costly)
    found = measured(TINY, "costly", "", 3)
    assert 50 < found["ms"] < 2000 and found["ratio"] > 1.2
    assert 240 < found["peak_mb"] < 600


def test_gradients_can_be_taken_at_both_places_where_any_are_needed():
    tasks = TINY.tasks
    assert needs_and_places("equal", tasks) == ("losses", [""])
    assert needs_and_places("mgda", tasks) == ("gramian", ["features", "parameters"])
    assert needs_and_places("pcgrad", tasks)[1] == ["features", "parameters"]
    with_size = [name for name in WEIGHTINGS if needs_and_places(name, tasks)[1] == ["parameters"]]
    assert all(needs_and_places(name, tasks)[0] != "losses" for name in with_size)


def test_a_step_trains_by_the_weighting_and_at_the_place_that_are_asked_for(monkeypatch):
    compiled, original = [], MultiTaskModel.compile

    def noted(model, *args, **choices):
        compiled.append(choices)
        original(model, *args, **choices)

    monkeypatch.setattr(MultiTaskModel, "compile", noted)
    train = costs.training_step(TINY, "mgda", "features")
    assert compiled == [{"weighting": "mgda", "gradients_at": "features"}]
    before = train()[0]
    assert [train()[0] for _ in range(20)][-1] < before


def test_every_weighting_and_place_has_a_row_and_is_told(monkeypatch):
    asked, told = [], []

    def in_fresh_process(function, *arguments):
        asked.append((function, *arguments))
        return FIGURES

    monkeypatch.setattr(costs, "in_fresh_process", in_fresh_process)
    rows = step_costs(TINY, ["equal", "mgda"], 7, told.append)
    assert asked == [
        (measured, TINY, *each, 7) for each in (("equal", ""), ("mgda", "features"), ("mgda", "parameters"))
    ]
    assert told == rows and all(tuple(row) == costs.COLUMNS for row in rows)
    assert [row["needs"] for row in rows] == ["losses", "gramian", "gramian"]


def test_what_cannot_be_measured_is_refused_before_anything_is(monkeypatch):
    monkeypatch.setattr(costs, "in_fresh_process", None)
    with pytest.raises(UserError, match="unknown weighting 'pcgrab'"):
        step_costs(TINY, ["equal", "pcgrab"])
    with pytest.raises(UserError, match="repeats 0, batch size 4: expected at least 1 of each"):
        step_costs(TINY, ["equal"], 0)


def test_rows_of_other_libraries_stay(tmp_path):
    assert cost_lines(tmp_path) == []
    row = {"weighting": "equal", "gradients_at": "", "needs": "losses", **FIGURES}
    write_costs([{"library": "mtl_keras", **row}], tmp_path)
    write_costs([{"library": "LibMTL", **row, "ratio": 1.0}], tmp_path)
    write_costs([{"library": "mtl_keras", **row, "ratio": 2.0, "gradients_at": "features"}], tmp_path)
    lines = cost_lines(tmp_path)
    assert lines[2:] == [
        "| LibMTL | equal |  | losses | 12 | 1.00 | 3 |",
        "| mtl_keras | equal | features | losses | 12 | 2.00 | 3 |",
    ]

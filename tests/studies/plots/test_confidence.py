"""Reliability diagrams and selective curves show the figures that they were given."""

import numpy as np
import pytest

from mtl_keras.evaluation.calibration import reliability
from mtl_keras.studies import plots
from mtl_keras.tasks import GENDER


def test_accuracy_stands_over_confidence_before_and_after(tmp_path, drawn):
    sure = np.r_[np.full(30, 0.97), np.full(5, 0.7)]
    labels = np.r_[[0] * 24, [1] * 6, [0, 0, 0, 0, 1]].astype(int)
    bins = {
        name: reliability(GENDER, labels, np.stack([p, 1 - p], axis=-1))
        for name, p in (("before", sure), ("after", sure - 0.1))
    }
    plots.reliability_diagrams({GENDER: bins}, tmp_path / "calibration.png")
    (axis,) = drawn[0].axes
    _, before, after = axis.lines
    np.testing.assert_allclose(before.get_xydata(), [[70, 80], [97, 80]])
    np.testing.assert_allclose(after.get_xydata(), [[60, 80], [87, 80]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["before: ECE 16.0 %", "after: ECE 8.9 %"]
    hollow, full = axis.collections[0].get_facecolors()
    assert hollow.tolist() == [1, 1, 1, 1] != full.tolist(), "of five images there is little to say"
    assert axis.get_title(loc="left") == "Gender" and axis.get_xlim() == (60, 100)


def test_curves_go_from_the_surest_ten_to_all(tmp_path, drawn):
    scores = np.linspace(1, 0.9, 40)
    plots.selective_curves({"gender.accuracy": scores, "age.mae": 50 * scores}, tmp_path / "selective.png")
    gender, age = drawn[0].axes
    found = gender.lines[1].get_xydata()
    assert found[0].tolist() == pytest.approx([25, 100 * scores[9]]) and found[-1].tolist() == pytest.approx([100, 90])
    plots.selective_curves({"gender.accuracy": scores[:5]}, tmp_path / "few.png")
    assert drawn[1].axes[0].lines[1].get_xydata()[:, 0].tolist() == pytest.approx([20, 40, 60, 80, 100])
    assert gender.get_title(loc="left") == "Gender accuracy (%): area 95.00"
    assert age.get_title(loc="left") == "Age MAE (years): area 47.50"


def test_without_tasks_the_figures_say_so(tmp_path, drawn):
    plots.reliability_diagrams({}, tmp_path / "a.png")
    plots.selective_curves({}, tmp_path / "b.png")
    assert all("Nothing to show" in figure.texts[0].get_text() for figure in drawn)

"""The figures of a comparison of methods, by what was drawn."""

import numpy as np
import pandas as pd

from mtl_keras.studies.methods import TUNED, Group
from mtl_keras.studies.plots.methods import draw_conflict, draw_improvements


def table(**deltas: float) -> pd.DataFrame:
    rows = [{"method": name, "group": Group.WEIGHTING, "delta_m": value} for name, value in deltas.items()]
    rows += [{"method": f"{TUNED}: age x 3", "group": Group.REFERENCE, "delta_m": 1.0}]
    found = pd.DataFrame(rows)
    return found.assign(**{"delta_m.low": found["delta_m"] - 1, "delta_m.high": found["delta_m"] + 1, "why": None})


def test_methods_stand_from_best_to_worst_with_their_intervals_and_the_baseline_is_a_line(tmp_path, drawn):
    draw_improvements(table(low=-2.0, high=3.0), tmp_path / "improvement.png")
    (axis,) = drawn[0].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["high", f"{TUNED}: age x 3", "low"]
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axis.lines if line.get_marker() in "oD"}
    assert dots == {0: 3.0, 1: 1.0, 2: -2.0}
    bars = [tuple(line.get_xdata()) for line in axis.lines if line.get_solid_capstyle() == "round"]
    assert bars == [(2.0, 4.0), (0.0, 2.0), (-3.0, -1.0)]
    dashed = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"]
    assert dashed == [1.0]


def test_one_far_off_is_an_arrow_and_those_without_figures_say_why(tmp_path, drawn):
    rows = table(a=0.5, b=1.5, c=1.0, d=0.8, far=-400.0)
    gone = {"method": "gone", "group": Group.SHARING, "delta_m": np.nan, "why": "left out: it cannot work"}
    rows = pd.concat([rows, pd.DataFrame([gone, {**gone, "method": "nan", "why": "diverged"}])])
    draw_improvements(rows, tmp_path / "improvement.png")
    (axis,) = drawn[0].axes
    texts = [text.get_text() for text in axis.texts]
    assert axis.get_xlim()[0] > -10 and "\N{LEFTWARDS ARROW}" in texts and "-400.00" in texts
    assert [label.get_text() for label in axis.get_yticklabels()][-3:] == ["far", "gone", "nan"]
    assert texts[-2:] == ["left out", "diverged"]


def test_without_any_figure_there_is_nothing_to_show(tmp_path, drawn):
    draw_improvements(table()[:0], tmp_path / "improvement.png")
    draw_conflict(
        pd.DataFrame({"epoch": [0], "first": "a", "second": "b", "cosine": np.nan}), tmp_path / "conflict.png"
    )
    assert all("Nothing to show" in figure.texts[0].get_text() for figure in drawn)


def test_conflict_has_a_line_a_pair_over_the_epochs(tmp_path, drawn):
    pairs = [("age", "gender", [0.2, -0.1]), ("age", "head_pose", [0.0, 0.4])]
    rows = [
        {"epoch": epoch, "first": first, "second": second, "cosine": cosines[epoch]}
        for epoch in (0, 1)
        for first, second, cosines in pairs
    ]
    draw_conflict(pd.DataFrame(rows), tmp_path / "conflict.png")
    (axis,) = drawn[0].axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.lines if line.get_marker() == "o"}
    assert lines == {"age and gender": [0.2, -0.1], "age and head pose": [0.0, 0.4]}
    low, high = axis.get_ylim()
    assert low == -high and high > 0.4

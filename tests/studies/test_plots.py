"""The figures say what their data say: checked on what was drawn, not on how it looks."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mtl_keras import colors
from mtl_keras.errors import UserError
from mtl_keras.evaluation.groups import by_group
from mtl_keras.kinds import add_task
from mtl_keras.studies import plots
from mtl_keras.tasks import AGE, AGE_GROUP, ETHNICITY, GENDER, HEAD_POSE, SMILE, Task

FACES = [np.full((24, 24, 3), 40 * shade, np.uint8) for shade in range(6)]


def predictions(images: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.integers(1, 90, images).astype(float)
    table = pd.DataFrame({"path": "face.jpg", "age": age, "age.value": age + random.normal(0, 4, images)})
    for task in (GENDER, ETHNICITY):
        table[task.name] = random.choice(task.classes, images)
        wrong = random.choice(task.classes, images)
        table[f"{task.name}.class"] = table[task.name].where(random.random(images) < 0.9, wrong)
    return table


def history(epochs: int) -> pd.DataFrame:
    fall = 1 / np.arange(1.0, epochs + 1)
    table = pd.DataFrame({"epoch": np.arange(epochs), "loss": fall, "val_loss": fall + 0.1, "age_loss": fall})
    return table.assign(age_mae=9 * fall, val_age_mae=9 * fall + 1, learning_rate=1e-3)


def check_png(path: Path, width: float, height: float | None = None) -> None:
    """Assert the size in inches at 150 dots each, and that something was drawn."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width == math.floor(150 * width)
        assert height is None or image.height == math.floor(150 * height)
        gray = np.asarray(image.convert("L"))
    assert len(np.unique(gray)) > 20 and (gray < 250).mean() > 0.002


def texts(figure: Figure) -> list[str]:
    parts = [text.get_text() for axis in figure.axes for text in [*axis.texts, axis.title, axis.xaxis.label]]
    return parts + [axis.get_title(loc="left") for axis in figure.axes] + [text.get_text() for text in figure.texts]


# === Learning curves ===


def test_learning_curves_show_each_run_in_its_color_and_mark_its_best_epoch(tmp_path, drawn):
    late = history(4)
    late["val_age_mae"] = [5.0, 3.0, 4.0, 6.0]
    gender = history(2)[["epoch", "loss"]].assign(gender_accuracy=[0.5, 0.75], val_gender_accuracy=[0.7, 0.6])
    plots.learning_curves({"both": late, "gender": gender}, tmp_path / "curves.png")
    check_png(tmp_path / "curves.png", 11)
    loss, age, accuracy = drawn[0].axes
    assert [axis.get_title(loc="left") for axis in drawn[0].axes][1:] == ["Age MAE (years)", "Gender accuracy (%)"]
    lines = {line.get_linestyle(): line for line in age.lines if len(line.get_xdata())}
    # The first epoch is 0 in the file and 1 on the screen, in the progress bar and here.
    assert list(lines["-"].get_ydata()) == [5, 3, 4, 6] and list(lines["-"].get_xdata()) == [1, 2, 3, 4]
    assert lines["--"].get_ydata() == pytest.approx([9, 4.5, 3, 2.25])
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in age.lines if line.get_marker() == "o"]
    assert dots == [(2, 3.0)]
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in accuracy.lines if line.get_marker() == "o"]
    assert dots == [(1, 70.0)], "accuracy is in percent and its best is its highest"
    assert {line.get_color() for line in accuracy.lines if len(line.get_xdata())} == {colors.VERMILION}
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["both", "gender", "training", "validation, dot at its best"]


def test_learning_curves_of_many_runs_can_all_be_told_apart(tmp_path, drawn):
    plots.learning_curves({f"run {number}": history(3) for number in range(10)}, tmp_path / "curves.png")
    lines = drawn[0].legends[0].get_lines()[:10]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 10


def test_learning_curves_of_a_single_epoch_are_visible(tmp_path, drawn):
    plots.learning_curves({"short": history(1)[["epoch", "loss"]]}, tmp_path / "curves.png")
    assert [line.get_marker() for line in drawn[0].axes[0].lines if len(line.get_xdata())] == ["_"]
    assert len(drawn[0].axes) == 1
    check_png(tmp_path / "curves.png", 11)
    plots.learning_curves({"stopped": history(0)}, tmp_path / "curves.png")
    assert "Nothing to show" in texts(drawn[1])[0]


def test_the_loss_is_of_all_tasks_only_where_there_are_several(tmp_path, drawn):
    alone = history(2)
    plots.learning_curves({"alone": alone}, tmp_path / "curves.png")
    plots.learning_curves({"both": alone.assign(gender_loss=0.5)}, tmp_path / "curves.png")
    assert [figure.axes[0].get_title(loc="left") for figure in drawn] == ["Loss", "Loss, all tasks together"]


def test_a_loss_that_became_nan_and_a_best_first_epoch_can_be_drawn(tmp_path, drawn):
    broken = history(6).assign(loss=[3, 2, *[np.nan] * 4], val_loss=np.inf, val_age_mae=[0.0, 9, 9, 9, 9, 9])
    plots.learning_curves({"broken": broken}, tmp_path / "curves.png")
    plots.learning_curves({"broken": broken.assign(loss=np.nan)}, tmp_path / "curves.png")
    age = drawn[0].axes[1]
    (dot,) = [line for line in age.lines if line.get_marker() == "o"]
    assert age.get_ylim()[0] <= dot.get_ydata()[0] == 0, "its best epoch is inside, though the first epochs are not"


# === Ages ===


def test_age_scatter_gives_mae_and_rmse_of_rows_that_have_both(tmp_path, drawn):
    table = pd.DataFrame({"age": [10, 20, 30, np.nan, 50], "age.value": [12, 20, 26, 40, np.nan]})
    plots.age_scatter(table, tmp_path / "age.png")
    check_png(tmp_path / "age.png", 12, 5.4)
    scatter, decades = drawn[0].axes[:2]
    assert scatter.get_title(loc="left") == f"Age: MAE 2.00, RMSE {math.sqrt(20 / 3):.2f} years (3 images)"
    line = next(line for line in scatter.lines if line.get_label() == "answer = label")
    assert list(line.get_xdata()) == list(line.get_ydata())
    assert scatter.collections[0].get_array().sum() == 3
    assert [bar.get_height() for bar in decades.patches] == [2, 0, 4]
    assert [label.get_text() for label in decades.get_xticklabels()] == ["10–19", "20–29", "30–39"]
    assert all(bar.get_hatch() for bar in decades.patches), "decades of so few images are hatched"


def test_the_intervals_of_errors_by_age_are_those_of_their_means(drawn, tmp_path):
    random = np.random.default_rng(1)
    errors = {5.0: random.gamma(2, 2, 400), 25.0: np.full(50, 3.0)}
    rows = [{"age": age, "age.value": age + error} for age, each in errors.items() for error in each]
    plots.age_scatter(pd.DataFrame(rows), tmp_path / "age.png")
    decades = drawn[0].axes[1]
    bars = [bar.get_height() for bar in decades.patches]
    (first, second) = (line.get_ydata() for line in decades.lines)
    mean, reach = errors[5.0].mean(), 1.96 * errors[5.0].std() / 20
    assert bars == pytest.approx([mean, 3.0])
    # The percentiles of 1,000 bootstrap means lie within a tenth of the normal interval's reach.
    assert first == pytest.approx([mean - reach, mean + reach], abs=0.1 * reach)
    assert second == pytest.approx([3.0, 3.0])


def test_age_scatter_counts_and_brackets_each_decade(tmp_path, drawn):
    table = pd.DataFrame({"age": [5.0] * 40 + [15.0] * 12, "age.value": [6.0, 8.0] * 20 + [14.0] * 12})
    plots.age_scatter(table, tmp_path / "age.png")
    decades = drawn[0].axes[1]
    assert [text.get_text() for text in decades.texts] == ["40", "12"]
    (low, high), same = (line.get_ydata() for line in decades.lines)
    assert 1.5 < low < 2 < high < 2.5 and list(same) == [1, 1]
    assert not any(bar.get_hatch() for bar in decades.patches)


def test_ages_answered_below_zero_are_shown(tmp_path, drawn):
    table = pd.DataFrame({"age": [1.0, 30.0], "age.value": [-3.0, 31.0]})
    plots.age_scatter(table, tmp_path / "age.png")
    scatter = drawn[0].axes[0]
    assert scatter.get_ylim() == (-10, 40) and scatter.collections[0].get_array().sum() == 2


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"age": [np.nan], "age.value": [3.0]})])
def test_age_scatter_without_labels_says_so(tmp_path, drawn, table):
    plots.age_scatter(table, tmp_path / "age.png")
    check_png(tmp_path / "age.png", 12)
    assert "Nothing to show" in texts(drawn[0])[0]


def test_one_image_is_enough(tmp_path):
    row = predictions(1)
    plots.age_scatter(row, tmp_path / "age.png")
    plots.confusion_matrices(row, [AGE, GENDER], tmp_path / "confusion.png")
    check_png(tmp_path / "age.png", 12)
    check_png(tmp_path / "confusion.png", 4.57)


# === Confusions ===


def test_confusion_matrix_has_rows_of_percent_and_counts(tmp_path, drawn):
    labels = ["male"] * 4 + ["female"] * 2 + ["male", None]
    answers = ["male"] * 3 + ["female"] * 3 + [None, "male"]
    table = pd.DataFrame({"gender": labels, "gender.class": answers})
    plots.confusion_matrices(table, [AGE, GENDER, ETHNICITY, HEAD_POSE], tmp_path / "confusion.png")
    check_png(tmp_path / "confusion.png", 4.57, 3.9)
    (axis,) = drawn[0].axes
    assert axis.get_title(loc="left") == "Gender: 83.3 % right"
    cells = {(text.xy, text.get_text()) for text in axis.texts}
    assert {((0, 0), "75.0"), ((0, 0), "3"), ((1, 0), "25.0"), ((1, 0), "1")} <= cells
    assert {((0, 1), "0.0"), ((0, 1), "0"), ((1, 1), "100.0"), ((1, 1), "2")} <= cells
    assert [label.get_text() for label in axis.get_yticklabels()] == ["male", "female"]


def test_a_class_without_images_is_hatched_and_has_no_percent(tmp_path, drawn):
    table = pd.DataFrame({"ethnicity": ["white", "asian"], "ethnicity.class": ["white", "white"]})
    plots.confusion_matrices(table, [ETHNICITY], tmp_path / "confusion.png")
    (axis,) = drawn[0].axes
    assert {text.xy[1] for text in axis.texts} == {0, 2}
    hatched = {round(patch.get_y() + 0.5) for patch in axis.patches if patch.get_hatch()}
    assert hatched == {1, 3, 4}


def test_long_names_of_classes_are_turned_and_small_cells_have_small_numbers(tmp_path, drawn):
    many = Task("person", "categorical", classes=tuple(f"a long name, number {i}" for i in range(14)))
    names = ["a long name, number 3", "a long name, number 4"]
    table = pd.DataFrame({"person": names, "person.class": names, "gender": ["male", "female"]})
    table["gender.class"] = table["gender"]
    plots.confusion_matrices(table, [many, GENDER], tmp_path / "confusion.png")
    person, gender = drawn[0].axes
    assert {label.get_rotation() for label in person.get_xticklabels()} == {90}
    assert {label.get_rotation() for label in gender.get_xticklabels()} == {0}
    assert max(text.get_fontsize() for text in person.texts) < 9 < max(text.get_fontsize() for text in gender.texts)


def test_confusion_matrices_without_a_categorical_task_say_so(tmp_path, drawn):
    plots.confusion_matrices(predictions(5), [AGE], tmp_path / "confusion.png")
    assert "Nothing to show" in texts(drawn[0])[0]


# === Groups ===


def groups() -> pd.DataFrame:
    rows = [("female", "asian", "100-116", 3, 9.0, 1.0), ("male", "white", "20-29", 40, 2.0, 0.95)]
    rows += [("female", "asian", "20-29", 30, 4.0, 0.5), ("male", "white", "3-19", 12, 3.0, np.nan)]
    return pd.DataFrame(rows, columns=["gender", "ethnicity", "age_band", "n", "age.mae", "gender.accuracy"])


def test_fairness_orders_groups_and_bands_and_hatches_small_cells(tmp_path, drawn):
    plots.fairness(groups(), tmp_path / "fairness.png")
    check_png(tmp_path / "fairness.png", 7)
    age, gender = drawn[0].axes[:2]
    assert [label.get_text() for label in age.get_xticklabels()] == ["3-19", "20-29", "100-116"]
    assert [label.get_text() for label in age.get_yticklabels()] == ["male, white", "female, asian"]
    assert {(text.xy, text.get_text()) for text in gender.texts} >= {((1, 0), "95.0"), ((1, 0), "40"), ((1, 1), "50.0")}
    hatched = {(round(patch.get_x() + 0.5), round(patch.get_y() + 0.5)) for patch in age.patches}
    assert hatched == {(2, 0), (0, 1), (2, 1)}, "three images, or none"
    mean = (3 * 9 + 40 * 2 + 30 * 4 + 12 * 3) / 85
    assert (age.images[0].norm.vmin, age.images[0].norm.vmax) == (0, pytest.approx(2 * mean))
    for axis, worse, better in ((age, 4.0, 2.0), (gender, 50.0, 95.0)):
        image = axis.images[0]
        assert sum(image.cmap(image.norm(worse))[:3]) < sum(image.cmap(image.norm(better))[:3]), "darker is worse"


def test_near_figures_have_near_colors(tmp_path, drawn):
    rows = [("female", 400, 0.93, 9.3), ("male", 500, 0.96, 9.6)]
    table = pd.DataFrame(rows, columns=["gender", "n", "gender.accuracy", "age.mae"])
    plots.fairness(table, tmp_path / "fairness.png")
    check_png(tmp_path / "fairness.png", 7)
    accuracy, age, *bars = drawn[0].axes
    for axis, values in ((accuracy, (93, 96)), (age, (9.3, 9.6))):
        image = axis.images[0]
        one, other = (np.array(image.cmap(image.norm(value))[:3]) for value in values)
        assert np.abs(one - other).max() < 0.1
        assert [label.get_text() for label in axis.get_xticklabels()] == ["all images"]
    # The scale stands beside each, with a line at the figure of all images.
    ends = [bar.get_ylim() for bar in bars]
    assert ends == [(0, 100), (0, pytest.approx(2 * (400 * 9.3 + 500 * 9.6) / 900))]
    assert bars[0].lines[-1].get_ydata()[0] == pytest.approx(100 * (400 * 0.93 + 500 * 0.96) / 900)


def test_a_cell_counts_the_labels_of_its_own_task(tmp_path, drawn):
    rows = [("female", 40, 0.9, 40, 3.0, 4), ("male", 40, 0.9, 40, 3.0, 36)]
    columns = ["gender", "n", "gender.accuracy", "gender.n", "age.mae", "age.n"]
    plots.fairness(pd.DataFrame(rows, columns=columns), tmp_path / "fairness.png")
    gender, age = drawn[0].axes[:2]
    assert [text.get_text() for text in age.texts] == ["3.0", "36", "3.0", "4"], "males first"
    assert [round(patch.get_y() + 0.5) for patch in age.patches] == [1] and not gender.patches


@pytest.mark.parametrize("absent", [["gender"], ["ethnicity"], ["gender", "ethnicity"], ["age_band"]])
def test_fairness_works_with_fewer_kinds_of_groups(tmp_path, absent):
    kept = [key for key in ("gender", "ethnicity", "age_band") if key not in absent]
    table = groups().drop(columns=absent).drop_duplicates(kept)
    plots.fairness(table, tmp_path / "fairness.png")
    check_png(tmp_path / "fairness.png", 7)


def test_fairness_of_a_single_or_of_only_small_or_no_groups(tmp_path, drawn):
    for rows in (groups().iloc[1:2], groups().iloc[:1], groups().iloc[:0]):
        plots.fairness(rows, tmp_path / "fairness.png")
        check_png(tmp_path / "fairness.png", 7)
    assert "Nothing to show" in texts(drawn[-1])[0]


# === Faces ===


def test_captions_say_what_is_wrong():
    table = pd.DataFrame(
        {
            "age": [30.0, 30.0, np.nan, 30.0],
            "age.value": [34.6, 36.0, 20.2, 30.1],
            "eyeglasses": ["eyeglasses"] * 4,
            "gender": ["male", "female", None, "male"],
            "gender.class": ["male", "male", "female", None],
        }
    )
    captions = plots.face_captions(table, [AGE, GENDER, ETHNICITY])
    assert captions[0] == [("age 35 (30)", True), ("male", True)]
    assert captions[1] == [("age 36 (30)", False), ("male (female)", False)]
    assert captions[2] == [("age 20", None), ("female", None)]
    assert captions[3] == [("age 30", True)]


def test_captions_name_outputs_and_what_a_class_does_not_tell():
    mask = Task("wears_mask", "categorical", classes=("no", "yes"))
    table = pd.DataFrame({"wears_mask.class": ["no"], "age_group.class": ["24-39"], "smile.class": ["smiling"]})
    table = table.assign(**{f"{column}.value": 179.0 for column in HEAD_POSE.columns}, **{"head_pose.yaw": -179.0})
    table["head_pose.roll.value"] = -0.3
    close = replace(HEAD_POSE, within=3.0)
    (lines,) = plots.face_captions(table, [mask, AGE_GROUP, SMILE, close])
    assert lines == [
        ("wears mask no", None), ("age group 24-39", None), ("smiling", None),
        ("yaw 179 (-179)", True), ("pitch 179", None), ("roll 0", None),
    ]  # fmt: skip


def test_the_note_on_captions_fits_their_tasks():
    right, unknown = [[("male", True)]], [[("mood 3", None)]]
    assert plots.note_on(right, [GENDER]) == "answer (label, where it differs); framed and crossed: wrong"
    assert plots.note_on(right, [GENDER, AGE]).endswith("crossed: wrong, or age over 5 years off")
    assert plots.note_on(right, [AGE, HEAD_POSE]).endswith("crossed: age over 5 years off")
    assert plots.note_on(right, [Task("mood", "regression", within=0.5)]).endswith("crossed: mood over 0.5 off")
    assert plots.note_on(unknown, [AGE]) == "answers; these faces have no labels of such tasks"
    assert plots.note_on([[("yaw 3 (4)", None)]], [HEAD_POSE]) == "answer (label, where it differs)"


def test_captions_judge_a_number_by_its_task_alone():
    table = pd.DataFrame({"mood": [3.0, 3.0], "mood.value": [3.4, 9.0]})
    lines = {
        within: [line for (line,) in plots.face_captions(table, [Task("mood", "regression", within=within)])]
        for within in (None, 1.0)
    }
    assert lines[1.0] == [("mood 3", True), ("mood 9 (3)", False)]
    assert lines[None] == [("mood 3", None), ("mood 9 (3)", None)]
    # Rendered faces have no label of a task of one's own.
    unlabelled = pd.DataFrame({"mood.value": [0.346]})
    assert plots.face_captions(unlabelled, [Task("mood", "regression", range=(0, 1))]) == [[("mood 0.35", None)]]


def test_face_grid_marks_wrong_answers_by_color_sign_and_frame(tmp_path, drawn):
    captions = [[("male", True)], [("age 20 (40)", False), ("female", None)], *[[("female", True)]] * 4]
    plots.face_grid(FACES, captions, tmp_path / "faces.png")
    check_png(tmp_path / "faces.png", 12)
    assert len(drawn[0].axes) == 6
    right, wrong = drawn[0].axes[:2]
    assert [text.get_text() for text in right.texts] == ["male"]
    assert [text.get_text() for text in wrong.texts] == ["✗ age 20 (40)", "female"]
    assert [text.get_color() for text in wrong.texts] == [colors.VERMILION, colors.INK]
    assert wrong.spines["top"].get_linewidth() > right.spines["top"].get_linewidth()
    assert np.array_equal(wrong.images[0].get_array(), FACES[1])
    assert not any("years" in text for text in texts(drawn[0])), "the note comes with the captions"


def test_face_grid_draws_the_axes_of_a_head(tmp_path, drawn):
    table = pd.DataFrame({column: [0.0, np.nan] for column in HEAD_POSE.columns}).add_suffix(".value")
    table = table.assign(**{"head_pose.yaw.value": 30.0, "gender.class": "male", "gender.probability": 0.9})
    heads = plots.head_axes(table, [GENDER, HEAD_POSE])
    plots.face_grid(FACES[:2], [[], []], tmp_path / "faces.png", heads=heads)
    turned, unknown = drawn[0].axes[:2]
    ends = {line.get_color(): line.get_xydata() for line in turned.lines if line.get_color() != "white"}
    # Of 24 pixels a side: the nose to the image's left, the chin down.
    np.testing.assert_allclose(ends[colors.BLUE], [(12, 12), (12 - 0.3 * 24 / 2, 12)], atol=1e-9)
    np.testing.assert_allclose(ends[colors.GREEN], [(12, 12), (12, 12 + 0.3 * 24)], atol=1e-9)
    assert len(ends) == 3 and not unknown.lines and turned.get_xlim() == unknown.get_xlim()


def test_a_long_caption_does_not_reach_the_next_face(tmp_path, drawn):
    long, short = "no eyeglasses (eyeglasses), or something even longer", "male"
    plots.face_grid(FACES, [[(long, False), (short, True)]] * 6, tmp_path / "faces.png", "a note")
    renderer = FigureCanvasAgg(drawn[0]).get_renderer()
    for text in drawn[0].axes[0].texts:
        assert text.get_window_extent(renderer).width < 2 * drawn[0].dpi
    assert drawn[0].axes[0].texts[1].get_fontsize() == 10 and drawn[0].get_supxlabel() == "a note"


def test_face_grid_of_gray_faces_one_face_or_none(tmp_path, drawn):
    for faces in ([face[..., 0] for face in FACES[:4]], FACES[:1], []):
        plots.face_grid(faces, [[("male", True)]] * len(faces), tmp_path / "faces.png")
        check_png(tmp_path / "faces.png", 2 * max(3, len(faces)))
        assert len(drawn[-1].axes) == len(faces)


# === Runs ===


def runs() -> pd.DataFrame:
    rows = {
        "both": ("age, gender", "frozen", 4.0, 3.8, 4.3, np.nan),
        "guess": ("age, gender", "baseline", 15.0, np.nan, np.nan, 0.52),
        "age alone": ("age", "frozen", 4.5, 4.2, 4.8, np.nan),
        "article": ("age, gender", "reported", np.nan, np.nan, np.nan, 0.948),
    }
    columns = ["tasks", "stage", "age.mae", "age.mae.low", "age.mae.high", "gender.accuracy"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("run").reset_index()


def test_compare_runs_draws_points_with_intervals_by_group(tmp_path, drawn):
    plots.compare_runs(runs(), tmp_path / "compare.png")
    check_png(tmp_path / "compare.png", 15)
    age, gender = drawn[0].axes
    assert [label.get_text() for label in age.get_yticklabels()] == ["guess", "age alone", "both"]
    assert [label.get_text() for label in gender.get_yticklabels()] == ["guess", "article"], "runs that have the figure"
    assert "lower is better" in age.get_xlabel() and "higher is better" in gender.get_xlabel()
    points = {(line.get_ydata()[0], line.get_marker()): line for line in age.lines}
    assert list(points[2, "^"].get_xdata()) == [4.0] and points[2, "^"].get_color() == colors.VERMILION
    assert list(points[1, "o"].get_xdata()) == [4.5] and points[1, "o"].get_color() == colors.BLUE
    assert list(points[2, "None"].get_xdata()) == [3.8, 4.3]
    assert age.get_xlim()[1] < 15, "a far baseline does not squeeze the others"
    notes = [[text.get_text() for text in axis.texts] for axis in (age, gender)]
    assert notes == [["→", "15.00", "4.50", "4.00"], ["←", "52.00", "94.80"]]


def test_no_axis_goes_beyond_what_a_figure_can_be(tmp_path, drawn):
    perfect = {"gender.accuracy": 1.0, "gender.accuracy.low": 0.96, "gender.accuracy.high": 1.0}
    exact = {"age.mae": 0.5, "age.mae.low": 0.0, "age.mae.high": 1.5}
    rows = [{"run": name, "tasks": "age, gender", "stage": "trained", **perfect, **exact} for name in "ab"]
    plots.compare_runs(pd.DataFrame(rows), tmp_path / "compare.png")
    both = {"gender_accuracy": [0.5, 0.99, 1.0], "val_gender_accuracy": [0.5, 1.0, 1.0], "age_mae": [0.2, 0.1, 0.0]}
    curve = pd.DataFrame({"epoch": range(3), "loss": [0.5, 0.1, -0.2], "val_loss": [0.4, 0.0, -0.1], **both})
    plots.learning_curves({"both": curve}, tmp_path / "curves.png")
    (age, gender), (loss, accuracy, mae) = (figure.axes for figure in drawn)
    assert gender.get_xlim()[1] == accuracy.get_ylim()[1] == 100 and age.get_xlim()[0] == mae.get_ylim()[0] == 0
    assert gender.get_xlim()[0] < 96 and accuracy.get_ylim()[0] < 50 and age.get_xlim()[1] > 1.5
    assert loss.get_ylim()[0] < -0.2, "a loss can be below 0"
    # What lies on the very edge is drawn whole.
    for axis in (gender, accuracy):
        assert not any(line.get_clip_on() for line in axis.lines if line.get_marker() in ("^", "o"))


def test_figures_of_many_tasks_and_long_names_stay_of_a_size_that_opens(tmp_path, monkeypatch, no_new_tasks):
    sizes = []

    def measure(figure, target, **settings):
        Path(target).touch()
        sizes.append(150 * figure.get_size_inches().max())

    monkeypatch.setattr(Figure, "savefig", measure)
    tasks = [Task(f"a_rather_long_name_of_a_task_{i}", "categorical", classes=("no", "yes")) for i in range(30)]
    for task in tasks:
        add_task(task)
    random = np.random.default_rng(0)
    answered = predictions(60)
    for task in tasks:
        answered[task.name] = answered[f"{task.name}.class"] = random.choice(task.classes, 60)
    names = [task.name for task in tasks]
    figures = {f"{name}.accuracy": 0.9 for name in names}
    rows = [{"run": "a name of a run " * 5, "tasks": ", ".join(names), "stage": "trained", **figures}]
    rows += [{"run": f"{n} alone", "tasks": n, "stage": "trained", f"{n}.accuracy": 0.9} for n in names]
    curve = history(2).assign(**{f"{name}_accuracy": 0.9 for name in names})
    plots.compare_runs(pd.DataFrame(rows), tmp_path / "runs.png")
    plots.learning_curves({"all": curve}, tmp_path / "curves.png")
    plots.confusion_matrices(answered, tasks, tmp_path / "confusion.png")
    plots.fairness(by_group(answered, tasks, ["gender"]), tmp_path / "fairness.png")
    assert len(sizes) == 4 and max(sizes) < 8000


def test_compare_runs_gives_each_line_of_panels_the_height_that_its_runs_need(tmp_path, drawn):
    figures = {"age.rmse": 6.0, "age.mae": 4.0, "gender.accuracy": 0.9, "ethnicity.accuracy": 0.8}
    short = {"gender.accuracy": 0.9, "ethnicity.accuracy": 0.8}
    rows = [{"run": "both", "tasks": "age, gender", "stage": "trained", **figures}]
    rows += [{"run": f"run {n}", "tasks": "gender", "stage": "trained", **short} for n in range(11)]
    plots.compare_runs(pd.DataFrame(rows), tmp_path / "compare.png")
    heights = [axis.get_window_extent().height for axis in drawn[0].axes]
    assert heights[0] == pytest.approx(heights[1]) and heights[2] == pytest.approx(heights[3])
    assert heights[2] > 2 * heights[0], "twelve runs and one"


def test_compare_runs_writes_no_name_over_another(tmp_path, drawn):
    rows = [
        {"run": f"a name {'of many words ' * n}", "tasks": "age", "stage": "trained", "age.mae": 4.0} for n in range(9)
    ]
    plots.compare_runs(pd.DataFrame(rows), tmp_path / "compare.png")
    boxes = [label.get_window_extent() for label in drawn[0].axes[0].get_yticklabels()]
    assert boxes[-1].height > 3 * boxes[0].height
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))


def test_compare_runs_of_one_run_of_only_a_baseline_and_of_none(tmp_path, drawn):
    for rows in (runs().iloc[:1], runs().iloc[1:2], runs().iloc[:0]):
        plots.compare_runs(rows, tmp_path / "compare.png")
        check_png(tmp_path / "compare.png", 15)
    assert "52.00" in texts(drawn[1])
    assert "Nothing to show" in texts(drawn[2])[0]


# === Relations of tasks ===


def test_task_correlations_are_those_of_the_covariance_with_their_numbers(tmp_path, drawn):
    covariance = np.array([[4.0, -3.0, 0.0], [-3.0, 9.0, 0.001], [0.0, 0.001, 1.0]])
    plots.task_correlations(["age", "gender", "head_pose"], covariance, tmp_path / "tasks.png")
    check_png(tmp_path / "tasks.png", 6.5)
    axis = drawn[0].axes[0]
    np.testing.assert_allclose(axis.images[0].get_array(), [[1, -0.5, 0], [-0.5, 1, 0.001 / 3], [0, 0.001 / 3, 1]])
    assert axis.images[0].get_clim() == (-1, 1), "the colors mean the same in every figure"
    assert [text.get_text() for text in axis.texts] == [
        "1.00", "-0.50", "0.00", "-0.50", "1.00", "0.00", "0.00", "0.00", "1.00",
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == ["age", "gender", "head pose"]
    plots.task_correlations(["age"], covariance[:1, :1], tmp_path / "alone.png")
    check_png(tmp_path / "alone.png", 6.5)


# === Files ===


def test_the_same_data_give_the_same_file(tmp_path):
    for name in ("first.png", "second.png"):
        plots.age_scatter(predictions(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_a_full_disk_leaves_the_old_figure_in_place(tmp_path, monkeypatch):
    path = tmp_path / "age.png"
    path.write_bytes(b"old")

    def fill(figure, target, **settings):
        Path(target).write_bytes(b"half a fig")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fill)
    with pytest.raises(UserError, match="No space left on device") as raised:
        plots.age_scatter(predictions(20), path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        plots.age_scatter(predictions(20), tmp_path / "results" / "age.png")
    assert (tmp_path / "results").read_text() == "a file"


@pytest.mark.parametrize("number", [1, 8, 32])
def test_feature_maps_are_all_there_beside_what_the_network_sees(tmp_path, drawn, number):
    random = np.random.default_rng(0)
    maps, seen = random.random((3, 10, 9, number)), random.normal(0, 1, (3, 12, 12, 1))
    plots.feature_maps(seen, maps, tmp_path / "maps.png")
    face, *others = drawn[-1].axes
    gray = face.images[0].get_array()
    assert gray.shape == (12, 12) and (gray.min(), gray.max()) == (0, 1), "a gray network sees no colors"
    assert np.corrcoef(gray.ravel(), seen[0].ravel())[0, 1] == pytest.approx(1)
    assert len(others) == number and not any(axis.texts for axis in others)
    for place, axis in enumerate(others):
        np.testing.assert_array_equal(axis.images[0].get_array(), maps[0, ..., place])
    assert "dead" not in drawn[-1].get_supxlabel()


def test_dead_maps_are_named_and_told_from_those_silent_for_one_face(tmp_path, drawn):
    random = np.random.default_rng(0)
    maps = random.random((3, 10, 9, 6))
    maps[..., 1], maps[..., 5], maps[0, ..., 3] = 0, 2, 0
    plots.feature_maps(random.random((3, 8, 8, 3)), maps, tmp_path / "maps.png")
    face, *others = drawn[-1].axes
    assert face.images[0].get_array().shape == (8, 8, 3)
    words = [" ".join(text.get_text().split()) for axis in others for text in axis.texts]
    assert words == ["2 dead", "silent here", "6 dead"]
    assert drawn[-1].get_supxlabel().endswith("dead, in all of 3 faces: 2, 6")

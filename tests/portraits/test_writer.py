"""Rendered faces: the same bytes every time, labels that truly change the picture, and a folder as UTKFace's."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import Ridge, RidgeClassifier

from mtl_keras.datasets.rendered import ATTRIBUTES, MANIFEST, rendered
from mtl_keras.datasets.utkface import utkface
from mtl_keras.errors import UserError
from mtl_keras.portraits import writer
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import CHOICES, Look, Portrait
from mtl_keras.portraits.writer import UTKFACE, sample_portraits, write_faces
from mtl_keras.rotations import rotation_of, tilted_first
from mtl_keras.tasks import HEAD_POSE, TASKS

UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d{17}\.jpg\.chip\.jpg")
# Rows and columns of a frontal face of 64 pixels; the eyes are at 0.425 of the height.
REGIONS = {
    "eyes": (slice(22, 34), slice(14, 50)),
    "mouth": (slice(39, 54), slice(20, 44)),
    "forehead_and_hair": (slice(0, 18), slice(10, 54)),
}
ANY_FACES = [Portrait(seed=seed, age=30, gender=gender) for seed in range(4) for gender in ("male", "female")]


def difference(first: Portrait, second: Portrait, region: str | None = None) -> float:
    """Mean absolute difference of two drawings, of all or of a region, in gray levels."""
    images = [render(portrait, 64).astype(float) for portrait in (first, second)]
    where = REGIONS[region] if region else (slice(None), slice(None))
    return float(np.abs(images[0][where] - images[1][where]).mean())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_faces(tmp_path_factory.mktemp("rendered") / "faces", UTKFACE, 30, seed=3, size=64)


# === Drawing ===


@pytest.mark.parametrize("size", [16, 48, 200])
def test_a_portrait_is_an_image_of_the_asked_size(size):
    image = render(Portrait(), size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert image.std() > 20


def test_the_same_portrait_gives_the_same_pixels():
    assert np.array_equal(render(Portrait(seed=5), 64), render(Portrait(seed=5), 64))
    assert difference(Portrait(seed=5), Portrait(seed=6)) > 5


@pytest.mark.parametrize(
    ("change", "region"),
    [
        ({"age": 4}, None),
        ({"age": 85}, "forehead_and_hair"),
        ({"smile": "smiling"}, "mouth"),
        ({"eyeglasses": "eyeglasses"}, "eyes"),
        ({"expression": "surprise"}, "mouth"),
        ({"expression": "happy"}, "eyes"),
        *[({"expression": name}, "eyes") for name in ("angry", "disgust", "fear", "sad")],
        ({"ethnicity": "black"}, None),
        ({"ethnicity": "asian"}, "forehead_and_hair"),
        ({"ethnicity": "indian"}, None),
        ({"ethnicity": "others"}, None),
        ({"yaw": 25.0}, None),
        ({"pitch": -15.0}, None),
        ({"roll": 12.0}, None),
    ],
    ids=str,
)
def test_every_label_changes_the_picture(change, region):
    for portrait in ANY_FACES[:4]:
        changed = difference(portrait, replace(portrait, **change), region)
        assert changed > 2.0, f"{change} changes the picture by only {changed:.2f}"
        if region == "mouth" and "smile" in change or region == "eyes" and "eyeglasses" in change:
            other = "forehead_and_hair"
            assert changed > 4 * difference(portrait, replace(portrait, **change), other), "the change is elsewhere"


def test_gender_changes_the_picture():
    for portrait in ANY_FACES[::2]:
        assert difference(portrait, replace(portrait, gender="female")) > 2.0


def test_eyeglasses_change_nothing_far_from_the_eyes():
    for portrait in ANY_FACES:
        first, second = (render(replace(portrait, eyeglasses=value), 64) for value in CHOICES["eyeglasses"])
        assert np.array_equal(first[52:], second[52:])


def test_pose_has_the_documented_signs():
    def eyes_and_nose(**pose) -> np.ndarray:
        head = Head(Look(Portrait(**pose)), 200)
        return np.concatenate([head.face([(-0.4, 0), (0.4, 0)]), head.face([(0, 0.45)], 0.3)])

    left, right, nose = eyes_and_nose(yaw=20)
    assert nose[0] < (left[0] + right[0]) / 2 - 5  # turned towards the image's left
    left, right, nose = eyes_and_nose(pitch=20)
    straight = eyes_and_nose()
    assert nose[1] - left[1] < straight[2, 1] - straight[0, 1] - 5  # lifted: the nose comes nearer to the eyes
    left, right, _ = eyes_and_nose(roll=15)
    assert np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])) == pytest.approx(15, abs=1)  # clockwise


@pytest.mark.parametrize("turn", [-72, -45, 45, 72])
@pytest.mark.parametrize("nod", [-25, 25])
@pytest.mark.parametrize("tilt", [-20, 20])
def test_features_stay_in_the_picture_at_extreme_pose(turn, nod, tilt):
    yaw, pitch, roll = tilted_first(np.array([turn, nod, tilt]))
    features = [(-0.6, 0), (0.6, 0), (-0.3, 0.8), (0.3, 0.8), (0, 0.5), (0, -0.3), (0, 1.1)]
    for age in (0, 30, 116):
        portrait = Portrait(age=age, yaw=yaw, pitch=pitch, roll=roll)
        pixels = Head(Look(portrait), 200).face(features, 0.1)
        assert pixels.min() > 6 and pixels.max() < 194
        # Of heads that tilt last, roll is the slope of the eyes from afar, as in photos.
        across, down, _ = Head(Look(portrait), 200).rotation @ (1, 0, 0)
        assert np.degrees(np.arctan2(down, across)) == pytest.approx(tilt, abs=0.1)
        assert render(portrait, 32).std() > 15


@pytest.mark.parametrize("age", [0, 1, 3, 15, 40, 70, 100, 116])
def test_every_age_with_every_class_can_be_drawn(age):
    for name, choices in CHOICES.items():
        for seed, value in enumerate(choices):
            assert render(replace(Portrait(age=age, seed=seed), **{name: value}), 32).std() > 10


@pytest.mark.parametrize(
    "wrong",
    [{"age": 117}, {"age": -1}, {"gender": "man"}, {"ethnicity": ""}, {"expression": "joy"}, {"yaw": 76.0},
     {"roll": 46.0}, {"pitch": float("nan")}, {"smile": "yes"}, {"seed": -1}],
    ids=str,
)  # fmt: skip
def test_a_wrong_label_is_an_error_that_names_it(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Portrait(**wrong)


@pytest.mark.parametrize("size", [0, 15, 1025])
def test_a_wrong_size_is_an_error(size, tmp_path):
    with pytest.raises(UserError, match="expected 16 to 1024"):
        write_faces(tmp_path / "faces", UTKFACE, 2, size=size)
    assert not list(tmp_path.iterdir())


# === Sampling ===


def test_sampled_labels_are_balanced_and_independent():
    table = pd.DataFrame([vars(portrait) for portrait in sample_portraits(2000, seed=1)])
    assert set(table.groupby(["gender", "ethnicity"]).size()) == {200}
    assert table["eyeglasses"].eq("eyeglasses").mean() == 0.5
    assert 0.4 < table["smile"].eq("smiling").mean() < 0.5
    assert table["age"].min() == 0 and table["age"].max() > 90
    assert (table["age"].between(1, 80)).mean() > 0.9
    assert table["expression"].value_counts(normalize=True).min() > 0.05
    assert set(table["smile"][table["expression"] == "happy"]) == {"smiling"}
    numbers = table.assign(gender=table["gender"].eq("male"), eyeglasses=table["eyeglasses"].eq("eyeglasses"))
    correlations = numbers[["age", "gender", "eyeglasses", "yaw", "pitch", "roll"]].astype(float).corr().to_numpy()
    assert np.abs(correlations - np.eye(6)).max() < 0.08
    assert table["seed"].is_unique


def test_the_seed_decides_the_sample():
    assert sample_portraits(20, 4) == sample_portraits(20, 4)
    assert sample_portraits(20, 4) != sample_portraits(20, 5)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-3, 0), (5, -1)])
def test_a_wrong_count_or_seed_is_an_error(count, seed):
    with pytest.raises(UserError, match="expected"):
        sample_portraits(count, seed)


# === The folder ===


def test_names_are_those_of_utkface_and_read_as_such(folder):
    names = sorted(path.name for path in folder.iterdir() if path.suffix == ".jpg")
    assert len(names) == 30 and all(UTKFACE_NAME.fullmatch(name) for name in names)
    times = [name.split("_")[3] for name in names]
    assert len(set(times)) == 30
    read, own = utkface(folder, strict=True), rendered(folder)
    together = read.merge(own, on="path", suffixes=("", "_own"))
    assert len(together) == 30
    for column in ("age", "gender", "ethnicity"):
        assert (together[column] == together[f"{column}_own"]).all()


def test_the_table_has_every_label_and_only_valid_ones(folder):
    table = rendered(folder)
    assert set(table["source"]) == {"rendered"} and table["split"].isna().all()
    assert table["group"].is_unique and table["group"].dtype == np.int64
    assert all(Path(path).is_file() for path in table["path"])
    for name in ("age", "gender", "ethnicity", "smile", "expression", "eyeglasses", "head_pose"):
        for column in TASKS[name].columns:
            if TASKS[name].classes:
                assert table[column].isin(TASKS[name].classes).all()
            else:
                assert table[column].dtype == np.float64 and table[column].notna().all()
    assert table["age"].isin(TASKS["age"].values).all()


def test_an_image_is_the_portrait_that_the_table_describes(folder):
    row = pd.read_csv(folder / ATTRIBUTES).iloc[7]
    pose = {name: row[f"head_pose.{name}"] for name in ("yaw", "pitch", "roll")}
    labels = {name: row[name] for name in ("gender", "ethnicity", "smile", "expression", "eyeglasses")}
    drawn = render(Portrait(age=int(row["age"]), seed=int(row["seed"]), **labels, **pose), 64)
    saved = np.asarray(Image.open(folder / row["file"]))
    assert np.abs(saved.astype(float) - drawn).mean() < 6  # JPEG


def test_the_same_seed_gives_the_same_bytes_also_from_two_processes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "MANY", 1)
    again = write_faces(tmp_path / "again", UTKFACE, 30, seed=3, size=64)
    assert sorted(path.name for path in again.iterdir()) == sorted(path.name for path in folder.iterdir())
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_a_complete_folder_is_kept_and_a_partial_one_drawn_anew(folder, monkeypatch):
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_faces(folder, UTKFACE, 30, seed=3, size=64)
    assert times == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    some = min(folder.glob("*.jpg"))
    content = some.read_bytes()
    some.unlink()
    assert [entry["path"] for entry in rendered(folder).attrs["skipped"]] == [str(some)]
    write_faces(folder, UTKFACE, 30, seed=3, size=64)
    assert some.read_bytes() == content
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    (folder / MANIFEST).write_text("{")
    write_faces(folder, UTKFACE, 30, seed=3, size=64)
    assert len(rendered(folder)) == 30


def test_other_files_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.txt"):
        write_faces(tmp_path, UTKFACE, 2, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(UserError, match="is a file"):
        write_faces(tmp_path / "thesis.txt", UTKFACE, 2, size=32)


def test_a_failure_leaves_nothing_half_drawn(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_draw", full_disk)
    with pytest.raises(UserError, match="No space left on device"):
        write_faces(tmp_path / "faces", UTKFACE, 2, size=32)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        rendered(tmp_path / "nowhere")
    with pytest.raises(UserError, match=f"holds no {ATTRIBUTES}"):
        rendered(tmp_path)
    (tmp_path / "here.jpg").touch()
    for text, message in (
        ("", "cannot be read"),
        ("file,age\nx.jpg,3\n", "starts with 'file, age'; expected the columns .*gender"),
        (_attributes_of("gone.jpg", "male"), "none of its 1 images"),
        (_attributes_of("here.jpg", "man"), "gender 'man'"),
    ):
        (tmp_path / ATTRIBUTES).write_text(text)
        with pytest.raises(UserError, match=message):
            rendered(tmp_path)


def _attributes_of(file: str, gender: str) -> str:
    columns = "file,age,gender,ethnicity,smile,expression,eyeglasses,head_pose.yaw,head_pose.pitch,head_pose.roll"
    return f"{columns}\n{file},3,{gender},white,smiling,happy,eyeglasses,0,0,0\n"


# === Learning ===


def test_a_linear_model_learns_the_labels_from_small_pictures():
    portraits = [replace(p, yaw=p.yaw / 2, pitch=p.pitch / 2, roll=p.roll / 2) for p in sample_portraits(1000, seed=11)]
    images = np.stack([render(portrait, 32) for portrait in portraits]) / 255.0
    colors, grays = images[:, ::2, ::2].reshape(1000, -1), images.mean(axis=-1).reshape(1000, -1)
    labels = pd.DataFrame([vars(portrait) for portrait in portraits])
    train, test = slice(0, 800), slice(800, 1000)

    def accuracy(name: str, inputs: np.ndarray) -> float:
        model = RidgeClassifier(20).fit(inputs[train], labels[name][train])
        return model.score(inputs[test], labels[name][test])

    def error(name: str) -> float:
        """Mean absolute error as a share of the error that answering the median makes."""
        model = Ridge(20).fit(grays[train], labels[name][train])
        truth = labels[name][test]
        median = np.abs(truth - labels[name][train].median()).mean()
        return float(np.abs(model.predict(grays[test]) - truth).mean() / median)

    figures = {name: accuracy(name, grays) for name in ("gender", "smile", "eyeglasses")}
    figures["ethnicity"] = accuracy("ethnicity", colors)
    figures |= {name: error(name) for name in ("age", "yaw", "pitch", "roll")}
    print(figures)
    # Light and cameras vary much, and beards and rouge too: a linear model sees little of a smile, a network far more.
    assert figures["gender"] > 0.8 and figures["smile"] > 0.65 and figures["eyeglasses"] > 0.7
    assert figures["ethnicity"] > 0.5  # chance is 0.2
    assert figures["age"] < 0.85 and figures["yaw"] < 0.6 and figures["pitch"] < 0.8 and figures["roll"] < 0.7


# === The command ===


def test_the_command_draws_and_tells_mistakes_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "data_tools"))
    from render_faces import main

    command = ["render_faces.py", "--count", "3", "--size", "32", "--out"]
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path / "faces")])
    main()
    assert len(rendered(tmp_path / "faces")) == 3
    assert "3 faces" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*command, str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    sys.modules.pop("render_faces")


@pytest.mark.parametrize("pose", [(30, 0, 0), (0, 20, 0), (0, 0, -15), (30, -20, 15), (-45, 25, -20)], ids=str)
def test_the_head_turns_as_its_labels_say(pose):
    rotation = Head(Look(Portrait(**dict(zip(HEAD_POSE.outputs, pose, strict=True)))), 100).rotation
    upward = np.diag([1, -1, 1])  # the canvas counts y downwards, `mtl_keras.rotations` upwards
    np.testing.assert_allclose(upward @ rotation @ upward, rotation_of(np.array(pose)), atol=1e-12)

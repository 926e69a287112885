"""Drawn faces in the layouts of public sets: the sets' own readers give back the labels they were drawn with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_keras.boxes import box_numbers
from mtl_keras.data.derive import derived
from mtl_keras.datasets import DATASETS
from mtl_keras.datasets.rendered import MANIFEST, rendered
from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import find_detector
from mtl_keras.portraits import LAYOUTS, writer
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.landmarks import landmarks
from mtl_keras.portraits.layouts import CELEBA_ATTRIBUTES, biwi, genki4k, w300lp
from mtl_keras.portraits.look import Portrait
from mtl_keras.portraits.scene import Frame
from mtl_keras.portraits.writer import write_faces
from mtl_keras.tasks import AGE_DECADE, HEAD_POSE, TASKS

# Small widths, so that drawing is fast; 30 faces give some recordings of BIWI two frames.
COUNT, SEED = 30, 3
WIDTHS = {
    "utkface": 32,
    "genki4k": 48,
    "fer2013": 24,
    "celeba": 36,
    "celeba_crops": 32,
    "biwi": 96,
    "w300lp": 40,
    "raf_db": 32,
    "fairface": 48,
}
READERS = {"celeba_crops": "celeba"}  # of layouts that are not called like their reader
every_layout = pytest.mark.parametrize("name", LAYOUTS)


def draw(folder: Path, name: str, width: int | None = None) -> Path:
    return write_faces(folder, LAYOUTS[name], COUNT, SEED, width or WIDTHS[name])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("layouts")
    return {name: draw(place / name, name) for name in LAYOUTS}


# === All layouts ===


@every_layout
def test_the_reader_of_the_set_gives_back_every_label(folders, name):
    read, own = (
        DATASETS[READERS.get(name, name)](folders[name], strict=True),
        derived(rendered(folders[name]), [AGE_DECADE]),
    )
    assert len(read) == len(own) == COUNT
    assert not any([*read.attrs.values(), *own.attrs.values()])
    together = read.merge(own, on="path", suffixes=("", "_own"), validate="one_to_one")
    labels = [column for task in TASKS.values() for column in task.columns if column in read]
    assert labels and len(together) == COUNT
    for column in labels:
        truth = together[f"{column}_own"]
        if column in HEAD_POSE.columns:
            np.testing.assert_allclose(together[column], truth, atol=1e-3)
            assert truth.std() > 3
        else:
            assert (together[column] == truth).all() and truth.nunique() > 1


@every_layout
def test_the_same_settings_give_the_same_bytes_also_from_two_processes(folders, name, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "MANY", 1)
    assert contents(draw(tmp_path / "again", name)) == contents(folders[name])


@every_layout
def test_a_complete_folder_is_kept_a_partial_one_drawn_anew_and_another_refused(folders, name, tmp_path):
    folder = tmp_path / "faces"
    shutil.copytree(folders[name], folder)
    before, times = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    draw(folder, name)
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    gone = max(file for file in before if file != MANIFEST)
    (folder / gone).unlink()
    draw(folder, name)
    assert contents(folder) == before and [path.name for path in tmp_path.iterdir()] == ["faces"]
    other = (folder / gone).parent / "thesis.txt"
    other.write_text("years of work")
    with pytest.raises(UserError, match=r"holds other files than these faces \(such as .*thesis\.txt\)"):
        draw(folder, name)
    assert contents(folder) == {**before, other.relative_to(folder).as_posix(): b"years of work"}


@every_layout
def test_a_failure_leaves_nothing_half_written(name, tmp_path, monkeypatch):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(UserError, match="No space left on device") as error:
        write_faces(tmp_path / "faces", LAYOUTS[name], 1, 0, WIDTHS[name])
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


@every_layout
@pytest.mark.parametrize("width", [15, 2000])
def test_a_wrong_width_is_an_error(name, width, tmp_path):
    with pytest.raises(UserError, match="expected 16 to 1024"):
        draw(tmp_path / "faces", name, width)
    assert not list(tmp_path.iterdir())


def test_a_frame_adds_surroundings_to_the_same_face():
    frame = Frame(150, 120, 60, 40, 30)
    wide = render(Portrait(seed=1), frame)
    assert wide.shape == (120, 150, 3)
    chip, inside = render(Portrait(seed=1), 60), wide[30:90, 40:100]
    # Light and background differ, the face does not; elsewhere the picture is another one.
    assert np.abs(chip[15:45, 15:45].astype(float) - inside[15:45, 15:45]).mean() < 12
    assert np.abs(chip[15:45, 15:45].astype(float) - wide[15:45, 15:45]).mean() > 30


# === Each layout ===


def test_genki_is_photos_of_various_sizes_a_few_of_them_grey(folders):
    images = [Image.open(path) for path in sorted((folders["genki4k"] / "files").iterdir())]
    assert len({image.size for image in images}) > 10
    shots = genki4k(400, SEED, LAYOUTS["genki4k"].width).shots
    assert 0 < sum(shot.grey for shot in shots) < 40
    assert all(0.45 < shot.frame.side / min(shot.frame.width, shot.frame.height) < 0.85 for shot in shots)
    assert all(150 <= shot.frame.width <= 210 for shot in shots)


def test_genki_counts_on_beyond_four_digits():
    assert genki4k(10_001, 0, 48).shots[-1].file == "files/file10001.jpg"


def test_fer_is_grey_and_split_in_class_folders(folders):
    table = DATASETS["fer2013"](folders["fer2013"])
    assert table["split"].value_counts().to_dict() == {"train": 24, "validation": 3, "test": 3}
    assert {Image.open(path).mode for path in table["path"]} == {"L"}
    assert {Image.open(path).size for path in table["path"]} == {(24, 24)} and LAYOUTS["fer2013"].width == 48


def test_celeba_has_all_attributes_a_partition_and_a_person_a_face(folders):
    lines = (folders["celeba"] / "list_attr_celeba.txt").read_text().splitlines()
    names = CELEBA_ATTRIBUTES.split()
    assert lines[0] == str(COUNT) and lines[1].split() == names and len(names) == 40
    values = np.array([line.split()[1:] for line in lines[2:]], int)
    assert values.shape == (COUNT, 40) and set(values.ravel()) == {-1, 1}
    true = {"Male", "Eyeglasses", "Smiling", "Young"}
    assert {name for name, column in zip(names, values.T, strict=True) if column.max() == 1} == true
    young = values[:, names.index("Young")] == 1
    assert (young == (rendered(folders["celeba"])["age"] < 40)).all()
    table = DATASETS["celeba"](folders["celeba"])
    assert table["split"].value_counts().to_dict() == {"train": 24, "validation": 3, "test": 3}
    assert table["group"].is_unique and LAYOUTS["celeba"].width == 178
    frame = LAYOUTS["celeba"].plan(1, 0, 178).shots[0].frame
    assert (frame.width, frame.height) == (178, 218)


def test_crops_of_celeba_are_tight_around_grown_ups_and_vary(folders):
    shots = LAYOUTS["celeba_crops"].plan(200, SEED, 83).shots
    frames = [shot.frame for shot in shots]
    assert LAYOUTS["celeba_crops"].width == 83 and {frame.width for frame in frames} == {83}
    assert all(96 <= frame.height <= 118 for frame in frames) and len({frame.height for frame in frames}) > 10
    assert all(frame.side > 1.4 * frame.width and frame.left < 0 and frame.top < 0 for frame in frames)
    assert 1.05 < np.mean([frame.height / frame.rows for frame in frames]) < 1.3  # stretched to a face's proportions
    ages = [shot.portrait.age for shot in shots]
    assert min(ages) >= 18 and max(ages) <= 84 and np.std(ages) > 8
    # The framing is of the camera: it knows no label.
    numbers = [
        [s.frame.side, s.frame.height, s.frame.left, s.portrait.gender == "male", s.portrait.eyeglasses == "eyeglasses"]
        for s in LAYOUTS["celeba_crops"].plan(2000, SEED, 83).shots
    ]
    assert np.abs(np.corrcoef(np.array(numbers, float).T)[:3, 3:]).max() < 0.08


def test_biwi_shows_the_same_person_in_all_frames_of_a_recording(folders):
    read, own = DATASETS["biwi"](folders["biwi"]), rendered(folders["biwi"])
    people = read.merge(own, on="path", suffixes=("", "_own")).groupby("group")
    assert len(people) == own["group"].nunique() == 20
    for column in ("group_own", "age", "gender", "ethnicity", "eyeglasses"):
        assert (people[column].nunique() == 1).all()
    assert (people["head_pose.yaw"].nunique() == people.size()).all()
    frames = biwi(100, 0, 640).shots
    assert len({Path(shot.file).parent for shot in frames}) == 24
    assert {(shot.frame.width, shot.frame.height) for shot in frames} == {(640, 480)}
    place = (folders["biwi"] / "01" / "frame_00003_pose.txt").read_text().splitlines()[4].split()
    assert 500 < float(place[2]) < 1500  # millimetres from the camera


def test_w300lp_has_the_landmarks_where_a_detector_finds_them():
    shots = [shot for shot in w300lp(100, SEED, 200).shots if abs(shot.portrait.yaw) < 30]
    found = find_detector("mtcnn").detect([render(shot.portrait, shot.frame) for shot in shots])
    seen = [(shot, faces[0]) for shot, faces in zip(shots, found, strict=True) if len(faces) == 1]
    assert len(seen) > 0.9 * len(shots) > 20
    off = []
    for shot, face in seen:
        points = landmarks(shot.portrait, shot.frame)
        assert points.shape == (68, 2)
        # The eyes, the nose's tip and the corners of the mouth, which `Face` has in this order.
        five = np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0), *points[[30, 48, 54]]])
        off.append((five - face.points) / shot.frame.side)
    assert np.abs(np.median(off, axis=0)).max() < 0.03 and np.abs(off).mean() < 0.03


def test_w300lp_gives_a_box_to_heads_that_turn_too_far_for_a_detector(folders):
    read = DATASETS["w300lp"](folders["w300lp"])
    boxes = box_numbers(read["box"])
    assert (np.abs(read["head_pose.yaw"]) > 50).sum() > 3 and np.isfinite(boxes).all()
    assert (boxes[:, 2:] > 8).all() and (boxes[:, 2:] < 36).all()  # of 40 pixels

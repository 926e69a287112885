"""The reader of BIWI: poses of frames from rotation matrices, with signs that are checked by where a face looks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.datasets.biwi import angles_of, biwi, parse_rotation
from mtl_keras.errors import UserError
from mtl_keras.rotations import rotation_of

FRONTAL = "1 0 0 \n0 1 0 \n0 0 1 \n\n-2.47 53.45 866.06 \n"


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The matrix of a pose in the camera's frame."""
    camera = np.diag([1, -1, -1])  # from y up and z towards the viewer
    return camera @ rotation_of(np.array([yaw, pitch, roll])) @ camera


def pose_text(matrix: np.ndarray) -> str:
    lines = [" ".join(f"{number:.6g}" for number in row) + " " for row in matrix]
    return "\n".join([*lines, "", "-2.47 53.45 866.06 ", ""])


def make_frames(folder: Path, poses: dict[str, str | None]) -> None:
    """Write a frame for each name such as "01/frame_00003", and its pose file unless that is None."""
    for name, text in poses.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}_rgb.png").touch()
        if text is not None:
            (folder / f"{name}_pose.txt").write_text(text)


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(-179, 179))
def test_angles_of_a_matrix_are_those_that_it_was_built_from(yaw, pitch, roll):
    np.testing.assert_allclose(angles_of(rotation(yaw, pitch, roll)), (yaw, pitch, roll), atol=1e-6)


@given(st.floats(-75, 75), st.floats(-60, 60), st.floats(-45, 45))
def test_angles_are_those_of_the_transposed_matrix_in_articles(yaw, pitch, roll):
    r = rotation(yaw, pitch, roll).T
    expected = [-np.arctan2(-r[2, 0], np.hypot(r[2, 1], r[2, 2])), np.arctan2(r[2, 1], r[2, 2])]
    expected.append(-np.arctan2(r[1, 0], r[0, 0]))
    np.testing.assert_allclose(angles_of(r.T), np.degrees(expected), atol=1e-9)


def test_folder_becomes_a_label_table(tmp_path):
    poses = {"01/frame_00003": (20, -10, 5), "01/frame_00004": (-60.5, 30.25, -12), "02/frame_00003": (0, 0, 0)}
    make_frames(tmp_path, {name: pose_text(rotation(*pose)) for name, pose in poses.items()})
    make_frames(tmp_path, {"02/frame_00005": FRONTAL})
    for name in ("01/frame_00003_depth.bin", "01/rgb.cal", "masks/01/frame_00003_depth_mask.png", "01.obj"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    table = biwi(tmp_path, strict=True)
    names = ["01/frame_00003", "01/frame_00004", "02/frame_00003", "02/frame_00005"]
    assert table["path"].tolist() == [str(tmp_path / f"{name}_rgb.png") for name in names]
    angles = table[["head_pose.yaw", "head_pose.pitch", "head_pose.roll"]].to_numpy()
    np.testing.assert_allclose(angles, [*poses.values(), (0, 0, 0)], atol=1e-3)
    assert table["group"].tolist() == [0, 0, 1, 1] and table["source"].unique().tolist() == ["biwi"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no frame_00004_pose.txt beside it"),
        ("", "frame_00004_pose.txt beside it: expected three lines of a matrix"),
        ("1 0 0\n0 1 0\n0 0 1\n", "frame_00004_pose.txt beside it: expected three lines of a matrix"),
        ("1 0 0\n0 1\n0 0 1\n\n1 2 3", "frame_00004_pose.txt beside it: expected three lines of a matrix"),
        ("1 0 0\n0 one 0\n0 0 1\n\n1 2 3", "frame_00004_pose.txt beside it: expected three lines of a matrix"),
        ("1 0 0\n0 1 0\n0 0 nan\n\n1 2 3", "frame_00004_pose.txt beside it: its matrix is no rotation"),
        ("1 0 0\n0 1 0\n0 0 -1\n\n1 2 3", "frame_00004_pose.txt beside it: its matrix is no rotation"),
        ("1e200 0 0\n0 1 0\n0 0 1\n\n1 2 3", "frame_00004_pose.txt beside it: its matrix is no rotation"),
    ],
)
def test_frame_without_a_pose_is_skipped(tmp_path, text, reason):
    make_frames(tmp_path, {"01/frame_00003": FRONTAL, "01/frame_00004": text})
    table = biwi(tmp_path)
    assert len(table) == 1
    (entry,) = table.attrs["skipped"]
    assert entry["path"] == str(tmp_path / "01/frame_00004_rgb.png") and entry["reason"].startswith(reason)
    with pytest.raises(UserError, match="frame_00004_rgb.png: .*frame_00004_pose.txt"):
        biwi(tmp_path, strict=True)


@settings(max_examples=50)
@given(st.text() | st.text("0123456789.- e\n", max_size=80))
def test_any_text_gives_a_rotation_or_a_one_line_reason(text):
    try:
        matrix = parse_rotation(text)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(angles_of(matrix)).all()


def test_the_two_recordings_of_one_person_are_one_group(tmp_path):
    make_frames(tmp_path, dict.fromkeys(["02/frame_00003", "03/frame_00003", "21/frame_00003"], pose_text(np.eye(3))))
    groups = biwi(tmp_path)["group"].tolist()
    assert groups[0] == groups[2] != groups[1]


def test_images_that_are_no_frames_are_none(tmp_path, one_line):
    (tmp_path / "face.png").touch()
    with one_line("holds no frames; expected 01/frame_00003_rgb.png", tmp_path):
        biwi(tmp_path)

"""The reader of GENKI-4K: line N of the label file belongs to image N, and radians become degrees."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mtl_keras.data.images import read_picture
from mtl_keras.data.table import complete
from mtl_keras.datasets.genki4k import genki4k, read_lines
from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import find_detector
from mtl_keras.rotations import rotation_of, tilted_last
from mtl_keras.tasks import HEAD_POSE

ANGLES = list(HEAD_POSE.columns)
LINES = ["1 -0.021162 0.059530 -0.039662", "0 0.5 -0.25 0.125", "1 0 0 0"]


def write(folder, lines=LINES, images=(1, 2, 3)):
    (folder / "files").mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(lines) + "\n")
    for number in images:
        (folder / "files" / f"file{number:04d}.jpg").touch()
    return folder


def test_each_line_labels_the_image_of_its_number(tmp_path):
    table = genki4k(write(tmp_path / "GENKI 4K ü"))
    assert [Path(path).name for path in table["path"]] == ["file0001.jpg", "file0002.jpg", "file0003.jpg"]
    assert table["smile"].tolist() == ["smiling", "not_smiling", "smiling"]
    # 0.5 rad is 28.648 degrees, of turns about upright axes: nod, turn, tilt, seen from y up and z towards the viewer.
    turns = Rotation.from_euler("xyz", (0.25, 0.5, -0.125)).as_matrix()
    np.testing.assert_allclose(rotation_of(table.loc[1, ANGLES].to_numpy(float)), turns, atol=1e-9)
    assert complete(table).shape == table.shape and set(table["source"]) == {"genki4k"}


def test_a_damaged_line_leaves_its_cells_empty_and_all_others_in_place(tmp_path):
    table = genki4k(write(tmp_path, ["", "7 nan 0.1", "1 0 0 0"]))
    assert table["smile"].isna().tolist() == [True, True, False]
    # The second line has only a yaw, of which the table's angles cannot be told.
    assert table[ANGLES].isna().all(axis=1).tolist() == [True, True, False]
    assert len(table.attrs["deviations"]) == 2
    with pytest.raises(UserError, match="gives no valid label"):
        genki4k(tmp_path, strict=True)


@pytest.mark.parametrize("lines", [["hello", "world"], [""]])
def test_a_wrong_label_file_is_one_line(tmp_path, one_line, lines):
    with one_line("holds no line", tmp_path / "labels.txt"):
        genki4k(write(tmp_path, lines))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200) | st.text("01 .-+naife\n", max_size=200).map(str.encode))
def test_any_bytes_give_a_row_a_line_or_an_error(tmp_path, content):
    (tmp_path / "labels.txt").write_bytes(content)
    try:
        lines = read_lines(tmp_path / "labels.txt")
    except UserError:
        return
    assert len(lines) == len(content.decode(errors="replace").splitlines())
    assert lines["smile"].dropna().isin([0, 1]).all()
    assert np.nanmax(lines.iloc[:, 1:].abs().to_numpy(), initial=0) <= 180


@pytest.mark.realdata
def test_the_real_set_is_read_whole(real_data):
    table = genki4k(real_data / "GENKI-4K")
    assert len(table) == len(os.listdir(real_data / "GENKI-4K" / "files"))
    assert not table.attrs["skipped"] and not table.attrs["deviations"]
    # Near frontal faces, which turn to the side more than they nod or tilt.
    yaw, pitch, roll = (table[f"head_pose.{angle}"].std() for angle in ("yaw", "pitch", "roll"))
    assert 15 > yaw > 1.5 * max(pitch, roll) and min(pitch, roll) > 5


@pytest.mark.realdata
def test_the_angles_of_real_photos_fit_the_line_of_the_eyes_in_all_that_are_turned_and_lifted_most(real_data):
    table = genki4k(real_data / "GENKI-4K")
    angles = table[ANGLES].to_numpy()
    most = np.argsort(-np.abs(angles[:, 0] * angles[:, 1]))[:16]
    found = find_detector("yunet").detect([read_picture(table["path"][row]).pixels for row in most])
    eyes = np.array([faces[0].points[1] - faces[0].points[0] for faces in found])
    seen = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))

    def error(angles):
        right = rotation_of(angles)[:, :2, 0]
        return np.median(np.abs(seen - np.degrees(np.arctan2(-right[:, 1], right[:, 0]))))

    # As if the set's own angles were of the table's order.
    assert error(angles[most]) < 0.6 * error(tilted_last(angles[most]))

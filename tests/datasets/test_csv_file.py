"""The reader of CSV files of one's own."""

import numpy as np
import pytest

from mtl_keras.data.table import combine, complete, write_table
from mtl_keras.datasets.csv_file import csv_file
from mtl_keras.errors import UserError


def write(folder, text, *images):
    folder.mkdir(exist_ok=True)
    (folder / "my faces.csv").write_text(text)
    for image in images:
        (folder / image).touch()
    return folder


def test_columns_of_tasks_are_labels_and_blanks_stay_blank(tmp_path):
    text = (
        "path,age,gender,head_pose.yaw,note,split,group\nä b.jpg,30,,1.5,x,train,p\nc.jpg,,male,,y,,p\nd.jpg,1,,,,,\n"
    )
    table = csv_file(write(tmp_path / "set", text, "ä b.jpg", "c.jpg", "d.jpg"))
    assert table["path"].tolist() == [str(tmp_path / "set" / name) for name in ("ä b.jpg", "c.jpg", "d.jpg")]
    assert table["age"].tolist()[::2] == [30, 1] and np.isnan(table["age"][1])
    assert table["gender"].isna().tolist() == [True, False, True]
    assert table["group"].tolist() == [0, 0, 1] and table["split"].isna().tolist() == [False, True, True]
    assert "note" not in table and len(combine([table])) == 3
    (entry,) = table.attrs["deviations"]
    assert entry["path"].endswith("my faces.csv") and "no task names them: note; mtl_keras.add_task" in entry["reason"]


def test_a_table_that_the_library_wrote_comes_back(faces, tmp_path):
    write_table(faces, tmp_path / "table.csv")
    again = csv_file(tmp_path / "table.csv")
    columns = [name for name in faces if name != "split"]
    assert complete(again)[columns].equals(complete(faces)[columns])


def test_missing_images_and_paths_are_listed(tmp_path):
    folder = write(tmp_path, "path,age\na.jpg,1\n,2\nb.jpg,3\n", "a.jpg")
    table = csv_file(folder)
    assert table["age"].tolist() == [1]
    assert [item["reason"] for item in table.attrs["skipped"]] == ["row 1 has no path", "the image is missing"]
    with pytest.raises(UserError, match="row 1 has no path"):
        csv_file(folder, strict=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,age\na.jpg,1\n", "has no column path; its columns are file, age"),
        ("path,years\na.jpg,1\n", "has no column of any task"),
        ("path,age\nz.jpg,1\n", "none of its 1 images is there"),
        ("", "cannot be read as CSV"),
    ],
)
def test_another_file_is_one_line(tmp_path, one_line, text, says):
    with one_line(says, tmp_path):
        csv_file(write(tmp_path, text, "a.jpg"))


def test_a_label_that_is_none_is_named_with_its_image(tmp_path):
    folder = write(tmp_path, "path,age,gender\na.jpg,old,male\n", "a.jpg")
    with pytest.raises(UserError, match=r"column 'age': got 'old' \(.*a.jpg\)"):
        combine([csv_file(folder)])


def test_several_files_and_none_are_one_line(tmp_path):
    with pytest.raises(UserError, match="holds 0 CSV files"):
        csv_file(tmp_path)
    (tmp_path / "a.csv").touch(), (tmp_path / "b.csv").touch()
    with pytest.raises(UserError, match="holds 2 CSV files"):
        csv_file(tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        csv_file(tmp_path / "nowhere")

"""The reader of CSV files of one's own."""

import numpy as np
import pytest

from mtl_keras.data.table import combine, complete, write_table
from mtl_keras.datasets.csv_file import csv_file
from mtl_keras.errors import UserError
from mtl_keras.kinds import add_task
from mtl_keras.tasks import Task


def write(folder, text, *images):
    folder.mkdir(exist_ok=True)
    (folder / "my faces.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
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
    assert (
        entry["path"].endswith("my faces.csv")
        and "no task names them (mtl_keras.add_task, or a tasks.json beside it, adds one's own): 'note'"
        in entry["reason"]
    )
    with pytest.raises(UserError, match="my faces.csv: columns left out"):
        csv_file(tmp_path / "set", strict=True)


@pytest.mark.parametrize("header", ["path,age, gender", "path,age,Gender", "Path ,AGE,gender", "path,age,gen-der"])
def test_a_header_with_blanks_or_capitals_is_read_as_it_is_meant(tmp_path, header):
    folder = write(tmp_path, f"{header}\na.jpg,30, male\nb.jpg,,female\n", "a.jpg", "b.jpg")
    table = csv_file(folder)
    assert table["gender"].tolist() == ["male", "female"] and table["age"].tolist()[0] == 30
    (entry,) = table.attrs["deviations"]
    assert entry["reason"].startswith("columns read as they are meant: ")
    with pytest.raises(UserError, match="columns read as they are meant"):
        csv_file(folder, strict=True)


def test_a_column_of_a_task_of_ones_own_is_read_once_it_is_known(tmp_path, no_new_tasks):
    folder = write(tmp_path, "path,age,cars,Rain Fall\na.jpg,30,yes,0.5\n", "a.jpg")
    (entry,) = csv_file(folder).attrs["deviations"]
    assert "'cars', 'Rain Fall'" in entry["reason"]
    add_task(Task("cars", "categorical", classes=("no", "yes")))
    add_task(Task("rain_fall", "regression"))
    table = csv_file(folder)
    assert table["cars"].tolist() == ["yes"] and table["rain_fall"].tolist() == [0.5]
    assert table.attrs["deviations"][0]["reason"] == "columns read as they are meant: 'Rain Fall' as rain_fall"


def test_images_may_have_other_endings_and_paths_blanks(tmp_path):
    table = csv_file(write(tmp_path, "path,age\na.png,1\n b.jpg ,2\nc.png,3\n", "a.jpg", "b.jpg", "c.png"))
    assert table["path"].tolist() == [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.png")]
    assert table["age"].tolist() == [1, 2, 3]
    (entry,) = table.attrs["deviations"]
    assert "such as a.png for a.jpg" in entry["reason"]


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-inf"])
def test_what_is_no_number_is_named_with_its_image(tmp_path, number):
    with pytest.raises(UserError, match=r"column 'age': got .*a.jpg\), expected a number"):
        combine([csv_file(write(tmp_path, f"path,age\na.jpg,{number}\nb.jpg,3\n", "a.jpg", "b.jpg"))])


def test_numbers_come_back_to_the_last_bit(tmp_path, no_new_tasks):
    add_task(Task("height", "regression"))
    heights = np.random.default_rng(0).random(200).tolist()
    rows = "".join(f"a{number}.jpg,{height!r}\n" for number, height in enumerate(heights))
    folder = write(tmp_path, "path,height\n" + rows, *(f"a{number}.jpg" for number in range(200)))
    assert csv_file(folder)["height"].tolist() == heights


def test_a_table_that_the_library_wrote_comes_back(faces, tmp_path):
    write_table(faces, tmp_path / "table.csv")
    again = csv_file(tmp_path / "table.csv")
    columns = [name for name in faces if name != "split"]
    assert complete(again)[columns].equals(complete(faces)[columns])


def test_faces_that_were_cut_out_are_told_from_photos(tmp_path):
    text = "path,source,smile,photo\na.jpg,genki4k,smiling,b.jpg\nb.jpg,lagenda,smiling,\n"
    folder = write(tmp_path, text, "a.jpg", "b.jpg")
    assert csv_file(folder).attrs["cut_out"] == ["genki4k"] and "photo" not in csv_file(folder)


def test_a_row_may_be_one_face_of_a_photo(tmp_path):
    folder = write(tmp_path, "path,age,box\na.jpg,30,1 2 30 40\nb.jpg,1,\na.jpg,4,50 2 30 40.0\n", "a.jpg", "b.jpg")
    table = combine([csv_file(folder)])
    assert table["box"].fillna("").tolist() == ["1 2 30 40", "", "50 2 30 40"] and table["age"].tolist() == [30, 1, 4]
    assert table["group"][0] == table["group"][2] != table["group"][1] and not table.attrs["deviations"]


def test_missing_images_and_paths_are_listed(tmp_path):
    folder = write(tmp_path, "path,age\na.jpg,1\n,2\nb.jpg,3\n", "a.jpg")
    table = csv_file(folder)
    assert table["age"].tolist() == [1]
    assert [item["reason"] for item in table.attrs["skipped"]] == ["row 2 has no path", "the image is missing"]
    with pytest.raises(UserError, match="row 2 has no path"):
        csv_file(folder, strict=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,age\na.jpg,1\n", "starts with 'file, age'; expected the columns path"),
        ("path,years\na.jpg,1\n", "has no column of any task; columns left out, .*: 'years'"),
        ("path\na.jpg\n", "has no column of any task; it has none"),
        ("path,age,age\na.jpg,1,2\n", "has the columns 'age' twice; keep one of them"),
        (
            "path;age\na.jpg;1,5\n",
            "starts with 'path;age', so its columns seem to be separated by semicolons; expected",
        ),
        ("path\tage\na.jpg\t1\n", "separated by tabs; expected commas: save it anew so"),
        ("path,hat,hat\na.jpg,a,b\n", "no column of any task; .*: 'hat' twice"),
        (
            "path,age\na.jpg,1\n./a.jpg,2\n",
            "a.jpg is in several rows; keep one, or give each .* a `box`",
        ),
        ("path,age,box\na.jpg,1,1 2 30 40\na.jpg,2,\n", "a.jpg is in several rows"),
        ("path,age\nz.jpg,1\ny.jpg,2", "none of its 2 images is there, such as .*z.jpg; paths count from"),
        ("path,age\n,1\n", "none of its 1 images is there; paths count from"),
        ("\ufeffpath,age\na.jpg,1\n".encode("utf-16-le"), "is in UTF-16; save it anew in UTF-8"),
        ("path,age\na.jpg,1\n".encode("utf-16-be"), "is in UTF-16; save it anew in UTF-8"),
        ("path,age\nä.jpg,1\n".encode("latin-1"), "is not in UTF-8; save it anew so"),
        ("", "cannot be read as a table"),
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

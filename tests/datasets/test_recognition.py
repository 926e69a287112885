"""A folder is read by the reader whose layout it has."""

import pytest

from mtl_keras.datasets import csv_file, fer2013, genki4k, raf_db, utkface, w300lp
from mtl_keras.datasets.recognition import first_of, read_any, whichever_reads
from mtl_keras.errors import UserError
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces

READERS = [genki4k, fer2013, utkface]


@pytest.mark.parametrize("readers", [READERS, READERS[::-1]], ids=["in order", "reversed"])
@pytest.mark.parametrize("name", ["genki4k", "fer2013", "utkface"])
def test_each_layout_is_recognised_whatever_the_order(tmp_path, readers, name):
    folder = write_faces(tmp_path / "faces", LAYOUTS[name], 8, size=48)
    assert set(whichever_reads(readers)(folder)["source"]) == {name}


def test_what_none_reads_is_one_line_with_every_reason(tmp_path):
    # Of nothing at all there is one reason.
    with pytest.raises(UserError, match="an empty folder; expected the folder of genki4k or fer2013 or utkface$"):
        whichever_reads(READERS)(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="not genki4k .*labels.txt.*; not fer2013 .*; not utkface") as error:
        whichever_reads(READERS)(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        whichever_reads(READERS)(tmp_path / "nowhere")


def test_of_a_set_with_a_fault_that_fault_alone_is_told(tmp_path, one_line):
    folder = write_faces(tmp_path / "faces", LAYOUTS["raf_db"], 8, size=96)
    (folder / "attributes.csv").unlink()  # by which drawn faces are read as such
    (labels,) = folder.rglob("list_pa*tition_label.txt")
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([*lines[:2], lines[2][:-1] + "9", *lines[3:]]))
    for read in (whichever_reads([utkface, raf_db, *READERS]), first_of(("genki4k", "raf_db")), read_any):
        with one_line(r"expression '9' is unknown; expected one of 1, .* \(row 3\)$", labels):
            read(folder)


def test_a_folder_of_several_sets_is_none_of_them(tmp_path):
    folder = write_faces(tmp_path / "faces", LAYOUTS["fer2013"], 8, size=48)
    (folder / "25_1_2_20170116174525125.jpg.chip.jpg").touch()
    with pytest.raises(UserError, match=f"fer2013 and utkface read it; say which it is, as in fer2013={folder}"):
        whichever_reads(READERS)(folder)


def test_images_that_are_only_called_like_those_of_300w_lp_are_not_taken_for_them(tmp_path):
    faces = write_faces(tmp_path / "faces", LAYOUTS["raf_db"], 8, size=96)
    write_faces(tmp_path / "faces" / "poses", LAYOUTS["w300lp"], 4, size=96)
    assert {path.stem for path in faces.rglob("*.jpg")} > {"train_00001_aligned"}
    assert set(w300lp(faces / "poses")["source"]) == {"w300lp"}
    for path in (faces / "poses").rglob("*_*.mat"):
        path.rename(path.with_stem("image00001"))
    with pytest.raises(UserError, match="holds no image that is called such as AFW"):
        w300lp(faces)


def test_a_file_is_read_by_the_reader_of_files(tmp_path):
    (tmp_path / "a.jpg").touch()
    table, other = tmp_path / "labels.csv", tmp_path / "notes.txt"
    table.write_text("path,gender\na.jpg,male\n")
    read = whichever_reads([*READERS, csv_file])
    assert read(table)["gender"].tolist() == read(table, strict=True)["gender"].tolist() == ["male"]
    other.write_text("nothing")
    with pytest.raises(UserError, match="notes.txt: starts with 'nothing'"):
        read(other)


def test_strict_holds_for_the_set_that_was_recognised(tmp_path):
    folder = write_faces(tmp_path / "faces", LAYOUTS["genki4k"], 8, size=48)
    (folder / "files" / "file0003.jpg").unlink()
    assert len(whichever_reads(READERS)(folder)) == 7
    with pytest.raises(UserError, match="file0003.jpg: the image is missing"):
        whichever_reads(READERS)(folder, strict=True)


def test_any_set_is_recognised_and_named(tmp_path):
    drawn = {name: write_faces(tmp_path / name, LAYOUTS[name], 8, size=96) for name in ("utkface", "fer2013", "biwi")}
    for name, folder in drawn.items():
        # The reader of drawn faces reads them all, and that of class folders some: they come last.
        assert set(read_any(folder)["source"]) == set(read_any(f"{name}={folder}")["source"]) == {name}
        assert "eyeglasses" in read_any(f"rendered={folder}")
    assert set(read_any(f"class_folders={drawn['fer2013']}")["source"]) == {"class_folders"}
    for name in ("test", "train"):
        (drawn["fer2013"] / name / "people").mkdir()
        (drawn["fer2013"] / name / "people" / "a.png").touch()
    with pytest.raises(UserError, match="people"):
        read_any(drawn["fer2013"], strict=True)


def test_what_several_readers_read_says_how_to_name_one(tmp_path):
    (tmp_path / "male").mkdir()
    for name in ("a.jpg", "male/b.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text("path,age\na.jpg,3\n")
    with pytest.raises(UserError, match=f"class_folders and csv_file read it; .* as in class_folders={tmp_path}"):
        read_any(tmp_path)
    assert len(read_any(f"csv_file={tmp_path}")) == 1


def test_what_is_no_set_at_all_is_one_line(tmp_path, one_line):
    (tmp_path / "holiday.jpg").touch()
    with one_line(f"list datasets` reads it; .* as in utkface={tmp_path}", tmp_path):
        read_any(tmp_path)
    with one_line("nowhere: no such file or folder; expected a data set's folder, a CSV file or", tmp_path):
        read_any(tmp_path / "nowhere")
    with one_line("unknown dataset 'utkfaces'; expected one of adience, "):
        read_any("utkfaces=UTKFace")
    (tmp_path / "labels.csv").write_text("file,age\na.jpg,3\n")
    with one_line("labels.csv: starts with 'file, age'; expected the columns path", tmp_path):
        read_any(tmp_path / "labels.csv")
    # A folder may be called so itself.
    (tmp_path / "a=b").mkdir()
    with one_line("list datasets` reads it", tmp_path / "a=b"):
        read_any(tmp_path / "a=b")


def test_the_sets_of_a_preset_come_first_and_any_other_after_them(tmp_path, one_line):
    folder = write_faces(tmp_path / "faces", LAYOUTS["fer2013"], 8, size=48)
    read = first_of(("class_folders", "utkface"))
    assert set(read(folder)["source"]) == {"class_folders"} and set(read(f"fer2013={folder}")["source"]) == {"fer2013"}
    assert set(first_of(("utkface",))(folder)["source"]) == {"fer2013"}
    (tmp_path / "empty").mkdir()
    # The error is that of the set that was expected.
    with one_line("holds no image files", tmp_path / "empty"):
        first_of(("utkface",))(tmp_path / "empty")
    # Of a file it is that of the table of labels which it should be.
    (tmp_path / "labels.csv").write_text("path;age\na.jpg;3\n")
    for names in (("utkface",), ("raf_db", "utkface")):
        with one_line("separated by semicolons", tmp_path / "labels.csv"):
            first_of(names)(tmp_path / "labels.csv")
    faces = write_faces(tmp_path / "UTKFace", LAYOUTS["utkface"], 8, size=48)
    (faces / "39_1_20170116174525125.jpg.chip.jpg").touch()
    assert len(first_of(("utkface",))(faces)) == 9
    with pytest.raises(UserError, match="39_1_20170116174525125"):
        first_of(("utkface",))(faces, strict=True)

"""A folder is read by the reader whose layout it has."""

import pytest

from mtl_keras.datasets import csv_file, fer2013, genki4k, utkface
from mtl_keras.datasets.recognition import first_that_reads
from mtl_keras.errors import UserError
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces

READERS = [genki4k, fer2013, utkface]


@pytest.mark.parametrize("readers", [READERS, READERS[::-1]], ids=["in order", "reversed"])
@pytest.mark.parametrize("name", ["genki4k", "fer2013", "utkface"])
def test_each_layout_is_recognised_whatever_the_order(tmp_path, readers, name):
    folder = write_faces(tmp_path / "faces", LAYOUTS[name], 8, size=48)
    assert set(first_that_reads(readers)(folder)["source"]) == {name}


def test_what_none_reads_is_one_line_with_every_reason(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError, match="not genki4k .*labels.txt.*; not fer2013 .*; not utkface") as error:
        first_that_reads(READERS)(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        first_that_reads(READERS)(tmp_path / "nowhere")


def test_a_file_is_read_by_the_reader_of_files(tmp_path):
    (tmp_path / "a.jpg").touch()
    table, other = tmp_path / "labels.csv", tmp_path / "notes.txt"
    table.write_text("path,gender\na.jpg,male\n")
    read = first_that_reads([*READERS, csv_file])
    assert read(table)["gender"].tolist() == read(table, strict=True)["gender"].tolist() == ["male"]
    other.write_text("nothing")
    with pytest.raises(UserError, match="notes.txt: not genki4k .is a file; .*; not csv_file .starts with 'nothing'"):
        read(other)


def test_strict_holds_for_the_set_that_was_recognised(tmp_path):
    folder = write_faces(tmp_path / "faces", LAYOUTS["genki4k"], 8, size=48)
    (folder / "files" / "file0003.jpg").unlink()
    assert len(first_that_reads(READERS)(folder)) == 7
    with pytest.raises(UserError, match="file0003.jpg: the image is missing"):
        first_that_reads(READERS)(folder, strict=True)

"""Files of our own are read against a schema: what does not fit is one line, or made again and said."""

import json
import os
import re
from types import NoneType

import numpy as np
import pytest

from mtl_keras.files import write_rows
from mtl_keras.state_files import (
    CELL,
    DamagedFileError,
    count,
    misfit,
    name_inside,
    positive_number,
    read_arrays,
    read_csv,
    read_json,
    read_or_none,
)

SCHEMA = {"name": str, "rows": count, "more?": [float], "shares": {str: positive_number}, "end": (str, None)}
WHOLE = {"name": "a", "rows": 2, "more": [1, 2.5], "shares": {"x": 0.5}, "end": None, "unknown": []}


def test_what_fits_a_schema_is_read_as_it_was_written(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(WHOLE))
    assert read_json(tmp_path / "a.json", SCHEMA) == WHOLE
    assert [misfit(value, CELL) for value in ("x", 1, 0.5, True, None)] == [""] * 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": "x"}, "rows is 'x'; expected count"),
        ({"rows": -1}, "rows is -1"),
        ({"rows": True}, "rows is True"),
        ({"rows": 10**400}, "whole number of it is too large"),
        ({"name": NoneType}, "it has no name"),
        ({"more": {}}, "more is {}; expected a list"),
        ({"more": [1, "2"]}, "an entry of more is '2'; expected a number"),
        ({"shares": {"x": float("inf")}}, "x is inf; expected positive number"),
        ({"shares": []}, r"shares is \[\]; expected an object"),
        ({"end": 1}, "end is 1; expected a text"),
    ],
)
def test_what_does_not_fit_is_one_line_that_says_where(tmp_path, change, says):
    value = {name: each for name, each in {**WHOLE, **change}.items() if each is not NoneType}
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(DamagedFileError, match=rf"a\.json: damaged \(.*{says}.*\); train anew$"):
        read_json(tmp_path / "a.json", SCHEMA, "train anew")


@pytest.mark.parametrize(
    "contents", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b'{"name":' * 100_000, b"1" + b"0" * 5000, None]
)
def test_what_is_no_such_json_is_one_line(tmp_path, contents):
    if contents is not None:
        (tmp_path / "a.json").write_bytes(contents)
    with pytest.raises(DamagedFileError, match=r"a\.json: damaged \("):
        read_json(tmp_path / "a.json", SCHEMA)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "No columns"),
        ("a\n\xff", "'utf-8' codec can't decode"),
        ("run,loss\na,1\n", "no table with the columns"),
        ("run,epoch\na,1,2\nb,1,2\n", "no table with the columns"),
        ("run,epoch\na,x\n", "column 'epoch' holds 'x'; expected numbers"),
        ('run,epoch\n"a,1\n', "EOF"),
    ],
)
def test_what_is_no_such_table_is_one_line(tmp_path, text, says):
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedFileError, match=rf"a\.csv: damaged \(.*{re.escape(says)}"):
        read_csv(tmp_path / "a.csv", ("run",), ("epoch",))


def test_cells_of_tables_are_texts_or_numbers_as_asked(tmp_path):
    (tmp_path / "a.csv").write_text("run,epoch,how\nNA,1,\n1,NA,x\n")
    table = read_csv(tmp_path / "a.csv", ("run",), ("epoch",), ("how", "not there"))
    assert table["run"].tolist() == ["NA", "1"] and table["epoch"].isna().tolist() == [False, True]
    assert read_csv(tmp_path / "a.csv", ("run",), as_text=True)["how"].tolist() == ["", "x"]


def test_formulas_are_written_as_texts_and_come_back(tmp_path):
    cells = ["=1+1", "@x", "+a", "-a", "\tb", "'=x", "-5", "+1.5e3", "a=b", "", "'a"]
    write_rows([{"=run": cell} for cell in cells], ["=run"], tmp_path / "a.csv")
    first, *lines = (tmp_path / "a.csv").read_text().splitlines()
    assert first == "'=run" and lines[:6] == ["'=1+1", "'@x", "'+a", "'-a", "'\tb", "''=x"]
    # Numbers stay numbers for whoever opens the table.
    assert lines[6:] == ["-5", "+1.5e3", "a=b", '""', "'a"]
    assert read_csv(tmp_path / "a.csv", (), as_text=True)["=run"].tolist() == cells


def test_arrays_have_the_kind_and_dimensions_that_they_should(tmp_path):
    path, schema = tmp_path / "a.npz", {"numbers": ("f", 2)}
    np.savez(path, numbers=np.ones((2, 3)), others=np.array("x"))
    whole = path.read_bytes()
    assert read_arrays(path, schema)["numbers"].shape == (2, 3)
    at = whole.index(np.ones(1).tobytes())
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    for contents in (b"", whole[:200], flipped, whole.replace(b"numbers", b"strange")):
        path.write_bytes(contents)
        with pytest.raises(DamagedFileError, match=r"a\.npz: damaged \("):
            read_arrays(path, schema)
    for wrong in (np.ones(3), np.ones((2, 3), int), np.array([[{}]])):
        np.savez(path, numbers=wrong)
        with pytest.raises(DamagedFileError, match=r"a\.npz: damaged \("):
            read_arrays(path, schema)


def test_what_can_be_made_again_is_none_and_said(tmp_path, capsys):
    assert read_or_none(read_json, tmp_path / "none", {}) is None and capsys.readouterr().err == ""
    (tmp_path / "a.json").write_text("{")
    assert read_or_none(read_json, tmp_path / "a.json", {}, lost="drawn anew") is None
    assert re.fullmatch(r".*a\.json: damaged \(it is no JSON: .*\); drawn anew\n", capsys.readouterr().err)


@pytest.mark.parametrize("read", [lambda path: read_json(path, {}), lambda path: read_csv(path, ()),
                                  lambda path: read_arrays(path, {})])  # fmt: skip
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DamagedFileError, match="pipe: damaged .not a regular file"):
        read(tmp_path / "pipe")


def test_only_names_inside_a_folder_pass():
    assert all(map(name_inside, ("a.jpg", "a/b.jpg", "..a", "\udcff.jpg")))
    outside = ("../a", "a/../../b", "/a", "C:/a", "C:a", r"\\host\a", r"..\a", "", "a\0", "\ud800", 1, None)
    assert not any(map(name_inside, outside))

"""MATLAB files: what is read from them, and that nothing else than arrays and one-line reasons comes out."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from mtl_keras.datasets.matlab import read_mat
from mtl_keras.errors import UserError


def contents_of(variables: dict, **options) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, **options)
    return file.getvalue()


CONTENTS = contents_of({"numbers": np.arange(7.0)[None], "cells": np.array(["a", "bc"], dtype=object)})


def test_one_variable_is_read_without_its_dimensions_of_length_one(tmp_path):
    (tmp_path / "a.mat").write_bytes(CONTENTS)
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "numbers"), np.arange(7.0))
    assert read_mat(str(tmp_path / "a.mat"), "cells").tolist() == ["a", "bc"]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "is damaged or no MATLAB file"),
        (b"not a MATLAB file at all " * 20, "is damaged or no MATLAB file|format 7.3|has no variable"),
        (CONTENTS[:200], "is damaged or no MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), "is a MATLAB file of format 7.3"),
        (contents_of({"others": 1.0}), "has no variable numbers"),
        (contents_of({"numbers": "some text"}), "numbers is damaged or a text"),
    ],
    ids=["empty", "text", "truncated", "7.3", "no variable", "text variable"],
)
def test_what_cannot_be_read_is_a_reason_in_one_line(tmp_path, contents, reason):
    (tmp_path / "a.mat").write_bytes(contents)
    with pytest.raises(UserError, match=f"^({reason})") as caught:
        read_mat(tmp_path / "a.mat", "numbers")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("place", "byte"), [(184, 0), (184, 8), (184, 255), (156, 4), (144, 1), (144, 5), (130, 1)])
def test_elements_that_do_not_fit_are_refused_before_scipy_trusts_them(tmp_path, place, byte):
    """The first of these, a type code of the numbers that does not exist, would end the whole process there."""
    assert CONTENTS[184] == 9 and CONTENTS[156] == 8
    contents = bytearray(CONTENTS)
    contents[place] = byte
    (tmp_path / "a.mat").write_bytes(contents)
    with pytest.raises(UserError, match="^is damaged or no MATLAB file"):
        read_mat(tmp_path / "a.mat", "numbers")


def test_uncompressed_and_compressed_structs_are_read_alike(tmp_path):
    cells = np.array(["a", "bc", None], dtype=object)
    cells[2] = np.array([1j, 2])
    for number, compressed in enumerate((False, True)):
        contents = contents_of({"s": {"x": np.arange(3.0), "cells": cells, "e": ""}}, do_compression=compressed)
        (tmp_path / f"{number}.mat").write_bytes(contents)
        struct = read_mat(tmp_path / f"{number}.mat", "s")
        assert struct.dtype.names == ("x", "cells", "e") and struct["x"].item().tolist() == [0, 1, 2]
        assert struct["cells"].item()[:2].tolist() == ["a", "bc"]
        np.testing.assert_array_equal(struct["cells"].item()[2], [1j, 2])


def test_missing_file_and_folder_are_reasons(tmp_path):
    with pytest.raises(UserError, match="^no such file$"):
        read_mat(tmp_path / "a.mat", "numbers")
    with pytest.raises(UserError, match="not a regular file"):
        read_mat(tmp_path, "numbers")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(CONTENTS) - 1), st.integers(0, 255)), max_size=4), st.integers(0, 9999))
def test_damaged_bytes_give_a_value_or_a_reason(tmp_path_factory, changes, length):
    contents = bytearray(CONTENTS)
    for place, byte in changes:
        contents[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "a.mat"
    path.write_bytes(contents[: max(length, 1)])
    try:
        read_mat(path, "numbers")
    except UserError as error:
        assert "\n" not in str(error)

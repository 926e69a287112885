"""MATLAB files, from which only numbers, texts, cells and structs of them are taken.

The layout is in "MAT-File Format" by The MathWorks: a header of 128 bytes, then variables, each compressed (with a
checksum) or not. A variable is an array: elements of a type code, a size and data, the first three of which are its
class, its dimensions and its name; cells and structs hold further arrays.
"""

import io
import math
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

from mtl_keras.errors import UserError
from mtl_keras.files import open_regular

HEADER = 128
# Type codes of elements: those of numbers, of numbers or characters, and of an array.
INT8, INT32, UINT32, ARRAY, COMPRESSED = 1, 5, 6, 14, 15
LARGEST = 2**30  # bytes of a variable
NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}
CHARACTERS = {*NUMBERS, 16, 17, 18}
# Classes of arrays.
CELL, STRUCT, TEXT, NUMERIC = 1, 2, 4, range(6, 16)


def read_mat(path: str | Path, name: str) -> Any:
    """Return the variable `name` of a MATLAB file of format 4 to 7.2, without its dimensions of length 1.

    A number is a scalar or an array, a cell an object array, a struct a structured array. A file that is missing,
    damaged or of another kind is a `UserError` whose message lacks the path, as a reason that follows it.
    """
    # SciPy takes a fifth of a second to import, which whoever only lists the sets need not wait for.
    from scipy.io import loadmat

    try:
        with open_regular(path) as file:
            contents = file.read()
        _check(contents, name)
        with warnings.catch_warnings():
            # A variable that cannot be read is only a warning there, and its value the text of the error.
            warnings.simplefilter("ignore")
            variables = loadmat(io.BytesIO(contents), squeeze_me=True, variable_names=[name])
    except FileNotFoundError:
        raise UserError("no such file") from None
    except NotImplementedError:
        raise UserError("is a MATLAB file of format 7.3; save it with -v7") from None
    except Exception as error:  # Damaged bytes make the parser raise nearly anything.
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"cannot be read ({error.strerror})") from None
        raise UserError(f"is damaged or no MATLAB file ({' '.join(str(error).split())[:80]})") from None
    if name not in variables:
        raise UserError(f"has no variable {name}")
    if isinstance(variables[name], str):
        raise UserError(f"{name} is damaged or a text")
    return variables[name]


def _check(contents: bytes, name: str) -> None:
    """Raise a `ValueError` if the variable's elements do not fit together, or a compressed one is damaged.

    SciPy trusts type codes, also those of what was decompressed so far: a wrong one ends the whole process.
    """
    if 0 in contents[:4]:
        return  # format 4
    order, at = ("<" if contents[126:128] == b"IM" else ">"), HEADER
    while at + 8 <= len(contents):
        code, size = struct.unpack_from(order + "2I", contents, at)
        if code == ARRAY:
            _check_variable(contents, at, name, order)
        if code == COMPRESSED:
            _check_variable(_decompressed(contents[at + 8 : at + 8 + size]), 0, name, order)
        at += 8 + size


def _decompressed(contents: bytes) -> bytes:
    """Return contents that zlib compressed; what is damaged, cut short or larger than any list is an error."""
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(contents, LARGEST)
    if not unpacking.eof:
        raise ValueError("a compressed variable is cut short or too large")
    return found


def _check_variable(contents: bytes, at: int, name: str, order: str) -> None:
    code, size = struct.unpack_from(order + "2I", contents, at)
    if code != ARRAY:
        raise ValueError("a variable is no array")
    head = _elements(contents, at + 8, at + 8 + size, order)[:3]
    if len(head) == 3 and contents[slice(*head[2][1:])] == name.encode():
        _check_array(contents, at + 8, at + 8 + size, order)


def _check_array(contents: bytes, start: int, stop: int, order: str) -> None:
    elements = _elements(contents, start, stop, order)
    if not elements:
        return  # an empty array, as MATLAB writes it within cells and structs
    codes, sizes = [code for code, _, _ in elements], [stop - start for _, start, stop in elements]
    if codes[:3] != [UINT32, INT32, INT8] or sizes[0] != 8:
        raise ValueError("an array lacks its class, dimensions or name")
    flags = struct.unpack_from(order + "I", contents, elements[0][1])[0]
    kind, is_complex = flags & 0xFF, bool(flags & 0x800)
    dimensions = struct.unpack_from(f"{order}{sizes[1] // 4}i", contents, elements[1][1])
    if sizes[1] % 4 or not 2 <= len(dimensions) <= 32 or min(dimensions) < 0:
        raise ValueError("the dimensions of an array are damaged")
    count = math.prod(dimensions)
    if kind in NUMERIC or kind == TEXT:
        known = NUMBERS if kind in NUMERIC else CHARACTERS
        fits = len(codes) == 4 + is_complex and set(codes[3:]) <= known
    elif kind == CELL:
        fits = len(codes) == 3 + count and set(codes[3:]) <= {ARRAY}
    elif kind == STRUCT and codes[3:5] == [INT32, INT8] and sizes[3] == 4:
        length = struct.unpack_from(order + "i", contents, elements[3][1])[0]
        fits = length > 0 and len(codes) == 5 + count * (sizes[4] // length) and set(codes[5:]) <= {ARRAY}
    else:
        fits = False
    if not fits:
        raise ValueError("the parts of an array do not fit together")
    for code, begin, end in elements:
        if code == ARRAY:
            _check_array(contents, begin, end, order)


def _elements(contents: bytes, start: int, stop: int, order: str) -> list[tuple[int, int, int]]:
    """Return the type code of each element between two places, and where its data start and stop."""
    found = []
    while start < stop:
        code, size = struct.unpack_from(order + "2I", contents, start)
        if code >> 16:  # up to 4 bytes of data lie within the 8 of code and size
            code, size, begin, following = code & 0xFFFF, code >> 16, start + 4, start + 8
        else:
            begin = start + 8
            following = begin + size + (-size % 8)
        if begin + size > min(following, stop, len(contents)):
            raise ValueError("an element is longer than what holds it")
        found.append((code, begin, begin + size))
        start = following
    return found

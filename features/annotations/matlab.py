"""Read MATLAB files into numpy arrays: numbers, text and cells, as annotations hold them.

Why not `scipy.io.loadmat`: one damaged byte can end the whole process with a segmentation fault
(scipy 1.17), where a user needs a line that names the file. The layout is MathWorks' "MAT-File
Format", level 5: a header, then elements of a tag (kind and size) and content, padded to 8 bytes.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from features.errors import InputError, plain_words
from features.inputs.text_lines import read_file

_HEADER = 128  # bytes; the last four are the version and the letters that tell the byte order
_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15  # kinds of elements; the others are numbers and text:
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _CHAR, _NUMERIC = 1, 4, range(6, 16)  # classes of matrices
_COMPLEX = 1 << 11


def read_mat(path: Path, *names: str) -> list[np.ndarray]:
    """Read variables of a MATLAB file of version 5 to 7.

    Parameters
    ----------
    path : Path
        The file.
    *names : str
        The variables; others are skipped.

    Returns
    -------
    list of ndarray
        One array for each name, with at least two axes as in MATLAB: real numbers, an array of
        single characters for text, or an array of objects that are such arrays for cells.

    Raises
    ------
    InputError
        When the file can't be read, lacks a variable, or one is of another class (sparse,
        complex, struct).
    """
    data = read_file(path)
    order = _ORDERS.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise InputError(f"{path} is not a MATLAB file of version 5 to 7. Save it again as -v7.")
    if struct.unpack_from(f"{order}H", data, _HEADER - 4)[0] >= 0x200:
        raise InputError(f"{path} has MATLAB's version 7.3. Save it again as -v7.")
    found = {}
    try:
        for kind, content in _elements(memoryview(data)[_HEADER:], order):
            matrix = _unpacked(kind, content, order)
            name = _name(matrix, order)
            if name in names:
                found[name] = _array(matrix, order)
    except (ValueError, IndexError, RecursionError, struct.error, zlib.error) as error:
        raise InputError(f"{path} can't be read ({plain_words(error)}). Unpack it again.") from None
    for name in names:
        if name not in found:
            raise InputError(f"{path} has no variable {name!r}. Give the file as published.")
    return [found[name] for name in names]


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    position = 0
    while position < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        start = position + 8
        if kind >> 16:  # a small one: both halves of its kind count, the content takes size's place
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        stop = start + size
        if stop > len(data):
            raise ValueError("it ends too early")
        yield kind, data[start:stop]
        position = stop if kind == _COMPRESSED else -(-stop // 8) * 8


def _unpacked(kind: int, content: memoryview, order: str) -> memoryview:
    if kind == _COMPRESSED:
        kind, content = next(_elements(memoryview(zlib.decompress(content)), order), (0, content))
    if kind != _MATRIX:
        raise ValueError(f"an element of kind {kind} where a matrix belongs")
    return content


def _name(matrix: memoryview, order: str) -> str:
    _flags, _shape, (_, name), *_ = _elements(matrix, order)
    return bytes(name).decode("ascii")


def _array(matrix: memoryview, order: str) -> np.ndarray:
    (_, flags), (_, axes), _, *values = _elements(matrix, order)
    flag = struct.unpack_from(f"{order}I", flags)[0]
    shape = np.frombuffer(axes, f"{order}i4")
    if len(shape) < 2 or shape.min() < 0:
        raise ValueError(f"a matrix of shape {shape.tolist()}")
    if flag & 0xFF == _CELL:
        flat = np.empty(len(values), object)
        for position, (kind, value) in enumerate(values):
            flat[position] = _array(_unpacked(kind, value, order), order)
    elif flag & 0xFF == _CHAR:
        ((kind, value),) = values
        flat = np.array(list(_text(kind, value, order)), dtype="U1")
    elif flag & 0xFF in _NUMERIC and not flag & _COMPLEX:
        ((kind, value),) = values
        flat = np.frombuffer(value, order + _look_up(_NUMBERS, kind))
    else:
        raise ValueError("a matrix that is neither of real numbers nor text nor a cell")
    return flat.reshape(shape, order="F")


def _text(kind: int, value: memoryview, order: str) -> str:
    encoding = _look_up(_TEXTS, kind)
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    return bytes(value).decode(encoding)


def _look_up(table: dict[int, str], kind: int) -> str:
    if kind not in table:
        raise ValueError(f"an element of kind {kind} in a matrix")
    return table[kind]

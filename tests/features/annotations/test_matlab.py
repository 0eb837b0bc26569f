"""MATLAB files: the same arrays as scipy reads, and no file that ends the process."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat
from scipy.sparse import eye_array

from features.annotations.matlab import read_mat
from features.errors import InputError
from tests.hostile.damage import overwrite

DTYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sample.mat"


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 0), (1, 0), (1, 1), (1, 3), (3, 2), (2, 3, 4)])
def test_numbers_are_as_scipy_reads_them(path, compress, dtype, shape):
    written = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    savemat(path, {"other": np.eye(3), "x": written, "y": 7.5}, do_compression=compress)
    y, x = read_mat(path, "y", "x")
    np.testing.assert_array_equal(x, loadmat(path)["x"])
    np.testing.assert_array_equal(x, written)
    assert x.dtype == written.dtype
    assert y.tolist() == [[7.5]]


@pytest.mark.parametrize("compress", [False, True])
def test_cells_and_text_are_as_scipy_reads_them(path, compress):
    cells = np.array([["sea", "sky", "Öl ☃"], ["", np.arange(6.0).reshape(2, 3), "a"]], object)
    savemat(path, {"c": cells, "text": ["ab", "cde"]}, do_compression=compress)
    ours = read_mat(path, "c", "text")
    scipys = loadmat(path, chars_as_strings=False)
    np.testing.assert_array_equal(ours[1], scipys["text"])
    assert ours[0].shape == (2, 3)
    for mine, theirs in zip(ours[0].ravel(), scipys["c"].ravel(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_big_endian_files_are_read(path):
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    name = struct.pack(">HH4s", 1, 1, b"x")  # a small element: size, kind, four bytes
    parts = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 3))
    matrix = element(14, parts + name + element(3, b"\1\0\0\2\0\0"))
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + matrix)
    (x,) = read_mat(path, "x")
    np.testing.assert_array_equal(x, loadmat(path)["x"])
    assert x.tolist() == [[256, 2, 0]]


def test_what_is_missing_or_of_another_class_is_named(path):
    samples = {"sparse": eye_array(3).tocsc(), "complex": np.eye(2) * 1j, "struct": {"a": 1}}
    savemat(path, samples | {"x": 1})
    assert read_mat(path, "x")[0] == 1  # the others are skipped
    for name in samples:
        with pytest.raises(InputError, match="neither of real numbers nor text nor a cell"):
            read_mat(path, name)
    with pytest.raises(InputError, match=r"sample\.mat has no variable 'z'. Give the file"):
        read_mat(path, "x", "z")


@pytest.mark.parametrize("content", [b"", b"MATLAB", b"not a matrix " * 99])
def test_what_is_no_mat_file_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is not a MATLAB file of version 5 to 7. Save it again"):
        read_mat(path, "x")


def test_the_newer_format_is_named(path):
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header + bytes(512))
    with pytest.raises(InputError, match=r"has MATLAB's version 7\.3. Save it again as -v7"):
        read_mat(path, "x")


@pytest.mark.parametrize("compress", [False, True])
def test_damage_is_an_input_error_or_an_array(path, compress):
    cells = np.array(["sea", "sky"], object)[:, None]
    savemat(path, {"x": np.eye(2), "c": cells}, do_compression=compress)
    content = path.read_bytes()

    @given(position=st.integers(0, len(content) - 1), byte=st.integers(0, 255))
    def corrupt(position, byte):
        overwrite(path, content[:position] + bytes([byte]) + content[position + 1 :])
        try:
            arrays = read_mat(path, "x", "c")
        except InputError:
            return
        assert all(isinstance(array, np.ndarray) for array in arrays)

    corrupt()
    for size in range(len(content)):
        overwrite(path, content[:size])
        with pytest.raises(InputError):
            read_mat(path, "x", "c")

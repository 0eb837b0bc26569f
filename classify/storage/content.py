"""The bytes of a model file: safetensors whose metadata, arrays and checksum belong together."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from classify.storage.schema import FORMAT, check_metadata
from features import files
from features.errors import InputError
from features.files.ownership import claim
from features.files.places import utf8_name

Arrays = Mapping[str, np.ndarray]
_METADATA = "model"  # the only entry of the file's metadata: safetensors keeps no order of several
_LONGEST_HEADER = 100_000_000  # bytes, as in safetensors
_LARGEST = np.float64(np.finfo(np.float32).max)
#: How files begin that are often found under a model's name.
_OTHER_KINDS = (
    (b"version https://git-lfs", "it is a Git LFS pointer: run `git lfs pull`"),
    (b"<!doctype html", "it is an HTML page: download the file itself"),
    (b"<html", "it is an HTML page: download the file itself"),
    (b"\x80", "it is a pickle, which this program never opens"),
    (b"pk\x03\x04", "it is a ZIP archive, as torch.save and numpy.savez write"),
    (b"\x1f\x8b", "it is a gzip archive: unpack it"),
    (b"\x89hdf", "it is an HDF5 file"),
    (b"\x93numpy", "it is an array of numpy.save"),
    (b"{", "it is a JSON file"),
)


def claim_model(path: Path) -> Path:
    """Check that a model can be written to a file, before it is trained.

    Returns
    -------
    Path
        The file itself, where `path` is a symbolic link to one.

    Raises
    ------
    InputError, OSError
        As `features.files.ownership.claim`.
    """
    return claim(Path(path), _is_model, what="a model file")


def write_content(path: Path, description: Mapping[str, Any], arrays: Arrays) -> None:
    """Write metadata and arrays, all or nothing.

    Parameters
    ----------
    path : Path
        Replaced if it is a model file.
    description : mapping
        JSON values; ``arrays``, ``transposed`` and ``sha256`` are added.
    arrays : mapping of str to ndarray

    Raises
    ------
    InputError
        A number is not finite in float32, or the file is not a model file.
    """
    for name, array in arrays.items():
        if not _is_finite(array):
            raise InputError(
                f"the array {name} of the trained model has numbers that are NaN or infinite in "
                f"float32, so {path} is not written; scale the features (--scaling std) or give "
                "another C"
            )
    # A product rounds by the order of its factors in memory, which a file's arrays don't keep.
    transposed = sorted(name for name, array in arrays.items() if not array.flags.c_contiguous)
    stored = {
        name: np.asarray(array.T if name in transposed else array, order="C")
        for name, array in arrays.items()
    }
    record = {name: _described(array) for name, array in stored.items()}
    whole = {**description, "arrays": record, "transposed": transposed}
    whole["sha256"] = checksum(whole, stored)
    metadata = {_METADATA: json.dumps(whole, sort_keys=True)}
    files.write_bytes(claim_model(path), save(stored, metadata))


def read_content(path: Path) -> tuple[Mapping[str, Any], Arrays]:
    """Read metadata and arrays, checked for belonging together.

    Returns
    -------
    description : mapping
    arrays : mapping of str to ndarray

    Raises
    ------
    InputError
        What is wrong with the file, without its name.
    OSError
        It can't be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise InputError("it is no file")
    with open(path, "rb"):  # gives the system's reason, which safetensors hides
        pass
    try:
        with utf8_name(path) as name, safe_open(name, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {one: file.get_tensor(one) for one in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, AttributeError) as error:  # damaged; a type of torch only
        raise InputError(_other_kind(path) or " ".join(str(error).split())) from error
    if _METADATA not in metadata:
        raise InputError("it is a safetensors file that another program made")
    try:
        found = json.loads(metadata[_METADATA])
    except (ValueError, RecursionError) as error:
        raise InputError(f"its metadata is no JSON: {error}") from error
    description = check_metadata(found)
    for name, array in arrays.items():
        if not _is_finite(array):
            raise InputError(f"its array {name} has numbers that are NaN or infinite in float32")
    if description["format"] == 1:
        return description, arrays
    _check_arrays(description["arrays"], arrays)
    if description["format"] == FORMAT and description["sha256"] != checksum(description, arrays):
        raise InputError("it was changed after it was written: its checksum is another")
    transposed = description["transposed"]
    return description, {
        name: array.T if name in transposed else array for name, array in arrays.items()
    }


def _check_arrays(record: Mapping[str, Any] | list[str], arrays: Arrays) -> None:
    missing, unknown = sorted(set(record) - set(arrays)), sorted(set(arrays) - set(record))
    if missing or unknown:
        parts = [f"lacks {name}" for name in missing] + [f"has {name} besides" for name in unknown]
        raise InputError(f"of its arrays it {', '.join(parts)}")
    for name, written in record.items() if isinstance(record, Mapping) else ():
        for part, value in _described(arrays[name]).items():
            if written[part] != value:
                raise InputError(f"its array {name} has {part} {value} instead of {written[part]}")


def _described(array: np.ndarray) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def checksum(description: Mapping[str, Any], arrays: Arrays) -> str:
    """Hex SHA-256 over the metadata but this, and names, types, shapes and bytes of the arrays."""
    others = {name: value for name, value in description.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode("utf-8"))
    for name in sorted(arrays):
        digest.update(json.dumps([name, _described(arrays[name])]).encode("utf-8"))
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _is_finite(array: np.ndarray) -> bool:
    # Scores of float32 features are computed in float32: what does not fit there is not finite.
    return array.dtype.kind in "biu" or bool((np.abs(array) <= _LARGEST).all())


def _other_kind(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(64)
    if not head:
        return "it is empty"
    kinds = (text for start, text in _OTHER_KINDS if head.lower().lstrip().startswith(start))
    return next(kinds, "")


def _is_model(file: BinaryIO) -> bool:
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= _LONGEST_HEADER:
        return False
    found = json.loads(json.loads(file.read(length))["__metadata__"][_METADATA])
    return "format" in found and "label_names" in found

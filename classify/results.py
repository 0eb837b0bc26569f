"""A file of result lines (JSON) that survives a kill and comes out the same either way.

The first line is a header: what every line in the file has in common, such as the hash of the
splits and the cache's manifest hash. Each other line is one flat result under a key. Lines are
appended as they come and put in order at the end, so nothing in them may depend on when, where or
in which order they were made: no times, no host names.
"""

import fcntl
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.files import write_text
from features.manifest import differences

Line = dict[str, Any]


class ResultFile:
    """Result lines on disk, opened to add to them.

    Parameters
    ----------
    path : Path
        Opened if it exists, made with the header otherwise. Its folder must exist. A last line
        that a killed run left half-written is dropped.
    key : tuple of str
        The fields that identify a line; together they are unique.
    header : mapping
        JSON values that all lines share. They must equal those of an existing file.

    Raises
    ------
    InputError
        When the file was made under another header or key, has a line that can't be read, or is
        being written by another process.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with ResultFile(Path(folder.name, "r.jsonl"), key=("split",), header={"seed": 0}) as file:
    ...     file.append({"split": 1, "score": 0.5})
    ...     file.append({"split": 0, "score": 0.25})
    ...     (1,) in file, [line["score"] for line in file.lines]
    (True, [0.25, 0.5])
    >>> folder.cleanup()
    """

    def __init__(self, path: Path, *, key: tuple[str, ...], header: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.key = key
        self.header = json.loads(json.dumps({**header, "key": list(key)}))
        if not self.path.exists():
            write_text(self.path, _to_text({"header": self.header}))
        self._file = self.path.open("r+b")
        try:
            self._lock()
            _drop_half_line(self._file)
            found, self._lines = parse_results(self.path, self._file.read())
            self._refuse_another(found)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "ResultFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, key: tuple) -> bool:
        return key in self._lines

    @property
    def lines(self) -> list[Line]:
        """All lines, in the order of their keys."""
        return [self._lines[key] for key in sorted(self._lines)]

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line and put it on disk before returning.

        Parameters
        ----------
        line : mapping
            The fields of the key and any others, all text, numbers, booleans or None. NaN, which
            JSON lacks, becomes None; other floats come back as the same bits.

        Raises
        ------
        InputError
            When a field of the key is missing, the key is there already, or a value is infinite
            or no scalar.
        """
        flat = {name: _scalar(name, value) for name, value in line.items()}
        key = _key_of(flat, self.key, "a result line")
        if key in self._lines:
            raise InputError(f"{self.path} already has a line for {_name(self.key, key)}")
        self._file.seek(0, os.SEEK_END)
        self._file.write(_to_text(flat).encode("utf-8"))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._lines[key] = flat

    def finish(self) -> None:
        """Put the file in the order of its keys, all or nothing, and close it."""
        lines = "".join(_to_text(line) for line in self.lines)
        write_text(self.path, _to_text({"header": self.header}) + lines)
        self.close()

    def close(self) -> None:
        """Close the file as it stands; the next run goes on from there."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{self.path} is being written by another run: wait for it or write elsewhere"
            ) from None

    def _refuse_another(self, found: Mapping[str, Any]) -> None:
        differing = differences(dict(found), self.header)
        if differing:
            raise InputError(
                f"{self.path} holds results of something else: {'; '.join(differing)}. "
                "Write to another folder, or remove the file to start again"
            )


def read_results(path: Path) -> tuple[dict[str, Any], list[Line]]:
    """Read a result file without opening it for writing.

    Parameters
    ----------
    path : Path

    Returns
    -------
    header : dict
    lines : list of dict
        In the order of their keys. A half-written last line is left out.

    Raises
    ------
    InputError
        For a line that can't be read; the message names the file and the line.
    """
    data = Path(path).read_bytes()
    header, lines = parse_results(Path(path), data[: data.rfind(b"\n") + 1])
    return header, [lines[key] for key in sorted(lines)]


def parse_results(path: Path, data: bytes) -> tuple[dict[str, Any], dict[tuple, Line]]:
    """Read the bytes of a result file.

    Parameters
    ----------
    path : Path
        Named in messages.
    data : bytes
        Whole lines. Beside the header, the first may hold ``run``, how the lines were made.

    Returns
    -------
    header : dict
    lines : dict
        Key to line.

    Raises
    ------
    InputError
        For a line that can't be read; the message names the file and the line.
    """
    first, *rest = data.splitlines() or [b""]
    header = _from_json(first).get("header")
    if not isinstance(header, dict) or "key" not in header:
        raise InputError(f"{path}, line 1 is no header of a result file: remove the file")
    lines: dict[tuple, Line] = {}
    for number, raw in enumerate(rest, start=2):
        where = f"{path}, line {number}"
        line = _from_json(raw)
        if not line:
            raise InputError(f"{where} is damaged: remove that line, and its result is redone")
        key = _key_of(line, header["key"], where)
        if key in lines:
            raise InputError(f"{where} repeats {_name(header['key'], key)}: remove one of the two")
        lines[key] = line
    return header, lines


def _from_json(raw: bytes) -> Line:
    """Give the object in `raw`, or an empty one where there is none."""
    try:
        line = json.loads(raw)
    except ValueError:  # not JSON, or not UTF-8
        return {}
    return line if isinstance(line, dict) else {}


def _key_of(line: Line, names, where: str) -> tuple:
    missing = [name for name in names if name not in line]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}: every line needs {', '.join(names)}")
    return tuple(line[name] for name in names)


def _drop_half_line(file) -> None:
    data = file.read()
    file.truncate(data.rfind(b"\n") + 1)
    file.seek(0)


def _scalar(name: str, value: Any) -> str | int | float | bool | None:
    value = value.item() if hasattr(value, "item") else value  # numpy's scalars
    if isinstance(value, float) and math.isnan(value):
        return None
    if not isinstance(value, str | int | float | None) or value in (math.inf, -math.inf):
        raise InputError(f"{name} must be text, a finite number, a boolean or None, got {value!r}")
    return value


def _to_text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"


def _name(names, key: tuple) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in zip(names, key, strict=True))

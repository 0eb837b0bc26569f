"""A file of result lines (JSON) that survives a kill and comes out the same either way.

The first line is a header: what every line in the file has in common, such as the hash of the
splits and the cache's manifest hash. Each other line is one flat result under a key. Lines are
appended as they come and put in order at the end, so nothing in them may depend on when, where or
in which order they were made: no times, no host names.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from features.errors import InputError
from features.files import create, write_text
from features.files.locks import open_locked
from features.files.ownership import LONGEST_LINE, claim, first_line
from features.manifest import differences

Line = dict[str, Any]


class ResultFile:
    """Result lines on disk, opened to add to them.

    Parameters
    ----------
    path : Path
        Opened if it exists, made with the header otherwise. Its folder must exist. A last line
        that a killed run left half-written is dropped. A symbolic link to a result file stays.
    key : tuple of str
        The fields that identify a line; together they are unique.
    header : mapping
        JSON values that all lines share. They must equal those of an existing file.
    odd : callable, optional
        Tells what is wrong with a line of an existing file, or gives an empty text.

    Raises
    ------
    InputError
        When the file is no result file, was made under another header or key, has a line that can't
        be read, or is being written by another process. It is then as it was.

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

    def __init__(
        self,
        path: Path,
        *,
        key: tuple[str, ...],
        header: Mapping[str, Any],
        odd: Callable[[Line], str] = lambda line: "",
    ) -> None:
        self.path = claim_results(path)
        self.key = key
        self.header = json.loads(json.dumps({**header, "key": list(key)}))
        create(self.path, _to_text({"header": self.header}).encode("utf-8"))
        self._file = open_locked(self.path)
        try:
            data = self._file.read()
            whole = whole_lines(data)
            # Beside the header there may be how the lines were made, or what a user wrote there.
            self._first = _from_json(whole.partition(b"\n")[0])
            # First: lines of another kind are odd, and not to be removed.
            self._refuse_another(self._first.get("header") or {})
            _, self._lines = parse_results(self.path, whole, odd)
            if len(whole) > len(data):  # an editor has taken the last line's end
                self._write(b"\n")
            else:
                self._file.truncate(len(whole))
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
        return in_order(self._lines)

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
        OSError
            The disk is full, or the file can't be written; it ends with the line before.
        """
        flat = {name: _scalar(name, value) for name, value in line.items()}
        key = _key_of(flat, self.key, "a result line")
        if key in self._lines:
            raise InputError(f"{self.path} already has a line for {_name(self.key, key)}")
        self._write(_to_text(flat).encode("utf-8"))
        self._lines[key] = flat

    def _write(self, data: bytes) -> None:
        descriptor = self._file.fileno()  # no buffer that closing the file would try again to write
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(descriptor, end)
            error.filename = str(self.path)
            raise

    def finish(self) -> None:
        """Put the file in the order of its keys, all or nothing, and close it."""
        lines = "".join(_to_text(line) for line in self.lines)
        write_text(self.path, _to_text(self._first) + lines)
        self.close()

    def close(self) -> None:
        """Close the file as it stands; the next run goes on from there."""
        self._file.close()

    def _refuse_another(self, found: Mapping[str, Any]) -> None:
        differing = differences(dict(found), self.header)
        if differing:
            raise InputError(
                f"{self.path} holds results of something else: {'; '.join(differing)}. "
                "Write to another file, or remove this one to start again"
            )


def claim_results(path: Path) -> Path:
    """Check that results can be written to a file, before they are computed.

    Returns
    -------
    Path
        The file itself, where `path` is a symbolic link to one.

    Raises
    ------
    InputError
        Something that is no result file has that name, or it is a link to nothing.
    OSError
        Nothing can be written there.
    """
    return claim(
        Path(path), first_line(_is_first_line), what="a file of result lines", goes_on=True
    )


def header_of(path: Path) -> dict[str, Any] | None:
    """Give the header of a file of results, None where there is no file."""
    if not path.exists():
        return None
    with open(path, "rb") as file:
        return _from_json(file.readline(LONGEST_LINE)).get("header")


def read_results(
    path: Path, odd: Callable[[Line], str] = lambda line: ""
) -> tuple[dict[str, Any], list[Line]]:
    """Read a result file without opening it for writing.

    Parameters
    ----------
    path : Path
    odd
        As for `ResultFile`.

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
    header, lines = parse_results(Path(path), whole_lines(data), odd)
    return header, in_order(lines)


def whole_lines(data: bytes) -> bytes:
    r"""Give the lines of a result file without the last one, if that is half-written.

    Examples
    --------
    >>> whole_lines(b'{"header": {}}\n{"C": 1'), whole_lines(b'{"header": {}}\n{"C": 1}')
    (b'{"header": {}}\n', b'{"header": {}}\n{"C": 1}\n')
    """
    end = data.rfind(b"\n") + 1
    return data + b"\n" if _from_json(data[end:]) else data[:end]


def parse_results(
    path: Path, data: bytes, odd: Callable[[Line], str] = lambda line: ""
) -> tuple[dict[str, Any], dict[tuple, Line]]:
    """Read the bytes of a result file.

    Parameters
    ----------
    path : Path
        Named in messages.
    data : bytes
        Whole lines; blank ones hold nothing. Beside the header, the first may hold ``run``, how
        the lines were made.
    odd
        As for `ResultFile`.

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
    if not _is_first_line(_from_json(first)):
        raise InputError(f"{path}, line 1 is no header of a result file: give a file of results")
    header = _from_json(first)["header"]
    lines: dict[tuple, Line] = {}
    for number, raw in enumerate(rest, start=2):
        if not raw.strip():
            continue
        where = f"{path}, line {number}"
        line = _from_json(raw)
        if not line or any(isinstance(value, dict | list) for value in line.values()):
            raise InputError(f"{where} is damaged: remove that line, and its result is redone")
        key = _key_of(line, header["key"], where)
        if wrong := odd(line):
            raise InputError(f"{where} {wrong}: remove that line, and its result is redone")
        if key in lines:
            raise InputError(f"{where} repeats {_name(header['key'], key)}: remove one of the two")
        lines[key] = line
    return header, lines


def _is_first_line(value: Any) -> bool:
    header = value.get("header") if isinstance(value, dict) else None
    key = header.get("key") if isinstance(header, dict) else None
    return isinstance(key, list) and all(isinstance(name, str) for name in key)


def _from_json(raw: bytes) -> Line:
    """Give the object in `raw`, or an empty one where there is none."""
    try:
        text = raw.decode("utf-8-sig")  # json itself would guess at UTF-16
        line = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_no_constant,
            parse_float=_finite,  # 1e999 would be infinite
        )
        if "\\u" in text:  # half of a character, written so, can't be written again
            json.dumps(line, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested too deeply
        return {}
    return line if isinstance(line, dict) else {}


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _no_constant(text)


def in_order(lines: Mapping[tuple, Line]) -> list[Line]:
    """Sort lines by their keys: None, then numbers, then text."""
    return [lines[key] for key in sorted(lines, key=lambda key: [_rank(one) for one in key])]


def _rank(value: Any) -> tuple:
    return (0,) if value is None else (2, value) if isinstance(value, str) else (1, value)


def _key_of(line: Line, names, where: str) -> tuple:
    missing = [name for name in names if name not in line]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}: every line needs {', '.join(names)}")
    return tuple(line[name] for name in names)


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

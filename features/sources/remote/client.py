"""Requests through fsspec: a few tries each, and errors as lines."""

import email.utils
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from features.errors import InputError, needs_extra
from features.files import sha256_of_text
from features.sources.remote.address import WEB, Address
from features.sources.remote.errors import Lost, NetworkFault, may_pass, sorted_error

PAUSES = (0.5, 2.0, 5.0)  # seconds before further tries
SECONDS = 60.0  # a server that sends nothing for so long is given up
MOST_TEXT = 1 << 30  # bytes of a list or of labels
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created", "Last-Modified")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "generation", "Content-MD5")
_T = TypeVar("_T")
_SYSTEMS: dict[tuple[int, str, str], Any] = {}
_LOCK = threading.Lock()


class Stat(NamedTuple):
    """What a server tells of a file.

    Attributes
    ----------
    size : int
        In bytes; -1 if it does not tell.
    changed : int
        When it changed, in ns; 0 if it does not tell.
    tag : int
        Another number for another state, 63 bits; 0 if it tells nothing of that.
    """

    size: int
    changed: int
    tag: int


def stat(place: Address) -> Stat:
    """Ask for a file's size and state.

    Raises
    ------
    NetworkFault, Lost
    """
    return stat_of(_tried(place, lambda fs: fs.info(str(place))))


def stat_of(info: dict[str, Any]) -> Stat:
    """Read what fsspec tells of a file."""
    times = [ns for key in _TIMES if (ns := _nanoseconds(info.get(key)))]
    told = [f"{key}={info[key]}" for key in (*_TAGS, *_TIMES) if info.get(key)]
    size = info.get("size")
    tag = int(sha256_of_text("\n".join(told))[:15], 16) if told else 0
    return Stat(-1 if size is None else int(size), next(iter(times), 0), tag)


def kind(place: Address) -> str | None:
    """Tell whether there is a "file" or a "directory", or nothing.

    Raises
    ------
    InputError
        It can't be known.
    """
    try:
        return str(_tried(place, lambda fs: fs.info(str(place)))["type"])
    except NetworkFault as fault:
        if fault.reason == "MISSING":
            return None
        raise fault.as_error() from fault


def listed(folder: Address) -> dict[str, Stat]:
    """List the files under a folder, at any depth, by their paths relative to it.

    Raises
    ------
    NetworkFault, Lost
    """

    def find(fs: Any) -> dict[str, Stat]:
        fs.invalidate_cache()
        top = fs._strip_protocol(str(folder)).rstrip("/")
        found = fs.find(top, detail=True)
        return {path[len(top) :].lstrip("/"): stat_of(info) for path, info in found.items()}

    return _tried(folder, find)


def matching(pattern: Address) -> list[Address]:
    """List what a pattern with wildcards stands for, sorted.

    Raises
    ------
    NetworkFault, Lost
    """

    def glob(fs: Any) -> list[str]:
        fs.invalidate_cache()
        return sorted(fs.unstrip_protocol(one) for one in fs.glob(str(pattern)))

    return [Address(one) for one in _tried(pattern, glob)]


def read_range(place: Address, size: int, offset: int, total: int) -> bytes:
    """Read bytes at an offset, fewer where the file ends.

    Parameters
    ----------
    place : Address
    size, offset : int
    total : int
        Bytes of the file.

    Raises
    ------
    NetworkFault, Lost
        Also where the server gives no parts of files.
    """
    end = min(offset + size, total)
    if end <= offset:
        return b""

    def read(fs: Any) -> bytes:
        raw = _part(fs, place, offset, end)
        if len(raw) != end - offset:
            raise ConnectionResetError
        return raw

    return _tried(place, read)


def read_whole(place: Address, size: int) -> bytes:
    """Read a file of a known size, or of at most `MOST_TEXT` bytes where `size` is -1.

    Raises
    ------
    NetworkFault, Lost
        It has another size now, for instance.
    """
    most = MOST_TEXT if size < 0 else size
    raw = _tried(place, lambda fs: _part(fs, place, 0, most + 1))
    if (size >= 0 and len(raw) != size) or len(raw) > most:
        raise NetworkFault(place, "CHANGED", "it has another size than when it was listed")
    return raw


def read_text_file(place: Address) -> bytes:
    """Read a list or labels whole.

    Raises
    ------
    InputError
    """
    try:
        return read_whole(place, -1)
    except NetworkFault as fault:
        raise fault.as_error() from fault


def _part(fs: Any, place: Address, start: int, end: int) -> bytes:
    if place.scheme not in WEB:
        return fs.cat_file(str(place), start=start, end=end)
    # Unlike `cat_file`, it stops to read where a server sends the whole file for a part of it.
    with fs.open(str(place), "rb", size=max(end, 1), block_size=1 << 20, cache_type="none") as file:
        return file._fetch_range(start, end)


def _tried(place: Address, work: Callable[[Any], _T]) -> _T:
    """Do some work with the file system, again where that may help."""
    fs = _system(place)
    for pause in (*PAUSES, None):
        try:
            return work(fs)
        except InputError:
            raise
        except Exception as error:
            found = sorted_error(place, error)
            if "range requests" in str(error):
                found = Lost(
                    f"{place}: the server gives only whole files, and parts are needed. Download "
                    "it once and give the copy."
                )
            if pause is None or not may_pass(found):
                raise found from error
        time.sleep(pause)
    raise AssertionError


def _system(place: Address) -> Any:
    """Give the file system of an address, made once for all threads of a process."""
    host = str(place).partition("://")[2].partition("/")[0]
    key = os.getpid(), place.scheme, host
    with _LOCK:
        if key not in _SYSTEMS:
            _SYSTEMS[key] = _made(place)
        return _SYSTEMS[key]


def _made(place: Address) -> Any:
    with needs_extra("remote", f"Reading {place.scheme}://"):
        import fsspec
    options: dict[str, Any] = {}
    try:
        if place.scheme in WEB:
            from aiohttp import ClientTimeout

            timeout = ClientTimeout(total=None, sock_connect=SECONDS, sock_read=SECONDS)
            # What a server compresses on its way has other sizes and offsets.
            options["headers"] = {"Accept-Encoding": "identity"}
            options["client_kwargs"] = {"timeout": timeout, "trust_env": True}
        return fsspec.core.url_to_fs(str(place), **options)[0]
    except ImportError as error:
        from fsspec.registry import known_implementations

        known = known_implementations.get(place.scheme, {})
        package = "aiohttp" if place.scheme in WEB else known.get("class", "").partition(".")[0]
        package = error.name if package in ("", "fsspec") else package
        raise InputError(
            f"Reading {place.scheme}:// needs {package}. Install it with `pip install {package}`."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{place}: {place.scheme}:// is none of the addresses that fsspec reads, such as "
            "s3://, gs:// and https://. Give one of these, or a path."
        ) from error


def _nanoseconds(value: object) -> int:
    if isinstance(value, str):
        try:
            value = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return 0
    if isinstance(value, datetime):
        value = value.timestamp()
    return int(value * 1e9) if isinstance(value, int | float) else 0

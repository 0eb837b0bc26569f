"""Every source of pictures but a folder: one record each.

A record's module has ``load(paths, *, strict_names) -> Dataset`` and is loaded when it is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from features.datasets import Dataset
from features.errors import InputError
from features.inputs.other_kinds import kind_of
from features.sources.patterns import expand
from features.sources.remote.address import WEB, Address, located
from features.sources.remote.errors import NetworkFault
from features.sources.stored import stored

_START = 512  # bytes that tell kinds apart


@dataclass(frozen=True)
class Record:
    """A source of pictures.

    Parameters
    ----------
    module : str
        Where its `load` is.
    text : str
        What it is, for messages.
    endings : tuple of str
        Of files' names, in lower case.
    begins : callable
        Tells by the first 512 bytes whether a file is one; what it says goes before the ending.
    """

    module: str
    text: str
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool] = lambda start: False


SOURCES = {
    "zip": Record(
        "features.sources.zip_files",
        "a .zip file",
        (".zip",),
        lambda start: start.startswith((b"PK\x03\x04", b"PK\x05\x06")),
    ),
    "tar": Record(
        "features.sources.tar_files",
        "a .tar file or several, as shards-{0000..0099}.tar",
        (".tar",),
        lambda start: start[257:262] == b"ustar",
    ),
    "parquet": Record(
        "features.sources.parquet_files",
        "a .parquet file with a column of pictures, or several",
        (".parquet",),
        lambda start: start.startswith(b"PAR1"),
    ),
    "list": Record(
        "features.sources.text_list",
        "a .txt file with a picture's path in each line",
        (".txt", ".lst", ".list"),
    ),
}
#: How compressed files begin, and the program that decompresses them.
_COMPRESSED = {
    b"\x1f\x8b": "gunzip -k",
    b"BZh": "bunzip2 -k",
    b"\xfd7zXZ\x00": "unxz -k",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"\x04\x22\x4d\x18": "unlz4",
}


def load(path: Path, *, strict_names: bool = False) -> Dataset:
    """Read what `--data` names, if that is no folder.

    Parameters
    ----------
    path : Path
        A file, or a pattern of files (`features.sources.patterns`).
    strict_names : bool
        As for `features.datasets.load_dataset`.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        It is not there or no source that is read; or what `load` of the source raises.
    """
    paths = expand(located(path))
    if not isinstance(paths[0], Address) and not paths[0].exists():
        raise _unknown(path, "is not there")
    kinds = {_kind(one): one for one in reversed(paths)}
    if len(kinds) > 1:
        raise InputError(f"{path} stands for files of several kinds: {', '.join(kinds)}. Give one.")
    return import_module(SOURCES[next(iter(kinds))].module).load(paths, strict_names=strict_names)


def _start(path: Path) -> bytes:
    """Read what tells kinds apart."""
    if isinstance(path, Address):
        place = stored(path)
        try:
            with place.opened() as read:
                return read(_START, 0)
        except NetworkFault as fault:
            raise fault.as_error() from fault
    if not path.is_file():
        raise _unknown(path, "is neither a folder nor a file")
    try:
        with open(path, "rb") as file:
            return file.read(_START)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from error


def _kind(path: Path) -> str:
    if isinstance(path, Address):  # a request less for each of many shards
        for kind, record in SOURCES.items():
            if path.suffix.lower() in record.endings:
                return kind
    start = _start(path)
    for begins, program in _COMPRESSED.items():
        if start.startswith(begins):
            raise InputError(
                f"{path} is compressed as a whole, so that no picture in it can be read alone. "
                f"Decompress it once, `{program} {path.name}`, and give --data what comes out."
            )
    ending = path.suffix.lower()
    by_content = (kind for kind, record in SOURCES.items() if record.begins(start))
    by_ending = (kind for kind, record in SOURCES.items() if ending in record.endings)
    found = next(by_content, None)
    if found is None and (kind := kind_of(start)):
        raise _unknown(path, f"is {kind}")
    found = found or next(by_ending, None)
    if found is None:
        raise _unknown(path, "is neither a folder nor a file that holds a data set")
    return found


def _unknown(path: Path, what: str) -> InputError:
    kinds = ", ".join(record.text for record in SOURCES.values())
    if isinstance(path, Address) and path.scheme in WEB:
        return InputError(
            f"{path} is no file that holds a data set, and folders can't be listed by "
            f"{path.scheme}. Give {kinds}."
        )
    return InputError(
        f"{path} {what}. Give a folder of images, or one with images/ and, optionally, labels.csv; "
        f"or {kinds}."
    )

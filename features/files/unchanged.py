"""Files that people may edit: one that was changed since it was written is never replaced.

How a file begins tells who made it, not whether it was edited since. Csv has no place for a
checksum that a spreadsheet or pandas would not read as a row, and a list in the home folder would
know nothing of other machines. So a file carries the SHA-256 of its content as an extended
attribute. It is set before the file has its name, so that no kill comes between; renaming keeps it,
and no reader sees it. Where a file system keeps no attributes, the checksum stands in a hidden
file `.NAME.sha256` beside it, for the same kill with that of the content before until the renaming.

- Where content and checksum agree, the file is as it was written, and may be replaced.
- Where they differ it was edited, and is refused before anything is computed.
- Without a checksum nobody can tell: an earlier version wrote the file, or another program copied
  or saved it anew. Then only equal content is written, and other content gets a name of its own
  beside it: a command can be run again, and nothing is lost.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import InputError
from features.files import atomic_write, write_text
from features.files.endless import is_endless

ATTRIBUTE = "user.multilabel.sha256"  # `user.` is where programs may keep their own
_BLOCK = 1 << 20  # bytes read at a time
_CHECKSUMS = re.compile(r"(?:[0-9a-f]{64}\n){1,2}")
_REMEDY = "so it is left as it is. Give another name, or move the file away."


def is_marked(path: Path) -> bool:
    """Tell whether there is a checksum of what this program wrote under a name."""
    return bool(_checksums_of(path))


def require_unchanged(path: Path, *, repeatable: bool = True) -> None:
    """Refuse to replace a file that was changed since it was written; the name may be free.

    Call it before anything is computed.

    Parameters
    ----------
    path : Path
        A regular file, or none.
    repeatable : bool
        Whether running the command again may give the same content. If not, a file without a
        checksum is refused as well.

    Raises
    ------
    InputError
        The file is not as it was written.
    OSError
        It can't be read.
    """
    if not path.exists():
        return
    known = _checksums_of(path)
    if known and _checksum(path) not in known:
        raise _changed(path)
    if not known and not repeatable:
        raise _untold(path)


@contextmanager
def atomic_rewrite(path: Path) -> Iterator[Path]:
    """Write as `features.files.atomic_write` does; replace only a file that is as it was written.

    Parameters
    ----------
    path : Path
        The final name. Its folder must exist.

    Yields
    ------
    Path
        The name to write to.

    Raises
    ------
    InputError
        There is a file with that name that was changed since it was written; or one without a
        checksum whose content is another. It is left as it is, and the message says where the new
        content is: under a free name beside it.
    OSError
        As `features.files.Temporary`.
    """
    with atomic_write(path) as temporary:
        yield temporary
        new = _checksum(temporary)
        try:
            old = _replaced(path, new)
        except InputError as error:
            raise InputError(f"{error}{_kept(temporary, path, new)}") from None
        beside = _mark(temporary, path, old, new)
    if beside:
        write_text(beside, f"{new}\n")


def rewrite_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as `atomic_rewrite` does."""
    rewrite_bytes(path, text.encode("utf-8"))


def rewrite_bytes(path: Path, data: bytes) -> None:
    """Write a file as `atomic_rewrite` does."""
    with atomic_rewrite(path) as temporary:
        temporary.write_bytes(data)


def _replaced(path: Path, new: str) -> str:
    """Give the checksum of what new content replaces, its own if nothing; refuse to replace it."""
    if not path.exists():
        return new
    # The file may have come, or have been edited, since the command began.
    known, old = _checksums_of(path), _checksum(path)
    if known and old not in known:
        raise _changed(path)
    if not known and old != new:
        raise _untold(path)
    return old


def _kept(temporary: Path, path: Path, new: str) -> str:
    """Give what was computed a free name beside `path`, and say which; nothing if it can't be."""
    with suppress(OSError, AttributeError):
        os.setxattr(temporary, ATTRIBUTE, new.encode())
    for number in itertools.count(1):
        aside = path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            if not (aside.is_file() and _checksum(aside) == new):  # or it is there already
                os.link(temporary, aside)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links, a name that would be too long
            return ""
        return f" What was to be written is in {aside}."
    raise AssertionError("numbers never end")


def _mark(temporary: Path, path: Path, old: str, new: str) -> Path | None:
    """Note the checksum of a file that is to get the name `path`; give the file that has it."""
    try:
        os.setxattr(temporary, ATTRIBUTE, new.encode())
        return None
    except (OSError, AttributeError):  # a file system, or a system, that has none
        beside = _beside(path)
    if is_marked(path) or not os.path.lexists(beside):  # else it is someone else's
        with suppress(OSError):  # a name that would be too long
            write_text(beside, f"{old}\n{new}\n")
            return beside
    return None


def _checksums_of(path: Path) -> list[str]:
    with suppress(OSError, AttributeError):
        return [os.getxattr(path, ATTRIBUTE).decode("ascii", "replace")]
    beside = _beside(path)
    if is_endless(beside):
        return []
    with suppress(OSError, UnicodeDecodeError):
        text = beside.read_text(encoding="ascii")
        return text.split() if _CHECKSUMS.fullmatch(text) else []
    return []


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _changed(path: Path) -> InputError:
    return InputError(f"{path} was changed since it was written, {_REMEDY}")


def _untold(path: Path) -> InputError:
    return InputError(
        f"{path} is not what would be written now and carries no checksum of this program (it was "
        f"saved by an editor, copied, or made elsewhere or by an earlier version), {_REMEDY}"
    )

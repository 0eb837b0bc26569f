"""Which line an error becomes, and what its kind has for a remedy."""

import errno
import re

from features.command_line.process import DEBUG
from features.errors import InputError, plain_words, printable

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
#: What to do about other errors of the system.
_REMEDIES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Give another place, or let this "
                    "user read and write there."),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "A file stands where a folder is needed: give "
                    "another path, or move it away."),
    errno.ENOENT: "Give a path that exists.",
    errno.EISDIR: "Give a file, not a folder.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.EFBIG: "Finished work is kept. Give a place whose files may be larger, or raise the "
                 "limit (`ulimit -f`).",
    errno.EIO: "Check the disk or the network, then run the same command again.",
    errno.ELOOP: "Symbolic links there link to each other: give another path.",
}  # fmt: skip
_LONG_WORD = re.compile(r"\S{500,}")  # longer than a path may be: a field of a file
_LONGEST = 16_000  # characters of a line; one that names a thousand keys is shorter
#: What torch's and other allocators write into a RuntimeError.
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "bad_alloc")
#: What the system says when a library can't be loaded for lack of it.
_NO_ROOM_TO_LOAD = ("failed to map segment", "cannot allocate memory")


def describe(error: BaseException) -> str:
    """Write an error as one line of printable text, with a remedy where its kind has one.

    Examples
    --------
    >>> describe(InputError("no such layer"))
    'no such layer'
    >>> describe(MemoryError())
    'there is too little memory. Finished work is kept. Give fewer layers, rows or --jobs, a smaller batch or size, or more memory.'
    """  # noqa: E501
    text = plain(_described(error))
    text = _LONG_WORD.sub(lambda found: f"{found[0][:100]}...{found[0][-100:]}", text)
    return (
        text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    )


def _described(error: BaseException) -> str:
    if isinstance(error, InputError):
        return " ".join(str(error).split())
    text = plain(plain_words(error))
    detail = f" ({text})" if str(error) else ""
    if _is_memory(error, text):
        return (
            f"there is too little memory{detail}. Finished work is kept. Give fewer layers, rows "
            "or --jobs, a smaller batch or size, or more memory."
        )
    if isinstance(error, BrokenPipeError) and error.filename is None:
        return f"what reads the output of this command has closed it{detail}; the rest is lost."
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{text}. Finished work is kept. Free space, then run the same command again."
    if isinstance(error, OSError) and error.errno in _TOO_MANY_FILES:
        return f"{text}. Raise the limit (`ulimit -n`) or give fewer --jobs or --workers."
    if isinstance(error, OSError) and error.errno is not None:
        # The system's own words, with the file.
        remedy = _REMEDIES.get(error.errno, "Mend that, then run the same command again.")
        return f"{text}. {remedy}"
    if isinstance(error, RuntimeError) and text.startswith("Symlink loop"):  # pathlib's, on 3.11
        return f"{text}. {_REMEDIES[errno.ELOOP]}"
    if isinstance(error, RecursionError):
        return f"an input is nested too deeply to be read{detail}. Restore it or make it anew."
    return (
        f"unexpected {type(error).__name__}{detail}. Finished work is kept. Run it again with "
        f"{DEBUG}=1 to see where, and report that."
    )


def _is_memory(error: BaseException, text: str) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = _NO_ROOM_TO_LOAD if isinstance(error, ImportError) else _NO_MEMORY
    is_told = isinstance(error, RuntimeError | ImportError)
    return is_told and any(one in text.lower() for one in said)


def plain(text: str) -> str:
    """Join lines, and escape what a terminal would obey or can't show."""
    return printable(" ".join(text.split()))

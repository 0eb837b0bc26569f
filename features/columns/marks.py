"""Where every 256th row of an `index.csv` begins, found once and kept beside a large one.

`index.marks` is derived: it is believed only with the size and the time of change of the
`index.csv` that it was made from and the manifest's hash of it, and made anew otherwise.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from features import files, schema
from features.columns.blocks import STRIDE, Marks, OpenFile
from features.errors import InputError

_MAGIC = b"marks of an index.csv, 1\n"
_OFFSET = np.dtype("<i8")


def read_marks(file: OpenFile, index: dict[str, Any]) -> Marks | None:
    """Read the marks that are kept beside an index; None if there are none of this very file.

    Parameters
    ----------
    file : OpenFile
        An `index.csv`.
    index : dict
        Rows and hash, as the manifest has them.
    """
    path = file.path.with_name(schema.MARKS)
    try:
        if not path.is_file() or path.stat().st_mtime_ns != file.time:
            return None
        head, _, content = path.read_bytes().removeprefix(_MAGIC).partition(b"\n")
        line, _, offsets = content.partition(b"\n")
        if head.decode() != hashlib.sha256(content).hexdigest():
            return None
        facts = json.loads(line)
        found = Marks(
            facts["rows"], index["rows"], index["sha256"], np.frombuffer(offsets, dtype=_OFFSET)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if facts == _facts(file, found) and len(found.offsets) > 1 else None


def keep_marks(file: OpenFile, marks: Marks) -> None:
    """Write the marks of a large index beside it, if that can be written and the name is free."""
    path = file.path.with_name(schema.MARKS)
    with suppress(OSError, InputError):
        if path.exists() and not _is_ours(path):
            return
        line = json.dumps(_facts(file, marks)).encode() + b"\n"
        content = line + marks.offsets.astype(_OFFSET).tobytes()
        head = _MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n"
        with files.atomic_write(path) as temporary:
            temporary.write_bytes(head + content)
            os.utime(temporary, ns=(file.time, file.time))


def _facts(file: OpenFile, marks: Marks) -> dict[str, Any]:
    return {
        "bytes": file.size,
        "rows": marks.rows,
        "hashed": marks.hashed,
        "sha256": marks.sha256,
        "stride": STRIDE,
    }


def _is_ours(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC

"""Whether a ZIP archive is one that torch.save wrote, and whole."""

import zipfile
import zlib
from pathlib import Path

_START = b"PK\x03\x04"
_BLOCK = 1 << 20


def fault(path: Path, start: bytes) -> str:
    """Say what is wrong with a file that begins as an archive does.

    Parameters
    ----------
    path : Path
    start : bytes
        Its first bytes.

    Returns
    -------
    str
        To follow the file's name; empty for an archive of torch.save that is whole, and for what is
        no archive.
    """
    if not zipfile.is_zipfile(path):
        cut = "is a ZIP archive that ends too early; copy it again"
        return cut if start.startswith(_START) else ""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.rpartition("/")[2] for name in archive.namelist()}
            if "constants.pkl" in members or "model.json" in members:
                return "is a TorchScript archive, a whole program"
            if "data.pkl" not in members:
                return "is a ZIP archive that torch.save did not write"
            if _is_damaged(archive):
                return "is damaged, as its checksums show; copy it again"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "is a damaged ZIP archive"
    return ""


def _is_damaged(archive: zipfile.ZipFile) -> bool:
    """Ask the checksums, which torch.load does not; torch can leave them out, as zeros."""
    for member in archive.infolist():
        if not member.CRC:
            continue
        try:
            with archive.open(member) as file:
                while file.read(_BLOCK):
                    pass
        except (zipfile.BadZipFile, zlib.error, EOFError):
            return True
    return False

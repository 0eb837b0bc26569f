"""Names that stand for something without an end, which nothing must open to read."""

import os
import stat
from pathlib import Path

ENDLESS = "a named pipe, a socket or a device"


def is_endless(path: Path) -> bool:
    """Tell whether a path is `ENDLESS`; a file, a folder and what is not there are not.

    Examples
    --------
    >>> is_endless(Path("/dev/zero")), is_endless(Path("/dev"))
    (True, False)
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)

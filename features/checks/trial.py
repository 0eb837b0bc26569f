"""Files without a seal are first opened in another process, which may hang or crash."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from features.checks.causes import os_text
from features.checks.seals import is_intact
from features.errors import InputError

_ROOT = Path(__file__).parents[2]
CPU_SECONDS = 5  # for one file; a sound one takes some ms
_MOST = 500  # files of one process: a command line has an end
_OF_THE_FILE: dict[int, str] = {
    signal.SIGXCPU: "reading it never ends",
    **dict.fromkeys(
        (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL),
        "reading it crashes",
    ),
}

#: What was found, by the file's identity: empty for a file that can be opened.
_known: dict[tuple[int, ...], str] = {}


def trial_fault(path: Path) -> str:
    """Say why HDF5 must not open a file without a seal; empty if it may.

    The other unsealed files of the same folder that are named alike are tried with it, so that a
    cache costs one process, of some 0.3 s, and not one per shard.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        The other process can't be started, or was ended for another reason than the file.
    OSError
        The file can't be read.
    """
    while (identity := _identity(path)) not in _known:  # once, unless it changes meanwhile
        others = [one for one in sorted(path.parent.glob("*-?????.h5")) if one != path]
        _try([path, *filter(_is_untried, others)][:_MOST])
    return _known[identity]


def _identity(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _is_untried(path: Path) -> bool:
    try:
        return path.is_file() and _identity(path) not in _known and is_intact(path) is None
    except OSError:
        return False  # whoever opens it is told why


def _try(paths: list[Path]) -> None:
    """Try files up to the first that must not be opened."""
    identities = [_identity(path) for path in paths]
    try:
        done = _run_probe(paths)
    except OSError as error:
        raise InputError(
            f"{paths[0]} can't be read now: the process that tries it can't be started "
            f"({os_text(error)}). Free memory, or end other programs."
        ) from error
    tried = len(done.stdout.split())
    _known.update(dict.fromkeys(identities[:tried], ""))
    if tried == len(paths):
        return
    reason = _OF_THE_FILE.get(-done.returncode)
    if reason is None:
        raise InputError(
            f"{paths[tried]} can't be read now (the process that tried it ended with "
            f"{done.returncode}). Run the same command again."
        )
    _known[identities[tried]] = reason


def _run_probe(paths: list[Path]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "features.checks.probe", str(CPU_SECONDS)]
    command += map(os.path.abspath, paths)
    places = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": places},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

"""Result files of a cache: reading them, and refusing those of something else.

Files of ``classify sweep`` are understood wholly. So are those of other commands whose key names a
learner and a split or seed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classify.metrics import METRICS
from classify.results import Line, read_results
from classify.storage.provenance import hash_labels, hash_labels_as_text
from classify.sweep import KEY, SELECTIONS
from features.cache import FeatureCache
from features.errors import InputError
from features.files.ownership import LONGEST_LINE

REPEATS = ("split", "seed")
LEARNERS = ("learner", "method")
LARGEST = 1e100  # sums and squares of smaller numbers are finite


@dataclass(frozen=True)
class Results:
    """One file of result lines.

    Attributes
    ----------
    path : Path
    header : dict
    command : str
        That made it, where the file says so, or empty.
    lines : list of dict
    """

    path: Path
    header: dict[str, Any]
    command: str
    lines: list[Line]

    @property
    def is_sweep(self) -> bool:
        """Whether ``classify sweep`` wrote it."""
        return self.header["key"] == list(KEY)

    @property
    def failed(self) -> int:
        """Number of lines without a result, as their fit failed."""
        return sum(line.get("error") is not None for line in self.lines)


def read_files(paths: Iterable[Path], cache: FeatureCache) -> list[Results]:
    """Read result files of a cache; one that is given twice is read once.

    Raises
    ------
    InputError
        A file is no result file, is damaged, names no learners, or was made from another cache.
    """
    found = [_read(path) for path in {path.resolve(): path for path in paths}.values()]
    for one in found:
        manifests = _manifests(one.header)
        if cache.manifest_hash not in manifests:
            made = f"of manifest {', '.join(map(str, manifests))}" if manifests else "of no cache"
            raise InputError(
                f"{one.path} holds results {made}, and {cache.folder} has {cache.manifest_hash}: "
                "give the cache that they were made from."
            )
    return found


def _read(path: Path) -> Results:
    if not path.is_file():
        raise InputError(
            f"{path} is no file: give files of result lines, as `classify sweep` makes."
        )
    from classify.trials import odd_line

    header, lines = read_results(path)
    if header["key"] == list(KEY):
        header, lines = read_results(path, odd_line)
        _check_sweep(path, header)
    key = header["key"]
    if not {*LEARNERS} & {*key} or not {*REPEATS} & {*key}:
        raise InputError(
            f"{path} holds no scores of learners over splits (its lines are told apart by "
            f"{', '.join(key)}): give files of `classify sweep`."
        )
    return Results(path, header, _command_of(path), lines)


def _check_sweep(path: Path, header: Mapping[str, Any]) -> None:
    C = header.get("C")
    fits = {
        "C": isinstance(C, list) and all(number(one) is not None for one in C),
        "select": header.get("select") in SELECTIONS,
        "metric": header.get("metric") in [*METRICS],
        "folds": number(header.get("folds")) is not None,
        "layers": _are_names(header.get("layers", [])),
        "instance_layers": _are_names(header.get("instance_layers", [])),
    }
    wrong = [name for name, fine in fits.items() if not fine]
    if wrong:
        raise InputError(
            f"{path}, line 1 has no {', '.join(wrong)} that a sweep could have: sweep into a new "
            "file."
        )


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _command_of(path: Path) -> str:
    with open(path, "rb") as file:
        first = json.loads(file.readline(LONGEST_LINE))
    run = first.get("run")
    command = run.get("command") if isinstance(run, dict) else None
    return command if isinstance(command, str) else ""


def _manifests(header: Mapping[str, Any]) -> list[Any]:
    caches = header.get("caches")
    several = caches if isinstance(caches, list) else []
    found = [one.get("manifest") for one in [header, *several] if isinstance(one, dict)]
    return [one for one in found if one is not None]


def check_labels(
    files: Iterable[Results], names: Sequence[str], Y: np.ndarray, source: Path
) -> None:
    """Refuse sweeps that learned other labels than those of the page.

    Parameters
    ----------
    files : iterable of Results
    names : sequence of L str
    Y : int8 array of shape (n, L)
        Of the rows that hold features.
    source : Path
        Where the labels come from.
    """
    allowed = (hash_labels(names, Y), hash_labels_as_text(names, Y))
    for one in files:
        if one.is_sweep and one.header.get("labels") not in allowed:
            raise InputError(
                f"{one.path} was learned from other labels than those of {source}: give --labels "
                "the file that the sweep was given, or sweep again."
            )


def number(value: Any) -> float | None:
    """Give a number of a line as a float, and None for all else and for what no metric can be.

    Examples
    --------
    >>> number(2), number(True), number("2"), number(10**400)
    (2.0, None, None, None)
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < LARGEST else None

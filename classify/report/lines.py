"""Result lines of one or more files, as scores of named ways to train.

They may hold learning curves (``n_train``, ``labeled``) and curves over wrong or hidden labels
(``noise``, ``rate``).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from classify.metrics import METRICS
from classify.report.files import LEARNERS, REPEATS, Results, number
from classify.report.text import plain
from classify.results import Line
from features.errors import InputError, check_choice

#: Fields that place a line on a curve: what they measure, and which end is the usual setting.
AXES = {
    "n_train": ("training images", max),
    "labeled": ("share of the training images that are labeled", max),
    "noise": ("share of the training labels that are wrong", min),
    "rate": ("share of the training labels that are hidden", min),
}


@dataclass(frozen=True)
class Scored:
    """One evaluation of one way to train.

    Attributes
    ----------
    name : str
        The learner, with what sets it apart from other ways to train it in the results.
    source : Results
    line : dict
    repeat : tuple
        Hash of the splits, and number of the split or seed.
    places : mapping of str to float
        Where it stands on the `AXES`.
    values : mapping of str to float
        Metric to value.
    """

    name: str
    source: Results
    line: Line
    repeat: tuple[str, Any]
    places: Mapping[str, float]
    values: Mapping[str, float]


def scored(files: Sequence[Results]) -> list[Scored]:
    """List the lines that have metrics, each under the name of its way to train.

    Parameters
    ----------
    files : sequence of Results

    Returns
    -------
    list of Scored
        In the order of the files and of their lines.

    Raises
    ------
    InputError
        No line has a metric.
    """
    kept = [_scored(file, line) for file in files for line in file.lines]
    found = [one for one in kept if one is not None]
    if not found:
        listed = ", ".join(str(file.path) for file in files)
        raise InputError(f"No line of {listed} has a metric: {_reason(files)}")
    differing = _differing(found)
    named = [replace(one, name=_name(one, differing.get(one.name, set()))) for one in found]
    return _told_apart(named)


def _reason(files: Sequence[Results]) -> str:
    """Say why files without any metric have none, and what to do."""
    lines = [line for file in files for line in file.lines]
    if not lines:
        return "let the sweep end."
    error = next((line["error"] for line in lines if line.get("error") is not None), None)
    if error is not None:
        return f"fits failed, the first by {error}"
    metrics = " or ".join(dict.fromkeys(str(file.header.get("metric")) for file in files))
    return (
        f"{metrics} has no value inside the training images, so no C was chosen; sweep by another "
        "--metric, such as map, or give more images of each label."
    )


def choose_metric(files: Sequence[Results], lines: Sequence[Scored], metric: str | None) -> str:
    """Check the metric to compare by, or choose one: what a sweep chose C by, or `example_ap`.

    Raises
    ------
    InputError
        The lines don't hold it; the message lists those that they hold.
    """
    held = [one for one in METRICS if any(one in line.values for line in lines)]
    if metric is not None:
        check_choice("metric", metric, held)
        return metric
    wished = [*(file.header.get("metric") for file in files), "example_ap", *held]
    return next(str(one) for one in wished if one in held)


def _scored(file: Results, line: Line) -> Scored | None:
    values = {m: value for m in METRICS if (value := number(line.get(m))) is not None}
    if not values or line.get("error") is not None:
        return None
    key = file.header["key"]
    repeat = next(line[name] for name in REPEATS if name in key)
    places = {axis: value for axis in AXES if (value := number(line.get(axis))) is not None}
    learner = str(next(line[name] for name in LEARNERS if name in key))
    return Scored(learner, file, line, (str(file.header.get("splits")), repeat), places, values)


def _settings(one: Scored) -> dict[str, Any]:
    """Give the fields of a line's key that may belong to the name of its way to train."""
    left_out = {*LEARNERS, *REPEATS, *AXES, "stage"}
    if one.source.header.get("select") == "inner-cv":
        left_out.add("C")  # chosen anew on every split
    return {name: one.line[name] for name in one.source.header["key"] if name not in left_out}


def _differing(lines: Iterable[Scored]) -> dict[str, set[str]]:
    """Give, for each learner, the fields that have several values in its lines."""
    values: dict[str, dict[str, set]] = defaultdict(lambda: defaultdict(set))
    for one in lines:
        for name, value in _settings(one).items():
            values[one.name][name].add(value)
    return {
        learner: {name for name, found in fields.items() if len(found) > 1} | {"scaling"}
        for learner, fields in values.items()
    }


def _name(one: Scored, differing: set[str]) -> str:
    words = [one.name]
    for name, value in _settings(one).items():
        if name not in differing or value is None:
            continue
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        words.append(shown if name in ("scaling", "setting") else f"{name} = {shown}")
    return plain(", ".join(words))


def _told_apart(lines: Sequence[Scored]) -> list[Scored]:
    """Add a file's name where two files have other values for the same split of the same name."""
    first: dict[tuple, Scored] = {}
    kept, names = [], set()
    for one in lines:
        place = (one.name, one.repeat, tuple(sorted(one.places.items())))
        other = first.setdefault(place, one)
        if other is one or other.values != one.values:
            kept.append(one)
        if other.values != one.values:
            names.add(one.name)
    stems = Counter(path.stem for path in {one.source.path for one in kept})

    def of_file(one: Scored) -> str:
        path = one.source.path
        return path.stem if stems[path.stem] == 1 else str(path)

    return [
        replace(one, name=f"{one.name} ({of_file(one)})") if one.name in names else one
        for one in kept
    ]

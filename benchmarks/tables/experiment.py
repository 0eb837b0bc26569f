"""How every table is made: methods with settings, a choice inside the training rows, result lines.

A table gives an `Experiment` (its data, its methods, and what one trial learns from) and a report.
Trials whose lines are in a file already are not run again, so that a killed run goes on where it
stopped, and lines depend neither on that nor on the number of processes.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.files import claim_page
from benchmarks.report.plots import Panel, draw_curves
from benchmarks.tables.method import Case, Method, Name, best_of
from benchmarks.tables.task import Task
from classify.metrics import METRICS
from classify.parallel import Trial, run_grid
from classify.results import Line, ResultFile
from features.errors import InputError
from features.files import remove_temporaries
from features.files.ownership import make_folder
from features.files.unchanged import rewrite_text

#: What lines hold beside metrics and is a number or undefined.
_NUMBERS = ("score", "inner", "objective", "nonzeros", "constant_labels")


class Experiment(ABC):
    """What a table gives: data, methods, and what each trial learns from.

    Attributes
    ----------
    task : Task
    methods : mapping of str to Method
        By name.
    metric : str
        What settings are chosen by.
    undefined : mapping
        Values of the line of a fit that failed.
    """

    task: Task
    methods: Mapping[str, Method]
    metric: str
    undefined: Mapping[str, Any]

    @abstractmethod
    def case(self, trial: Trial) -> Case:
        """Give the rows and labels of a trial; its ``seed`` is the seed of all that is random."""

    @abstractmethod
    def evaluate(self, scores: np.ndarray, case: Case, trial: Trial) -> dict[str, Any]:
        """Give the values of a result line from the scores of the test rows."""

    def method(self, trial: Trial) -> Method:
        """Give the method of a trial."""
        return self.methods[trial["learner"]]


def try_setting(trial: Trial, experiment: Experiment) -> dict[str, Any]:
    """Evaluate one setting inside the training rows.

    Parameters
    ----------
    trial : mapping
        With ``learner``, ``setting`` and ``seed``.
    experiment : Experiment

    Returns
    -------
    dict
        ``score``, None if the fit fails; ``error`` says why, and is None otherwise.
    """
    method, metric = experiment.method(trial), experiment.metric
    try:
        score = method.inner_score(trial["setting"], experiment.case(trial), metric)
    except InputError as error:  # a learning rate that diverges, for example
        return {"score": None, "error": str(error)}
    return {"score": score, "error": None}


def fit_and_evaluate(trial: Trial, experiment: Experiment) -> dict[str, Any]:
    """Fit a setting to all training rows and evaluate it on the test rows.

    Parameters
    ----------
    trial, experiment
        As for `try_setting`.

    Returns
    -------
    dict
        What `Experiment.evaluate` gives, and ``error``.
    """
    case = experiment.case(trial)
    try:
        scores = experiment.method(trial).score(trial["setting"], case, case.part)
    except InputError as error:
        return {**experiment.undefined, "error": str(error)}
    return {**experiment.evaluate(scores, case, trial), "error": None}


def choose(
    lines: Sequence[Line], fields: Sequence[str], metric: str, *, undefined: str = ""
) -> dict[tuple, Name]:
    """Choose a setting for each place from the lines of `try_setting`.

    Parameters
    ----------
    lines : sequence of mapping
        In the order in which equal settings are preferred.
    fields : sequence of str
        Whose values together name a place, the learner's among them.
    metric : str
    undefined : str
        What to do where the metric is undefined for every setting, as a remedy for the message.
        If empty, the first setting is taken.

    Returns
    -------
    dict
        Values of the fields to the name of the setting.

    Raises
    ------
    InputError
        Every setting of a place failed, or the metric is undefined and there is a remedy.
    """
    places: dict[tuple, list[Line]] = {}
    for line in lines:
        places.setdefault(tuple(line[name] for name in fields), []).append(line)
    chosen = {}
    for place, tried in places.items():
        best = best_of({line["setting"]: line["score"] for line in tried}, metric)
        errors = [line["error"] for line in tried if line.get("error")]
        if best is None and (undefined or len(errors) == len(tried)):
            reason = errors[0] if errors else f"it is undefined on the rows set aside: {undefined}"
            raise InputError(
                f"no setting of {tried[0]['learner']} could be evaluated by {metric}: {reason}"
            )
        chosen[place] = tried[0]["setting"] if best is None else best
    return chosen


def complete(
    work: Callable[..., Any],
    trials: Sequence[Trial],
    path: Path,
    *,
    key: tuple[str, ...],
    header: Mapping[str, Any],
    shared: tuple,
    jobs: int,
    description: str,
    expected: Callable[[Trial], Sequence[Trial]] = lambda trial: [trial],
    together: Sequence[str] = (),
) -> list[Line]:
    """Run the trials whose lines a file lacks; give all lines of the file.

    Parameters
    ----------
    work, trials, expected, shared, jobs, description
        As for `classify.parallel.run_grid`.
    path : Path
        A result file, or where to make it.
    key, header
        As for `classify.results.ResultFile`.
    together : sequence of str
        Metrics of which a line has all or none.

    Returns
    -------
    list of mapping
        In the order of their keys.

    Raises
    ------
    InputError
        The file holds results of other settings or a line that was edited, or is being written by
        another run.
    """
    odd = partial(odd_numbers, together=together)
    with ResultFile(path, key=key, header=header, odd=odd) as results:
        run_grid(
            work,
            trials,
            results,
            expected=expected,
            shared=shared,
            jobs=jobs,
            description=description,
        )
        results.finish()
        return results.lines


def odd_numbers(line: Line, together: Sequence[str] = ()) -> str:
    """Tell what keeps a line from being shown in a table; empty if nothing does.

    Parameters
    ----------
    line : mapping
        Metrics in it are numbers, or None where they are undefined.
    together
        As for `complete`.

    Examples
    --------
    >>> odd_numbers({"map": "0.5"}), odd_numbers({"map": 0.5}, together=("map", "coverage"))
    ("has map '0.5'", 'lacks coverage')
    """
    for name in (*METRICS, *_NUMBERS):
        value = line.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            return f"has {name} {value!r}"
    lacking = [name for name in together if name not in line]
    return f"lacks {lacking[0]}" if 0 < len(lacking) < len(together) else ""


def run_trials(
    work: Callable[..., Any],
    trials: Sequence[Trial],
    path: Path,
    *,
    key: tuple[str, ...],
    expected: Callable[[Trial], Sequence[Trial]] = lambda trial: [trial],
    **options: Any,
) -> list[Line]:
    """Be `complete` for a file that other trials share: give the expected lines of these."""
    lines = complete(work, trials, path, key=key, expected=expected, **options)
    wanted = {tuple(one[name] for name in key) for trial in trials for one in expected(trial)}
    return [line for line in lines if tuple(line[name] for name in key) in wanted]


def open_folder(out: Path, lines: str, *pages: str) -> Path:
    """Make the folder of a table where it is missing; remove what killed runs left in it.

    Call it before anything is computed.

    Parameters
    ----------
    out : Path
    lines : str
        Name of the result file that is written first.
    *pages : str
        Names of the other files that will be written.

    Raises
    ------
    InputError
        A page is there without the lines, or is of another kind: someone else made it.
    """
    out = Path(out)
    make_folder(out)
    for name in pages:
        if (out / name).exists() and not (out / lines).exists():
            raise InputError(
                f"{out / name} exists and {lines}, from which this command makes it, does not: "
                "move it away, or give another folder"
            )
        claim_page(out / name)
    remove_temporaries(out)
    return out


def print_notes(task: Task) -> None:
    """Print to stderr what a table leaves out."""
    for note in task.notes:
        print(note, file=sys.stderr)


def write_page(path: Path, text: str) -> Path:
    """Write a page and print it."""
    rewrite_text(path, text)
    print(text, end="")
    return path


def draw_or_note(panels: Sequence[Panel], path: Path, title: str) -> None:
    """Draw curves; where matplotlib isn't installed, print how to get them instead."""
    try:
        draw_curves(panels, path, title)
    except InputError as error:  # all the rest of a table is written without it
        print(f"note: {error}", file=sys.stderr)

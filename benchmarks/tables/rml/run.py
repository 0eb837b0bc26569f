"""``tables rml``: ramp-loss WARP and its siblings on cached features, beside the published columns.

Three parts on one protocol: all labels and all right; a share of the training labels wrong; a share
of the training rows labeled. Settings are chosen inside the training rows in a first pass over the
grid of fits, and a second pass fits what was chosen.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import Task, draw_or_note
from benchmarks.tables.rml.data import read_ranking_task
from benchmarks.tables.rml.groups import parts_of
from benchmarks.tables.rml.learners import LEARNERS, SCALINGS, Protocol, run_cell
from benchmarks.tables.rml.report import noise_panels, page
from classify.metrics import METRICS, get_metric
from classify.parallel import Trial, run_grid
from classify.results import Line, ResultFile
from features.command_line import default
from features.errors import InputError
from features.files import remove_temporaries, write_text
from features.noise import VARIANTS

KEY = ("stage", "learner", "setting", "noise", "labeled", "seed")
PARTS = ("supervised", "noise", "semi")
SUPERVISED = ("rmlc", "warp", "softmax", "pairwise", "lsep", "bce", "l1lr", "lr")
NOISY = ("rmlc", "warp", "bce")
SEMI_SUPERVISED = ("rmlc", "ss-rmlc-paper", "ss-rmlc-official", "bce")
DEFAULTS = Protocol()


def rml(
    data: Path,
    cache: Sequence[Path],
    out: Path,
    *,
    split: Path | None = None,
    splits: int = 30,
    repeats: int = 5,
    seed: int = 0,
    n_labels: int | None = None,
    layers: Sequence[str] | None = None,
    parts: Sequence[str] = PARTS,
    learners: Sequence[str] = SUPERVISED,
    noisy_learners: Sequence[str] = NOISY,
    noise: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    variant: str = DEFAULTS.variant,
    labeled: Sequence[float] = (0.05, 0.1, 0.2, 0.5),
    metric: str = DEFAULTS.metric,
    folds: int = DEFAULTS.folds,
    validation: float = DEFAULTS.validation,
    learning_rates: Sequence[float] = DEFAULTS.learning_rates,
    weight_decays: Sequence[float] = DEFAULTS.weight_decays,
    C: Sequence[float] = DEFAULTS.C,
    scaling: Sequence[str] = DEFAULTS.scaling,
    epochs: int = DEFAULTS.epochs,
    jobs: int = -1,
) -> Path:
    """Compare losses on the same features with the same selection inside the training rows.

    Writes ``rml.jsonl`` (one line per setting tried and per fit), ``rml.md`` (the tables
    and what follows from them, also printed) and ``rml_noise.png`` to `out`. Fits that the file
    holds already aren't done again, so a killed run goes on where it stopped; what comes out
    depends neither on that nor on `jobs`.

    Parameters
    ----------
    data : Path
        The folder with ``labels.csv``.
    cache : sequence of Path
        Features of its images; the columns of several are put side by side, those of each divided
        by one number, so that all caches have the same mean distance from their mean.
    out : Path
        Made where missing.
    split : Path, optional
        An official ``split.csv``: all seeds share it, and settings are chosen once, for the first
        seed. Without it every seed has a random split, 2/3 of the rows to train on, with a choice
        of its own.
    splits : int
        Random splits of the supervised part.
    repeats : int
        Seeds of the other parts, and of the supervised part under an official split.
    seed : int
        The first one; the others follow by one.
    n_labels : int, optional
        Keep the labels with the most training rows, this many.
    layers : sequence of str, optional
        Layers to learn from, by default all.
    parts : sequence of {"supervised", "noise", "semi"}
    learners, noisy_learners : sequence of str
        Names in `benchmarks.tables.rml.learners.LEARNERS`, of the first two parts.
    noise : sequence of float
        Shares of the training rows whose labels are replaced; rows to select on among them.
    variant : {"bernoulli", "permute"}
        How, as in `features.noise.corrupt`.
    labeled : sequence of float
        Shares of the training rows with labels.
    metric, folds, validation, learning_rates, weight_decays, C, scaling, epochs
        As in `benchmarks.tables.rml.learners.Protocol`.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    Path
        Of the Markdown file.

    Raises
    ------
    InputError
        When the inputs don't fit each other, every setting of a learner fails, or `out` holds the
        results of others.
    """
    protocol = Protocol(
        learning_rates=tuple(learning_rates),
        weight_decays=tuple(weight_decays),
        C=tuple(C),
        scaling=tuple(scaling),
        epochs=epochs,
        metric=metric,
        folds=folds,
        validation=validation,
        variant=variant,
    )
    protocol.check()
    _check(splits, repeats, parts, [*learners, *noisy_learners], noise, labeled, variant)
    task = read_ranking_task(cache, Path(data), split=split, n_labels=n_labels, layers=layers)
    for note in task.notes:
        print(note, file=sys.stderr)
    few = range(seed, seed + repeats)
    many = few if task.official else range(seed, seed + splits)
    fits = [
        *_supervised(task, learners, many if "supervised" in parts else ()),
        *_fits(noisy_learners, noise, [1.0], few if "noise" in parts else ()),
        *_fits(SEMI_SUPERVISED, [0.0], labeled, few if "semi" in parts else ()),
    ]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_temporaries(out)
    header = _header(task, protocol, few if len(few) > len(many) else many)
    with ResultFile(out / "rml.jsonl", key=KEY, header=header) as results:
        distinct = list({tuple(fit.values()): fit for fit in fits}.values())
        lines = _select_and_fit(distinct, task, protocol, results, jobs)
        results.finish()
    text = page(header, lines)
    write_text(out / "rml.md", text)
    print(text, end="")
    if "noise" in parts:
        title = f"Mean and standard deviation over {repeats} seeds, clean test labels"
        draw_or_note(noise_panels(parts_of(lines).noise), out / "rml_noise.png", title)
    return out / "rml.md"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `rml`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument(
        "--cache", type=Path, nargs="+", required=True, help="features; several are put together"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for lines, tables, curves")
    parser.add_argument("--split", type=Path, help="official split.csv (random splits)")
    parser.add_argument("--layers", nargs="+", help="layers to learn from (all)")
    parser.add_argument("--n-labels", type=int, help="labels with the most training rows (all)")
    for name, choices, text in (
        ("parts", PARTS, "tables to make"),
        ("learners", LEARNERS, "of the supervised table"),
        ("noisy_learners", LEARNERS, "of the noise curves"),
        ("scaling", SCALINGS, "scalings to try"),
    ):
        _add(parser, name, text, nargs="+", choices=[*choices])
    for name, text in (
        ("noise", "shares of training rows with wrong labels"),
        ("labeled", "shares of training rows with labels"),
        ("learning_rates", "to try"),
        ("weight_decays", "to try"),
        ("C", "to try for logistic regression"),
    ):
        _add(parser, name, text, nargs="+", type=float)
    for name, text in (
        ("splits", "how many random splits"),
        ("repeats", "seeds of noise and labeled rows, and seeds on an official split"),
        ("seed", "of the first draw"),
        ("folds", "inner folds to choose settings by, 1 for one part set aside"),
        ("epochs", "of stochastic gradient descent"),
        ("jobs", "processes, -1 for one per core"),
    ):
        _add(parser, name, text, type=int)
    _add(parser, "validation", "share set aside with one fold", type=float)
    _add(parser, "variant", "of wrong labels", choices=VARIANTS)
    _add(parser, "metric", "what settings are chosen by", choices=[*METRICS], metavar="METRIC")


def _add(parser: argparse.ArgumentParser, name: str, text: str, **options: Any) -> None:
    value = default(rml, name)
    shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
    option = f"--{name.replace('_', '-')}"
    parser.add_argument(option, default=value, help=f"{text} ({shown})", **options)


def _check(splits, repeats, parts, learners, noise, labeled, variant) -> None:
    if splits < 1 or repeats < 1:
        raise InputError(f"splits and repeats must be 1 or more, got {splits} and {repeats}")
    for kind, names, allowed in (
        ("part", parts, PARTS),
        ("learner", learners, tuple(LEARNERS)),
        ("variant", [variant], VARIANTS),
    ):
        unknown = [name for name in names if name not in allowed]
        if unknown or not names:
            raise InputError(f"{kind} is one of {', '.join(allowed)}, got {unknown or 'none'}")
    if not all(0 <= rate <= 1 for rate in noise):
        raise InputError(f"noise holds shares of rows from 0 to 1, got {list(noise)}")
    if not all(0 < share <= 1 for share in labeled):
        raise InputError(f"labeled holds shares of rows above 0, up to 1, got {list(labeled)}")


def _supervised(task: Task, learners: Sequence[str], draws: Sequence[int]) -> list[Trial]:
    """List the fits on all labels; what no seed moves is fitted to an official split once."""
    fits = _fits(learners, [0.0], [1.0], draws)
    return [
        fit
        for fit in fits
        if not task.official or LEARNERS[fit["learner"]].descent or fit["seed"] == draws[0]
    ]


def _fits(learners, noise, labeled, draws) -> list[Trial]:
    return [
        {"learner": learner, "noise": float(rate), "labeled": float(share), "seed": draw}
        for draw in draws
        for learner in dict.fromkeys(learners)
        for rate in dict.fromkeys(noise)
        for share in dict.fromkeys(labeled)
    ]


def _header(task: Task, protocol: Protocol, draws: Sequence[int]) -> dict[str, Any]:
    selection = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(protocol).items()
    }
    packages = ("numba", "numpy", "scikit-learn", "scipy")
    return task.header("rml", draws, packages, selection=selection)


def _select_and_fit(
    fits: Sequence[Trial], task: Task, protocol: Protocol, results: ResultFile, jobs: int
) -> list[Line]:
    """Run the settings of every fit that has to choose, then the fits with what was chosen.

    Returns the lines of both stages.
    """
    first = min((fit["seed"] for fit in fits), default=0)

    def chooser(fit: Trial) -> Trial:  # under an official split the first draw chooses for all
        return {**fit, "seed": first} if task.official else fit

    choosers = {tuple(fit.values()): fit for fit in map(chooser, fits)}
    run = partial(run_grid, run_cell, results=results, shared=(task, protocol), jobs=jobs)
    tried = [
        {"stage": "inner", "setting": setting, **fit}
        for fit in choosers.values()
        for setting in protocol.settings(fit["learner"])
    ]
    run(trials=tried, description="settings")
    lines: dict[tuple, list[Line]] = {_fit_key(line): [] for line in tried}
    for line in results.lines:
        if line["stage"] == "inner" and _fit_key(line) in lines:
            lines[_fit_key(line)].append(line)
    best = {key: _best(members, protocol.metric) for key, members in lines.items()}
    chosen = [
        {"stage": "test", "setting": best[_fit_key(chooser(fit))]["setting"], **fit} for fit in fits
    ]
    run(trials=chosen, description="fits")
    keys = {tuple(trial[name] for name in KEY) for trial in [*tried, *chosen]}
    return [line for line in results.lines if tuple(line[name] for name in KEY) in keys]


def _fit_key(line: Mapping[str, Any]) -> tuple:
    return tuple(line[name] for name in ("learner", "noise", "labeled", "seed"))


def _best(lines: Sequence[Line], metric: str) -> Line:
    """Give the setting with the best score; of equal ones the first by name."""
    known = [line for line in lines if line["score"] is not None]
    if not known:
        raise InputError(
            f"no setting of {lines[0]['learner']} could be judged by {metric}: "
            f"{lines[0]['error'] or 'it is undefined on the rows set aside, raise validation'}"
        )
    sign = 1 if get_metric(metric).higher_is_better else -1
    return max(known, key=lambda line: sign * line["score"])

"""Page, claims, README table and curves of ``tables miml`` from its result lines alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import Quoted, heading, over_splits
from benchmarks.tables.miml.learners import KEY, LIBLINEAR_TOL, MIML_LEARNERS, Learner
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.published import PublishedTable
from benchmarks.tables.task import data_and_layers, sources_of
from classify.metrics import METRICS, MIML_METRICS
from classify.parallel import Trial
from classify.results import Line

PAPER = "VGG+L1LR"

#: (learner, training rows) to field to mean and std over the splits.
Summary = dict[tuple[str, int], dict[str, Quoted]]


def summarize(trials: Iterable[Trial], lines: Iterable[Mapping[str, Any]]) -> Summary:
    """Average the lines of some trials over their seeds.

    Parameters
    ----------
    trials : iterable of mapping
        Fits of the table; lines of other fits are left out.
    lines : iterable of mapping

    Returns
    -------
    dict
        (learner, n_train) to field to (mean, std); ddof is 1, and the std of one split is NaN.
    """
    by_key = {tuple(line[name] for name in KEY): line for line in lines}
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for trial in trials:
        line = by_key[tuple(trial[name] for name in KEY)]
        groups.setdefault((trial["learner"], trial["n_train"]), []).append(line)
    return {
        group: {
            field: over_splits([line[field] for line in members])
            for field in (*MIML_METRICS, "objective", "nonzeros", "constant_labels")
            if field in members[0]
        }
        for group, members in groups.items()
    }


def best_earlier(paper: PublishedTable, metric: str) -> tuple[str, float]:
    """Give the best method that `paper` compares its own with, and its mean.

    Examples
    --------
    >>> from benchmarks.tables.miml.published import MIML_TABLES
    >>> best_earlier(MIML_TABLES["scene"], "coverage")
    ('KISAR', 0.204)
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    others = [name for name in paper.rows if name not in paper.ours]
    best = max(others, key=lambda name: sign * paper.rows[name][metric].mean)
    return best, paper.rows[best][metric].mean


def quoted_rows(paper: PublishedTable, methods: Iterable[str]) -> list[list[str]]:
    """Give one row of published means and standard deviations per method."""
    return [
        [f"{name}, quoted", *(mean_and_std(*paper.rows[name][m], digits=3) for m in MIML_METRICS)]
        for name in methods
    ]


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables miml` out: measured, quoted, differences, fits; Markdown."""
    data, layers = data_and_layers(header)
    learners, paper, n_train = learners_of(lines), paper_of(header), header["train_rows"]
    summary = summarize(lines, lines)
    parts = [
        f"# {data}: logistic regression on {layers}\n",
        f"{n_train} training and {header['rows'] - n_train} test images, mean ± standard deviation "
        f"(ddof 1) over the splits of seeds {header['seeds']}. C is 1.\n",
        _results(summary, learners, paper, n_train),
    ]
    if paper:
        parts += ["## Ours minus published\n", _differences(summary, learners, paper, n_train)]
        parts += [f"- {note}" for note in paper.notes]
        parts += [""]
    parts += ["## The fits\n", _fits(summary, learners, n_train), sources_of(header)]
    return "\n".join(parts)


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Give verdicts on the MIML paper's claims; parameters as for `page`."""
    n_train, paper = header["train_rows"], paper_of(header)
    scores = {
        one.learner: _by_seed(lines, one.learner, n_train, "example_ap")
        for one in learners_of(lines)
    }
    found = []
    for text, first, second in (
        ("L1LR is above LR, both as LIBLINEAR stops by default", "l1lr", "lr"),
        ("L1LR is above LR, both at the optimum", "l1lr-exact", "lr-exact"),
        (
            "L1LR gains by sparsity: at the optimum it scores above the early stop",
            "l1lr-exact",
            "l1lr",
        ),
    ):
        if first in scores and second in scores:
            gains = [a - b for a, b in zip(scores[first], scores[second], strict=True)]
            numbers = f"average precision {show_differences(gains)}"
            found.append(Claim(PAPER, text, verdict(gains), numbers))
    if paper and "l1lr" in scores:
        method, best = best_earlier(paper, "example_ap")
        gains = [score - best for score in scores["l1lr"]]
        text = f"L1LR is above every multi-instance method (the best, {method}, is quoted)"
        numbers = f"average precision {show_differences(gains)}"
        found.append(Claim(PAPER, text, verdict(gains), numbers))
    return found


def readme(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Write the README's short table; parameters as for `page`."""
    paper, n_train = paper_of(header), header["train_rows"]
    summary, rows = summarize(lines, lines), []
    for one in learners_of(lines):
        if one.is_constant or one.bias != "penalized" or one.scaling != "none":
            continue
        if paper and one.published:
            quoted = paper.rows[one.published]
            values = [mean_and_std(*quoted[m], digits=3) for m in ("example_ap", "one_error")]
            rows.append(
                [f"{one.title}, published (quoted)", "LIBLINEAR's default", *values, "", ""]
            )
        fit = summary[one.learner, n_train]
        rows.append(
            [
                f"{one.title.partition(' ')[0]}, ours",
                f"{'LIBLINEAR default, ' if one.tol == LIBLINEAR_TOL else ''}{one.tol:g}",
                *(mean_and_std(*fit[m]) for m in ("example_ap", "one_error")),
                f"{fit['nonzeros'].mean:,.0f}",
                f"{fit['objective'].mean:.3g}",
            ]
        )
    names = ["learner", "tolerance", "average precision", "one-error"]
    return table([*names, "non-zeros per label", "objective"], rows)


def learners_of(lines: Iterable[Line]) -> list[Learner]:
    """Give the learners that occur in some lines, in the order of the tables."""
    present = {line["learner"] for line in lines}
    return [one for one in MIML_LEARNERS if one.learner in present]


def paper_of(header: Mapping[str, Any]) -> PublishedTable | None:
    """Give the published table that a header names, or None."""
    return MIML_TABLES.get(header["published"])


def curve_panels(
    summary: Summary, learners: Sequence[Learner], paper: PublishedTable | None
) -> list[Panel]:
    """Arrange the learning curves: one panel per metric, with the best earlier method as a line."""
    sizes = sorted({size for _, size in summary})
    panels = []
    for metric in MIML_METRICS:
        curves = {
            one.title: Curve(
                sizes,
                [summary[one.learner, size][metric].mean for size in sizes],
                [np.nan_to_num(summary[one.learner, size][metric].std) for size in sizes],
            )
            for one in learners
        }
        panels.append(Panel(heading(metric), curves, _best_earlier_line(paper, metric)))
    return panels


def _results(summary, learners, paper, n_train) -> str:
    rows = [
        [one.title, *(mean_and_std(*summary[one.learner, n_train][m]) for m in MIML_METRICS)]
        for one in learners
    ]
    if paper:
        rows += quoted_rows(paper, paper.rows)
    return table(["learner", *map(heading, MIML_METRICS)], rows)


def _differences(summary, learners, paper, n_train) -> str:
    rows = []
    for one in learners:
        if one.published in paper.rows:
            ours, theirs = summary[one.learner, n_train], paper.rows[one.published]
            values = [f"{ours[m].mean - theirs[m].mean:+.4f}" for m in MIML_METRICS]
            rows.append([f"{one.title} - {one.published}", *values])
    return table(["", *map(heading, MIML_METRICS)], rows)


def _fits(summary, learners, n_train) -> str:
    rows = []
    for one in learners:
        if one.is_constant:
            continue
        fit = summary[one.learner, n_train]
        rows.append(
            [
                one.title,
                one.penalty,
                f"{one.tol:g}{' (default)' if one.tol == LIBLINEAR_TOL else ''}",
                one.bias,
                one.scaling,
                mean_and_std(*fit["objective"], digits=3),
                mean_and_std(*fit["nonzeros"], digits=1),
                f"{fit['constant_labels'].mean:.2f}",
            ]
        )
    columns = ["learner", "penalty", "stop", "bias", "scaling", "objective", "non-zeros"]
    return (
        table([*columns, "constant"], rows)
        + "\nObjective and non-zeros are means over the labels that have both classes in training; "
        "`constant`\ncounts the others. Objectives compare within a penalty, bias and scaling.\n"
    )


def _by_seed(lines: Iterable[Line], learner: str, n_train: int, field: str) -> list[float]:
    """Give one field of a learner's fits on all training rows, in the order of the seeds."""
    mine = [x for x in lines if (x["learner"], x["n_train"]) == (learner, n_train)]
    return [line[field] for line in sorted(mine, key=lambda line: line["seed"])]


def _best_earlier_line(paper: PublishedTable | None, metric: str) -> dict[str, float]:
    if paper is None:
        return {}
    method, value = best_earlier(paper, metric)
    return {f"{method}, quoted": value}

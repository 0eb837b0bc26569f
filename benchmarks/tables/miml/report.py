"""From the result lines of ``tables miml`` to its tables and curves. Fits nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import Quoted, heading, over_splits
from benchmarks.tables.experiment import layers_of, sources_of
from benchmarks.tables.miml.learners import KEY, LIBLINEAR_TOL, Learner
from benchmarks.tables.published import PublishedTable
from classify.metrics import METRICS, MIML_METRICS
from classify.parallel import Trial

#: (learner, training rows) to field to mean and std over the splits.
Summary = dict[tuple[str, int], dict[str, Quoted]]


def summarise(cells: Iterable[Trial], lines: Iterable[Mapping[str, Any]]) -> Summary:
    """Average the lines of some cells over their splits.

    Parameters
    ----------
    cells : iterable of mapping
        What the table is made of; other lines are left out.
    lines : iterable of mapping

    Returns
    -------
    dict
        (learner, n_train) to field to (mean, std); ddof is 1, and the std of one split is NaN.
    """
    by_key = {tuple(line[name] for name in KEY): line for line in lines}
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for cell in cells:
        line = by_key[tuple(cell[name] for name in KEY)]
        groups.setdefault((cell["learner"], cell["n_train"]), []).append(line)
    return {
        group: {
            field: over_splits([line[field] for line in members])
            for field in (*MIML_METRICS, "objective", "nonzeros", "constant_labels")
        }
        for group, members in groups.items()
    }


def best_earlier(paper: PublishedTable, metric: str) -> tuple[str, float]:
    """Give the best method that `paper` compares itself with, and its mean.

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
    """Give the published means and standard deviations of some methods, a row each."""
    return [
        [f"{name}, quoted", *(mean_and_std(*paper.rows[name][m], digits=3) for m in MIML_METRICS)]
        for name in methods
    ]


def markdown(
    summary: Summary,
    learners: Sequence[Learner],
    paper: PublishedTable | None,
    header: Mapping[str, Any],
    n_train: int,
) -> str:
    """Write the report: ours and quoted, their difference, the fits, where it all comes from."""
    parts = [
        f"# {header['data']}: logistic regression on {', '.join(layers_of(header))}\n",
        f"{n_train} training and {header['rows'] - n_train} test images, mean ± standard deviation "
        f"(ddof 1) over the splits of seeds {header['seeds']}. C = 1 where nothing else is said.\n",
        _results(summary, learners, paper, n_train),
    ]
    if paper:
        parts += ["## Ours minus published\n", _differences(summary, learners, paper, n_train)]
        parts += [f"- {note}" for note in paper.notes]
        parts += [""]
    parts += ["## The fits\n", _fits(summary, learners, n_train), sources_of(header)]
    return "\n".join(parts)


def curve_panels(
    summary: Summary, learners: Sequence[Learner], paper: PublishedTable | None
) -> list[Panel]:
    """Arrange the learning curves: a panel a metric, with the best earlier method as a line."""
    sizes = sorted({size for _, size in summary})
    panels = []
    for metric in MIML_METRICS:
        curves = {
            one.learner: Curve(
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
        [one.learner, *(mean_and_std(*summary[one.learner, n_train][m]) for m in MIML_METRICS)]
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
            rows.append([f"{one.learner} - {one.published}", *values])
    return table(["", *map(heading, MIML_METRICS)], rows)


def _fits(summary, learners, n_train) -> str:
    rows = []
    for one in learners:
        fit = summary[one.learner, n_train]
        rows.append(
            [
                one.learner,
                one.penalty,
                f"{one.tol:g}{' (default)' if one.tol == LIBLINEAR_TOL else ''}",
                one.bias,
                one.scale,
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


def _best_earlier_line(paper: PublishedTable | None, metric: str) -> dict[str, float]:
    if paper is None:
        return {}
    method, value = best_earlier(paper, metric)
    return {f"{method}, quoted": value}

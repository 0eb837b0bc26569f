"""What the ramp-loss WARP paper claims, held against the numbers of ``tables rml``."""

from collections.abc import Sequence

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.statistics import Quoted, over_splits
from benchmarks.tables.rml.report import CURVES, Groups, mean_of, paragraph, title_of
from classify.metrics import METRICS
from classify.results import Line

NEAR = 0.01
COMPARED = (
    "top3_f1_macro",
    "top3_f1_macro_harmonic",
    "top3_f1_micro",
    "map",
    "map_voc12",
    "example_ap",
    "coverage",
    "one_error",
    "ranking_loss",
)


def gain(ours: Sequence[Line], theirs: Sequence[Line], metric: str) -> Quoted:
    """By how much one learner is better than another, draw by draw.

    Parameters
    ----------
    ours, theirs : sequence of mapping
        Of the same draws, in the same order.
    metric : str

    Returns
    -------
    Quoted
        Mean and standard deviation of the differences, positive where `ours` is better; NaN where
        a fit failed.

    Examples
    --------
    >>> gain([{"coverage": 0.25}], [{"coverage": 0.75}], "coverage").mean
    0.5
    """
    sign = 1 if METRICS[metric].higher_is_better else -1
    first, second = (
        np.array([line.get(metric) for line in lines], dtype=float) for lines in (ours, theirs)
    )
    return over_splits((sign * (first - second)).tolist())


def judge(value: Quoted) -> str:
    """Say whether a gain is there: more than its standard deviation over draws.

    Examples
    --------
    >>> judge(Quoted(0.02, 0.01)), judge(Quoted(0.02, 0.03)), judge(Quoted(-0.02, 0.01))
    ('holds', 'not shown', 'does not hold')
    """
    spread = 0.0 if value.std != value.std else value.std
    if value.mean > spread:
        return "holds"
    return "does not hold" if value.mean < -spread else "not shown"


def verdicts(supervised: Groups, noise: Groups, semi: Groups) -> str:
    """Write the section: every claim that the parts at hand can speak to."""
    parts = [
        "## What follows\n",
        paragraph(
            "Differences draw by draw, in the metric's own unit, positive where the first is "
            "better. A difference `holds` above its standard deviation over draws, and is `not "
            "shown` within it."
        ),
    ]
    rmlc, warp, bce = (("RMLC", 0.0, 1.0), ("WARP", 0.0, 1.0), ("BCE", 0.0, 1.0))
    if rmlc in supervised and warp in supervised:
        parts += [_over(supervised, "RMLC", "WARP", COMPARED)]
    if rmlc in supervised and bce in supervised:
        parts += [_near_bce(gain(supervised[rmlc], supervised[bce], "top3_f1_macro"))]
    for other in ("WARP", "BCE"):
        if {"RMLC", other} <= {key[0] for key in noise}:
            parts += [_under_noise(noise, other)]
    if semi:
        parts += [_few_labels(semi)]
    return "\n".join(parts) if len(parts) > 2 else ""


def _over(groups: Groups, ours: str, theirs: str, metrics: Sequence[str]) -> str:
    rows = []
    for metric in metrics:
        first, second = groups[ours, 0.0, 1.0], groups[theirs, 0.0, 1.0]
        value = gain(first, second, metric)
        means = [f"{mean_of(lines, metric).mean:.4f}" for lines in (first, second)]
        rows.append([title_of(metric), *means, mean_and_std(*value), judge(value)])
    return table([f"{ours} above {theirs}", ours, theirs, "difference", "verdict"], rows)


def _near_bce(value: Quoted) -> str:
    verdict = "holds" if value.mean >= -NEAR else "does not hold"
    return paragraph(
        f"RMLC near BCE (not more than {NEAR:g} below it) or above on F1-C (mean): {verdict}, "
        f"difference {mean_and_std(*value)}."
    )


def _under_noise(groups: Groups, other: str) -> str:
    rates = sorted({key[1] for key in groups})
    rows, notes = [], []
    for metric in CURVES:
        gains = [
            gain(groups["RMLC", rate, 1.0], groups[other, rate, 1.0], metric) for rate in rates
        ]
        for rate, value in zip(rates, gains, strict=True):
            rows.append(
                [f"{title_of(metric)}, {rate:.0%} wrong", mean_and_std(*value), judge(value)]
            )
        if rates[0] == 0 and len(rates) > 1:
            notes.append(_most_under_noise(other, metric, rates, gains))
    head = [f"RMLC above {other} under noise", "difference", "verdict"]
    return table(head, rows) + "\n" + "\n".join(notes) + "\n"


def _most_under_noise(
    other: str, metric: str, rates: Sequence[float], gains: Sequence[Quoted]
) -> str:
    clean, noisy = gains[0].mean, float(np.mean([value.mean for value in gains[1:]]))
    widest = max(range(len(rates)), key=lambda place: gains[place].mean)
    verdict = "holds" if noisy > max(0.0, clean) else "does not hold"
    return (
        f"- RMLC above {other}, and most under noise, {title_of(metric)}: {verdict}; mean "
        f"difference with noise\n  {noisy:.4f}, without {clean:.4f}, widest at "
        f"{rates[widest]:.0%}."
    )


def _few_labels(groups: Groups) -> str:
    rows = []
    for (learner, noise, share), lines in groups.items():
        if learner.startswith("SS-RMLC"):
            for metric in CURVES:
                value = gain(lines, groups["RMLC", noise, share], metric)
                name = f"{learner} above RMLC, {share:.0%} labelled, {title_of(metric)}"
                rows.append([name, mean_and_std(*value), judge(value)])
    return table(["with few labels", "difference", "verdict"], rows)

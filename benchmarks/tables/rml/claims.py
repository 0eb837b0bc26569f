"""What the ramp-loss WARP paper claims, evaluated on the result lines of ``tables rml``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.tables.rml.groups import Groups, gains, mean_of, parts_of
from benchmarks.tables.rml.learners import LEARNERS
from benchmarks.tables.rml.titles import title_of
from classify.results import Line

NEAR = 0.01
PAPER = "RML-CNN"


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Evaluate every claim that the parts at hand can speak to.

    Parameters
    ----------
    header : mapping
        Of the result file.
    lines : sequence of mapping

    Returns
    -------
    list of Claim
        By the metric that settings were selected by and by mAP: RMLC above WARP, near or above
        cross-entropy, falling less than WARP under noise; SS-RMLC above RMLC.
    """
    supervised, noise, semi = parts_of(lines)
    metrics = dict.fromkeys((header["selection"]["metric"], "map"))
    found: list[Claim] = []
    for metric in metrics:
        if not noise:  # there, the same fits are the share 0
            found += _all_labels(supervised, metric)
        for other in ("warp", "bce"):
            found += _under_noise(noise, other, metric)
        found += _few_labels(semi, metric)
    return found


def _all_labels(groups: Groups, metric: str) -> Iterator[Claim]:
    rmlc = groups.get(("rmlc", 0.0, 1.0), [])
    for other in ("warp", "bce"):
        theirs = groups.get((other, 0.0, 1.0), [])
        if rmlc and theirs:
            differences = gains(rmlc, theirs, metric)
            yield _claim(f"RMLC above {LEARNERS[other].title}", metric, differences, rmlc, theirs)
            if other == "bce":
                text = f"RMLC not more than {NEAR:g} below {LEARNERS[other].title}"
                yield _claim(text, metric, differences, rmlc, theirs, tolerance=NEAR)


def _under_noise(groups: Groups, other: str, metric: str) -> Iterator[Claim]:
    rates = sorted({key[1] for key in groups})
    if rates[:1] != [0.0] or len(rates) < 2 or (other, 0.0, 1.0) not in groups:
        return
    if ("rmlc", 0.0, 1.0) not in groups:
        return
    above = [gains(groups["rmlc", r, 1.0], groups[other, r, 1.0], metric) for r in rates]
    title, clean, most = LEARNERS[other].title, above[0], rates[-1]
    text = f"RMLC above {title} with {most:.0%} of the rows mislabeled"
    yield _claim(text, metric, above[-1], groups["rmlc", most, 1.0], groups[other, most, 1.0])
    less = np.mean(above[1:], axis=0) - clean
    text = f"RMLC falls less than {title} under noise ({rates[1]:.0%} to {most:.0%}, mean)"
    numbers = f"{title_of(metric)}: {show_differences(less.tolist())}"
    yield Claim(PAPER, text, verdict(less), numbers)


def _few_labels(groups: Groups, metric: str) -> Iterator[Claim]:
    for (learner, noise, share), mine in groups.items():
        theirs = groups.get(("rmlc", noise, share), [])
        if LEARNERS[learner].unlabeled and theirs:
            text = f"{LEARNERS[learner].title} above RMLC, {share:.0%} labeled"
            yield _claim(text, metric, gains(mine, theirs, metric), mine, theirs)


def _claim(
    text: str,
    metric: str,
    differences: np.ndarray,
    ours: Sequence[Line],
    theirs: Sequence[Line],
    *,
    tolerance: float = 0.0,
) -> Claim:
    means = " and ".join(f"{mean_of(lines, metric).mean:.4f}" for lines in (ours, theirs))
    numbers = f"{title_of(metric)} {means}: {show_differences(differences.tolist())}"
    return Claim(PAPER, text, verdict(differences + tolerance), numbers)

"""What the MIML papers claim and the specification expects, as verdicts from result lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.claims import FAILS, HOLDS, Claim, show_differences, verdict
from benchmarks.tables.miml.bags_methods import METHODS
from benchmarks.tables.miml.bags_summary import (
    NETWORK,
    REGIONS,
    by_seed,
    paired,
    summarize,
    whole_training,
)
from benchmarks.tables.miml.published import MIML_TABLES
from benchmarks.tables.published import PublishedTable
from classify.results import Line

PAPER = "MIML methods"
NEAR = 0.02  # of average precision, within which a tuned method repeats what was published


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Hold published numbers and orders against the lines.

    Parameters
    ----------
    header : mapping
        Of the result file.
    lines : sequence of dict

    Returns
    -------
    list of Claim
    """
    whole = whole_training(header, lines)
    found = []
    paper = MIML_TABLES.get(header["published"])
    if paper:
        found += _beside_published(whole, paper)
    return found + _orders(whole)


def _beside_published(lines: Sequence[Line], paper: PublishedTable) -> list[Claim]:
    summary = summarize(lines)
    found = []
    for name in ("mimlsvm-default", "mimlfast", "ranklsim"):
        if (name, REGIONS) not in summary:
            continue
        method, ours = METHODS[name], summary[name, REGIONS]["example_ap"].mean
        theirs = paper.rows[method.published or ""]["example_ap"]
        tuned = "tuned, repeats the published figure within .02"
        text = tuned if method.tuned else "repeats the published figure within one std"
        allowed = NEAR if method.tuned else theirs.std
        numbers = f"average precision {ours:.4f}, published {theirs.mean:.3f} ± {theirs.std:.3f}"
        near = HOLDS if abs(ours - theirs.mean) <= allowed else FAILS
        found.append(Claim(PAPER, f"{method.title} {text}", near, numbers))
    for name in ("kisar", "mimlknn", "dba"):
        scores = by_seed(lines, name, REGIONS)
        if scores:
            method = METHODS[name]
            published = paper.rows[method.published or ""]["example_ap"].mean
            gains = [score - published for score in scores.values()]
            text = f"{method.title} is above its published figure, {published:.3f}"
            numbers = f"average precision {show_differences(gains)}"
            found.append(Claim(PAPER, text, verdict(gains), numbers))
    return found


def _orders(lines: Sequence[Line]) -> list[Claim]:
    l1lr, lr = (by_seed(lines, name, "none") for name in ("l1lr", "lr"))
    found = []
    pairs = [("L1LR is above LR on the original labels and splits", l1lr, lr)]
    for method in METHODS.values():
        if method.takes == "instances" and method.tuned:
            scores = by_seed(lines, method.method, NETWORK)
            text = f"L1LR is above {method.title} on the same network's instances"
            pairs.append((text, l1lr, scores))
    for text, first, second in pairs:
        gains = paired(first, second)
        if gains:
            numbers = f"average precision {show_differences(gains)}"
            found.append(Claim(PAPER, text, verdict(gains), numbers))
    return found

"""What was compared, as records for a model file and as the small table that `fit` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from classify.selection.blend import Blend
from classify.selection.search import Data, Search, Tried


def records(found: Search, data: Data, chosen: Blend) -> list[dict[str, Any]]:
    """List the best of each path, best first.

    Returns
    -------
    list of dict
        `learner`, `scaling`, `C`, `metric`, `mean`, `std` (over folds, ddof 1), `seconds` of the
        whole path, `chosen`, and `error`; paths that failed come last, with `mean` None.
    """
    ranked = found.ranked(data.metric)
    done = {(one.candidate.learner, one.candidate.scaling) for one in ranked}
    failed: dict[tuple[str, str], Tried] = {}
    for one in found.tried:
        place = (one.candidate.learner, one.candidate.scaling)
        if place not in done:
            failed.setdefault(place, one)
    return [
        {
            "learner": one.candidate.learner,
            "scaling": one.candidate.scaling,
            "C": one.candidate.C,
            "metric": data.metric,
            "mean": None if np.isnan(one.mean) else one.mean,
            "std": None if np.isnan(one.std) else one.std,
            "seconds": round(one.seconds, 3),
            "chosen": one.candidate in chosen.candidates,
            "error": one.error or None,
        }
        for one in [*ranked, *failed.values()]
    ]


def table(lines: Sequence[Mapping[str, Any]], chosen: Blend) -> str:
    """Write records as aligned text, and a sentence that says what was chosen and why.

    Parameters
    ----------
    lines : sequence of mapping
        What `records` gave.
    chosen : Blend

    Returns
    -------
    str
        Without a last line feed.
    """
    metric = lines[0]["metric"]
    rows = [("", "learner", "scaling", "C", metric, "s")]
    for one in lines:
        C = "" if one["C"] is None else f"{one['C']:.3g}"
        value = "failed" if one["mean"] is None else f"{one['mean']:.4f} ± {one['std']:.4f}"
        mark = "*" if one["chosen"] else ""
        seconds = f"{one['seconds']:.1f}"
        rows.append((mark, one["learner"], one["scaling"], C, value, seconds))
    widths = [max(len(row[k]) for row in rows) for k in range(6)]
    text = [
        "  ".join(
            cell.ljust(width) if k < 3 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    reasons = [
        f"{one['learner']}, {one['scaling']}: {one['error']}" for one in lines if one["error"]
    ]
    return "\n".join([*text, _why(lines, chosen), *reasons])


def _why(lines: Sequence[Mapping[str, Any]], chosen: Blend) -> str:
    names = " + ".join(map(str, chosen.candidates))
    value = f"{np.mean(chosen.values):.4f}"
    metric, folds = lines[0]["metric"], len(chosen.values)
    if len(chosen.candidates) > 1:
        alone = next(one for one in lines if one["chosen"])
        return (
            f"chosen: the mean of {names}, because its {metric} over {folds} folds, {value}, is "
            f"above the best one's, {alone['mean']:.4f}"
        )
    return f"chosen: {names}, because its mean {metric} over {folds} folds, {value}, is the best"

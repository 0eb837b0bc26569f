"""Claims of the papers as verdicts computed from result lines."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.report.markdown import table

HOLDS, FAILS, NOT_SHOWN = "holds", "does not hold", "not shown"
MARGIN = 2.0  # standard errors of the mean of paired differences


class Claim(NamedTuple):
    """One claim of a paper beside what was measured.

    Attributes
    ----------
    paper : str
        Short name, such as "IMCL".
    text : str
        What the paper claims.
    verdict : {"holds", "does not hold", "not shown"}
    numbers : str
        What the verdict follows from.
    """

    paper: str
    text: str
    verdict: str
    numbers: str


def verdict(differences: Iterable[float], margin: float = MARGIN) -> str:
    """Decide whether one method is above another by their paired differences.

    Parameters
    ----------
    differences : iterable of float
        One per seed, positive where the claim is right.
    margin : float
        Standard errors that the mean must be away from 0.

    Returns
    -------
    {"holds", "does not hold", "not shown"}
        "holds" where the mean is above the margin, "does not hold" where it is below minus the
        margin. A single difference shows nothing.

    Examples
    --------
    >>> verdict([0.010, 0.012, 0.011]), verdict([0.01, -0.02, 0.005]), verdict([-0.2, -0.21])
    ('holds', 'not shown', 'does not hold')
    """
    values = np.asarray(list(differences), dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        return NOT_SHOWN
    error = values.std(ddof=1) / np.sqrt(len(values))
    if values.mean() > margin * error:
        return HOLDS
    return FAILS if values.mean() < -margin * error else NOT_SHOWN


def show_differences(differences: Sequence[float], digits: int = 4) -> str:
    """Write the mean of paired differences and their standard deviation (ddof 1).

    Examples
    --------
    >>> show_differences([0.01, 0.03])
    '+0.0200 ± 0.0141 over 2 seeds'
    """
    values = np.asarray(differences, dtype=float)
    std = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    seeds = "seed" if len(values) == 1 else "seeds"
    return f"{values.mean():+.{digits}f}{std} over {len(values)} {seeds}"


def claims_table(rows: Iterable[tuple[Claim, str]]) -> str:
    """Lay claims out as a Markdown table.

    Parameters
    ----------
    rows : iterable of (Claim, str)
        The text is where the claim was measured, as Markdown.
    """
    cells = [[one.paper, one.text, one.verdict, one.numbers, where] for one, where in rows]
    return table(["paper", "claim", "verdict", "measured", "page"], cells)

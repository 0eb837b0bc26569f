"""The form of a published table. Its numbers are quoted and never presented as reproduced."""

from typing import NamedTuple

from benchmarks.report.statistics import Quoted


class PublishedTable(NamedTuple):
    """One data set's part of a published table.

    Attributes
    ----------
    title : str
    labels : frozenset of str
        The label names, in lower case, by which the data set is known.
    curve_sizes : tuple of int
        Training sizes of the learning curves. The figure prints no numbers; of these only 200 and
        394 (MSRC v2), and 30 and 1333 (Scene), stand in the text.
    rows : dict
        Method to metric to number; metrics by their names in `classify.metrics`.
    ours : tuple of str
        The methods of the paper itself. The others it took from the MIMLfast paper, which ran them
        on hand-crafted features with cross-validated parameters.
    notes : tuple of str
        Errors in print, and what the text says.
    """

    title: str
    labels: frozenset[str]
    curve_sizes: tuple[int, ...]
    rows: dict[str, dict[str, Quoted]]
    ours: tuple[str, ...]
    notes: tuple[str, ...]

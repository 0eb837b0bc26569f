"""Names of metrics in the tables of ``tables rml``."""

from benchmarks.report.statistics import heading

TITLES = {
    "precision_macro": "P-C",
    "recall_macro": "R-C",
    "f1_macro": "F1-C (mean)",
    "f1_macro_harmonic": "F1-C (harmonic)",
    "precision_micro": "P-O",
    "recall_micro": "R-O",
    "f1_micro": "F1-O",
    "map": "mAP (plain)",
    "map_voc12": "mAP (voc12)",
}


def title_of(metric: str) -> str:
    """Name a metric for people.

    Examples
    --------
    >>> title_of("top3_f1_macro"), title_of("one_error")
    ('F1-C (mean)', 'one-error ↓')
    """
    name = metric.removeprefix("top3_positive_").removeprefix("top3_")
    return TITLES[name] if name in TITLES else heading(name)

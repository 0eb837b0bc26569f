"""Run folders written under earlier names of settings and metrics: the names in use today."""

from collections.abc import Mapping
from typing import Any

_FIELDS = {
    "head_start": "head_init",
    "rate": "learning_rate",
    "head_rate": "head_learning_rate",
    "graph_rate": "graph_learning_rate",
    "unlabelled": "unlabeled",
}
_METRICS = {
    "map_plain": "map",
    "f1c_mean": "f1_macro",
    "f1c_harm": "f1_macro_harmonic",
    "p_c": "precision_macro",
    "r_c": "recall_macro",
    "p_o": "precision_micro",
    "r_o": "recall_micro",
    "f1_o": "f1_micro",
}
_METRICS |= {f"top3_{old}": f"top3_{new}" for old, new in _METRICS.items() if old != "map_plain"}
_HEAD_INITS = {"zero": "zeros", "solved": "logistic"}


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename what an earlier version wrote: settings of a run, or a line of its results.

    Parameters
    ----------
    values : mapping of str to object
        Settings or metrics by name; those with a name of today stay as they are.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> current_names({"head_start": "solved", "rate": 0.1, "metric": "map_plain", "size": 224})
    {'head_init': 'logistic', 'learning_rate': 0.1, 'metric': 'map', 'size': 224}
    """
    renamed = {_FIELDS.get(name, _METRICS.get(name, name)): one for name, one in values.items()}
    for name, current in (("head_init", _HEAD_INITS), ("metric", _METRICS)):
        if isinstance(value := renamed.get(name), str):
            renamed[name] = current.get(value, value)
    return renamed

"""The commands behind the figures, to paste into a shell."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classify.report.files import Results
from classify.storage.provenance import hash_labels
from features.cache import FeatureCache
from features.command_line import default
from features.splits import duplicate_groups, random_split, splits_hash


def command_of(words: str, function: Any, given: Mapping[str, Any]) -> str:
    """Write a command line; options at their defaults are left out.

    Parameters
    ----------
    words : str
        The command, and positional arguments that are quoted already.
    function : callable
        Whose options they are.
    given : mapping
        Name of a parameter to its value.

    Examples
    --------
    >>> def tag(out, *, seed=0, flags=()): ...
    >>> command_of("multilabel tag", tag, {"out": "a b.csv", "seed": 0, "flags": ["x", 1]})
    "multilabel tag --out 'a b.csv' --flags x 1"
    """
    parts = [words]
    for name, value in given.items():
        if value is None or value == default(function, name):
            continue
        option = f"--{name.replace('_', '-')}"
        if value is True:
            parts.append(option)
        elif isinstance(value, list | tuple):
            parts.append(shlex.join([option, *map(str, value)]))
        else:
            parts.append(shlex.join([option, str(value)]))
    return " ".join(parts)


def origin(results: Results, cache: FeatureCache, labels: Path | None) -> str:
    """Give the command that made a file; empty if it is not known. See `sweep_command`."""
    return sweep_command(results, cache, labels) if results.is_sweep else results.command


def sweep_command(results: Results, cache: FeatureCache, labels: Path | None) -> str:
    """Write the sweep that makes a file, from its header and lines.

    Parameters
    ----------
    results : Results
        Of a sweep.
    cache : FeatureCache
        That it was made from.
    labels : Path or None
        A file of labels, which is named if the sweep's labels are not the cache's own.
    """
    from classify.sweep import sweep

    header, lines = results.header, results.lines
    seeds = sorted({line["split"] for line in lines if isinstance(line["split"], int)})
    own = cache.labels is not None and header.get("labels") == hash_labels(
        cache.label_names, cache.labels[cache.valid_rows]
    )
    layers = header.get("layers") or header.get("instance_layers")
    given = {
        "learner": list(dict.fromkeys(line["learner"] for line in lines)),
        "scaling": list(dict.fromkeys(line["scaling"] for line in lines)),
        "C": ",".join(f"{C:.12g}" for C in header["C"]),
        "splits": len(seeds),
        "seed": seeds[0] if seeds else 0,
        "select": header["select"],
        "metric": header["metric"],
        "folds": header["folds"],
        "group_duplicates": _grouped(header, cache, seeds),
        "layers": None if layers == list(cache.layers) else layers,
        "labels": None if own else labels,
        "out": results.path,
    }
    return command_of(f"multilabel classify sweep {shlex.quote(str(cache.folder))}", sweep, given)


def _grouped(header: Mapping[str, Any], cache: FeatureCache, seeds: list[int]) -> bool:
    """Tell whether splits kept equal files together: their hash says so, if the sweep has ended."""
    rows = cache.valid_rows
    groups = duplicate_groups(cache.index.sha256()[rows])
    if len(np.unique(groups)) == len(rows):
        return False
    all_ids = list(cache.ids)
    ids = [all_ids[row] for row in rows]
    drawn = [random_split(len(ids), seed, groups=groups) for seed in seeds]
    return splits_hash(drawn, ids) == header.get("splits")

"""``multilabel audit``: what is wrong with a labeled data set, as text and as JSON lines."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.learners import find_learner
from features.command_line import add_options
from features.errors import InputError, check_number, printable

if TYPE_CHECKING:
    from classify.models import TaggerModel
    from features.cache import FeatureCache

FEW = 10  # positive or negative rows of a label
SHOWN = 20  # findings of a kind that are printed

Finding = dict[str, Any]
#: Each kind of finding, and the fields that every one of it has; "nothing" is a file's only one.
KINDS = {
    "same file": {"images", "cosine"},
    "near": {"images", "cosine"},
    "doubtful label": {"image", "label", "given", "confidence"},
    "rare label": {"label", "positive", "negative"},
    "nothing": {"rows"},
}


def audit(
    cache: Path,
    *,
    model: Path | None = None,
    labels: Path | None = None,
    split: Path | None = None,
    out: Path | None = None,
    cosine: float = 0.99,
    count: int = 200,
    folds: int = 5,
    seed: int = 0,
    jobs: int = -1,
) -> list[Finding]:
    """Look for repeated pictures, pairs that a split parts, doubtful labels and rare labels.

    Parameters
    ----------
    cache : Path
        A feature cache; without labels only repeated pictures are looked for.
    model : Path, optional
        Its learner, scaling, C and layers are used out of fold; by default ``fit``'s own choice.
    labels : Path, optional
        A labels.csv instead of the cache's own.
    split : Path, optional
        A split.csv: pairs of which one picture is in train and the other in test are told.
    out : Path, optional
        A `.jsonl` file for all findings.
    cosine : float
        Least cosine of features of nearly the same pictures.
    count : int
        Doubtful labels to list.
    folds, seed : int
        Stratified folds for the out-of-fold scores.
    jobs : int
        Processes; -1 for one per core.

    Returns
    -------
    list of dict
        `kind` is "same file", "near", "doubtful label" or "rare label"; the other fields name
        images, labels and numbers.

    Raises
    ------
    InputError
        A file can't be read, or doesn't fit the cache; a number is out of its range.
    """
    from features.cache import FeatureCache
    from features.files.ownership import claim, first_line

    check_number("cosine", cosine, low=0, high=1, above=True)
    check_number("count", count, whole=True, low=0)
    if out is not None:
        out = claim(out, first_line(_is_finding), what="a file of findings")
    features = FeatureCache(cache)
    found = list(_pairs(features, split, cosine))
    if features.labels is not None or labels is not None:
        found += _label_findings(features, model, labels, count, folds, seed, jobs)
    elif model is not None:
        raise InputError(f"{cache} has no labels to check. Give --labels FILE.")
    if out is not None:
        from features.files.unchanged import rewrite_text

        # A file of nothing could not be told from one of others when it is written again.
        lines = found or [{"kind": "nothing", "rows": len(features.valid_rows)}]
        rewrite_text(out, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines))
    return found


def _is_finding(one: Any) -> bool:
    return KINDS[one["kind"]] <= one.keys()


def _pairs(features: "FeatureCache", split: Path | None, cosine: float) -> Iterator[Finding]:
    from classify.audit.duplicates import all_pairs, near_pairs, same_files
    from classify.inputs import read_inputs, require_rows

    require_rows(features)
    rows = features.valid_rows.tolist()
    X = read_inputs(features, features.resolve(None), features.valid_rows, "vectors")
    parts = _parts(features, split)
    exact = same_files(rows, features.index.sha256()[rows].tolist())
    for pair in all_pairs(exact, near_pairs(X, rows, cosine)):
        found: Finding = {
            "kind": "same file" if pair.same_file else "near",
            "images": [features.ids[pair.first], features.ids[pair.second]],
            "cosine": round(pair.cosine, 6),
        }
        if parts:
            sides = [parts[image] for image in found["images"]]
            found["split"] = sides
            found["parted"] = "test" in sides and sides[0] != sides[1]
        yield found


def _parts(features: "FeatureCache", split: Path | None) -> dict[str, str]:
    """Give each image's part in a split.csv."""
    if split is None:
        return {}
    from features.labels import read_split_csv

    if not split.is_file():
        raise InputError(f"{split} is no file. Give a split.csv with the columns image,split.")
    parts = read_split_csv(split, features.ids)
    return {features.ids[row]: name for name, rows in parts.items() for row in rows}


def _label_findings(
    features: "FeatureCache", model: Path | None, labels: Path | None, count: int, folds: int,
    seed: int, jobs: int,
) -> list[Finding]:  # fmt: skip
    from classify.audit.label_errors import self_confidence, suspects
    from classify.model_files import load_model
    from classify.models import require_same_features
    from features.cache import labels_of

    trained = None if model is None else load_model(model)
    if trained is not None:
        require_same_features(trained, features)
    Y, names = labels_of(features, labels)
    rows = features.valid_rows
    Y = Y[rows]
    confidence = self_confidence(_scores(features, trained, Y, folds, seed, jobs), Y)
    found: list[Finding] = [
        {
            "kind": "doubtful label",
            "image": features.ids[rows[one.row]],
            "label": names[one.label],
            "given": one.given,
            "confidence": round(one.confidence, 6),
        }
        for one in suspects(confidence, Y, count)
    ]
    return found + list(_rare(Y, names))


def _scores(features: "FeatureCache", model: "TaggerModel | None", Y, folds, seed, jobs):
    """Score every row by a model that did not see it."""
    from classify.audit.label_errors import out_of_fold
    from classify.inputs import input_widths, read_inputs
    from classify.selection.search import search

    takes = "vectors" if model is None else find_learner(model.members[0].learner).takes
    names = list(features.layers) if model is None else list(model.layers)
    X = read_inputs(features, names, features.valid_rows, takes)
    if model is not None:
        return out_of_fold(model, X, Y, folds, seed)
    widths = input_widths(features, names, takes)
    without = "--model FILE, which `fit --learner l2` makes without folds"
    found, data = search(X, Y, widths, folds=folds, seed=seed, jobs=jobs, without=without)
    return found.scores[found.ranked(data.metric)[0].candidate]


def _rare(Y: np.ndarray, names: Sequence[str]) -> Iterator[Finding]:
    for name, column in zip(names, Y.T, strict=True):
        positive, negative = int((column == 1).sum()), int((column == 0).sum())
        if min(positive, negative) < FEW:
            yield {"kind": "rare label", "label": name, "positive": positive, "negative": negative}


def summary(found: Sequence[Finding]) -> str:
    """Write findings as text: for each kind its number and the first ones.

    Examples
    --------
    >>> print(summary([{"kind": "rare label", "label": "horse", "positive": 3, "negative": 9}]))
    1 labels with fewer than 10 positive or negative pictures
      horse: 3 positive, 9 negative
    """
    texts = {
        "same file": "pairs of identical files",
        "near": "pairs of nearly identical pictures",
        "doubtful label": "labels that are probably wrong, the most doubtful first",
        "rare label": f"labels with fewer than {FEW} positive or negative pictures",
    }
    lines = []
    for kind, text in texts.items():
        mine = [one for one in found if one["kind"] == kind]
        if not mine:
            continue
        lines.append(f"{len(mine)} {text}")
        lines += [f"  {_line(one)}" for one in mine[:SHOWN]]
        if len(mine) > SHOWN:
            lines.append(f"  and {len(mine) - SHOWN} more; --out FILE.jsonl has them all")
    return "\n".join(lines or ["nothing was found"])


def _line(one: Finding) -> str:
    if "images" in one:
        parted = f", parted by the split: {' and '.join(one['split'])}" if one.get("parted") else ""
        return f"{' = '.join(one['images'])} (cosine {one['cosine']:.4f}){parted}"
    if one["kind"] == "doubtful label":
        verb = "has" if one["given"] else "lacks"
        return f"{one['image']} {verb} {one['label']} (confidence {one['confidence']:.3f})"
    return f"{one['label']}: {one['positive']} positive, {one['negative']} negative"


def add_audit_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``audit``."""
    texts = {
        "cache": "features, with or without labels",
        "model": "whose learner, scaling, C and layers are used out of fold (fit's own choice)",
        "labels": "a labels.csv instead of the cache's own",
        "split": "a split.csv: pairs that it parts are told",
        "out": "a .jsonl file for all findings",
        "cosine": "least cosine of features of nearly identical pictures",
        "count": "doubtful labels to list",
        "folds": "of the rows, for scores of rows that a fit did not see",
        "seed": "of the folds",
        "jobs": "processes, -1 for one per core",
    }
    add_options(parser, audit, texts, cache={"positional": True})


def run_audit(out: Path | None, **options: Any) -> None:
    """Audit a cache and print what was found."""
    print(printable(summary(audit(out=out, **options))))
    if out is not None:
        print(out, file=sys.stderr)

"""From a cache to a trained model file, and from a model to predictions in a file."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from classify.learners import Learner, check_C, check_labels, find_learner
from classify.models import TaggerModel, library_versions, load_model, save_model
from classify.scaling import SCALINGS, column_divisors, divided
from features import files
from features.errors import InputError, check_choice

if TYPE_CHECKING:
    from features.cache import FeatureCache

PREDICTION_FIELDS = ("image", "label", "score", "decision")

Prediction = tuple[str, str, float, int | None]


def fit(
    cache: Path,
    out: Path,
    *,
    learner: str = "l2",
    C: float | None = None,
    scaling: str = "none",
    layers: Sequence[str] | None = None,
    labels: Path | None = None,
) -> TaggerModel:
    """Train on every row of a cache that has features, and write the model file.

    Parameters
    ----------
    cache : Path
        A feature cache.
    out : Path
        The model file, `.safetensors`.
    learner : str
        A name in `classify.learners`.
    C : float, optional
        Weight of the summed loss; see `classify.learners` for those trained by descent. By default
        1 for every learner that takes it.
    scaling : {"none", "max01"}
        As in `classify.scaling`.
    layers : sequence of str, optional
        Layers to learn from; by default all.
    labels : Path, optional
        A labels.csv instead of the cache's own.

    Returns
    -------
    TaggerModel
        What was written.

    Raises
    ------
    InputError
        Unknown learner, layer or scaling; no labels, labels of other images, or none of the unknown
        labels that the learner is for; a C that is not positive, or that the learner doesn't take.
    """
    from features.cache import FeatureCache, labels_of  # h5py

    named = find_learner(learner)
    check_choice("scaling", scaling, SCALINGS)
    strength = _strength(named, C)
    features = FeatureCache(cache)
    names = features.resolve(layers)
    Y, label_names = labels_of(features, labels)
    rows = features.valid_rows
    Y = Y[rows]
    check_labels(named, Y)
    _report_excluded(features)
    X = features.read(names, rows)
    divisors = column_divisors(scaling, X)
    model = TaggerModel(
        estimator=named.make(strength, Y).fit(divided(X, divisors), Y),
        divisors=divisors,
        label_names=label_names,
        layers=names,
        learner=learner,
        scaling=scaling,
        n_rows=len(rows),
        manifest=features.manifest,
        manifest_hash=features.manifest_hash,
        versions=library_versions(),
    )
    save_model(out, model)
    return model


def _strength(learner: Learner, C: float | None) -> float | None:
    if C is None:
        return None if learner.C is None else 1.0
    check_C([C])
    if learner.C is None:
        raise InputError(f"The learner {learner.name!r} takes no C. Got {C!r}: leave --C out.")
    return C


def predict(model: Path, cache: Path, out: Path) -> Path:
    """Write scores and decisions of every row of a cache that has features.

    Parameters
    ----------
    model : Path
        A model file.
    cache : Path
        Features made the same way as those it was trained on.
    out : Path
        `.csv` or `.jsonl`: a line per image and label with image, label, score and decision (1 if
        the score is positive, else 0; nothing if the model's learner only orders labels).

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A file that can't be read, another ending, or a cache made another way.
    """
    from features.cache import FeatureCache  # h5py

    if out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"predictions go to a .csv or .jsonl file, not to {out}")
    tagger, features = load_model(model), FeatureCache(cache)
    _report_excluded(features)
    ids = features.ids
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        files.atomic_write(out) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
        tqdm(total=len(features.valid_rows), unit="img", desc="predict") as bar,
    ):
        write = _csv_lines if out.suffix == ".csv" else _json_lines
        if out.suffix == ".csv":
            file.write(",".join(PREDICTION_FIELDS) + "\n")
        for rows, scores in tagger.predict(features):
            file.write(write(_predictions(tagger, [ids[row] for row in rows], scores)))
            bar.update(len(rows))
    return out


def _report_excluded(cache: "FeatureCache") -> None:
    if cache.excluded:
        print(cache.excluded, file=sys.stderr)


def _predictions(model: TaggerModel, images: list[str], scores: np.ndarray) -> Iterator[Prediction]:
    for image, row in zip(images, scores.tolist(), strict=True):
        for label, score in zip(model.label_names, row, strict=True):
            yield image, label, score, int(score > 0) if model.decides else None


def _csv_lines(predictions: Iterable[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for image, label, score, decision in predictions:
        writer.writerow((image, label, repr(score), decision))
    return text.getvalue()


def _json_lines(predictions: Iterable[Prediction]) -> str:
    return "".join(
        json.dumps(dict(zip(PREDICTION_FIELDS, one, strict=True)), ensure_ascii=False) + "\n"
        for one in predictions
    )

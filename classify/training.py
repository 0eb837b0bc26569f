"""From a cache to a trained model file, and from a model to predictions in a file."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.preprocessing import MaxAbsScaler
from tqdm import tqdm

from classify.learners import check_C, check_scaling, check_unlabelled, find_learner
from classify.models import TaggerModel, library_versions, load_model, save_model
from features import files
from features.cache import FeatureCache, labels_of
from features.errors import InputError

PREDICTION_FIELDS = ("image", "label", "score", "decision")


def fit(
    cache: Path,
    out: Path,
    *,
    learner: str = "l2",
    C: float = 1.0,
    scale: str = "none",
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
    C : float
        Weight of the summed loss; see `classify.learners` for those trained by descent.
    scale : {"none", "max01"}
        `max01` divides each column by its largest value.
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
        Unknown learner, layer or scaling; no labels, labels of other images, or no unlabelled row
        for a learner that is for them; C not positive.
    """
    named = find_learner(learner)
    check_scaling(scale)
    check_C([C])
    features = FeatureCache(cache)
    names = features.resolve(layers)
    Y, label_names = labels_of(features, labels)
    rows = features.valid_rows
    Y = Y[rows]
    check_unlabelled(named, Y)
    _say_excluded(features)
    X = features.read(names, rows)
    scaler = MaxAbsScaler().fit(X) if scale == "max01" else None
    tagger = named.make(C, Y).fit(scaler.transform(X) if scaler else X, Y)
    model = TaggerModel(
        coef=tagger.coef_ / scaler.scale_ if scaler else tagger.coef_,
        intercept=tagger.intercept_,
        label_names=label_names,
        layers=names,
        learner=learner,
        parameters={**tagger.get_params(), "scale": scale, "rows": len(rows)},
        manifest=features.manifest,
        manifest_hash=features.manifest_hash,
        versions=library_versions(),
    )
    save_model(out, model)
    return model


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
        the score is positive, else 0).

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A file that can't be read, another ending, or a cache made another way.
    """
    if out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"predictions go to a .csv or .jsonl file, not to {out}")
    tagger, features = load_model(model), FeatureCache(cache)
    _say_excluded(features)
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
            file.write(write([ids[row] for row in rows], tagger.label_names, scores))
            bar.update(len(rows))
    return out


def _say_excluded(cache: FeatureCache) -> None:
    if cache.excluded:
        print(cache.excluded, file=sys.stderr)


def _csv_lines(images: list[str], labels: Sequence[str], scores: np.ndarray) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for image, row in zip(images, scores.tolist(), strict=True):
        for label, score in zip(labels, row, strict=True):
            writer.writerow((image, label, repr(score), int(score > 0)))
    return text.getvalue()


def _json_lines(images: list[str], labels: Sequence[str], scores: np.ndarray) -> str:
    return "".join(
        json.dumps(
            dict(zip(PREDICTION_FIELDS, (image, label, score, int(score > 0)), strict=True)),
            ensure_ascii=False,
        )
        + "\n"
        for image, row in zip(images, scores.tolist(), strict=True)
        for label, score in zip(labels, row, strict=True)
    )

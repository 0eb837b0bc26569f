"""From a cache to a trained model file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from classify.learners import Learner, check_C, check_labels, find_learner
from classify.model_files import save_model
from classify.models import Member, TaggerModel, library_versions
from classify.scaling import find_scaling
from features.errors import InputError

if TYPE_CHECKING:
    from features.cache import FeatureCache


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
    scaling : str
        A name in `classify.scaling`.
    layers : sequence of str, optional
        Layers to learn from; by default all, or for a learner of bags all quadrant-pooled ones, or
        else all maps.
    labels : Path, optional
        A labels.csv instead of the cache's own.

    Returns
    -------
    TaggerModel
        What was written.

    Raises
    ------
    InputError
        Unknown learner, layer or scaling; no labels, labels of other images, or not the unknown or
        known labels that the learner needs; no layer with the instances that it takes; a C that is
        not positive, or that it doesn't take.
    """
    from classify.inputs import fit_scaler, input_widths, read_inputs, resolve_layers, scale
    from features.cache import FeatureCache, labels_of  # h5py, and the line above scikit-learn

    named, scaling = find_learner(learner), find_scaling(scaling).name
    strength = _strength(named, C)
    features = FeatureCache(cache)
    names = resolve_layers(features, layers, named.takes)
    Y, label_names = labels_of(features, labels)
    rows = features.valid_rows
    Y = Y[rows]
    check_labels(named, Y)
    report_excluded(features)
    taken = named.rows_to_train_on(Y)
    rows, Y = rows[taken], Y[taken]
    X = read_inputs(features, names, rows, named.takes)
    scaler = fit_scaler(scaling, input_widths(features, names, named.takes), X)
    estimator = named.make(strength, Y).fit(scale(scaler, X), Y)
    model = TaggerModel(
        members=[Member(learner, estimator, scaler)],
        label_names=label_names,
        layers=names,
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


def report_excluded(cache: "FeatureCache") -> None:
    """Say on stderr which rows of a cache hold no features, if any."""
    if cache.excluded:
        print(cache.excluded, file=sys.stderr)

"""A model as one file that describes itself: safetensors with JSON metadata, no pickle.

The file holds the arrays that estimators declare (`classify.base.Tagger.to_arrays`), the classes
and parameters to put them into, and the cache and layers that they belong to. Files of earlier
formats are read as well.
"""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from classify.decisions.rules import parse_rule
from classify.learners import find_learner
from classify.models import Decisions, Member, TaggerModel
from classify.scaling import find_scaling
from classify.storage.content import Arrays, read_content, write_content
from classify.storage.schema import FORMAT
from features.checks.causes import unreadable
from features.command_line import load
from features.errors import InputError, plain_words


def save_model(path: Path, model: TaggerModel) -> None:
    """Write a model as one safetensors file, all or nothing.

    Raises
    ------
    InputError
        A number of the model is not finite, or `path` is a file that this program did not make.
    """
    arrays: dict[str, np.ndarray] = {}
    members = []
    for k, member in enumerate(model.members):
        arrays |= _named(f"{k}.learner", member.estimator.to_arrays())
        arrays |= _named(f"{k}.scaler", member.scaler.to_arrays())
        members.append(
            {
                "learner": member.learner,
                "weight": member.weight,
                "estimator": _described(member.estimator),
                "scaler": {"scaling": member.scaler.scaling, "widths": member.scaler.widths},
            }
        )
    decisions = None
    if model.decisions is not None:
        arrays["decisions.thresholds"] = model.decisions.thresholds
        calibrator = model.decisions.calibrator
        decisions = {
            "rule": str(model.decisions.rule),
            "calibrator": calibrator.get_params() if calibrator else None,
        }
        arrays |= _named("decisions.calibrator", calibrator.to_arrays() if calibrator else {})
    description = {
        "format": FORMAT,
        "members": members,
        "decisions": decisions,
        "selection": list(model.selection),
        "label_names": list(model.label_names),
        "layers": list(model.layers),
        "rows": model.n_rows,
        "features": model.n_features,
        "labels_sha256": model.labels_hash,
        "shards": dict(model.shards),
        "manifest": model.manifest,
        "manifest_sha256": model.manifest_hash,
        "versions": dict(model.versions),
    }
    write_content(path, description, arrays)


def load_model(path: Path) -> TaggerModel:
    """Read a model file.

    Raises
    ------
    InputError
        It is missing, damaged, no model, or of another format version.
    """
    try:
        found, arrays = read_content(path)
        model = _READERS[found["format"]](found, arrays)
        _check_scores(model)
        return model
    except (
        OSError, KeyError, ValueError, TypeError, AttributeError, ImportError, RuntimeError,
    ) as error:  # fmt: skip
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
            raise unreadable(path, error) from error  # says nothing about what it holds
        reason = plain_words(error, known=path)
        raise InputError(
            f"{path} can't be read as a model ({reason}); make one with `python -m classify fit`"
        ) from error


def _named(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _of(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    start = f"{prefix}."
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}


def _model(found: Mapping[str, Any], arrays: Arrays) -> TaggerModel:
    size = {"n_features": found["features"], "n_labels": len(found["label_names"])}
    members = []
    for k, one in enumerate(found["members"]):
        estimator = _restored(one["estimator"]).set_arrays(_of(f"{k}.learner", arrays), **size)
        scaler = _scaler(one["scaler"], _of(f"{k}.scaler", arrays), found["features"])
        members.append(Member(one["learner"], estimator, scaler, one["weight"]))
    return _with_members(
        found,
        members,
        decisions=_decisions(found["decisions"], arrays, size["n_labels"]),
        selection=found["selection"],
        labels_hash=found["labels_sha256"],
        shards=found["shards"],
    )


def _scaler(options: Mapping[str, Any], arrays: Arrays, n_features: int):
    from classify.feature_scaler import FeatureScaler  # scikit-learn

    return FeatureScaler(**options).set_arrays(arrays, n_features=n_features)


def _decisions(found: Mapping[str, Any] | None, arrays: Arrays, n_labels: int) -> Decisions | None:
    if found is None:
        return None
    from classify.decisions.calibration import Calibrator

    thresholds = arrays["decisions.thresholds"]
    if thresholds.shape != (n_labels,):
        raise ValueError("its thresholds don't fit its labels")
    calibrator = None
    if found["calibrator"] is not None:
        calibrator = Calibrator(**found["calibrator"]).set_arrays(
            _of("decisions.calibrator", arrays), n_labels=n_labels
        )
    return Decisions(parse_rule(found["rule"]), thresholds, calibrator)


def _with_members(found: Mapping[str, Any], members: list[Member], *, n_rows=None, **more):
    return TaggerModel(
        members,
        found["label_names"],
        found["layers"],
        found["rows"] if n_rows is None else n_rows,
        found["manifest"],
        found["manifest_sha256"],
        found["versions"],
        **more,
    )


def _model_of_format_1(found: Mapping[str, Any], arrays: Arrays) -> TaggerModel:
    """Read a linear model whose scaling is multiplied into its float64 coefficients."""
    from classify.logistic import LogisticTagger  # scores as every linear learner does

    coef, intercept = arrays["coef"], arrays["intercept"]
    n_labels, n_features = coef.shape
    if intercept.shape != (n_labels,):
        raise ValueError("its intercept doesn't fit its coefficients")
    fitted = {"coef_": coef, "intercept_": intercept}
    tagger = LogisticTagger().set_arrays(fitted, n_features=n_features, n_labels=n_labels)
    ones = {"divisors_": np.ones(n_features)}
    member = Member(found["learner"], tagger, _scaler({"scaling": "max"}, ones, n_features))
    return _with_members(found, [member], n_rows=found["parameters"]["rows"])


def _model_of_format_2(found: Mapping[str, Any], arrays: Arrays) -> TaggerModel:
    """Read a model of one learner, whose scaling was "none" or "max01"."""
    arrays = dict(arrays)
    divisors = arrays.pop("scaling.divisors", None)
    estimator = _restored(found["estimator"]).set_arrays(
        arrays, n_features=found["features"], n_labels=len(found["label_names"])
    )
    learned = {} if divisors is None else {"divisors_": divisors}
    name = find_scaling(found["scaling"]).name
    scaler = _scaler({"scaling": name}, learned, found["features"])
    return _with_members(found, [Member(found["learner"], estimator, scaler)])


_READERS = {1: _model_of_format_1, 2: _model_of_format_2, FORMAT: _model}


def _check_scores(model: TaggerModel) -> None:
    for member in model.members:
        find_learner(member.learner)
    shape = (1, model.n_features) if model.takes == "vectors" else (1, 1, model.n_features)
    scores = model.scores(np.zeros(shape, dtype=np.float32))
    if scores.shape != (1, len(model.label_names)):
        raise ValueError("its arrays don't fit its labels")
    if not np.isfinite(scores).all():
        raise ValueError("its scores are not finite")


def _described(value: Any) -> Any:
    """Turn an estimator into its class and parameters, JSON values; others stay as they are.

    Class weights may be an array, or a mapping whose keys need not be text.
    """
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, Mapping):
        return {"mapping": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if not hasattr(value, "get_params"):
        return _plain(value)
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    parameters = value.get_params(deep=False)
    return {"class": name, "parameters": {key: _described(one) for key, one in parameters.items()}}


def _plain(value: Any) -> Any:
    """Turn numbers of numpy, also in a list, into Python's, which JSON has."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _restored(description: Any) -> Any:
    """Undo `_described`, with classes of this library only."""
    if not isinstance(description, dict):
        return description
    if "array" in description:
        return np.array(description["array"])
    if "mapping" in description:
        return dict(description["mapping"])
    name = description["class"]
    if not name.startswith("classify."):
        raise ValueError(f"{name} is no estimator of this library")
    from classify.base import Tagger
    from classify.miml.base import BagTagger

    constructor = load(name)
    if not (isinstance(constructor, type) and issubclass(constructor, Tagger | BagTagger)):
        raise ValueError(f"{name} is no estimator of this library")
    return constructor(**{key: _restored(one) for key, one in description["parameters"].items()})

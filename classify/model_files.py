"""A model as one file that describes itself: safetensors with JSON metadata, no pickle.

The file holds the arrays that estimators declare (`classify.base.Tagger.to_arrays`), the classes
and parameters to put them into, and the cache and layers that they belong to. Files of earlier
formats are read as well.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from classify.decisions.rules import parse_rule
from classify.learners import find_learner
from classify.models import Decisions, Member, TaggerModel
from classify.scaling import find_scaling
from features import files
from features.command_line import load
from features.errors import InputError

FORMAT = 3
Arrays = Mapping[str, np.ndarray]


def save_model(path: Path, model: TaggerModel) -> None:
    """Write a model as one safetensors file, all or nothing."""
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
    # A product rounds by the order of its factors in memory, which a file's arrays don't keep.
    transposed = [name for name, array in arrays.items() if not array.flags.c_contiguous]
    description = {
        "format": FORMAT,
        "arrays": sorted(arrays),
        "transposed": sorted(transposed),
        "members": members,
        "decisions": decisions,
        "selection": list(model.selection),
        "label_names": list(model.label_names),
        "layers": list(model.layers),
        "rows": model.n_rows,
        "features": model.n_features,
        "manifest": model.manifest,
        "manifest_sha256": model.manifest_hash,
        "versions": dict(model.versions),
    }
    stored = {
        name: np.asarray(array.T if name in transposed else array, order="C")
        for name, array in arrays.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"model": json.dumps(description, sort_keys=True)}
    files.write_bytes(path, save(stored, metadata))


def load_model(path: Path) -> TaggerModel:
    """Read a model file.

    Raises
    ------
    InputError
        It is missing, damaged, no model, or of another format version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = json.loads((file.metadata() or {})["model"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = _READERS[found["format"]](found, arrays)
        _check_scores(model, arrays)
        return model
    except (
        OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError, ImportError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path} can't be read as a model ({error}); make one with `python -m classify fit`"
        ) from error


def _named(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _of(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    start = f"{prefix}."
    return {name[len(start) :]: a for name, a in arrays.items() if name.startswith(start)}


def _model(found: Mapping[str, Any], arrays: Arrays) -> TaggerModel:
    arrays = _as_written(found, arrays)
    size = {"n_features": found["features"], "n_labels": len(found["label_names"])}
    members = []
    for k, one in enumerate(found["members"]):
        estimator = _restored(one["estimator"]).set_arrays(_of(f"{k}.learner", arrays), **size)
        scaler = _scaler(one["scaler"], _of(f"{k}.scaler", arrays), found["features"])
        members.append(Member(one["learner"], estimator, scaler, one["weight"]))
    if not members:
        raise ValueError("it holds no learner")
    return _with_members(
        found,
        members,
        decisions=_decisions(found["decisions"], arrays, size["n_labels"]),
        selection=found["selection"],
    )


def _as_written(found: Mapping[str, Any], arrays: Arrays) -> Arrays:
    if sorted(arrays) != found["arrays"]:
        raise ValueError(f"it holds arrays {sorted(arrays)} instead of {found['arrays']}")
    return {
        name: array.T if name in found["transposed"] else array for name, array in arrays.items()
    }


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
    fitted = {"coef_": coef, "intercept_": intercept}
    tagger = LogisticTagger().set_arrays(fitted, n_features=n_features, n_labels=n_labels)
    ones = {"divisors_": np.ones(n_features)}
    member = Member(found["learner"], tagger, _scaler({"scaling": "max"}, ones, n_features))
    return _with_members(found, [member], n_rows=found["parameters"]["rows"])


def _model_of_format_2(found: Mapping[str, Any], arrays: Arrays) -> TaggerModel:
    """Read a model of one learner, whose scaling was "none" or "max01"."""
    arrays = dict(_as_written(found, arrays))
    divisors = arrays.pop("scaling.divisors", None)
    estimator = _restored(found["estimator"]).set_arrays(
        arrays, n_features=found["features"], n_labels=len(found["label_names"])
    )
    learned = {} if divisors is None else {"divisors_": divisors}
    name = find_scaling(found["scaling"]).name
    scaler = _scaler({"scaling": name}, learned, found["features"])
    return _with_members(found, [Member(found["learner"], estimator, scaler)])


_READERS = {1: _model_of_format_1, 2: _model_of_format_2, FORMAT: _model}


def _check_scores(model: TaggerModel, arrays: Arrays) -> None:
    for member in model.members:
        find_learner(member.learner)
    # Scores of float32 features are computed in float32: what does not fit there is not finite.
    if not all((np.abs(array) <= np.finfo(np.float32).max).all() for array in arrays.values()):
        raise ValueError("its arrays are not finite")
    shape = (1, model.n_features) if model.takes == "vectors" else (1, 1, model.n_features)
    scores = model.scores(np.zeros(shape, dtype=np.float32))
    if scores.shape != (1, len(model.label_names)):
        raise ValueError("its arrays don't fit its labels")


def _described(value: Any) -> Any:
    """Turn an estimator into its class and parameters, JSON values; others stay as they are."""
    if not hasattr(value, "get_params"):
        return None if isinstance(value, np.ndarray) else value  # arrays were for fitting
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    parameters = value.get_params(deep=False)
    return {"class": name, "parameters": {key: _described(one) for key, one in parameters.items()}}


def _restored(description: Any) -> Any:
    """Undo `_described`, with classes of this library only."""
    if not isinstance(description, dict):
        return description
    name = description["class"]
    if not name.startswith("classify."):
        raise ValueError(f"{name} is no estimator of this library")
    from classify.base import Tagger
    from classify.miml.base import BagTagger

    constructor = load(name)
    if not (isinstance(constructor, type) and issubclass(constructor, Tagger | BagTagger)):
        raise ValueError(f"{name} is no estimator of this library")
    return constructor(**{key: _restored(one) for key, one in description["parameters"].items()})

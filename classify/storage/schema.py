"""What the metadata of a model file may hold, by format, as JSON Schema."""

from collections.abc import Mapping
from typing import Any

from features.errors import InputError

FORMAT = 3

_NAME = {"type": "string", "minLength": 1}
_NAMES = {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True}
_COUNT = {"type": "integer", "minimum": 1}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_HASH_OR_NONE = {"type": "string", "pattern": "^([0-9a-f]{64})?$"}  # earlier formats have none
_OBJECT = {"type": "object"}


def _closed(**properties: Any) -> dict[str, Any]:
    """Give an object that has all of the properties; others are allowed."""
    return {"type": "object", "properties": properties, "required": sorted(properties)}


_ESTIMATOR = _closed(**{"class": _NAME, "parameters": _OBJECT})
_COMMON = {
    "format": {"type": "integer"},
    "label_names": _NAMES,
    "layers": _NAMES,
    "manifest": _closed(layers=_OBJECT),
    "manifest_sha256": _HASH,
    "versions": {"type": "object", "additionalProperties": {"type": "string"}},
}
_ARRAY = _closed(dtype=_NAME, shape={"type": "array", "items": {"type": "integer", "minimum": 0}})
_SCALER = _closed(
    scaling=_NAME,
    widths={"type": ["array", "null"], "items": {"type": "integer", "minimum": 1}},
)
_WEIGHT = {"type": "number", "minimum": 0, "maximum": 1e6}
_MEMBER = _closed(learner=_NAME, weight=_WEIGHT, estimator=_ESTIMATOR, scaler=_SCALER)
_DECISIONS = {
    "type": ["object", "null"],
    "properties": {"rule": _NAME, "calibrator": {"type": ["object", "null"]}},
    "required": ["rule", "calibrator"],
}

SCHEMAS: dict[int, dict[str, Any]] = {
    1: _closed(**_COMMON, learner=_NAME, parameters=_closed(rows=_COUNT)),
    2: _closed(
        **_COMMON,
        arrays={"type": "array", "items": _NAME},
        transposed={"type": "array", "items": _NAME},
        estimator=_ESTIMATOR,
        learner=_NAME,
        scaling=_NAME,
        rows=_COUNT,
        features=_COUNT,
    ),
    FORMAT: _closed(
        **_COMMON,
        arrays={"type": "object", "additionalProperties": _ARRAY},
        transposed={"type": "array", "items": _NAME},
        members={"type": "array", "items": _MEMBER, "minItems": 1},
        decisions=_DECISIONS,
        selection={"type": "array", "items": _OBJECT},
        rows=_COUNT,
        features=_COUNT,
        labels_sha256=_HASH_OR_NONE,
        sha256=_HASH,
        shards={"type": "object", "additionalProperties": _HASH},
    ),
}


def check_metadata(found: Any) -> Mapping[str, Any]:
    """Check a model file's metadata.

    Parameters
    ----------
    found : object
        JSON values.

    Returns
    -------
    mapping
        The same.

    Raises
    ------
    InputError
        It is of a format that this version doesn't know, or doesn't fit its format.
    """
    from jsonschema import Draft202012Validator  # help texts don't wait for it
    from jsonschema.exceptions import best_match

    number = found.get("format") if isinstance(found, dict) else None
    if type(number) is not int or number not in SCHEMAS:
        known = ", ".join(map(str, SCHEMAS))
        raise InputError(f"its format is {number!r:.40}, and this version reads {known}")
    error = best_match(Draft202012Validator(SCHEMAS[number]).iter_errors(found))
    if error is not None:
        raise InputError(f"its metadata, {error.json_path}: {_short(error.message)}")
    return found


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]} ... {text[-100:]}"

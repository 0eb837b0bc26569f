"""What a manifest may hold."""

from typing import Any

from features.schema import ROW_DATASETS, VERSION

_COUNT = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_DTYPE = {"enum": ["float32", "float16"]}

_LAYER = {
    "type": "object",
    "required": ["shape", "dtype", "pooling", "layout"],
    "properties": {
        "shape": {"type": "array", "items": _COUNT, "minItems": 1, "maxItems": 3},
        "dtype": _DTYPE,
        "pooling": _NAME,
        "layout": _NAME,
    },
}

_STATE = {
    "type": "object",
    "required": ["rows", "sha256"],
    "properties": {"rows": _COUNT, "sha256": _HASH},
}

#: Of keys that this version does not know, any value is taken: they are part of the hash.
MANIFEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "layers", "layer_order", "shard_rows", "index"],
    "properties": {
        "schema": {"const": VERSION},
        "backbone": _NAME,
        "layers": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 10_000,
            "additionalProperties": _LAYER,
        },
        "layer_order": {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True},
        "shard_rows": _COUNT,
        "index": {
            "type": "object",
            "required": ["rows", "sha256"],
            "properties": {
                "rows": _COUNT,
                "sha256": _HASH,
                "earlier": {"type": "array", "maxItems": 10_000, "items": _STATE},
            },
        },
        "weights_sha256": _HASH,
        "transform": {"type": "object"},
        "dtype": _DTYPE,
        "engine": _NAME,
        "precision": _NAME,
        "versions": {"type": "object"},
    },
}


def layers_fault(manifest: dict[str, Any]) -> str:
    """Say what is wrong with the layers of a manifest that has the schema; empty if nothing is."""
    order, records = manifest["layer_order"], manifest["layers"]
    if set(order) != set(records):
        odd = sorted(set(order) ^ set(records))[0]
        return f"layers and layer_order must name the same layers; only one of them names {odd!r}"
    for name in order:
        parts = name.split("/")
        if name in ROW_DATASETS or not name.isprintable() or {"", ".", ".."} & set(parts):
            return f"{name!r} can't be the name of a layer"
        if any(other.startswith(f"{name}/") for other in order):
            return f"{name!r} is a layer and also the folder of one"
        if len(records[name]["shape"]) == 2:
            return f"layers.{name}.shape has two entries; a vector has one, a map three"
    return ""

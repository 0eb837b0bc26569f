"""`config.json` of a run folder: read strictly, and its settings by the types of their fields."""

from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from features.checks.json_files import read_json

_STORY = {
    "type": "object",
    "required": ["record", "config", "label_names"],
    "properties": {
        "record": {"type": "object"},
        "config": {"type": "object"},
        "label_names": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "uniqueItems": True,
        },
    },
}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", NoneType: "null"}


def read_story(path: Path) -> dict[str, Any]:
    """Read what a run was asked to do: `record`, `config` and `label_names`.

    Raises
    ------
    InputError
        The file is missing, no JSON, or lacks one of them.
    """
    remedy = "Restore the file, or give another --out."
    return read_json(path, _STORY, what="the settings of a run", remedy=remedy)


def settings_schema(settings: type) -> dict[str, Any]:
    """Give the JSON schema of the fields of a dataclass.

    Examples
    --------
    >>> from dataclasses import make_dataclass
    >>> settings_schema(make_dataclass("Some", [("size", int), ("rate", float | None)]))
    {'properties': {'size': {'type': ['integer']}, 'rate': {'type': ['number', 'null']}}}
    """
    hints = get_type_hints(settings)
    kinds = {one.name: get_args(hints[one.name]) or (hints[one.name],) for one in fields(settings)}
    return {
        "properties": {
            name: {"type": [_TYPES[kind] for kind in known]}
            for name, known in kinds.items()
            if all(kind in _TYPES for kind in known)
        }
    }

"""JSON files that are read strictly: UTF-8, no key twice, finite numbers, and of a schema."""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from features.checks.causes import unreadable
from features.errors import InputError
from features.files.endless import ENDLESS, is_endless

LARGEST = 64 << 20  # bytes; a manifest of a thousand layers has less than one of 64
_SHOWN = 60  # characters of a value in a message
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


class _Fault(ValueError):
    """What is wrong with a text, as the end of a sentence."""


def read_json(path: Path, schema: Mapping[str, Any], *, what: str, remedy: str) -> dict[str, Any]:
    """Read a JSON object of a schema.

    Parameters
    ----------
    path : Path
    schema : mapping
        A JSON schema, draft 2020-12, of an object. An integer is written without a point.
    what : str
        What the file is, such as "a manifest".
    remedy : str
        A sentence.

    Raises
    ------
    InputError
        It can't be read, is no UTF-8 or no JSON, has a key twice or a number that is not finite,
        or does not have the schema: the message names the place, what stands there and what may.
    """
    try:
        return parse_json(_bytes(path), schema)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. {remedy}") from error
    except _Fault as fault:
        raise InputError(f"{path} can't be read as {what}: {fault}. {remedy}") from fault


def _bytes(path: Path) -> bytes:
    if is_endless(path):
        raise _Fault(f"it is {ENDLESS}")
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > LARGEST:
        raise _Fault(f"it has more than {LARGEST >> 20} MiB")
    return data


def parse_json(data: bytes, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read a JSON object of a schema from bytes; raises a ValueError whose text ends a sentence."""
    if not data.strip(b" \t\r\n\0"):
        raise _Fault("it is empty")
    if data.startswith(_BYTE_ORDER_MARKS) or data[1:2] == b"\0":
        raise _Fault("it is UTF-16 or UTF-32; it must be UTF-8")
    try:
        text = data.decode("utf-8-sig")  # an editor's mark changes nothing
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a pair of surrogates
    except _Fault:
        raise
    except RecursionError as error:
        raise _Fault("it is nested too deeply") from error
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise _Fault(f"it is not UTF-8 ({error.reason})") from error
    except ValueError as error:
        raise _Fault(f"it is not JSON ({error})") from error
    if fault := schema_fault(value, schema):
        raise _Fault(fault)
    return value


def schema_fault(value: Any, schema: Mapping[str, Any]) -> str:
    """Say where a value departs from a schema: what stands there and what may; empty if nowhere."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator()(schema).iter_errors(value))
    if error is None:
        return ""
    place = ".".join(map(str, error.absolute_path)) or "the whole"
    return f"{place} {_complaint(error)}"


@cache
def _validator() -> Any:
    """Give the class of validators for which 1.0 is no integer."""
    from jsonschema import Draft202012Validator, validators

    whole = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, one: isinstance(one, int) and not isinstance(one, bool)
    )
    return validators.extend(Draft202012Validator, type_checker=whole)


def _complaint(error: Any) -> str:
    rule, allowed = error.validator, error.validator_value
    if rule == "required":
        lacking = [name for name in allowed if name not in error.instance]
        return f"lacks {', '.join(lacking)}"
    got = json.dumps(error.instance, ensure_ascii=False)
    got = got if len(got) <= _SHOWN else got[:_SHOWN] + "..."
    said = {
        "type": "be of type {}",
        "enum": "be one of {}",
        "const": "be {}",
        "minimum": "be {} or more",
        "maximum": "be {} or less",
        "pattern": "match {}",
        "minItems": "have {} or more entries",
        "maxItems": "have at most {} entries",
        "minProperties": "have {} or more entries",
        "maxProperties": "have at most {} entries",
        "minLength": "have {} or more characters",
        "maxLength": "have at most {} characters",
        "uniqueItems": "have no entry twice",
        "propertyNames": "have other names",
    }.get(rule, "be as the schema of this version says ({})")
    if isinstance(allowed, list):
        allowed = ", ".join(map(str, allowed))
    return f"is {got}; it must {said.format(allowed)}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Fault(f"the key {key[:_SHOWN]!r} stands in it twice")
        found[key] = value
    return found


def _no_constant(text: str) -> float:
    raise _Fault(f"{text} stands in it; numbers must be finite")


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        return _no_constant(text[:_SHOWN])
    return float(text)


def _short(text: str) -> int:
    if len(text) > 30:
        raise _Fault(f"it has a number of {len(text)} digits")
    return int(text)

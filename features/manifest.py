"""The manifest of a cache: everything that can change a value, and nothing else."""

import os
from pathlib import Path
from typing import Any

from features import files, schema
from features.checks.json_files import read_json, schema_fault
from features.checks.manifests import MANIFEST_SCHEMA, layers_fault
from features.errors import InputError
from features.schema import Manifest, canonical, manifest_hash

__all__ = [
    "Manifest",
    "canonical",
    "differences",
    "flatten",
    "grow",
    "manifest_hash",
    "read_manifest",
    "require_equal",
    "require_new_or_cache",
    "write_or_check",
]


#: Of any version: another one may hold anything else.
_VERSIONED = {
    "type": "object",
    "required": ["schema"],
    "properties": {"schema": {"type": "integer", "minimum": 1, "maximum": 10**6}},
}


def read_manifest(folder: Path) -> Manifest:
    """Read a cache's manifest.

    Raises
    ------
    InputError
        The manifest is missing, is not JSON, lacks something or holds what none may hold
        (`checks.manifests`), or has another layout version than this library.
    """
    path = folder / schema.MANIFEST
    if not os.path.lexists(path):
        raise InputError(
            f"{folder} is not a feature cache: it has no {schema.MANIFEST}. "
            "Make one with `python -m extract --data DIR --out CACHE`."
        )
    remedy = "Restore the file, or extract again to another folder."
    found = read_json(path, _VERSIONED, what="a manifest", remedy=remedy)
    if found["schema"] != schema.VERSION:
        raise InputError(
            f"{path} has layout version {found['schema']}, this library reads {schema.VERSION}. "
            "Use the library version that wrote it, or extract again."
        )
    if fault := schema_fault(found, MANIFEST_SCHEMA) or layers_fault(found):
        raise InputError(f"{path} can't be read as a manifest: {fault}. {remedy}")
    return found


def write_or_check(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a new cache, or refuse to mix two.

    Raises
    ------
    InputError
        The folder holds a cache with another manifest; the message names each differing key and
        both values.
    """
    path = folder / schema.MANIFEST
    files.create(path, canonical(manifest).encode("utf-8"))
    # Read back: it was there, or another process may have begun another extraction just now.
    require_equal(read_manifest(folder), manifest, folder)


def require_new_or_cache(folder: Path) -> None:
    """Refuse to fill a folder that holds something and has no manifest.

    Raises
    ------
    InputError
        The folder is a data set, or another program's.
    """
    from features.files.ownership import require_own_folder  # only writers need it

    require_own_folder(folder, schema.MANIFEST, what="feature cache")


def grow(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a cache to which images are appended.

    Raises
    ------
    InputError
        Another process has changed it otherwise in between.
    """
    found = read_manifest(folder)
    if found != manifest:
        if found not in schema.states(manifest):
            require_equal(found, manifest, folder, remedy="Run again.")
        files.write_text(folder / schema.MANIFEST, canonical(manifest))


def require_equal(
    old: Manifest,
    new: Manifest,
    where: object,
    *,
    remedy: str = "Give the same settings, or another --out.",
) -> None:
    """Raise an `InputError` that names every key in which two manifests differ."""
    differing = differences(old, new)
    if differing:
        raise InputError(f"{where} was made with other settings: {'; '.join(differing)}. {remedy}")


def differences(old: Manifest, new: Manifest) -> list[str]:
    """List the differing keys with both values.

    Examples
    --------
    >>> differences({"dtype": "float32", "index": {"rows": 3}}, {"dtype": "float16"})
    ['dtype: there float32, here float16', 'index.rows: there 3, here nothing']
    """
    flat_old, flat_new = flatten(old), flatten(new)
    return [
        f"{key}: there {flat_old.get(key, 'nothing')}, here {flat_new.get(key, 'nothing')}"
        for key in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(key, "nothing") != flat_new.get(key, "nothing")
    ]


def flatten(tree: Manifest, prefix: str = "") -> dict[str, Any]:
    """Map dotted keys to the leaves of nested dicts."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat

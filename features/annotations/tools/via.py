"""VGG Image Annotator's JSON and csv: attributes of regions and of files."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from features.annotations.collect import collect, having
from features.annotations.tools.via3 import START, Picture, Said, read_project
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.csv_rows import csv_rows, plain_header
from features.inputs.field_names import LABELS, field_key
from features.inputs.json_text import JsonValue, keys_of, read_json_text

_COLUMNS = ("filename", "file_attributes", "region_attributes")
_VERSION_3 = {".project", ".config", ".attribute", ".file"}  # what comes first
_PERHAPS = ("name", "type")  # VIA's own examples call labels so
_PROJECT, _DECLARED = "_via_img_metadata", "_via_attributes"


def recognizes(source: Path) -> bool:
    """Tell whether a JSON or csv file has VIA's attributes."""
    if _is_csv(source):
        return set(_COLUMNS) <= set(_header(source))
    keys = keys_of(source)
    return keys >= {f".{part}" for part in START} or any(
        key.endswith(".file_attributes") for key in keys
    )


def read_via(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read VIA's annotations as JSON, as a project or as csv.

    Parameters
    ----------
    source : Path
        Labels are the values of the attributes of regions, or of files, that are called `label`,
        `class`, `tags` or the like; or else of the only attribute, or the one called `name` or
        `type`. Of checkboxes, each that is checked is a label.
    images : Path
        The folder that the files' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each file, with labels 1 or 0: options as the project declares them, then the
        others in alphabetical order.

    Raises
    ------
    InputError
        It is of another form or of a video, a file has no name, none of several attributes can
        be told to be the labels, or a picture is missing.
    """
    files, declared = _from_csv(source) if _is_csv(source) else _from_json(source)
    of_regions = _chosen([file.regions for file in files], source)
    of_files = _chosen([file.own for file in files], source, alone=not of_regions)
    pictures = [
        having(file.name, [*_said(file.regions, of_regions), *_said(file.own, of_files)])
        for file in files
    ]
    read = {*of_regions, *of_files}
    others = sorted({name for file in files for name in (*file.regions, *file.own)} - read)
    notes = [
        f"{source}: {what}: {', '.join(map(repr, names))}"
        for what, names in (("labels are the values of", sorted(read)), ("not read", others))
        if names
    ]
    return collect(
        images, pictures, source=source, strict_names=strict_names, notes=notes,
        known=_options(declared, of_regions, of_files) if declared else (),
    )  # fmt: skip


def _said(values: Said, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from values.get(name, ())


def _is_csv(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".csv"


def _from_json(source: Path) -> tuple[list[Picture], JsonValue | None]:
    """Read the files, and the attributes that a project declares."""
    content = read_json_text(source, "VIA's annotations")
    fields = content.fields()
    if fields.keys() >= set(START):
        return read_project(fields)
    declared = fields.get(_DECLARED)
    if _PROJECT in fields:
        fields = fields[_PROJECT].fields()
    return [_file(one) for one in fields.values()], declared


def _header(source: Path) -> list[str]:
    _, header = next(csv_rows(source, ragged=True), (0, [""]))
    return [name.lstrip("#") for name in plain_header(header)]


def _from_csv(source: Path) -> tuple[list[Picture], None]:
    header = _header(source)
    if missing := [name for name in _COLUMNS if name not in header]:
        raise InputError(
            f"{source} has no column {', '.join(missing)}; VIA's csv has {', '.join(_COLUMNS)}. "
            "Export the annotations as csv again."
        )
    places = [header.index(name) for name in _COLUMNS]
    rows = csv_rows(source)
    next(rows)
    files = []
    for line, fields in rows:
        name, *cells = (fields[place] for place in places)
        own, region = (
            _values(_cell(cell, source, f"line {line}, {column}"))
            for cell, column in zip(cells, _COLUMNS[1:], strict=True)
        )
        files.append(Picture(JsonValue(name, source, f"line {line}, filename").text(), own, region))
    return files, None


def _cell(text: str, source: Path, place: str) -> JsonValue:
    try:
        return JsonValue(json.loads(text or "{}"), source, place)
    except (ValueError, RecursionError):
        raise JsonValue(text, source, place).refused("a JSON object") from None


def _file(entry: JsonValue) -> Picture:
    regions = entry.get("regions")
    if isinstance(regions.content, dict):  # of version 1
        listed = list(regions.fields().values())
    else:
        listed = regions.entries(may_lack=True)
    united: Said = {}
    for region in listed:
        for name, values in _values(region.get("region_attributes")).items():
            united.setdefault(name, []).extend(values)
    return Picture(entry.get("filename").text(), _values(entry.get("file_attributes")), united)


def _values(attributes: JsonValue) -> Said:
    """Give what is said by attributes, without those that nobody has filled in."""
    if attributes.content is None:
        return {}
    found = {name: list(_texts(one)) for name, one in attributes.fields().items()}
    return {name: values for name, values in found.items() if values}


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value.content, dict):  # checkboxes
        yield from (name for name, one in value.content.items() if one and name.strip())
    elif isinstance(value.content, list):
        for one in value.entries():
            yield from _texts(one)
    elif value.content is not None and value.content != "undefined" and str(value.content).strip():
        yield value.text()


def _chosen(said: Sequence[Said], source: Path, *, alone: bool = True) -> list[str]:
    """Tell which attributes hold labels."""
    names = list(dict.fromkeys(name for one in said for name in one))
    if called := [name for name in names if LABELS.fullmatch(field_key(name))]:
        return called
    if not alone or not names:
        return []
    if len(names) == 1:
        return names
    for perhaps in _PERHAPS:
        if found := [name for name in names if field_key(name) == perhaps]:
            return found
    raise InputError(
        f"{source}: which of the attributes {', '.join(map(repr, names[:5]))} holds the labels "
        "can't be told. Call it 'label'."
    )


def _options(declared: JsonValue, of_regions: Iterable[str], of_files: Iterable[str]) -> list[str]:
    """List the options that a project declares for these attributes."""
    found: list[str] = []
    for part, names in (("region", of_regions), ("file", of_files)):
        attributes = declared.get(part)
        for name in names if isinstance(attributes.content, dict) else ():
            attribute = attributes.get(name)
            options = attribute.content and attribute.get("options").content
            if isinstance(options, dict):
                found += [option.strip() for option in options if option.strip()]
    return found

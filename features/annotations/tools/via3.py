"""VIA 3's projects: views of files, and metadata whose values are numbers of options."""

from collections.abc import Mapping
from typing import NamedTuple

from features.errors import InputError
from features.inputs.json_text import JsonValue

START = ("project", "config", "attribute", "file")  # what a project begins with
PARTS = ("attribute", "file", "metadata", "view")
_CHECKBOX, _PICTURE = 2, 2  # types of an attribute and of a file

Said = dict[str, list[str]]  # values by their attribute


class Picture(NamedTuple):
    """A file with what is said about all of it and about its regions."""

    name: str
    own: Said
    regions: Said


def read_project(fields: Mapping[str, JsonValue]) -> tuple[list[Picture], JsonValue]:
    """Read a project.

    Parameters
    ----------
    fields : mapping of str to JsonValue
        With `START`.

    Returns
    -------
    pictures : list of Picture
    declared : JsonValue
        The attributes' options in the form of VIA 2.

    Raises
    ------
    InputError
        Something is missing or of another kind; a file is no picture, or a view has several.
    """
    if missing := [part for part in PARTS if part not in fields]:
        raise InputError(
            f"{fields['project'].source} is of VIA 3 without {', '.join(map(repr, missing))}. Save "
            "the project again."
        )
    attributes = fields["attribute"].fields()
    files = {number: _picture(one) for number, one in fields["file"].fields().items()}
    of_views = {
        number: files[_file_of(one, files)] for number, one in fields["view"].fields().items()
    }
    for entry in fields["metadata"].fields().values():
        picture = of_views[_known(entry.get("vid"), of_views, "view")]
        united = picture.regions if entry.get("xy").entries(may_lack=True) else picture.own
        for number, value in entry.get("av").fields().items():
            attribute = attributes[_known(JsonValue(number, value.source, value.place), attributes)]
            name = attribute.get("aname").text()
            united.setdefault(name, []).extend(_values(value, attribute))
    options = {one.get("aname").text(): _options(one) for one in attributes.values()}
    content = {name: {"options": dict.fromkeys(said.values())} for name, said in options.items()}
    place = fields["attribute"]
    declared = JsonValue({"region": content, "file": content}, place.source, place.place)
    return list(files.values()), declared


def _picture(file: JsonValue) -> Picture:
    kind = file.get("type").content
    if kind not in (None, _PICTURE, str(_PICTURE)):
        raise file.get("type").refused(f"{_PICTURE}, a picture")
    return Picture(file.get("fname", "src").text(), {}, {})


def _file_of(view: JsonValue, files: Mapping[str, Picture]) -> str:
    numbers = view.get("fid_list").entries()
    if len(numbers) != 1:
        raise InputError(
            f"{view.source}: {view.place.removeprefix('.')} has {len(numbers)} files; views of one "
            "picture are read. Write the labels as a csv file of image,label."
        )
    return _known(numbers[0], files, "file")


def _known(number: JsonValue, among: Mapping[str, object], kind: str = "attribute") -> str:
    if (text := number.text()) not in among:
        raise number.refused(f"one of the numbers in '{kind}'")
    return text


def _values(value: JsonValue, attribute: JsonValue) -> list[str]:
    """Give the options that are chosen, or the text."""
    options = _options(attribute)
    text = str(value.content).strip() if value.content is not None else ""
    if not options:
        return [text] if text else []
    numbers = text.split(",") if attribute.get("type").content == _CHECKBOX else [text]
    chosen = [number.strip() for number in numbers if number.strip()]
    if unknown := [number for number in chosen if number not in options]:
        raise value.refused(f"numbers of options; {unknown[0]!r} is none")
    return [options[number] for number in chosen]


def _options(attribute: JsonValue) -> dict[str, str]:
    options = attribute.get("options")
    if options.content is None:
        return {}
    return {number: one.text().strip() for number, one in options.fields().items()}

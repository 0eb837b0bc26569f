"""Prodigy's JSON lines: a choice, a label to accept or regions of each picture, and an answer."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from features.annotations.collect import Picture, collect, unknown_pictures
from features.annotations.tools.fields import image_field
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, keys_of, read_json_text, text_of

_EMBEDDED = "data:"  # pictures that stand in the file; their names are beside them


def recognizes(source: Path) -> bool:
    """Tell whether a file has pictures with an answer and what it is about."""
    keys = keys_of(source)
    about = ("[].accept", "[].label", "[].spans")
    return {"[].image", "[].answer"} <= keys and not keys.isdisjoint(about)


def read_prodigy(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read what Prodigy's `db-out` writes for pictures.

    Parameters
    ----------
    source : Path
        A label is present where it was chosen (`accept`), accepted (`label`) or drawn (`spans`).
        A rejected `label` is absent, and nothing is said of the others.
    images : Path
        The folder that the pictures' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each picture, with labels 1, 0 or -1 in alphabetical order; -1 for one that was
        ignored, or whose choice or regions were rejected, and where two answers differ.

    Raises
    ------
    InputError
        It is no JSON of this form, or a picture is missing.
    """
    entries = read_json_text(source, "Prodigy's export").entries()
    said: dict[str, list[Picture]] = {}
    for entry in entries:
        picture = _picture(entry)
        said.setdefault(picture.name, []).append(picture)
    pictures = [_united(name, answers) for name, answers in said.items()]
    notes = unknown_pictures(pictures, source, "have no answer")
    known = {label: None for entry in entries for label in _options(entry).values()}
    return collect(
        images, pictures, source=source, known=sorted(known), strict_names=strict_names, notes=notes
    )


def _picture(entry: JsonValue) -> Picture:
    name, answer = _name(entry), entry.get("answer").content
    if answer not in ("accept", "reject", "ignore"):
        raise entry.get("answer").refused("accept, reject or ignore")
    labels, others = _labels(entry)
    if answer == "accept":
        return Picture(name, dict.fromkeys(labels, 1), others)
    if answer == "reject" and others:
        return Picture(name, dict.fromkeys(labels, 0), -1)
    return Picture(name, {}, -1)


def _labels(entry: JsonValue) -> tuple[list[str], int]:
    """Give the labels that an answer is about, and what the others are if they are accepted."""
    fields = entry.fields()
    if "accept" in fields:
        options = _options(entry)
        chosen = [one.text() for one in entry.get("accept").entries(may_lack=True)]
        return [options.get(one, one).strip() for one in chosen], 0
    if "spans" in fields:
        return [one.get("label").text().strip() for one in entry.get("spans").entries()], 0
    return [entry.get("label").text().strip()], -1


def _options(entry: JsonValue) -> Mapping[str, str]:
    """Give the names of the options by their ids; a number isn't one if there is a text."""
    return dict(_named(one) for one in entry.get("options").entries(may_lack=True))


def _named(option: JsonValue) -> tuple[str, str]:
    key = option.get("id")
    text = text_of(option.get("text").content)
    name = text if text and not isinstance(key.content, str) else key.text()
    return key.text(), name.strip()


def _name(entry: JsonValue) -> str:
    image = entry.get("image").text()
    if not image.startswith(_EMBEDDED):
        return image
    rest = {key: value for key, value in entry.content.items() if key != "image"}
    beside = JsonValue(rest, entry.source, entry.place)
    return beside.get(image_field(beside)).text()


def _united(name: str, answers: list[Picture]) -> Picture:
    """Make one of all answers about a picture, some of which are about one label only."""
    if len(answers) == 1:
        return answers[0]
    others = max(one.others for one in answers)
    labels = {label: set(_values(answers, label)) for one in answers for label in one.labels}
    return Picture(
        name, {label: -1 if len(said) > 1 else said.pop() for label, said in labels.items()}, others
    )


def _values(answers: list[Picture], label: str) -> Iterator[int]:
    for one in answers:
        if label in one.labels or not one.others:
            yield one.labels.get(label, one.others)

"""Labelbox's exports: data rows with the labels of each project, and the older list of labels."""

from collections.abc import Iterator
from pathlib import Path

from features.annotations.collect import Picture, collect, having, unknown_pictures
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, keys_of, read_json_text

_OLD = ("External ID", "Labeled Data")
_ANSWERS = ("radio_answer", "checklist_answers", "answer", "answers")
_NAMES = ("name", "title", "value")


def recognizes(source: Path) -> bool:
    """Tell whether a file lists Labelbox's data rows or its older labels."""
    keys = keys_of(source)
    return {"[].data_row", "[].projects"} <= keys or {"[].Labeled Data", "[].Label"} <= keys


def read_labelbox(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read an export of Labelbox, as JSON lines or as a list.

    Parameters
    ----------
    source : Path
        A label is present where a data row has an object of it, or a classification with that
        answer, in any project. Texts that were typed, and what is said about an object, are no
        labels.
    images : Path
        The folder that the names start from: external ids, or else global keys or addresses.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each data row, with labels 1 or 0 in alphabetical order; -1 for one that nobody
        has labeled, or that was skipped.

    Raises
    ------
    InputError
        It is no JSON of this form, a video, or a picture is missing.
    """
    entries = read_json_text(source, "Labelbox's export").entries()
    pictures = [_picture(entry) for entry in entries]
    notes = unknown_pictures(pictures, source, "have no labels")
    return collect(images, pictures, source=source, strict_names=strict_names, notes=notes)


def _picture(entry: JsonValue) -> Picture:
    if "data_row" not in entry.fields():
        name, said = entry.get(*_OLD).text(), [entry.get("Label")]
        said = [one for one in said if one.content not in (None, "Skip", "", {})]
    else:
        name = entry.get("data_row").get("external_id", "global_key", "row_data").text()
        of_projects = entry.get("projects").fields().values()
        labels = [one for project in of_projects for one in project.get("labels").entries()]
        said = [one.get("annotations") for one in labels if not _was_skipped(one)]
    if not said:
        return Picture(name, {}, -1)
    return having(name, [label for one in said for label in _labels(one)])


def _was_skipped(label: JsonValue) -> bool:
    details = label.get("performance_details")
    return isinstance(details.content, dict) and details.get("skipped").content is True


def _labels(said: JsonValue) -> Iterator[str]:
    if not {"objects", "classifications"} & said.fields().keys():
        raise said.refused("Labelbox's objects and classifications of a picture")
    for one in said.get("objects").entries(may_lack=True):
        yield one.get(*_NAMES).text()
    for one in said.get("classifications").entries(may_lack=True):
        yield from _answered(one)


def _answered(classification: JsonValue) -> Iterator[str]:
    answers = classification.get(*_ANSWERS)
    listed = answers.entries() if isinstance(answers.content, list) else [answers]
    for answer in listed:
        if isinstance(answer.content, dict):  # and no text that was typed
            yield answer.get(*_NAMES).text()
            for inner in answer.get("classifications").entries(may_lack=True):
                yield from _answered(inner)

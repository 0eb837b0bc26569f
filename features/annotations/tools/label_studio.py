"""Label Studio's exports JSON and JSON-MIN: choices, taxonomies and labeled regions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.annotations.collect import Picture, collect, having
from features.annotations.tools.fields import image_field
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.field_names import LABELS, field_key
from features.inputs.json_text import JsonValue, keys_of, read_json_text
from features.labels import some_of

_TASKS = ("[].data", "[].annotations[].result", "[].completions[].result", "[].predictions")
_MINIMAL = ("[].annotation_id", "[].annotator", "[].lead_time")
_QUESTIONS = ("choices", "taxonomy")  # their names may come in several questions
_NO_ANSWERS = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)


@dataclass
class _Task:
    """A picture, and what is said about it: (question or "", label) pairs; None if nothing is."""

    name: str
    labels: list[tuple[str, str]] | None
    annotations: int = 1
    unread: set[str] = field(default_factory=set)


def recognizes(source: Path) -> bool:
    """Tell whether a file is a list of Label Studio's tasks."""
    keys = keys_of(source)
    return any(map(keys.__contains__, (*_TASKS, *_MINIMAL))) or any(
        key.endswith((".rle", ".original_width")) for key in keys
    )


def read_label_studio(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a project's export as JSON or JSON-MIN.

    Parameters
    ----------
    source : Path
        A label is present if an annotation of the task that wasn't cancelled has a choice or a
        region of it; of a taxonomy, each step of a path is a label, such as `animal` and
        `animal/dog`. Predictions are no labels. Where two questions have choices of one name, that
        is `question: choice`.
    images : Path
        The folder of the pictures, which the tasks may name by their URL, or with the prefix that
        Label Studio gives to uploads.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each picture, with labels 1 or 0 in alphabetical order; -1 for a picture that
        nobody has annotated.

    Raises
    ------
    InputError
        It is no JSON of this form, a task lacks its picture, or a picture is missing.
    """
    entries = read_json_text(source, "Label Studio's export as JSON").entries()
    tasks = [
        _task(one) if "data" in one.fields() or "file_upload" in one.fields() else _minimal(one)
        for one in entries
    ]
    unread = sorted(set().union(*(task.unread for task in tasks)))
    if unread and not any(task.labels for task in tasks):
        raise InputError(
            f"{source} names no labels: {some_of(unread)} are none, or can't be told from texts of "
            "the tasks, as single choices in JSON-MIN. Export the project as JSON."
        )
    questions: dict[str, set[str]] = defaultdict(set)
    for task in tasks:
        for question, label in task.labels or ():
            if question:
                questions[label].add(question)

    def called(question: str, label: str) -> str:
        return f"{question}: {label}" if question and len(questions[label]) > 1 else label

    pictures = [
        Picture(task.name, {}, -1)
        if task.labels is None
        else having(task.name, [called(*one) for one in task.labels])
        for task in tasks
    ]
    return collect(
        images,
        pictures,
        source=source,
        strict_names=strict_names,
        notes=_notes(tasks, unread, source),
    )


def _notes(tasks: Sequence[_Task], unread: Sequence[str], source: Path) -> list[str]:
    lines = []
    if open_ := [task.name for task in tasks if task.labels is None]:
        lines.append(f"{some_of(open_)} tasks have no annotation: all their labels are unknown")
    if several := [task.name for task in tasks if task.annotations > 1]:
        lines.append(
            f"{some_of(several)} tasks have several annotations; a label is present if any has it"
        )
    if unread:
        lines.append(f"results that are not read as labels: {some_of(unread)}")
    return [f"{source}: {line}" for line in lines]


def _task(entry: JsonValue) -> _Task:
    """Read a task of the form JSON."""
    data = entry.get("data")
    name = data.get(image_field(data)).text()
    annotations = [
        one
        for one in entry.get("annotations", "completions").entries(may_lack=True)
        if not one.get("was_cancelled", "skipped").content
    ]
    unread: set[str] = set()
    labels = [
        pair
        for annotation in annotations
        for result in annotation.get("result").entries(may_lack=True)
        for pair in _result(result, unread)
    ]
    return _Task(name, labels if annotations else None, len(annotations), unread)


def _result(result: JsonValue, unread: set[str]) -> Iterator[tuple[str, str]]:
    kind = result.get("type").text()
    value = result.get("value")
    if not isinstance(value.content, dict) or not isinstance(value.content.get(kind), list):
        unread.add(kind)  # text, ratings, shapes without labels, relations
        return
    question = str(result.get("from_name").content or "") if kind in _QUESTIONS else ""
    for label in _labels(value.get(kind)):
        yield question, label


def _labels(listed: JsonValue) -> Iterator[str]:
    """Give the labels of a list; of a path in a taxonomy, those of all its steps."""
    for one in listed.entries():
        if isinstance(one.content, list):
            steps = [step.text().strip() for step in one.entries()]
            yield from ("/".join(steps[:end]) for end in range(1, len(steps) + 1))
        else:
            yield one.text().strip()


def _minimal(entry: JsonValue) -> _Task:
    """Read an annotation of the form JSON-MIN: answers by the names of their questions."""
    fields = entry.fields()
    key = image_field(entry)
    found: list[tuple[str, str]] = []
    unread: set[str] = set()
    for question, answer in fields.items():
        if question == key or question in _NO_ANSWERS or answer.content is None:
            continue
        labels = list(_answer(question, answer))
        found += labels
        if not labels and answer.content not in ("", [], {}):
            unread.add(question)
    return _Task(entry.get(key).text(), found, 1, unread)


def _answer(question: str, answer: JsonValue) -> Iterator[tuple[str, str]]:
    content: Any = answer.content
    if isinstance(content, dict):  # several choices
        for kind in _QUESTIONS:
            if isinstance(content.get(kind), list):
                yield from ((question, label) for label in _labels(answer.get(kind)))
    elif isinstance(content, list):
        for one in answer.entries():
            if isinstance(one.content, dict):  # a region
                for kind, listed in one.fields().items():
                    if kind.endswith("labels") and isinstance(listed.content, list):
                        yield from (("", label) for label in _labels(listed))
            elif isinstance(one.content, list):
                yield from (
                    (question, label)
                    for label in _labels(JsonValue([one.content], one.source, one.place))
                )
    elif isinstance(content, str) and content.strip() and LABELS.fullmatch(field_key(question)):
        yield question, content.strip()  # one choice; data of the task has other names

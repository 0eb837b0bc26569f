"""FiftyOne's JSON: labels of images with a list of classes, or samples with their fields."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from features.annotations.collect import Picture, collect, having, unknown_pictures
from features.annotations.tools.fields import label_at
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.json_text import JsonValue, keys_of, read_json_text

#: Where the labels of a field are listed, by its kind; "" is one label.
_LISTS = {
    "Classification": "", "Detection": "", "Polyline": "", "Keypoint": "",
    "Classifications": "classifications", "Detections": "detections", "Polylines": "polylines",
    "Keypoints": "keypoints",
}  # fmt: skip
_TRUTH = "ground_truth"


def recognizes(source: Path) -> bool:
    """Tell whether a file has FiftyOne's classes and labels, or its samples."""
    keys = keys_of(source)
    return (keys >= {".classes", ".labels"} and ".labels[]" not in keys) or (
        ".samples[].filepath" in keys
    )


def read_fiftyone(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read `labels.json` of a classification or detection export, or `samples.json`.

    Parameters
    ----------
    source : Path
        Of `labels.json`: `classes`, and for each picture in `labels` a class, a list of classes or
        a list of objects with a `label`; classes are numbers or names. Of `samples.json`: the
        field `ground_truth`, or the only field of labels.
    images : Path
        The folder `data`, which the pictures' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        Labels are 1 or 0 in the order of the classes, then in alphabetical order; -1 for a picture
        without labels (null).

    Raises
    ------
    InputError
        It is of another form, a number is none of a class, or a picture is missing.
    """
    content = read_json_text(source, "FiftyOne's labels.json")
    known: list[str] = []
    if "samples" in content.fields():
        pictures = _samples(content.get("samples").entries(), source)
    else:
        known = [one.text().strip() for one in content.get("classes").entries(may_lack=True)]
        labels = content.get("labels").fields().items()
        pictures = [
            Picture(name, {}, -1) if one.content is None else having(name, _labels(one, known))
            for name, one in labels
        ]
    notes = unknown_pictures(pictures, source, "have no labels, not even an empty list")
    return collect(
        images, pictures, source=source, known=known, strict_names=strict_names, notes=notes
    )


def _labels(said: JsonValue, classes: Sequence[str]) -> Iterator[str]:
    if isinstance(said.content, list):
        for one in said.entries():
            yield from _labels(one, classes)
    elif isinstance(said.content, dict):
        yield from _labels(said.get("label"), classes)
    elif isinstance(said.content, str) and said.content.strip():
        yield said.content
    else:
        yield label_at(classes, said)


def _samples(samples: list[JsonValue], source: Path) -> list[Picture]:
    names = {
        name
        for sample in samples
        for name, field in sample.fields().items()
        if isinstance(field.content, dict) and field.content.get("_cls") in _LISTS
    }
    if len(names) > 1 and _TRUTH not in names:
        raise InputError(
            f"{source}: which of the fields {', '.join(map(repr, sorted(names)))} holds the labels "
            f"can't be told. Export one of them, or call it {_TRUTH!r}."
        )
    name = _TRUTH if _TRUTH in names else next(iter(names), _TRUTH)
    return [_sample(sample.get("filepath").text(), sample.get(name)) for sample in samples]


def _sample(path: str, field: JsonValue) -> Picture:
    if field.content is None:
        return Picture(path, {}, -1)
    kind = field.get("_cls")
    if kind.content not in _LISTS:
        raise kind.refused(f"one of {', '.join(_LISTS)}")
    inside = _LISTS[kind.content]
    listed = field.get(inside).entries(may_lack=True) if inside else [field]
    return having(path, [one.get("label").text() for one in listed])

"""SuperAnnotate's JSON: a file per picture, with instances of classes and tags."""

import re
from pathlib import Path

from features.annotations.collect import Picture, collect, having, named_or_own, unknown_pictures
from features.annotations.tools.folders import beside, read_pictures, some_has
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, read_json_text, text_of

_ENDING = re.compile(r"(___(objects|pixel))?\.json$", re.IGNORECASE)
_CLASSES = ("classes/classes.json", "classes.json")
_UNSEEN = ("notstarted", "skipped")


def recognizes(source: Path) -> bool:
    """Tell whether a folder holds JSON files with SuperAnnotate's instances."""
    return some_has(source, _fits)


def _fits(keys: frozenset[str]) -> bool:
    of_classes = {".metadata", ".instances[].className", ".instances[].classId"}
    return ".instances[]" in keys and not keys.isdisjoint(of_classes)


def read_superannotate(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a folder of SuperAnnotate's files.

    Parameters
    ----------
    source : Path
        A label is present where a picture has an instance of that class, whatever its type, or
        that tag. Attributes and comments are no labels.
    images : Path
        The folder that the names in the files' metadata start from, or else the files' own:
        `a.jpg.json`, `a.jpg___objects.json` or `a.jpg___pixel.json` is of `a.jpg`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each file in the order of their paths, with labels 1 or 0: classes as
        `classes/classes.json` lists them, then the others in alphabetical order; -1 for a picture
        without any whose annotation hasn't been started, or was skipped.

    Raises
    ------
    InputError
        There are no files, one is no JSON of this form, an instance has no class, or a picture is
        missing.
    """
    classes = _classes(source)

    def parse(path: Path, content: JsonValue) -> tuple[Path, Picture]:
        return path, _picture(path, source, content, classes)

    read, left_out = read_pictures(
        source, "SuperAnnotate", "instances", parse, known="classes.json"
    )
    files, stated = [path for path, _ in read], [picture.name for _, picture in read]
    own = [beside(path, source, _ENDING.sub("", path.name)) for path in files]
    names, notes = named_or_own(stated, own, files, source, images, strict_names=strict_names)
    pictures = [one._replace(name=name) for (_, one), name in zip(read, names, strict=True)]
    notes += [*left_out, *unknown_pictures(pictures, source, "were not annotated")]
    return collect(
        images, pictures, source=source, known=classes.values(), strict_names=strict_names,
        notes=notes,
    )  # fmt: skip


def _picture(path: Path, source: Path, content: JsonValue, classes: dict[str, str]) -> Picture:
    """Read a file; the picture's name is empty where the file states none."""
    metadata = content.get("metadata")
    told = {} if metadata.content is None else metadata.fields()
    name = text_of(told["name"].content) if "name" in told else None
    stated = beside(path, source, name) if name else ""
    labels = [_class(one, classes) for one in content.get("instances").entries()]
    labels += [tag.text() for tag in content.get("tags").entries(may_lack=True)]
    status = str(told["status"].content) if "status" in told else ""
    if not labels and status.replace(" ", "").lower() in _UNSEEN:
        return Picture(stated, {}, -1)
    return having(stated, labels)


def _class(instance: JsonValue, classes: dict[str, str]) -> str:
    """Give an instance's class, older ones by its number."""
    number = text_of(instance.get("classId").content)
    if instance.get("className").content is None and number in classes:
        return classes[number]
    return instance.get("className").text()


def _classes(source: Path) -> dict[str, str]:
    """Give the classes that are listed in or beside a folder, by their numbers."""
    paths = [folder / name for folder in (source, source.resolve().parent) for name in _CLASSES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return {}
    listed = read_json_text(path, "SuperAnnotate's classes").entries()
    return {
        text_of(one.get("id").content) or f"#{at}": one.get("name").text().strip()
        for at, one in enumerate(listed)
    }

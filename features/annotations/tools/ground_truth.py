"""SageMaker Ground Truth's output manifest: JSON lines with a job's result for each picture."""

from pathlib import Path

from features.annotations.collect import Picture, collect, having, unknown_pictures
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.json_text import JsonValue, keys_of, read_json_text

_PICTURE = "source-ref"
_METADATA = "-metadata"


def recognizes(source: Path) -> bool:
    """Tell whether the lines of a file have a source and the metadata of a job."""
    keys = keys_of(source)
    return f"[].{_PICTURE}" in keys and any(key.endswith(_METADATA) for key in keys)


def read_ground_truth(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read the output manifest of a job that classifies pictures or finds objects.

    Parameters
    ----------
    source : Path
        A label is present where a picture's result names its class, once or in a list or for an
        object.
    images : Path
        The folder of the pictures; what stands before their names in S3 is left out.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each picture, with labels 1 or 0 in alphabetical order; -1 where the job has no
        result.

    Raises
    ------
    InputError
        It is no JSON of this form, has results of several jobs or masks, a class has no name, or
        a picture is missing.
    """
    entries = read_json_text(source, "the output manifest of the job").entries()
    keys = sorted({key for entry in entries for key in entry.fields()})
    jobs = [key.removesuffix(_METADATA) for key in keys if key.endswith(_METADATA)]
    if len(jobs) != 1:
        found = " and ".join(map(repr, jobs[:3])) or "none"
        raise InputError(
            f"{source} must have the results of one job, beside its metadata ('JOB{_METADATA}'). "
            f"Got {found}. Keep the fields of one job."
        )
    pictures = [_picture(entry, jobs[0]) for entry in entries]
    notes = unknown_pictures(pictures, source, "have no result")
    return collect(images, pictures, source=source, strict_names=strict_names, notes=notes)


def _picture(entry: JsonValue, job: str) -> Picture:
    name = entry.get(_PICTURE).text()
    result, metadata = entry.get(job), entry.get(job + _METADATA)
    if result.content is None or metadata.content is None:
        return Picture(name, {}, -1)
    if isinstance(result.content, str):
        raise result.refused("the numbers of classes, or objects; masks have no names of labels")
    names = metadata.get("class-map")
    if isinstance(result.content, list):
        return having(name, [_named(names, one) for one in result.entries()])
    if isinstance(result.content, dict):
        objects = result.get("annotations").entries()
        return having(name, [_named(names, one.get("class_id")) for one in objects])
    return having(name, [metadata.get("class-name").text()])


def _named(names: JsonValue, number: JsonValue) -> str:
    return names.get(number.text()).text()

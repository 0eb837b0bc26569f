"""Open Images' image-level labels: 1 verified present, 0 verified absent, the rest unknown."""

from collections import Counter
from pathlib import Path

from features.annotations.csv_form import CsvForm
from features.annotations.csv_tables import lines_to_dataset
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.csv_rows import csv_rows, plain_header
from features.inputs.label_values import float_or_none
from features.inputs.listing import visible

_COLUMNS = ("imageid", "labelname", "confidence")


def recognizes(source: Path) -> bool:
    """Tell whether a csv file has Open Images' columns."""
    if not source.is_file() or source.suffix.lower() != ".csv":
        return False
    _, header = next(csv_rows(source, ragged=True), (0, [""]))
    return set(_COLUMNS) <= set(plain_header(header))


def read_open_images(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read a csv file of Open Images, such as `validation-annotations-human-imagelabels.csv`.

    Parameters
    ----------
    source : Path
        With the columns `ImageID`, `LabelName` and `Confidence`. If a `*class-descriptions*.csv`
        lies beside it, labels have its names instead of `/m/...`.
    images : Path
        The folder of `<ImageID>.jpg`.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        1 where `Confidence` is 1, 0 where it is 0; -1 where a machine's confidence lies between,
        and where there is no line.

    Raises
    ------
    InputError
        Another header, a confidence that is no number from 0 to 1, or a missing image.
    """
    _, header = next(csv_rows(source, ragged=True), (0, [""]))
    known = plain_header(header)
    if missing := [name for name in _COLUMNS if name not in known]:
        raise InputError(
            f"{source} has no column {', '.join(missing)}; Open Images' label files have ImageID, "
            "LabelName and Confidence."
        )
    image, label, value = map(known.index, _COLUMNS)
    form = CsvForm("lines", image, label, value, len(header), has_header=True)
    described = _descriptions(source.parent)

    def rename(mids: list[str]) -> list[str]:
        names = [described.get(mid, mid) for mid in mids]
        counts = Counter(names)
        return [
            name if counts[name] == 1 else f"{name} ({mid})"
            for name, mid in zip(names, mids, strict=True)
        ]

    return lines_to_dataset(
        source, images, form, _verified, strict_names, unlisted=-1, rename=rename
    )


def _verified(text: str) -> int:
    number = float_or_none(text)
    if number is None or not 0 <= number <= 1:
        raise InputError(f"Confidence must be a number from 0 to 1. Got {text!r}.")
    return int(number) if number in (0, 1) else -1


def _descriptions(folder: Path) -> dict[str, str]:
    """Read the names of labels by their `/m/...` from all descriptions in a folder."""
    return {
        fields[0].strip(): fields[1].strip()
        for path in visible(folder.glob("*class-descriptions*.csv"))
        for _, fields in csv_rows(path, ragged=True)
        if len(fields) > 1 and fields[1].strip()
    }

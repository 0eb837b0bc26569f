"""Files of tags: wide csv, long csv of the present labels, JSON lines."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, TextIO

from classify.tag.tags import Tagged
from features.files.ownership import LONGEST_LINE, begins, first_line

LONG = ("image", "label", "probability", "score")


def write_wide(file: TextIO, labels: Sequence[str], tagged: Iterable[Tagged]) -> None:
    """Write a row per picture with 1 or 0 per label: the form of ``labels.csv``."""
    write = csv.writer(file, lineterminator="\n").writerow
    write(["image", *labels])
    for one in tagged:
        write([one.image, *(int(tag.present) for tag in one.tags)])


def write_long(file: TextIO, labels: Sequence[str], tagged: Iterable[Tagged]) -> None:
    """Write a row per picture and present label, with probability (if calibrated) and score."""
    write = csv.writer(file, lineterminator="\n").writerow
    write(LONG)
    for one in tagged:
        by_label = {tag.label: tag for tag in one.tags}
        for label in one.present:
            tag = by_label[label]
            write([one.image, label, _short(tag.probability), _short(tag.score)])


def write_json_lines(file: TextIO, labels: Sequence[str], tagged: Iterable[Tagged]) -> None:
    """Write an object per picture: its present labels, and score and probability of every label."""
    for one in tagged:
        found = {
            "image": one.image,
            "labels": one.present,
            "scores": {tag.label: tag.score for tag in one.tags},
        }
        if one.tags and one.tags[0].probability is not None:
            found["probabilities"] = {tag.label: tag.probability for tag in one.tags}
        file.write(json.dumps(found, ensure_ascii=False) + "\n")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def is_ours(form: str) -> Callable[[BinaryIO], bool]:
    """Tell how a file of a format is recognized, so that only such a file is replaced.

    A wide csv has the form of anyone's labels.csv: what it carries tells whose it is.
    """
    if form == "long":
        return begins(",".join(LONG).encode() + b"\n")
    if form == "jsonl":
        return first_line(lambda one: {"image", "labels", "scores"} <= one.keys())
    return _is_wide


def _is_wide(file: BinaryIO) -> bool:
    """Tell whether the first row has 1 or 0 per label: suggestions begin with an image, too."""
    rows = csv.reader(file.readline(LONGEST_LINE).decode("utf-8") for _ in range(2))
    header, first = next(rows), next(rows)
    return header[0] == "image" and len(first) == len(header) and {*first[1:]} <= {"0", "1"}


#: Name for ``--format`` to what writes it.
WRITERS: dict[str, Callable[[TextIO, Sequence[str], Iterable[Tagged]], None]] = {
    "wide": write_wide,
    "long": write_long,
    "jsonl": write_json_lines,
}

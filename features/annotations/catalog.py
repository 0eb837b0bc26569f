"""The annotation formats, one record each; loading this module loads no reader.

A new format is a reader in a file of its own and one record in `FORMATS`. The command line and its
help are made from the records.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from features.command_line import load
from features.errors import check_choice

if TYPE_CHECKING:
    from pathlib import Path

    from features.datasets import Dataset


class Format(NamedTuple):
    """One form in which annotations are published.

    Attributes
    ----------
    name : str
        Its name on the command line.
    source : str
        What the reader is given, in a few words: a file or a folder.
    reader : str
        ``module:function`` of a function ``(source, images, *, strict_names) -> Dataset``. It
        reads names and labels and opens no image.
    """

    name: str
    source: str
    reader: str


FORMATS = (
    Format("coco", "an instances JSON file", "features.annotations.coco:read_coco"),
    Format("voc", "the folder Annotations", "features.annotations.voc:read_voc"),
    Format("msrc", "the folder GroundTruth", "features.annotations.msrc:read_msrc"),
    Format(
        "msrc-cleaned",
        "the folder newsegmentations_mats",
        "features.annotations.msrc:read_msrc_cleaned",
    ),
    Format("scene", "the file 'miml data.mat'", "features.annotations.scene:read_scene"),
)
NAMES = tuple(format.name for format in FORMATS)


def find_reader(name: str) -> "Callable[..., Dataset]":
    """Load the reader of a format.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    Returns
    -------
    callable
        ``(source, images) -> Dataset``.

    Raises
    ------
    InputError
        The name is not one of `NAMES`.
    """
    check_choice("format", name, NAMES)
    (record,) = (format for format in FORMATS if format.name == name)
    return load(record.reader)


def describe_sources() -> str:
    """List what each format's reader is given, for a help text."""
    return "; ".join(f"{format.name}: {format.source}" for format in FORMATS)


def advice(path: "Path", images: "Path") -> str:
    """Say which command turns a file into `labels.csv`, if a format's reader would take it."""
    return ""

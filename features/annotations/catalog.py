"""The annotation formats, one record each; loading this module loads no reader.

A new format is a reader in a file of its own and one record in `FORMATS`. The command line and its
help are made from the records.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from features.command_line import load
from features.errors import InputError, check_choice

if TYPE_CHECKING:
    from pathlib import Path

    from features.datasets import Dataset


class Format(NamedTuple):
    """One form in which annotations are published.

    Attributes
    ----------
    name : str
        Its name on the command line.
    about : str
        What it is, in a few words.
    source : str
        What the reader is given, in a few words: a file or a folder.
    module : str
        ``features.annotations`` module of the two functions below.
    reader : str
        A function ``(source, images, *, strict_names) -> Dataset``. It reads names and labels and
        opens no image. By default it is called like the module, as `read_coco` of `coco`.
    recognizes : str
        A function ``(source) -> bool`` that tells whether a source is of this form.
    is_folder : bool
        Whether the source is a folder.
    has_negative : bool
        Whether the reader takes ``negative``: what -1 is that stands for a label.
    """

    name: str
    about: str
    source: str
    module: str
    reader: str = ""
    recognizes: str = "recognizes"
    is_folder: bool = False
    has_negative: bool = False

    def read(
        self, source: "Path", images: "Path", *, strict_names: bool = False, negative: int = -1
    ) -> "Dataset":
        """Call the reader; a source of the other kind is refused.

        Raises
        ------
        InputError
            As the reader raises.
        """
        if source.is_dir() != self.is_folder:
            kind = "folder" if source.is_dir() else "file"
            raise InputError(
                f"The source of format {self.name} is {self.source}. {source} is a {kind}."
            )
        options: dict[str, Any] = {"strict_names": strict_names}
        if negative != -1 and not self.has_negative:
            names = " and ".join(format.name for format in FORMATS if format.has_negative)
            raise InputError(
                f"--negative is for {names}; {source} is taken as {self.name}. Leave it out."
            )
        if self.has_negative:
            options["negative"] = negative
        return self._load(self.reader or f"read_{self._stem}")(source, images, **options)

    def fits(self, source: "Path") -> bool:
        """Tell whether a source looks like this form. What can't be read doesn't."""
        return self.judge(source)[0]

    def judge(self, source: "Path") -> tuple[bool, str]:
        """Tell whether a source looks like this form, and why it can't be read."""
        try:
            return self._load(self.recognizes)(source), ""
        except InputError as error:
            return False, str(error)

    @property
    def _stem(self) -> str:
        return self.module.rpartition(".")[2]

    def _load(self, function: str) -> "Callable[..., Any]":
        return load(f"features.annotations.{self.module}:{function}")


AUTO = "auto"
_LOOKED_AT = 20  # files in a folder of no known form
FORMATS = (
    Format("coco", "COCO and LVIS", "an instances JSON file", "coco"),
    Format("voc", "PASCAL VOC XML", "the folder Annotations", "voc", is_folder=True),
    Format(
        "yolo", "YOLO text files, with data.yaml or classes.txt", "the folder labels", "yolo",
        is_folder=True,
    ),
    Format("cvat", "CVAT for images", "an XML file", "tools.cvat"),
    Format(
        "labelme", "LabelMe JSON, a file per picture", "the folder of JSON files", "tools.labelme",
        is_folder=True,
    ),
    Format(
        "createml", "CreateML, or any JSON of pictures with their labels", "a JSON file",
        "tools.createml",
    ),
    Format("label-studio", "Label Studio, JSON or JSON-MIN", "a JSON file", "tools.label_studio"),
    Format("via", "VGG Image Annotator (VIA) 1 to 3", "a JSON or csv file", "tools.via"),
    Format("fiftyone", "FiftyOne's labels.json or samples.json", "a JSON file", "tools.fiftyone"),
    Format("datumaro", "Datumaro", "a JSON file", "tools.datumaro"),
    Format("vott", "VoTT", "a JSON file", "tools.vott"),
    Format("labelbox", "Labelbox, NDJSON or JSON", "a JSON file", "tools.labelbox"),
    Format(
        "ground-truth", "SageMaker Ground Truth's output", "the file output.manifest",
        "tools.ground_truth",
    ),
    Format(
        "supervisely", "Supervisely, a file per picture", "the folder of JSON files",
        "tools.supervisely", is_folder=True,
    ),
    Format(
        "superannotate", "SuperAnnotate, a file per picture", "the folder of JSON files",
        "tools.superannotate", is_folder=True,
    ),
    Format(
        "darwin", "V7's Darwin, a file per picture", "the folder of JSON files", "tools.darwin",
        is_folder=True,
    ),
    Format("prodigy", "Prodigy's JSON lines", "a JSON file", "tools.prodigy"),
    Format(
        "folders", "a folder per class", "the folder of images", "class_folders", is_folder=True
    ),
    Format(
        "csv-columns", "a csv file with one column per label", "a csv file", "csv_columns",
        "read_columns", has_negative=True,
    ),
    Format(
        "csv-tags", "a csv file of image,tags: all tags in one field", "a csv file", "csv_tables",
        "read_tags", "recognizes_tags",
    ),
    Format(
        "csv-lines", "a csv file of image,label[,confidence]: a line per label", "a csv file",
        "csv_tables", "read_lines", "recognizes_lines", has_negative=True,
    ),
    Format("open-images", "Open Images' image-level labels", "a csv file", "open_images"),
    Format(
        "nus-wide", "NUS-WIDE's lists", "the folder of ImageList and Groundtruth", "nus_wide",
        is_folder=True,
    ),
    Format(
        "voc-lists", "PASCAL VOC's lists of a class each", "the folder ImageSets/Main", "voc_lists",
        is_folder=True,
    ),
    Format(
        "mirflickr", "MIRFLICKR's lists, or others of the images of a label each",
        "the folder of the lists", "mirflickr", is_folder=True,
    ),
    Format("celeba", "CelebA's list of attributes", "a text file", "celeba"),
    Format(
        "msrc", "MSRC v2 as published", "the folder GroundTruth", "msrc",
        recognizes="recognizes_original", is_folder=True,
    ),
    Format(
        "msrc-cleaned", "MSRC v2, cleaned segmentations", "the folder newsegmentations_mats",
        "msrc", "read_msrc_cleaned", "recognizes_cleaned", is_folder=True,
    ),
    Format("scene", "LAMDA's Scene", "the file 'miml data.mat'", "scene"),
)  # fmt: skip
_NARROW = ("open-images", "via", "prodigy")  # their files are some of the general forms, too
_OF_CSV = ("csv-tags", "csv-lines", "csv-columns")  # each reads all lines, and only one can fit
NAMES = tuple(format.name for format in FORMATS)


def find_format(name: str, source: "Path") -> Format:
    """Give the record of a format; `AUTO` is the one that recognizes the source.

    Parameters
    ----------
    name : str
        One of `NAMES`, or `AUTO`.
    source : Path

    Returns
    -------
    Format

    Raises
    ------
    InputError
        The name is none of these, or no format or several ones recognize the source.
    """
    check_choice("format", name, (AUTO, *NAMES))
    if name != AUTO:
        return _named(name)
    judged: list[tuple[Format, bool, str]] = []
    for format in FORMATS:
        known = {one.name for one, fits, _ in judged if fits}
        if format.name not in _OF_CSV or known.isdisjoint(_OF_CSV):
            judged.append((format, *format.judge(source)))
    found = [format for format, fits, _ in judged if fits]
    found = [format for format in found if format.name in _NARROW] or found
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(format.name for format in found)
        raise InputError(f"{source} may be {names}. Say which by --format.")
    if reason := next((reason for *_, reason in judged if reason), ""):
        raise InputError(reason)
    if near := _nearby(source):
        raise InputError(f"{source} is of no known form; {near}. Give that as --source.")
    raise InputError(
        f"{source} is of no known form. Give one of {', '.join(NAMES)} as --format, which then "
        "says what is wrong; `python -m features index --format` describes them."
    )


def _nearby(source: "Path") -> str:
    """Say that the folder of a file, or a file of a folder, is of a known form; or nothing."""
    from features.inputs.json_text import read_json_text
    from features.inputs.text_lines import beginning

    near = [source.parent]
    if source.is_dir():
        near = sorted(path for path in source.iterdir() if path.is_file())[:_LOOKED_AT]
    else:
        start = beginning(source).strip()  # one of another kind is told so
        if not start:
            raise InputError(f"{source} is empty. Give the annotations.")
        if start[0] in "[{":
            read_json_text(source, "the annotations")  # what is no JSON is told so
    found = (
        (path, format)
        for path in near
        for format in FORMATS
        # A text file of numbers is called a table only if it was meant.
        if (format.name not in _OF_CSV or path.suffix.lower() != ".txt") and format.fits(path)
    )
    return next((f"{path} looks like {format.name}" for path, format in found), "")


def describe_formats() -> str:
    """List the formats, a line each, for a help text."""
    width = max(map(len, NAMES))
    lines = [
        f"  {format.name:<{width}}  {format.about}; source: {format.source}" for format in FORMATS
    ]
    return "\n".join(["formats:", *lines, f"  {AUTO:<{width}}  the one that recognizes the source"])


def advice(path: "Path", images: "Path") -> str:
    """Say which command makes `labels.csv` of a file; empty if no reader of csv takes it."""
    for name in (*_NARROW, *_OF_CSV):
        format = _named(name)
        if name == "csv-columns":  # another name of the first column, and no other mistake
            format = format._replace(recognizes="reads")
        if format.fits(path):
            return (
                f"It looks like {format.about}: `python -m features index --format {name} --source "
                f"{path} --images {images} --out {path.parent}-indexed` turns it into columns."
            )
    return ""


def _named(name: str) -> Format:
    (found,) = (format for format in FORMATS if format.name == name)
    return found

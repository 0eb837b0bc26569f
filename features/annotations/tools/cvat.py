"""CVAT's XML for images: tags and shapes of each picture."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from features.annotations.collect import collect, having
from features.datasets import Dataset
from features.errors import InputError
from features.inputs.text_lines import beginning
from features.inputs.xml_text import read_xml
from features.labels import some_of

_ROOT = re.compile(r"<annotations[\s>]")
_INSIDE = re.compile(r"<(?:version|meta|image|track)[\s/>]")
_SHAPES = frozenset(
    {"tag", "box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"}
)


def recognizes(source: Path) -> bool:
    """Tell whether a file begins like CVAT's."""
    if not source.is_file() or source.suffix.lower() != ".xml":
        return False
    text = beginning(source)
    root = _ROOT.search(text)
    return root is not None and bool(_INSIDE.search(text, root.end()))


def read_cvat(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read an export "CVAT for images 1.1".

    Parameters
    ----------
    source : Path
        The file `annotations.xml`. A label is present where a picture has a tag or a shape of it;
        parts of skeletons and attributes are no labels.
    images : Path
        The folder that the pictures' names start from.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each `image` element, with labels 1 or 0 in the order of the task.

    Raises
    ------
    InputError
        It is no XML of this form, it is the form for videos, whose frames have no names, an image
        or a shape lacks its name, or a picture is missing.
    """
    root = read_xml(source)
    if root.tag != "annotations":
        raise InputError(
            f"{source}: the root element is {root.tag!r}; CVAT's is 'annotations'. Export the task "
            "as 'CVAT for images 1.1'."
        )
    if (track := root.find("track")) is not None:
        raise InputError(
            f"{source}: it has tracks of a video (first {track.get('label', '')!r}), whose frames "
            "have no names of pictures. Export the task as 'CVAT for images 1.1', with its images."
        )
    pictures = [
        having(_name(image, position, source), _labels(image, source))
        for position, image in enumerate(root.iterfind("image"))
    ]
    attributes = sorted({one.get("name", "") for one in root.iterfind("image/*/attribute")})
    return collect(
        images, pictures,
        source=source, known=_declared(root), strict_names=strict_names,
        notes=[f"{source}: attributes are not read as labels: {some_of(attributes)}"]
        if attributes else [],
    )  # fmt: skip


def _name(image: Element, position: int, source: Path) -> str:
    name = image.get("name", "")
    if not name.strip():
        raise InputError(
            f"{source}: image {position} (id {image.get('id')!r}) has no name. Write its file's, "
            "or remove it."
        )
    return name


def _labels(image: Element, source: Path) -> Iterator[str]:
    for shape in image:
        label = shape.get("label", "")
        if label.strip():
            yield label
        elif shape.tag in _SHAPES:
            raise InputError(
                f"{source}: a {shape.tag} of image {image.get('name')!r} has no label. Write it, "
                "or remove the element."
            )


def _declared(root: Element) -> list[str]:
    """List the task's labels, without those of the parts of skeletons."""
    return [
        name
        for label in root.iterfind("meta//labels/label")
        if not (label.findtext("parent") or "").strip()
        and (name := (label.findtext("name") or "").strip())
    ]

"""Small pictures in a page: JPEG files in data URIs, of the files that a cache was made from."""

import base64
import io
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from features.datasets import load_dataset
from features.index import IndexRow
from features.inputs.image_kinds import pillow_formats
from features.sources.base import Fault, Source
from features.sources.folder import Folder
from features.sources.remote.address import Address, located

SIDE = 240  # pixels at most: cards are 190 to 330 wide
QUALITY = 72
MOST_BYTES = 1 << 30  # of a file that is shown
FILES = Folder(Path())


class Thumbnails:
    """Make small pictures of a data set's files.

    Parameters
    ----------
    data : Path or None
        What the cache was extracted from; None for no pictures.

    Attributes
    ----------
    missing : list of str
        Ids of the pictures that were asked for and could not be shown, each once.
    """

    def __init__(self, data: Path | None):
        self.data = data
        self.missing: list[str] = []
        self._source: Source | None = None
        if data is not None:
            self._source = Folder(data) if _is_folder(data) else load_dataset(data).source

    def of(self, row: IndexRow) -> str:
        """Give the picture of a row as a data URI, or an empty text where it can't be shown."""
        if self._source is None:
            return ""
        path = _find(self._source, row)
        small = "" if path is None else thumbnail(path, self._source)
        if not small and row.id not in self.missing:
            self.missing.append(row.id)
        return small


def _is_folder(data: Path) -> bool:
    """Tell whether files can be read without a list of all: an address is listed."""
    return not isinstance(located(data), Address) and data.is_dir()


def thumbnail(path: str | Path, source: Source = FILES) -> str:
    """Give a file as a data URI of a small picture, or an empty text where Pillow can't."""
    jpeg = _jpeg(str(path), source)
    if jpeg is None:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _find(source: Source, row: IndexRow) -> str | None:
    """Look for a file under the data set's folder, or under its folder of pictures."""
    for name in (row.path, row.id):
        parts = PurePosixPath(name)
        plain = name and not parts.is_absolute() and ".." not in parts.parts
        if plain and name in source:
            return name
    return None


def _jpeg(path: str, source: Source) -> bytes | None:
    """Give a file as a small JPEG; None where Pillow can't."""
    try:
        opened = source.open(path)
        if opened.size > MOST_BYTES:
            opened.close()
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extraction has told what is odd about the file
            with Image.open(io.BytesIO(opened.read()), formats=_decoders(path)) as image:
                image.draft("RGB", (2 * SIDE, 2 * SIDE))
                small = _rgb(ImageOps.exif_transpose(image))
        small.thumbnail((SIDE, SIDE))
        data = io.BytesIO()
        small.save(data, "JPEG", quality=QUALITY)
    # A picture of a page is no reason to lose the page, whatever a decoder says about the file.
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, SyntaxError, Fault,
            Image.DecompressionBombError):  # fmt: skip
        return None
    return data.getvalue()


def _decoders(path: str) -> list[str]:
    """List the decoders that extraction may try, none of which starts another program."""
    Image.init()
    return [one for one in pillow_formats(PurePosixPath(path).suffix.lower()) if one in Image.OPEN]


def _rgb(image: Image.Image) -> Image.Image:
    """Turn an image into RGB as it is seen: on white where it is transparent, deep gray scaled."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) * (255 / (high - low) if high > low else 0)
        return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")

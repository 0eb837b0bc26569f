"""Make a TIFF file ready to be loaded: its first full image, and its planes of 16 bits as such."""

from typing import Any

from PIL import Image, TiffImagePlugin

from extract.decoding.reasons import Reason

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SUBFILE, _BITS, _PLANAR = 254, 258, 284
_SEPARATE = 2
_FIRST_PAGES = 16  # among which the image itself is looked for


def ready(image: Image.Image) -> Image.Image:
    """Give an image as it was opened, with what Pillow misreads put right.

    Parameters
    ----------
    image : Image
        Just opened, of any format; no camera raw file.

    Returns
    -------
    Image
        The same; a TIFF file stands at the first page that is not, by its own statement, a reduced
        copy of another or a mask.

    Raises
    ------
    ImageFailure
        It has planes of 16 bits of colors that Pillow can't read.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _seek_full(image)
        _mend_planes(image)
    return image


def _seek_full(image: TiffImagePlugin.TiffImageFile) -> None:
    for page in range(_FIRST_PAGES):
        kind = image.tag_v2.get(_SUBFILE, 0)
        if not isinstance(kind, int) or not kind & (_REDUCED | _MASK):
            return
        try:
            image.seek(page + 1)
        except EOFError:  # all pages are copies: of what isn't there
            break
    image.seek(0)


def _mend_planes(image: Any) -> None:
    """Name the raw modes of uncompressed planes of 16 bits; Pillow takes their bytes for 8."""
    bits = image.tag_v2.get(_BITS, (1,))
    if image.tag_v2.get(_PLANAR) != _SEPARATE or image.use_load_libtiff or max(bits) != 16:
        return
    if image.mode not in ("RGB", "RGBA") or not all(len(tile.args[0]) == 1 for tile in image.tile):
        raise Reason.VARIANT.failure(format="TIFF")
    order = "L" if image.tag_v2.prefix == b"II" else "B"
    image.tile = [
        tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])) for tile in image.tile
    ]

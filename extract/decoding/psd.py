"""What a Photoshop file says about its merged image: whether there is one, and what its alpha is.

Source: Adobe Photoshop File Formats Specification, "Image Resources Section" (resource 1057) and
"Layer and Mask Information Section" (the sign of the layer count).
"""

from PIL import Image

from extract.decoding.reasons import ImageFailure, Reason

_MODE = slice(24, 26)
_SECTIONS = 26  # where the three sections before the image begin, each behind its length
_MULTICHANNEL = 7
_VERSION_INFO = 1057


def unmerged(image: Image.Image, raw: bytes) -> ImageFailure | None:
    """Say why the image of a file is not what its layers show; None if it is.

    Parameters
    ----------
    image : Image
        Loaded.
    raw : bytes
        The file.
    """
    if int.from_bytes(raw[_MODE], "big") == _MULTICHANNEL:  # of which Pillow reads one channel
        return Reason.COLORS.failure(mode="multichannel")
    facts = next((data for code, _, data in _resources(image) if code == _VERSION_INFO), b"")
    states_none = len(facts) > 4 and not facts[4]
    # Other programs copy the statement, and write an image all the same.
    if states_none and len(image.convert("RGB").getcolors(1) or ()) == 1:
        return Reason.NOT_MERGED.failure()
    return None


def is_transparent(raw: bytes) -> bool:
    """Tell whether the channel behind the colors is transparency, and not a stored selection."""
    place = _SECTIONS
    for _ in range(2):
        place += 4 + int.from_bytes(raw[place : place + 4], "big")
    layers = raw[place + 8 : place + 10]  # behind the lengths of the section and of its first part
    has_layers = any(raw[place : place + 4]) and any(raw[place + 4 : place + 8])
    return has_layers and int.from_bytes(layers, "big", signed=True) < 0


def _resources(image: Image.Image) -> list[tuple[int, str, bytes]]:
    return getattr(image, "resources", [])

"""Read the bytes of a picture, and tell what is no image from how it begins."""

from collections.abc import Iterator
from contextlib import contextmanager

from extract.decoding import budget
from extract.decoding.reasons import Reason
from features.inputs.other_kinds import kind_of
from features.sources.base import Fault, Source

FILE_BYTES_PER_PIXEL = 16  # of four 32-bit samples, uncompressed
FILE_HEADERS = 64 << 20  # bytes of metadata and further frames that a file may have beside them
_BASE64 = "an image in base64; decode it"
#: How files begin that hold no picture, or none that is read.
_BEGINNINGS = {
    b"\xff\x0a": "a JPEG XL file",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL file",
    b"\x00\x05\x16\x07": "a companion file of macOS; delete it",
    b"\x76\x2f\x31\x01": "an OpenEXR file",
    b"#?R": "a Radiance HDR file",
    b"\x93NUMPY": "an array of numpy.save",
    b"/9j/": _BASE64,  # JPEG
    b"iVBORw0KGgo": _BASE64,  # PNG
    b"data:image/": _BASE64,
    b"gimp xcf": "a GIMP file; export it to a PNG or JPEG file",
    b"\x1aE\xdf\xa3": "a video",
}
_TEXT = frozenset((*b"\t\n\r", *range(32, 127)))
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@contextmanager
def reading(source: Source, path: str, max_pixels: int | None = None) -> Iterator[bytes]:
    """Read a picture's bytes, and hold memory for them while the block runs.

    Parameters
    ----------
    source : Source
    path : str
        As the source names it.
    max_pixels : int, optional
        What has more bytes than any image of so many pixels is not read.

    Yields
    ------
    bytes

    Raises
    ------
    ImageFailure
        It is not there, can't be read, or is larger.
    """
    with _as_failure():
        opened = source.open(path)
    if max_pixels and opened.size > max_pixels * FILE_BYTES_PER_PIXEL + FILE_HEADERS:
        opened.close()
        raise Reason.BYTES.failure(size=opened.size, limit=max_pixels)
    with budget.FILES.hold(opened.size):
        with _as_failure():
            raw = opened.read()
        yield raw


@contextmanager
def _as_failure() -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        raise Reason[fault.reason].failure(**fault.facts) from fault


def unidentified(raw: bytes) -> Exception:
    """Say what bytes are that no decoder recognizes."""
    if kind := kind_of(raw) or _kind_without_name(raw):
        return Reason.OTHER_KIND.failure(kind=kind)
    if raw[4:8] == b"ftyp":
        if raw[8:12] in _HEIF_BRANDS:
            return Reason.NO_HEIF.failure()
        if raw[8:11] == b"crx":
            return Reason.CAMERA_RAW.failure()
        return Reason.OTHER_KIND.failure(kind="a video or another ISO media file")
    return Reason.UNKNOWN.failure()


def _kind_without_name(raw: bytes) -> str:
    for start, kind in _BEGINNINGS.items():
        if raw.startswith(start):
            return kind
    if raw[128:132] == b"DICM":
        return "a DICOM file"
    if not any(raw):
        return "nothing but zeros; copy it again"
    start = raw[:512]
    is_text = all(byte in _TEXT for byte in start)
    return "a text, such as a server's message; download it again" if is_text else ""

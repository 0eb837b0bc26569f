"""Which files are pictures: the one list of name endings, and the decoder's format of each.

What a file is decides its content; the ending decides whether a folder's file counts as a picture.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import PurePosixPath

HEIF = "HEIF"  # read by pillow-heif, the extra `photos`
#: Pillow's name of every format that is read, and the endings it has. Pillow reads more: formats
#: that start another program (EPS, WMF), icons of many sizes, scientific containers.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
    "QOI": (".qoi",),
    "PSD": (".psd",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "DDS": (".dds",),
    "PCX": (".pcx",),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    HEIF: (".heic", ".heif", ".hif"),
}
#: Formats without a clear signature: their decoders are tried on files of these endings only.
BY_NAME_ONLY = ("PCX", "TGA")
#: Camera raw files. Many are TIFF files, in which a decoder would find the thumbnail.
CAMERA_RAW = frozenset(
    {
        ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq",
        ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw",
        ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
    }
)  # fmt: skip
_HEIF_ENDINGS = frozenset(FORMATS[HEIF])
_READ = frozenset(ending for endings in FORMATS.values() for ending in endings)


@cache  # a look for the package takes 0.2 ms, and is needed for every name
def heif_is_read() -> bool:
    """Tell whether the extra `photos` is installed."""
    return find_spec("pillow_heif") is not None


@cache
def image_suffixes() -> frozenset[str]:
    """Give the endings, in lower case, of files that are read as pictures."""
    return _READ if heif_is_read() else _READ - _HEIF_ENDINGS


def pillow_formats(suffix: str) -> tuple[str, ...]:
    """List the decoders that may be tried on a file whose name ends in `suffix`, in lower case.

    Examples
    --------
    >>> "TGA" in pillow_formats(".tga"), "TGA" in pillow_formats(".png")
    (True, False)
    """
    return tuple(
        name
        for name, endings in FORMATS.items()
        if (name not in BY_NAME_ONLY or suffix in endings) and (name != HEIF or heif_is_read())
    )


def describe_left_out(names: Iterable[str]) -> str:
    """Count files that are not read as pictures by their endings, in one line; empty for none.

    Examples
    --------
    >>> describe_left_out(["a.cr3", "b/c.CR3", "notes.txt", "LICENSE"])
    '4 files are not read as pictures: 2 .cr3 (camera raw), 1 .txt, 1 without an ending'
    """
    counts = Counter(PurePosixPath(name).suffix.lower() for name in names)
    parts = [f"{count} {_described(ending)}" for ending, count in counts.most_common()]
    total = counts.total()
    noun = "file is" if total == 1 else "files are"
    return f"{total} {noun} not read as pictures: {', '.join(parts)}" if counts else ""


def _described(ending: str) -> str:
    if ending in _HEIF_ENDINGS:
        return f"{ending} (read after `pip install 'multilabel-from-cache[photos]'`)"
    return f"{ending} (camera raw)" if ending in CAMERA_RAW else ending or "without an ending"

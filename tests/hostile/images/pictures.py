"""Image files written byte by byte from numpy arrays, so that no decoder's opinion is in them."""

import io
import struct
import zlib

from PIL import Image

TIFF_TYPES = {3: "H", 4: "I", 11: "f", 12: "d"}  # SHORT, LONG, FLOAT, DOUBLE
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # TIFF's SampleFormat


def encode(image, kind, **options):
    """Give the bytes of an array or a Pillow image in one of Pillow's formats."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values, *, color, depth=None, before=b"", after=b"", rows=None):
    """Write a PNG of (h, w) or (h, w, channels) integers; `rows` cuts the data short."""
    depth = depth or values.dtype.itemsize * 8
    height, width = values.shape[:2]
    lines = values.astype(values.dtype.newbyteorder(">"))[:rows]
    data = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
        + chunk(b"IDAT", data) + after + chunk(b"IEND", b"")
    )  # fmt: skip


def tiff(values, form, *tags, order="<", photometric=None, bits=None, rows=None, planar=False):
    """Write an uncompressed TIFF in strips of some rows, by default one; `planar`: of one color.

    `tags` are (tag, type, values).
    """
    height, width, *channels = values.shape
    count = channels[0] if channels else 1
    rows = rows or height
    wide = values.astype(values.dtype.newbyteorder(order))
    parts = [wide[..., band] for band in range(count)] if planar else [wide]
    strips = [part[top : top + rows].tobytes() for part in parts for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    photometric = (2 if count > 1 else 1) if photometric is None else photometric
    entries = [
        (256, 4, [width]), (257, 4, [height]), (259, 3, [1]), (262, 3, [photometric]),
        (258, 3, [bits or values.dtype.itemsize * 8] * count), (273, 4, sizes), (277, 3, [count]),
        (278, 4, [rows]), (279, 4, sizes), (339, 3, [form] * count), *tags,
    ]  # fmt: skip
    entries += [(284, 3, [2])] if planar else []
    start = 8 + 2 + 12 * len(entries) + 4
    for _ in range(2):  # the second time with the place of the data
        blob, lines = b"", b""
        for tag, kind, given in sorted(entries):
            packed = struct.pack(order + TIFF_TYPES[kind] * len(given), *given)
            if len(packed) > 4:
                place, blob = start + len(blob), blob + packed
                packed = struct.pack(f"{order}I", place)
            lines += struct.pack(f"{order}HHI", tag, kind, len(given)) + packed.ljust(4, b"\0")
        places = [start + len(blob) + sum(sizes[:k]) for k in range(len(sizes))]
        entries = [(273, 4, places) if entry[0] == 273 else entry for entry in entries]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return (
        head + struct.pack(f"{order}H", len(entries)) + lines + bytes(4) + blob + b"".join(strips)
    )


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()

"""Leave the metadata out of a WebP file whose chunks can't all be read."""

START = b"RIFF"
_KEPT = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
_METADATA_FLAGS = 0x2C  # in VP8X: color profile, EXIF, XMP


def without_metadata(raw: bytes) -> bytes:
    """Keep the chunks that pixels depend on.

    Parameters
    ----------
    raw : bytes
        A file that starts with `START`; another RIFF file than WebP gives bytes that are no image.

    Returns
    -------
    bytes
    """
    parts, place = [], 12
    while place + 8 <= len(raw):
        kind = raw[place : place + 4]
        size = int.from_bytes(raw[place + 4 : place + 8], "little")
        end = place + 8 + size + size % 2
        chunk = raw[place:end]
        if kind == b"VP8X" and len(chunk) > 8:
            parts.append(chunk[:8] + bytes([chunk[8] & ~_METADATA_FLAGS]) + chunk[9:])
        elif kind in _KEPT:
            parts.append(chunk)
        place = end
    body = b"".join([raw[8:12], *parts])
    return START + len(body).to_bytes(4, "little") + body

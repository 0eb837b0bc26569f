"""Where the coded data of the main image of a HEIC or AVIF file lie.

Source: ISO/IEC 14496-12 (boxes, item location) and 23008-12 (derived and auxiliary images).
"""

from collections.abc import Iterator
from typing import NamedTuple

Box = tuple[bytes, int, int]
_EXTENDED = 1  # a size that stands behind the kind, in 8 bytes
_IN_FILE, _IN_IDAT = 0, 1  # construction methods of an item's location
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


class Item(NamedTuple):
    """A coded image.

    Attributes
    ----------
    codec : bytes
        Four letters, such as ``hvc1`` or ``av01``.
    extents : list of (int, int)
        First byte and end of its parts in the file.
    """

    codec: bytes
    extents: list[tuple[int, int]]


def main_items(raw: bytes) -> list[Item]:
    """List the coded images that the main image of a file is made of, its alpha among them.

    Parameters
    ----------
    raw : bytes
        A file that a decoder has read; what is malformed gives fewer items.
    """
    meta = next((box for box in _boxes(raw, 0, len(raw)) if box[0] == b"meta"), None)
    if meta is None:
        return []
    parts = {kind: (start, end) for kind, start, end in _boxes(raw, meta[1] + 4, meta[2])}
    wanted = {_number(raw, parts[b"pitm"][0] + 4, 4 if raw[parts[b"pitm"][0]] else 2)}
    references = list(_references(raw, *parts[b"iref"])) if b"iref" in parts else []
    alphas = _alphas(raw, *parts[b"iprp"]) if b"iprp" in parts else set()
    for _ in range(3):  # an alpha of a grid of tiles
        for kind, source, targets in references:
            if kind == b"dimg" and source in wanted:
                wanted |= targets
            elif kind == b"auxl" and source in alphas and targets & wanted:
                wanted.add(source)
    codecs = dict(_codecs(raw, *parts[b"iinf"])) if b"iinf" in parts else {}
    places = _places(raw, *parts[b"iloc"], parts.get(b"idat", (0, 0))[0])
    return [Item(codecs.get(one, b""), extents) for one, extents in places if one in wanted]


def _number(raw: bytes, place: int, size: int) -> int:
    return int.from_bytes(raw[place : place + size], "big")


def _boxes(raw: bytes, place: int, end: int) -> Iterator[Box]:
    """Yield kind, start of the content and end of each box."""
    while place + 8 <= end:
        size, start = _number(raw, place, 4), place + 8
        if size == _EXTENDED:
            size, start = _number(raw, start, 8), start + 8
        stop = place + size if size else end
        if stop < start:
            return
        yield raw[place + 4 : place + 8], start, min(stop, end)
        place = stop


def _codecs(raw: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    for _, entry, _ in _boxes(raw, start + (8 if raw[start] else 6), end):
        wide = 4 if raw[entry] > 2 else 2
        kind = entry + 4 + wide + 2
        yield _number(raw, entry + 4, wide), raw[kind : kind + 4]


def _references(raw: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, set[int]]]:
    wide = 4 if raw[start] else 2
    for kind, place, _ in _boxes(raw, start + 4, end):
        count, first = _number(raw, place + wide, 2), place + wide + 2
        targets = {_number(raw, first + wide * i, wide) for i in range(count)}
        yield kind, _number(raw, place, wide), targets


def _alphas(raw: bytes, start: int, end: int) -> set[int]:
    """List the items whose properties call them alpha."""
    known, found = set(), set()
    for kind, first, stop in _boxes(raw, start, end):
        if kind == b"ipco":
            for i, (name, place, last) in enumerate(_boxes(raw, first, stop), start=1):
                if name == b"auxC" and raw[place + 4 : last].split(b"\0")[0] in _ALPHA:
                    known.add(i)
        elif kind == b"ipma":
            wide, long_index = (4 if raw[first] else 2), raw[first + 3] & 1
            place = first + 8
            for _ in range(_number(raw, first + 4, 4)):
                item, count = _number(raw, place, wide), _number(raw, place + wide, 1)
                place += wide + 1
                size = 2 if long_index else 1
                mask = 0x7FFF if long_index else 0x7F
                places = range(place, place + size * count, size)
                if known & {_number(raw, one, size) & mask for one in places}:
                    found.add(item)
                place += size * count
    return found


def _places(
    raw: bytes, start: int, end: int, idat: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    version, sizes = raw[start], _number(raw, start + 4, 2)
    of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version > 1 else 2
    place = start + 6 + wide
    for _ in range(_number(raw, start + 6, wide)):
        item, place = _number(raw, place, wide), place + wide
        method = _IN_FILE
        if version:
            method, place = _number(raw, place, 2) & 15, place + 2
        base = _number(raw, place + 2, of_base) + (idat if method == _IN_IDAT else 0)
        place += 2 + of_base
        count, place = _number(raw, place, 2), place + 2
        extents = []
        for _ in range(count):
            place += of_index if version else 0
            first = base + _number(raw, place, of_offset)
            length = _number(raw, place + of_offset, of_length) or len(raw) - first
            extents.append((first, first + length))
            place += of_offset + of_length
        if place > end:
            return
        if method in (_IN_FILE, _IN_IDAT):
            yield item, extents

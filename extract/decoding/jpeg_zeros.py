"""Find zeros in the data of a JPEG file that no encoder would write there.

A decoder that meets a hole of zeros warns of nothing if they are, by chance, as many blocks as were
there. What they mean is told by the Huffman tables: flat blocks if the shortest code of each is "no
difference" and "end of block", and otherwise blocks that no picture has one after the other.

Source: ITU-T T.81, annexes B, F and G.
"""

import re
from collections.abc import Iterator

_LONG, _VERY_LONG = 64, 512  # bytes: some blocks, and more of them than there are gray values
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # one that ends the data of a scan
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)
_TABLES, _SCAN, _END = 0xC4, 0xDA, 0xD9
_MOST_BITS = 16  # of a code


def has_hole(raw: bytes) -> bool:
    """Tell whether a file that was decoded has a run of zeros which is no picture."""
    if bytes(_LONG) not in raw:
        return False
    first_codes: dict[int, int] = {}
    frame = 0
    for marker, start, end in _segments(raw):
        content = raw[start + 4 : end]
        if marker in _SEQUENTIAL + _PROGRESSIVE:
            frame = marker
        elif marker == _TABLES:
            first_codes.update(_first_codes(content))
        elif marker == _SCAN and frame:
            found = _MARKER.search(raw, end)
            stop = found.start() if found else len(raw)
            longest = _longest(content, first_codes, frame in _PROGRESSIVE)
            if longest and _has_run(raw, end, stop, longest):
                return True
    return False


def _segments(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, first byte and end of each segment, up to the end of the image."""
    place = 2
    while (found := _MARKER.search(raw, place)) and raw[found.start() + 1] != _END:
        start = found.start()
        end = start + 2 + int.from_bytes(raw[start + 2 : start + 4], "big")
        yield raw[start + 1], start, end
        place = end


def _first_codes(tables: bytes) -> Iterator[tuple[int, int]]:
    """Yield class and number of each table, and the symbol whose code is all zeros."""
    place = 0
    while place + _MOST_BITS < len(tables):
        count = sum(tables[place + 1 : place + 1 + _MOST_BITS])
        yield tables[place], tables[place + 1 + _MOST_BITS] if count else 0
        place += 1 + _MOST_BITS + count


def _longest(scan: bytes, first_codes: dict[int, int], progressive: bool) -> int:
    """Give how many zeros in a row a scan can't have, or 0 if it may have any number."""
    components = scan[0]
    selectors = scan[2 : 1 + 2 * components : 2]
    low, _, bits = scan[1 + 2 * components : 4 + 2 * components]
    if not progressive or low:
        steps = [first_codes.get(0x10 | one & 15, 0) for one in selectors]
        if any(step & 15 or step == 0xF0 for step in steps):
            return _LONG
    # Bits that make values finer may all be zero.
    if not low and not bits >> 4 and any(first_codes.get(one >> 4, 0) for one in selectors):
        return _VERY_LONG
    return 0


def _has_run(raw: bytes, start: int, stop: int, length: int) -> bool:
    """Tell whether zeros stand in front of other data; at the end they are padding."""
    return raw.find(bytes(length), start, start + len(raw[start:stop].rstrip(b"\0"))) >= 0

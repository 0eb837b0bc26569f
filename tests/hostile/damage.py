"""Damage to files, made of a sound one and a generator of random numbers."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

Damage = Callable[[Random], bytes]

TOKENS = (
    b"", b",", b";", b"\t", b'"', b"'", b"|", b"\n", b"\r", b"\r\n", b"\0", b" ", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", b"sep=;\n", b"1", b"0", b"-1", b"1.0", b"nan", b"inf", b"1e999",
    b"9" * 5000, b"../", b"/", b"\\", b"%00", b"%2e%2e%2f", b"a.jpg", b"A.JPG", b"image", b"tags",
    b"label", b"[", b"]", b"{", b"}", b"null", b"true", b"<", b">", b"&", b"<object>",
    b"</object>", b"<difficult>", b"<!DOCTYPE a>", b"<![CDATA[", b"names:", b": ", b"- ", b"&a ",
    b"*a", b"!!", b"[" * 3000, "é".encode(), "e\u0301".encode(), "\u2028".encode(),
    "\U0001f600".encode(),
)  # fmt: skip


def overwrite(path: Path, content: bytes) -> None:
    """Replace what a file holds.

    It is not emptied first: ext4 would then write each content to the disk, and the next one would
    wait for that, for milliseconds.
    """
    with open(path, "r+b" if path.exists() else "wb") as file:
        file.write(content)
        file.truncate()


def edited(sample: bytes) -> Damage:
    """Cut, repeat, replace and insert in a sound file."""

    def damage(random: Random) -> bytes:
        content = sample
        for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
            start = random.randint(0, len(content))
            stop = start + random.choice((0, 0, 0, 1, 1, 2, 5, 20, 10**6))
            source = random.randint(0, len(content))
            new = random.choice(
                (
                    random.choice(TOKENS),
                    random.randbytes(random.randint(0, 6)),
                    content[source : source + random.randint(1, 40)],  # it comes once more
                )
            )
            content = content[:start] + new + content[stop:]
        return content

    return damage


def one_of(*damages: Damage) -> Damage:
    """Do one of several kinds of damage."""
    return lambda random: random.choice(damages)(random)


LEAVES = (
    None, True, False, -1, 0, 1, 7, 2**31, 2**63, 10**400, 0.5, -0.0, 1e300, math.nan, math.inf,
    "", "1", "a.jpg", "../a.jpg", "float32", "net/fc", "\ud800", "\0", "\u2028", "x" * 3000,
)  # fmt: skip


def any_value(random: Random, depth: int = 2) -> Any:
    """Make any JSON value."""
    kind = random.choice(("leaf", "leaf", "list", "dict")) if depth else "leaf"
    if kind == "leaf":
        return random.choice(LEAVES)
    values = [any_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    return values if kind == "list" else {f"k{place}": value for place, value in enumerate(values)}


def places(tree: Any, above: tuple = ()) -> list[tuple]:
    """List the paths of all values in nested lists and dicts."""
    found = [above]
    items = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in items:
        found.extend(places(value, (*above, key)))
    return found


def edited_json(tree: Any, random: Random) -> Any:
    """Replace, remove and repeat values of a JSON document."""
    tree = json.loads(json.dumps(tree))
    for _ in range(random.randint(1, 3)):
        path = random.choice(places(tree))
        if not path:
            return any_value(random)
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        action = random.choice(("replace", "replace", "replace", "remove", "repeat"))
        if action == "remove":
            del parent[path[-1]]
        elif action == "repeat" and isinstance(parent, list):
            parent.append(parent[path[-1]])
        else:
            parent[path[-1]] = any_value(random)
    return tree


def as_json(tree: Any) -> Damage:
    """Edit a document as a tree, as bytes, or both."""

    def text(random: Random) -> bytes:
        return json.dumps(edited_json(tree, random)).encode("utf-8")

    def both(random: Random) -> bytes:
        return edited(text(random))(random)

    return one_of(text, both, edited(json.dumps(tree).encode("utf-8")))


def patched(sample: bytes) -> Damage:
    """Change bytes of a binary file, most of them in its first 8 KB, or cut it."""

    def damage(random: Random) -> bytes:
        content = bytearray(sample)
        for _ in range(random.randint(1, 6)):
            end = random.choice((512, 2048, 8192, len(content)))
            start = random.randrange(min(end, len(content)))
            some = random.randbytes(random.randint(1, 8))
            new = random.choice((b"\0", b"\xff", b"\x7f" * 8, b"\xff" * 8, b"\0" * 8, some, some))
            content[start : start + len(new)] = new
        size = random.choice(
            (len(content), len(content), len(content), random.randrange(len(content)))
        )
        return bytes(content[:size])

    return damage


def edited_model(sample: bytes) -> Damage:
    """Edit a safetensors file: its header, the model's own description in it, or any bytes."""
    (size,) = struct.unpack("<Q", sample[:8])
    arrays = sample[8 + size :]

    def damage(random: Random) -> bytes:
        header = json.loads(sample[8 : 8 + size])
        if random.random() < 0.6:
            described = edited_json(json.loads(header["__metadata__"]["model"]), random)
            header["__metadata__"]["model"] = json.dumps(described)
        else:
            header = edited_json(header, random)
        text = json.dumps(header).encode("utf-8")
        return struct.pack("<Q", len(text)) + text + arrays

    return one_of(damage, damage, damage, patched(sample))

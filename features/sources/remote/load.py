"""Data sets in folders of object stores, and lists of addresses."""

import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from features.datasets import BESIDE, Dataset, Members, index_images
from features.errors import InputError
from features.inputs.image_kinds import image_suffixes
from features.inputs.name_forms import CONTROL, NOT_A_PATH
from features.labels import read_labels_csv, some_of
from features.sources.base import Fault, Opened, Source
from features.sources.remote.address import WEB, Address, located
from features.sources.remote.client import Stat, read_text_file, read_whole, stat
from features.sources.remote.errors import NetworkFault
from features.sources.remote.folder import RemoteFolder

AT_ONCE = 16  # requests for sizes
LABELS = "labels.csv"


def load_folder(root: Address, *, strict_names: bool = False) -> Dataset:
    """Read a folder of an object store as `features.datasets.load_dataset` reads one on a disk.

    Raises
    ------
    InputError
        As for `features.datasets.load_dataset`, or it can't be listed.
    """
    folder = RemoteFolder(root)
    found = folder.listing
    inner = any(name.startswith("images/") for name in found.pictures)
    front = "images/" if inner else ""
    pictures = [name[len(front) :] for name in found.pictures if name.startswith(front)]
    images = root / "images" if inner else root
    index = partial(
        index_images, images, root=root, strict_names=strict_names,
        members=Members(folder, front, pictures),
    )  # fmt: skip
    tables = [
        folder.place(name)
        for name in found.others
        if name.endswith(".parquet") and posixpath.dirname(name) in ("", "data")
    ]
    if tables and not found.pictures:
        from features.sources import parquet_files

        return parquet_files.load(tables, strict_names=strict_names)
    if LABELS in folder:
        labels_csv = root / LABELS
        ids, labels, names = read_labels_csv(
            labels_csv, content=read_text_file(folder.place(LABELS))
        )
        return index(ids, labels, names, source=labels_csv, notes=folder.notes)
    if pictures:
        found.others = [name for name in found.others if name.startswith(front)]
        notes = (*folder.notes, *found.left_out(beside=BESIDE))
        return index(pictures, source=images, notes=notes)
    lines = "; ".join([f"No images in {root}", *folder.notes, *found.left_out()])
    raise InputError(f"{lines}. Put some there ({' '.join(sorted(image_suffixes()))}).")


def is_listed(line: str) -> bool:
    """Tell whether a line of a list is an address."""
    return isinstance(located(line), Address)


def load_list(path: Path, lines: Sequence[str], *, strict_names: bool = False) -> Dataset:
    """Make a data set of the pictures whose addresses a text file lists, in its order.

    Parameters
    ----------
    path : Path
        The list. Lines that are no addresses start from its folder if it is on a server itself.
    lines : sequence of str
    strict_names : bool
        Of no effect: names are those of the addresses.

    Returns
    -------
    Dataset
        Each picture's id is its address from the folder on that all lie in, or from `images/` on,
        without what stands behind a question mark.

    Raises
    ------
    InputError
        A line is no address, or a picture is not there.
    """
    if isinstance(path, Address):
        lines = [line if is_listed(line) else f"{path.parent}/{line}" for line in lines]
    elif other := [line for line in lines if not is_listed(line)]:
        raise InputError(
            f"{path}: {some_of(other)} of {len(lines)} lines are paths, and others are addresses. "
            "Make two lists."
        )
    names, top = _names(lines)
    if odd := next((n for n in names if NOT_A_PATH.search(n) or CONTROL.search(n)), None):
        raise InputError(f"{path}: {odd!r} is no plain path. Give the picture another address.")
    front = "images/" if all(name.startswith("images/") for name in names) else ""
    ids = [name.removeprefix(front) for name in names]
    addresses = dict(zip(names, map(Address, lines), strict=True))
    source = Addresses(addresses, _stats(path, addresses) if len(addresses) == len(lines) else {})
    root = Address(top) if top else path.parent
    return index_images(
        root / "images" if front else root, ids, source=path, root=root,
        strict_names=strict_names, members=Members(source, front, sorted(set(ids))),
    )  # fmt: skip


class Addresses(Source):
    """Pictures, each with an address of its own.

    Parameters
    ----------
    places : dict of str to Address
    stats : dict of str to Stat
    """

    def __init__(self, places: dict[str, Address], stats: dict[str, Stat]):
        self.places, self.stats = places, stats

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, ({path: str(place) for path, place in self.places.items()}, self.stats)

    def __contains__(self, path: object) -> bool:
        """See `Source.__contains__`."""
        return path in self.places

    def open(self, path: str) -> Opened:
        """See `Source.open`."""
        if path not in self.places:
            raise Fault("MISSING")
        size = self.stats[path].size
        return Opened(size, partial(read_whole, self.places[path], size))

    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """See `Source.sizes`."""
        return np.array([self.stats[path].size for path in paths], dtype=np.int64)

    def changed(self, path: str) -> int:
        """See `Source.changed`."""
        return self.stats[path].changed if path in self.stats else 0


def _again(places: dict[str, str], stats: dict[str, Stat]) -> Addresses:
    return Addresses({path: Address(place) for path, place in places.items()}, stats)


def _stats(path: Path, places: dict[str, Address]) -> dict[str, Stat]:
    """Ask for every picture's size, several at once; what tells none is read for it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(_stat_or_fault, places.values()))
    faults = [one for one in found if isinstance(one, NetworkFault)]
    if faults:
        first = faults[0]
        raise InputError(
            f"{path}: {len(faults)} of {len(places)} pictures can't be read. The first: "
            f"{first.place}: {first.text}. Take their lines out, or run again when they are there."
        )
    return {name: one for name, one in zip(places, found, strict=True) if isinstance(one, Stat)}


def _stat_or_fault(place: Address) -> Stat | NetworkFault:
    try:
        found = stat(place)
        return found if found.size >= 0 else found._replace(size=len(read_whole(place, -1)))
    except NetworkFault as fault:
        return fault


def _names(lines: Sequence[str]) -> tuple[list[str], str]:
    """Give paths from the folder on that all addresses lie in, and that folder."""
    plain = [_without_query(line) for line in lines]
    parts = [line.partition("://")[::2] for line in plain]
    folders = [rest.split("/")[:-1] for _, rest in parts]
    shared = len(posixpath.commonprefix(folders)) if len({s for s, _ in parts}) == 1 else 0
    common = folders[0][:shared]
    if "images" in common[1:]:
        common = common[: len(common) - common[::-1].index("images") - 1]
    names = ["/".join(rest.split("/")[len(common) :]) for _, rest in parts]
    top = f"{parts[0][0]}://{'/'.join(common)}" if common else ""
    scheme = parts[0][0].lower()
    return [unquote(name) if scheme in WEB else name for name in names], top


def _without_query(line: str) -> str:
    is_web = line.partition("://")[0].lower() in WEB
    return line.partition("#")[0].partition("?")[0] if is_web else line

"""A folder in an object store, listed once."""

import posixpath
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from features.inputs.image_kinds import image_suffixes
from features.inputs.listing import Listing, is_companion
from features.inputs.name_forms import CONTROL, NOT_A_PATH
from features.labels import some_of
from features.sources.base import Fault, Opened, Source
from features.sources.remote.address import Address
from features.sources.remote.client import Stat, listed, read_whole
from features.sources.remote.errors import NetworkFault


class RemoteFolder(Source):
    """Files under an address.

    Parameters
    ----------
    root : Address
    found : dict of str to Stat, optional
        What lies there by its path; by default it is listed now.

    Attributes
    ----------
    listing : Listing
    notes : list of str
        What was left out.

    Raises
    ------
    InputError
        It can't be listed.
    """

    def __init__(self, root: Address, found: dict[str, Stat] | None = None):
        self.root = root
        try:
            self.found = listed(root) if found is None else found
        except NetworkFault as fault:
            raise fault.as_error() from fault
        self.listing = Listing()
        self.notes: list[str] = []
        suffixes = image_suffixes()
        odd = []
        for name in sorted(self.found):
            if NOT_A_PATH.search(name) or CONTROL.search(name) or not name:
                odd.append(name)
            elif not any(map(is_companion, name.split("/"))):
                is_picture = posixpath.splitext(name)[1].lower() in suffixes
                (self.listing.pictures if is_picture else self.listing.others).append(name)
        if odd:
            self.notes.append(f"{some_of(odd)} files whose names are no plain paths are left out")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (str(self.root), self.found)

    def __contains__(self, path: object) -> bool:
        """See `Source.__contains__`."""
        return path in self.found

    def open(self, path: str) -> Opened:
        """See `Source.open`."""
        if path not in self.found:
            raise Fault("MISSING")
        size = max(self.found[path].size, 0)
        return Opened(size, partial(read_whole, self.place(path), size))

    def sizes(self, paths: Sequence[str]) -> np.ndarray:
        """See `Source.sizes`."""
        sizes = (max(self.found[path].size, 0) for path in paths)
        return np.fromiter(sizes, dtype=np.int64, count=len(paths))

    def changed(self, path: str) -> int:
        """See `Source.changed`."""
        return self.found[path].changed if path in self.found else 0

    def place(self, path: str) -> Address:
        """Give the address of a file."""
        return Address(f"{self.root}/{path}")


def _again(root: str, found: dict[str, Stat]) -> RemoteFolder:
    return RemoteFolder(Address(root), found)

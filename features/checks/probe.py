"""Look through HDF5 files in a process of its own: `python -m features.checks.probe SECONDS FILES`.

`trial` starts it for files without a seal. It counts each file after its look, in which it asks
HDF5 for all that a reader asks for. On a damaged file it may loop without end, for which the
system ends it, or crash; an error that HDF5 reports is left to the reader.
"""

import contextlib
import resource
import sys

import h5py

from features import schema


def look_through(path: str) -> None:
    """Read the structure of a file: attributes, links, types, shapes and where arrays lie."""
    with contextlib.suppress(Exception), h5py.File(path, "r", locking=False) as file:
        _look(file, set())
        file.visititems(lambda name, item: None)


def _look(item: h5py.Group | h5py.Dataset, seen: set[int]) -> None:
    with contextlib.suppress(Exception):
        dict(item.attrs)
    for name in (schema.LAYOUT, schema.CHECKSUM, schema.MANIFEST_HASH):
        with contextlib.suppress(Exception):
            item.attrs.get(name)
    if isinstance(item, h5py.Dataset):
        with contextlib.suppress(Exception):
            _look_where(item)
        return
    with contextlib.suppress(Exception):
        for key in item:
            _follow(item, key, seen)


def _follow(group: h5py.Group, key: str, seen: set[int]) -> None:
    """Look at what a hard link leads to, once."""
    with contextlib.suppress(Exception):
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            return
        inner = group[key]
        address = h5py.h5o.get_info(inner.id).addr
        if address not in seen and isinstance(inner, h5py.Group | h5py.Dataset):
            seen.add(address)
            _look(inner, seen)


def _look_where(dataset: h5py.Dataset) -> None:
    how = dataset.id.get_create_plist()
    how.get_external_count()
    how.get_nfilters()
    dataset.id.get_storage_size()
    if dataset.chunks:
        dataset.id.chunk_iter(lambda chunk: None)


def _limit_time(seconds: int) -> None:
    """Let the system end this process when it has used its seconds for one file."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = used + seconds
    resource.setrlimit(
        resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
    )


def main() -> None:
    """Look through every file, and print its place afterwards."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for place, path in enumerate(sys.argv[2:]):
        _limit_time(int(sys.argv[1]))
        look_through(path)
        print(place, flush=True)


if __name__ == "__main__":
    main()

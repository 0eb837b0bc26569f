"""Peak memory of a piece of work, by what it allocates."""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """Watch what the process allocates, mapped files apart, and give its peak's rise in bytes.

    Memory freed earlier goes back to the system first: what the allocator fills again would not
    count otherwise.
    """
    _hand_back()
    before, done = _allocated(), threading.Event()
    peak = {"bytes": 0}

    def look():
        peak["bytes"] = max(peak["bytes"], _allocated() - before)

    def watch():
        while not done.wait(0.02):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        look()  # a busy machine may not have let the watcher


def _hand_back() -> None:
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc; other allocators keep less
        trim(0)


def _allocated() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])

"""Bound the bytes that all decoding threads of a process hold together."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Budget:
    """Bytes that threads may hold at the same time.

    Parameters
    ----------
    limit : int
        Bytes. Something larger is let through when nothing else is held.

    Attributes
    ----------
    held, peak : int
        Bytes that are held now, and the most there have been.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.held = self.peak = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold `size` bytes while the block runs; wait until they are free."""
        size = min(size, self.limit)
        with self._changed:
            self._changed.wait_for(lambda: self.held + size <= self.limit)
            self.held += size
            self.peak = max(self.peak, self.held)
        try:
            yield
        finally:
            with self._changed:
                self.held -= size
                self._changed.notify_all()


# Always taken in this order, so that no thread waits for one that waits for it.
FILES = Budget(512 << 20)
PIXELS = Budget(1 << 30)

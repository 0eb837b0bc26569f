"""What libtiff says of a file while Pillow decodes it: of codes of a fax that it passes over.

It goes on behind a code that it can't read, and its results do not tell.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from PIL import Image

_BAD_CODE = b"Bad code word"
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_heard = threading.local()


@contextmanager
def listening() -> Iterator[list[bytes]]:
    """Collect what libtiff says of damage in this thread while the block runs."""
    texts: list[bytes] = []
    _heard.texts = texts
    try:
        yield texts
    finally:
        _heard.texts = None


def _hear(module: bytes | None, form: bytes | None, values: int | None) -> None:
    texts = getattr(_heard, "texts", None)
    if texts is not None and form and form.startswith(_BAD_CODE):
        texts.append(form)


_handler = _Handler(_hear)  # kept as long as libtiff may call it
with suppress(OSError, AttributeError):  # libtiff is built in, or Pillow has none
    # It writes to stderr itself, between the lines and bars of a run.
    _library = ctypes.CDLL(Image.core.__file__)
    _library.TIFFSetErrorHandler(_handler)
    _library.TIFFSetWarningHandler(_handler)

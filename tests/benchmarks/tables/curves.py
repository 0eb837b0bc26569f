"""What stands in for pictures, which `tests/benchmarks/report/test_plots.py` has drawn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.report.plots import Panel
from benchmarks.tables import experiment

PNG = b"\x89PNG\r\n\x1a\n"  # by which a table knows its pictures again


@contextmanager
def curves_as_numbers() -> Iterator[None]:
    """Let tables write what they would draw: the same bytes exactly for the same panels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "draw_curves", _written)
        yield


def _written(panels: Sequence[Panel], path: Path, title: str) -> None:
    path.write_bytes(PNG + repr((title, panels)).encode())

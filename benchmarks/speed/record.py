"""Result lines of a measurement: kept as they come, and the page that they give."""

import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.files import claim_page
from benchmarks.report.machine import describe_machine
from classify.results import Line
from features.errors import InputError
from features.files.unchanged import require_unchanged, rewrite_text

LINEAR = 1.1  # largest exponent that counts as linear: 1, and the noise of the times
KEY = ("part", "what", "round")
Page = Callable[[Mapping[str, Any], list[Line]], str]


class Record:
    """The lines of one measurement.

    Written after each addition, so that a kill loses no finished part.

    Parameters
    ----------
    table : str
        Name of the measurement in `benchmarks.catalog`.
    page : callable
        Of (header, lines): the Markdown page.
    out : Path or None
        The page's file, ``.md``; the lines go beside it, to ``.jsonl``. None writes no file.
    facts : mapping
        What all lines have in common, such as sizes.
    device : str
        As for `benchmarks.report.machine.describe_machine`.

    Raises
    ------
    InputError
        `out` ends in something else, or something else than an earlier measurement is there, or one
        that was changed since it was written.
    """

    def __init__(
        self,
        table: str,
        page: Page,
        out: Path | None,
        facts: Mapping[str, Any],
        *,
        device: str = "cpu",
    ):
        self._page, self._out, self.lines = page, None, list[Line]()
        self._begun = time.perf_counter()
        self.header = {"table": table, **facts, "machine": describe_machine(device)}
        self.header["key"] = list(KEY)
        if out is not None:
            if Path(out).suffix != ".md":
                raise InputError(f"The 'out' option must end in .md. Got {str(out)!r}.")
            self._out = claim_page(Path(out))
            self._lines_file = claim_page(Path(out).with_suffix(".jsonl"))
            for path in (self._out, self._lines_file):  # times are never the same again
                require_unchanged(path, repeatable=False)

    def add(self, part: str, lines: Iterable[Line]) -> None:
        """Add the lines of a part; ``what`` and ``round`` tell them apart."""
        self.lines += [{"part": part, "round": 0, **line} for line in lines]
        if self._out is not None:
            rows = [{"header": self.header, "run": self._run()}, *self.lines]
            rewrite_text(self._lines_file, "".join(json.dumps(row) + "\n" for row in rows))

    def finish(self) -> str:
        """Write and print the page, and return it."""
        text = self._page(self.header, self.lines)
        if self._out is not None:
            rewrite_text(self._out, text)
        print(text, end="")
        return text

    def _run(self) -> dict[str, Any]:
        words = shlex.join(sys.argv[1:])
        return {
            "command": f"python -m benchmarks {words}",
            "date": date.today().isoformat(),
            "machine": self.header["machine"],
            "seconds": round(time.perf_counter() - self._begun, 1),
        }


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Run `work`; give its value, and its wall and CPU seconds.

    The CPU seconds of one thread depend less on what else the machine does.
    """
    begun, cpu = time.perf_counter(), time.process_time()
    value = work()
    spent = time.process_time() - cpu
    return value, {"seconds": time.perf_counter() - begun, "cpu_seconds": spent}


def of_part(lines: Iterable[Line], part: str) -> dict[str, list[Line]]:
    """Give the lines of a part by ``what``, in order of their rounds."""
    found: dict[str, list[Line]] = {}
    for line in sorted((one for one in lines if one["part"] == part), key=lambda one: one["round"]):
        found.setdefault(line["what"], []).append(line)
    return found


def preamble(header: Mapping[str, Any]) -> str:
    """Say what a measurement on one thread ran on, and how its verdicts are computed."""
    return (
        f"{header['machine']}; one thread. Verdicts follow from the CPU seconds of that thread,\n"
        "which depend less on what else the machine does; medians over the rounds.\n"
    )


def median(lines: Iterable[Line], field: str = "cpu_seconds") -> float:
    """Give the median of a field over rounds."""
    return float(statistics.median(line[field] for line in lines))


def median_and_range(lines: Sequence[Line], field: str = "cpu_seconds") -> str:
    """Write the median of a field over rounds, and its range.

    Examples
    --------
    >>> median_and_range([{"seconds": 1.0}, {"seconds": 2.0}, {"seconds": 4.0}], "seconds")
    '2.00 (1.00 to 4.00)'
    """
    values = [line[field] for line in lines]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds over log size; NaN for a single one.

    Examples
    --------
    >>> round(exponent([1, 10, 100], [2.0, 20.0, 200.0]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(sizes) > 1 else np.nan

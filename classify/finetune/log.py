"""The log of a training: JSON lines that a resumed run goes on with. Knows no model."""

import json
import math
import time
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from features.errors import needs_extra
from features.files import write_text
from features.files.ownership import require_ours

_BEGIN = '{"step": '  # of each line


class Log:
    """Sums of loss terms between two lines of a JSON-lines file.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Of the terms.
    tensorboard : bool
        Write the numbers to the folder `tensorboard` beside it as well.

    Attributes
    ----------
    terms : Tensor, shape (terms,)
        Sums since the last line.
    steps : int
        Steps since the last line.

    Raises
    ------
    InputError
        TensorBoard is asked for and not installed.
    """

    def __init__(self, path: Path, names: tuple[str, ...], tensorboard: bool = False):
        self._path, self._names, self._board = path, names, None
        if tensorboard:
            self._board = _summary_writer(path.parent / "tensorboard")
        self.terms, self.steps, self._images = torch.zeros(len(names)), 0, 0
        self._begun = time.monotonic()

    def add(self, terms: Tensor, images: int) -> None:
        """Add a step's terms (terms,) and images."""
        self.terms = terms.clone() if self.steps == 0 else self.terms + terms
        self.steps, self._images = self.steps + 1, self._images + images

    def write(self, line: dict[str, Any], *, timed: bool, first: bool) -> None:
        """Append a line; with `timed`, its images a second, and begin to sum anew."""
        if timed:
            seconds = time.monotonic() - self._begun
            line = {**line, "images_per_second": round(self._images / seconds, 2)}
            self.terms, self.steps, self._images = torch.zeros(len(self._names)), 0, 0
        self._begun = time.monotonic()
        if not first:
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._board:
            for name, value in line.items():
                self._board.add_scalar(name, value, line["step"])

    def cut(self, step: int) -> None:
        """Drop lines beyond a step: a resumed run writes them again.

        Raises
        ------
        InputError
            The file is there and is no log, or someone wrote other lines into it.
        """
        require_ours(self._path, _is_log, what="the log of a training")
        if self._path.exists():
            # An editor may have put a mark in front, or taken the last line's end.
            text = self._path.read_text(encoding="utf-8-sig", errors="replace")
            kept = [line for line in text.split("\n") if _step(line) <= step]
            write_text(self._path, "".join(f"{line}\n" for line in kept))


def _is_log(file: BinaryIO) -> bool:
    """Recognize lines that `Log` wrote; a kill leaves the last one half-written, or zeros."""
    *lines, last = file.read().decode("utf-8-sig").split("\n")
    half = last.rstrip("\0")
    begun = half.startswith(_BEGIN) or _BEGIN.startswith(half)
    return begun and all(_step(line) < math.inf for line in lines if line.strip())


def _step(line: str) -> float:
    """Read the step of a line of a log; infinite for any other line."""
    try:
        found = json.loads(line)
        timed = "images_per_second" in found
        ours = timed or any(name.startswith("validation_") for name in found)
        return float(found["step"]) if ours and type(found["step"]) is int else math.inf
    except (OverflowError, ValueError, KeyError, TypeError, AttributeError):
        return math.inf


def _summary_writer(folder: Path):
    with needs_extra("tensorboard", "--tensorboard", "leave it out"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(folder)

"""The log of a training: JSON lines that a resumed run goes on with. Knows no model."""

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from features.errors import needs_extra
from features.files import require_regular, write_text


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
        """Drop lines beyond a step: a resumed run writes them again."""
        require_regular(self._path)
        if self._path.exists():
            # An editor may have put a mark in front, or taken the last line's end.
            text = self._path.read_text(encoding="utf-8-sig", errors="replace")
            kept = [line for line in text.split("\n") if _step(line) <= step]
            write_text(self._path, "".join(f"{line}\n" for line in kept))


def _step(line: str) -> float:
    try:
        return math.inf if isinstance(step := json.loads(line)["step"], str) else float(step)
    except (OverflowError, ValueError, KeyError, TypeError):
        return math.inf


def _summary_writer(folder: Path):
    with needs_extra("tensorboard", "--tensorboard", "leave it out"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(folder)

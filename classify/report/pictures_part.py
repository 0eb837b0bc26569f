"""The part of the page that shows pictures: examples, the worst mistakes, doubtful labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classify.audit.label_errors import self_confidence, suspects
from classify.base import UNKNOWN
from classify.report.page import (
    Card,
    Cards,
    Commands,
    Paragraph,
    Section,
    Table,
    Tag,
    decimal,
    word,
)
from classify.report.pictures import Thumbnails
from classify.report.predictions import Predictions
from features.index import IndexRow
from features.labels import some_of

DOUBTFUL = 50  # rows of the table
MOST_TAGS = 24  # on one card
CERTAIN = 1e-6  # probabilities are kept this far from 0 and 1 in a logarithm


class Images:
    """The images of a page with all that is known about them.

    Parameters
    ----------
    index : sequence of n IndexRow
        Of the rows with features.
    names : sequence of L str
        Of the labels.
    Y : int8 array of shape (n, L)
    found : Predictions
    data : Path or None
        The folder of the pictures.
    """

    def __init__(
        self,
        index: Sequence[IndexRow],
        names: Sequence[str],
        Y: np.ndarray,
        found: Predictions,
        data: Path | None,
    ):
        self.index, self.names, self.Y, self.found = index, names, Y, found
        self.thumbnails = Thumbnails(data)

    def card(self, row: int, words: str = "") -> Card:
        """Show an image with its labels."""
        tags = self._tags(row)
        more = f"and {len(tags) - MOST_TAGS} more labels" if len(tags) > MOST_TAGS else ""
        source = self.thumbnails.of(self.index[row])
        return Card(self.index[row].id, source, words, tags[:MOST_TAGS], more)

    def _tags(self, row: int) -> list[Tag]:
        """List what is true or predicted, each kind by falling probability."""
        y, decided, P = self.Y[row], self.found.decided[row] == 1, self.found.probabilities[row]
        kinds = {
            "hit": (y == 1) & decided,
            "missed": (y == 1) & ~decided,
            "wrong": (y == 0) & decided,
            "unknown": (y == UNKNOWN) & decided,
        }
        return [
            Tag(kind, self.names[k], f"{P[k]:.2f}")
            for kind, chosen in kinds.items()
            for k in np.flatnonzero(chosen)[np.argsort(-P[chosen], kind="stable")]
        ]


def sections(images: Images, made: Commands, *, count: int, seed: int) -> list[Section]:
    """Build the sections.

    Parameters
    ----------
    images : Images
    made : Commands
        The command behind them.
    count : int
        Pictures in each section.
    seed : int
        Of the choice of examples.
    """
    found = [_doubtful(images, made, count)]
    if count:
        found = [_examples(images, made, count, seed), _worst(images, made, count), *found]
    return found


def missing_line(images: Images) -> str:
    """Say which pictures were not found or not read; empty if all were."""
    missing = images.thumbnails.missing
    if not missing:
        return ""
    return (
        f"{some_of(missing)} pictures are not under {images.thumbnails.data}, or can't be read "
        "there: they are shown by name only."
    )


def _examples(images: Images, made: Commands, count: int, seed: int) -> Section:
    labeled = np.flatnonzero((images.Y != UNKNOWN).any(axis=1))
    rows = np.sort(np.random.default_rng(seed).permutation(labeled)[:count])
    text = (
        "Images drawn at random, each with its true and predicted labels and their probabilities."
    )
    cards = Cards([images.card(row) for row in rows])
    return Section("pictures", "Images with their labels", [Paragraph(text), cards, made])


def _worst(images: Images, made: Commands, count: int) -> Section:
    losses = log_losses(images.Y, images.found.probabilities)
    order = np.argsort(-np.nan_to_num(losses, nan=-1), kind="stable")[:count]
    text = (
        "The images whose labels the predictions contradict most, by the mean log loss over their "
        "known labels: what is hard, or labeled wrongly."
    )
    cards = [images.card(row, f"log loss {losses[row]:.3f}") for row in order if losses[row] >= 0]
    return Section("worst", "Worst mistakes", [Paragraph(text), Cards(cards), made])


def log_losses(Y: np.ndarray, P: np.ndarray) -> np.ndarray:
    """Give each image's mean log loss over its known labels; NaN where none is.

    Parameters
    ----------
    Y : int8 array of shape (n, L)
    P : float array of shape (n, L)

    Returns
    -------
    float64 ndarray of shape (n,)

    Examples
    --------
    >>> log_losses(np.array([[1, -1], [-1, -1]]), np.full((2, 2), 0.5)).round(3)
    array([0.693,   nan])
    """
    given = np.where(Y == 1, P, 1 - P)
    cells = np.where(Y == UNKNOWN, 0.0, -np.log(np.maximum(given, CERTAIN)))
    known = (Y != UNKNOWN).sum(axis=1)
    return np.divide(cells.sum(axis=1), known, out=np.full(len(Y), np.nan), where=known > 0)


def _doubtful(images: Images, made: Commands, count: int) -> Section:
    confidence = self_confidence(images.found.scores, images.Y)
    found = suspects(confidence, images.Y, max(DOUBTFUL, count))
    title = "Labels that are probably wrong"
    if not found:
        text = "No label is contradicted by its out-of-fold probability."
        return Section("doubtful", title, [Paragraph(text)])
    text = (
        "Labels with the lowest out-of-fold probability of what is given, as multilabel audit "
        "ranks them. Look before you change any."
    )
    rows = [
        [
            word(images.index[one.row].id),
            word(images.names[one.label]),
            word("present" if one.given else "absent"),
            decimal(one.confidence, 4),
        ]
        for one in found
    ]
    headings = ["image", "label", "given as", "probability of that"]
    cards = []
    for one in found[:count]:
        verb = "has" if one.given else "lacks"
        label, given = images.names[one.label], one.confidence
        cards.append(images.card(one.row, f"{verb} {label} (probability {given:.3f})"))
    parts = [Table("The most doubtful labels", headings, rows), made]
    if cards:
        parts = [Cards(cards), made, *parts]
    return Section("doubtful", title, [Paragraph(text), *parts])

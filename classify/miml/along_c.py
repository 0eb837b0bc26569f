"""Fits of one method along C, for those whose preparation does not depend on it."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any


class AlongC:
    """Part of those with a parameter `C` that their preparation does not depend on."""

    def fit_path(self, X, Y, C: Sequence[float]) -> Iterator[Any]:
        """Fit along C; what needs no labels is done once.

        Parameters
        ----------
        X, Y
            As for `fit`.
        C : sequence of float

        Yields
        ------
        BagTagger
            Fitted, one per value of C.
        """
        tagger: Any = self
        prepared, Y = tagger._started(X, Y)
        for value in C:
            yield copy(tagger).set_params(C=value).fit_prepared(prepared, Y)

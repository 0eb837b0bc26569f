"""Checks of the loss that `WarpTagger` is given, by the number of labels."""

from typing import Any

from classify.losses import LOSSES, only_ranks
from features.errors import InputError


def check_loss(tagger: Any, n_labels: int) -> None:
    """Refuse a loss that only ranks for a single label, and class weights without classes."""
    if n_labels == 1 and only_ranks(tagger.loss, tagger.kappa):
        raise InputError(
            f'loss="{tagger.loss}" without a term for labels by themselves ranks labels against '
            'each other, and y has one only: use loss="bce" or kappa above 0'
        )
    if LOSSES[tagger.loss].weighs_cells or n_labels == 1:
        return
    for name in ("class_weight", "rare_weight"):
        if getattr(tagger, name) is not None:
            others = ", ".join(repr(key) for key, one in LOSSES.items() if one.weighs_cells)
            raise InputError(
                f"{name} came with loss={tagger.loss!r}, which compares labels and has no "
                f"classes to weigh: use loss={others} or leave {name} out"
            )

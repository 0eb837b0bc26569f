"""The scalings of features, one record each. `classify.feature_scaler` learns and applies them."""

from dataclasses import dataclass
from typing import Literal

from features.errors import check_choice


@dataclass(frozen=True)
class Scaling:
    """What is done to features before a learner sees them.

    Parameters
    ----------
    name : str
    description : str
        One line for help texts.
    root : bool
        Whether each value is first replaced by its square root, with its sign.
    divide_by : {"", "column max", "column std", "row length", "mean length"}
        The largest absolute value or the standard deviation of each column over the training rows;
        the Euclidean length of the layer's part of the row itself; or the mean of those lengths
        over the training rows, one number per layer.
    """

    name: str
    description: str
    root: bool = False
    divide_by: Literal["", "column max", "column std", "row length", "mean length"] = ""

    @property
    def by_layer(self) -> bool:
        """Whether it needs to know which columns belong to which layer."""
        return self.divide_by in ("row length", "mean length")


SCALINGS = {
    scaling.name: scaling
    for scaling in (
        Scaling("none", "features as the cache holds them"),
        Scaling("max", "each column divided by its maximum", divide_by="column max"),
        Scaling("std", "each column divided by its standard deviation", divide_by="column std"),
        Scaling("sqrt-max", "square roots, then max", root=True, divide_by="column max"),
        Scaling(
            "layer-l2",
            "each layer of a row divided by its Euclidean length",
            divide_by="row length",
        ),
        Scaling("sqrt-layer-l2", "square roots, then layer-l2", root=True, divide_by="row length"),
        Scaling(
            "layer-mean", "each layer divided by its mean length over rows", divide_by="mean length"
        ),
    )
}

#: Names that earlier versions gave, which commands and model files may still hold.
EARLIER_NAMES = {"max01": "max"}


def find_scaling(name: str) -> Scaling:
    """Look a scaling up by its name, or by the name that it had earlier.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.

    Examples
    --------
    >>> find_scaling("max01").name
    'max'
    """
    name = EARLIER_NAMES.get(name, name)
    check_choice("scaling", name, SCALINGS)
    return SCALINGS[name]


def describe_scalings() -> str:
    """List all scalings, one line each, for help texts."""
    width = max(map(len, SCALINGS)) + 2
    return "\n".join(
        ["scalings:", *(f"  {one.name:<{width}}{one.description}" for one in SCALINGS.values())]
    )

"""Replace labels by wrong ones on purpose, to measure how an estimator tolerates them."""

from dataclasses import dataclass

import numpy as np

from features.errors import InputError, check_choice, check_number

VARIANTS = ("bernoulli", "permute")


@dataclass(frozen=True, eq=False)
class Corruption:
    """Labels in which some rows were replaced.

    Attributes
    ----------
    labels : ndarray
        A copy of the given labels, in which `rows` are replaced.
    rows : int ndarray
        The replaced rows, in the order in which they were drawn.
    effective_rate : float
        Share of all rows whose labels have changed; some replacements equal the labels they
        replace.
    """

    labels: np.ndarray
    rows: np.ndarray
    effective_rate: float


def corrupt(Y: np.ndarray, rate: float, seed: int, variant: str = "bernoulli") -> Corruption:
    """Replace the labels of a share of the rows, as the ramp-loss WARP paper's code does.

    Corruptions of one seed are nested: a higher rate keeps the rows of a lower one, and with
    "bernoulli" their new labels too.

    Parameters
    ----------
    Y : int array of shape (n, L) or (n,)
        1 = present, 0 = absent, -1 = unknown; or one class per row. Unknown cells stay unknown with
        "bernoulli" and move with their row with "permute".
    rate : float
        Share of the rows to replace, 0 to 1; their number is rounded.
    seed : int
    variant : {"bernoulli", "permute"}
        "bernoulli" draws every label by its share among the known cells, again until at least one
        is present, so that labels become more frequent than they were (`redrawn_marginals`); for
        classes it draws from their frequencies. "permute" permutes the labels among
        the drawn rows, which keeps all frequencies.

    Returns
    -------
    Corruption

    Raises
    ------
    InputError
        The rate or the variant is not allowed, or no label is present.

    Examples
    --------
    >>> Y = np.eye(4, dtype=np.int8)
    >>> corrupt(Y, 0.5, seed=0, variant="permute").effective_rate
    0.5
    """
    Y = np.asarray(Y)
    check_number("rate", rate, low=0, high=1, kind="parameter")
    check_choice("variant", variant, VARIANTS, kind="parameter")
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(Y))
    size = int(np.floor(rate * len(Y) + 0.5))
    labels = Y.copy()
    if variant == "permute":
        labels[rows[:size]] = Y[np.roll(rows[:size], -1)]
    else:
        replacements = rng.choice(Y, len(Y)) if Y.ndim == 1 else _drawn(Y, rng)
        labels[rows[:size]] = replacements[rows[:size]]
    changed = (labels != Y).reshape(len(Y), -1).any(axis=1)
    return Corruption(labels, rows[:size], float(changed.mean()))


def redrawn_marginals(marginals: np.ndarray) -> np.ndarray:
    """Give the shares of labels that are drawn again until at least one is present.

    Parameters
    ----------
    marginals : array of shape (L,)
        Probability of each label in a single draw.

    Returns
    -------
    float64 array of shape (L,)
        p / (1 - prod (1 - p)).

    Examples
    --------
    >>> redrawn_marginals(np.array([0.5, 0.2, 0.1]))
    array([0.78125, 0.3125 , 0.15625])
    """
    marginals = np.asarray(marginals, dtype=np.float64)
    return marginals / (1 - np.prod(1 - marginals))


def _drawn(Y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw new labels for every row: Bernoulli, given that at least one is present.

    Instead of drawing again until one is, which may take long for rare labels, the first present
    label is drawn from its distribution under that condition and the later ones independently.
    """
    known = Y >= 0
    present = Y == 1
    if not present.any():
        raise InputError("Y must hold at least one present label (1) to draw from. Got none.")
    marginals = np.where(known, present.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    none_before = np.cumprod(np.column_stack([np.ones(len(Y)), 1 - marginals[:, :-1]]), axis=1)
    up_to = np.cumsum(marginals * none_before, axis=1)  # P(the first present label is j or earlier)
    first = np.argmax(up_to > rng.random((len(Y), 1)) * up_to[:, -1:], axis=1)[:, None]
    columns = np.arange(Y.shape[1])
    later = (columns > first) & (rng.random(Y.shape) < marginals)
    drawn = later | ((columns == first) & (up_to[:, -1:] > 0))
    return np.where(known, drawn, Y)

"""RankLSIM: a linear ranking of labels by one support instance per bag and label.

Source: Briggs, Fern, Raich, "Rank-loss support instance machines for MIML instance annotation", KDD
2012 and ACM TKDD 2013. Their abstracts fix the objective's form and the alternation with a
Pegasos-like descent; constants, defaults and the threshold are ours (unconfirmed).
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np

from classify.compiled import compiled
from classify.miml.base import SHARED, BagTagger
from classify.miml.scaling import with_constant
from classify.parameters import Flag, Number, OneOf
from features.bags.packed import Bags


class RankLSIM(BagTagger):
    """Rank-loss support instance machine.

    With F_l = w_l . s_l and s_l the support instance of a bag for label l, it minimizes

        weight_decay/2 |W|^2 + 1/n sum_i 1/(|P_i| |N_i|) sum_{p, q} max(0, 1 - F_p + F_q)

    (p over the present labels P_i, q over the absent ones N_i) by turns: supports of the current
    W, then subgradient descent with steps 1/(weight_decay t) and projection to |W|^2 <=
    2/weight_decay on fixed supports. Neither is bound to descend, so the best W of both loops is
    kept. Instances get a constant column of ones.

    Parameters
    ----------
    support : {"softmax", "max"}
        The mean of a bag's instances weighted by the softmax of w_l . x, or the instance with the
        largest w_l . x.
    method : {"alternate", "cccp"}
        "cccp" fixes the supports of present labels only, and takes the largest w_l . x for absent
        ones in every step: with "max" the objective then never rises. It needs "max".
    weight_decay : float
    rounds, steps : int
        Supports are computed `rounds` times, each followed by so many steps; it stops early when
        a round lowers the objective by less than 1e-4 of it.
    threshold : {"hamming", "union"}
        What `predict` does, of which the papers state nothing. "hamming" subtracts from all scores
        the one threshold that has the lowest Hamming loss on the training bags, and the T-criterion
        follows; "union" predicts the best label of each instance.
    scaling : {"none", "range01", "standard", "unit"}
        Of instances; ours, no source states one.

    Attributes
    ----------
    coef_ : ndarray of shape (L', d + 1)
        W for the labels that vary in training, the constant's column last.
    threshold_ : float
    objective_curve_ : list of float
        The objective after each round.
    varying_, always_ : ndarray of bool, shape (L,)
        Labels with both classes in training; labels that every training bag has.
    classes_ : ndarray
        ``arange(L)``.
    n_features_in_ : int

    Examples
    --------
    >>> bags = [[[0.0], [0.2]], [[0.1]], [[5.0]], [[5.1], [4.9]]]
    >>> RankLSIM().fit(bags, [[1, 0], [1, 0], [0, 1], [0, 1]]).predict([[[0.3]]])
    array([[1, 0]])
    """

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        **SHARED,
        "support": OneOf(("softmax", "max")),
        "method": OneOf(("alternate", "cccp")),
        "weight_decay": Number(low=0.0, above=True),
        "rounds": Number(Integral, low=1),
        "steps": Number(Integral, low=1),
        "threshold": OneOf(("hamming", "union")),
    }
    fitted_arrays = ("coef_", "threshold_")

    def __init__(
        self,
        *,
        support="softmax",
        method="alternate",
        weight_decay=0.01,
        rounds=5,
        steps=200,
        threshold="hamming",
        scaling="standard",
    ):
        self.support = support
        self.method = method
        self.weight_decay = weight_decay
        self.rounds = rounds
        self.steps = steps
        self.threshold = threshold
        self.scaling = scaling

    def predict(self, X) -> np.ndarray:
        """Predict label sets as `threshold` says.

        Parameters
        ----------
        X
            Bags, as for `fit`.

        Returns
        -------
        int ndarray of 0 and 1, shape (n, L)
        """
        if self.threshold == "hamming" or not getattr(self, "varying_", np.zeros(0)).any():
            return super().predict(X)
        bags = self.prepare_new(X)
        predicted = np.tile(self.always_, (len(bags), 1))
        best = (with_constant(bags.instances) @ self.coef_.T).argmax(axis=1)
        predicted[bags.owners, np.flatnonzero(self.varying_)[best]] = True
        return predicted.astype(int)

    def _fit(self, bags: Bags, Y: np.ndarray, rng: np.random.Generator) -> None:
        if self.method == "cccp" and self.support != "max":
            raise _cccp_error(self.support)
        X = with_constant(bags.instances.astype(np.float64))
        best = coef = np.zeros((Y.shape[1], X.shape[1]))
        lowest, self.objective_curve_ = np.inf, []
        shares = support_shares(X @ coef.T, bags, "softmax")
        for _ in range(self.rounds):
            free = Y == 0 if self.method == "cccp" else None
            coef = descend(X, bags, Y, shares, coef, self.weight_decay, self.steps, free)
            shares = support_shares(X @ coef.T, bags, self.support)
            value = objective(bag_scores(X @ coef.T, shares, bags), Y, coef, self.weight_decay)
            self.objective_curve_.append(value)
            gained = (lowest - value) / max(value, 1e-300)
            if value < lowest:
                best, lowest = coef, value
            if gained < 1e-4:
                break
        self.coef_ = best
        self.threshold_ = 0.0
        if self.threshold == "hamming":
            self.threshold_ = hamming_threshold(self._raw(bags), Y)

    def _raw(self, bags: Bags) -> np.ndarray:
        scores = with_constant(bags.instances) @ self.coef_.T
        return bag_scores(scores, support_shares(scores, bags, self.support), bags)

    def _scores(self, bags: Bags) -> np.ndarray:
        return self._raw(bags) - self.threshold_


def _cccp_error(support: str) -> Exception:
    from features.errors import InputError

    return InputError(f"The 'support' parameter must be max with method='cccp'. Got {support!r}.")


def support_shares(scores: np.ndarray, bags: Bags, support: str) -> np.ndarray:
    """Weigh each instance in its bag's support instances.

    Parameters
    ----------
    scores : ndarray of shape (N, L)
        w_l . x of every instance.
    bags : Bags
    support : {"softmax", "max"}

    Returns
    -------
    ndarray of shape (N, L)
        Sums to 1 over each bag; of equal largest scores the first instance counts.
    """
    highest = np.maximum.reduceat(scores, bags.starts, axis=0)[bags.owners]
    if support == "softmax":
        shares = np.exp(scores - highest)
        return shares / np.add.reduceat(shares, bags.starts, axis=0)[bags.owners]
    at_top = scores == highest
    before = np.cumsum(at_top, axis=0) - at_top
    return (at_top & (before == before[bags.starts][bags.owners])).astype(np.float64)


def bag_scores(scores: np.ndarray, shares: np.ndarray, bags: Bags) -> np.ndarray:
    """Score bags by their support instances: (N, L) twice to (n, L)."""
    return np.add.reduceat(scores * shares, bags.starts, axis=0)


def objective(F: np.ndarray, Y: np.ndarray, coef: np.ndarray, weight_decay: float) -> float:
    """Evaluate the objective of `RankLSIM` at bag scores F (n, L) of coefficients (L, d)."""
    _, loss = rank_slopes(F, np.ascontiguousarray(Y))
    return weight_decay / 2 * float((coef**2).sum()) + float(loss)


def descend(X, bags, Y, shares, coef, weight_decay, steps, free=None) -> np.ndarray:
    """Take subgradient steps on fixed supports and keep the best iterate.

    Parameters
    ----------
    X : ndarray of shape (N, d)
    bags : Bags
        Of the same N instances.
    Y : int8 ndarray of shape (n, L)
    shares : ndarray of shape (N, L)
    coef : ndarray of shape (L, d)
        The start.
    weight_decay : float
    steps : int
    free : bool ndarray of shape (n, L), optional
        Where the support is that of the current iterate, by "max".

    Returns
    -------
    ndarray of shape (L, d)
    """
    best, lowest, Y = coef, np.inf, np.ascontiguousarray(Y)  # one layout to compile for
    radius = np.sqrt(2 / weight_decay)
    for step in range(1, steps + 2):
        scores = X @ coef.T
        here = shares
        if free is not None:
            here = np.where(free[bags.owners], support_shares(scores, bags, "max"), shares)
        slopes, loss = rank_slopes(bag_scores(scores, here, bags), Y)
        value = weight_decay / 2 * float((coef**2).sum()) + loss
        if value < lowest:
            best, lowest = coef, value
        if step > steps:
            break
        gradient = weight_decay * coef + (slopes[bags.owners] * here).T @ X
        coef = coef - gradient / (weight_decay * step)
        coef = coef * min(1.0, radius / max(float(np.linalg.norm(coef)), 1e-300))
    return best


@compiled()
def rank_slopes(F, Y):
    """Give the loss's slope in each bag score, (n, L), and the mean loss over bags."""
    n, labels = F.shape
    slopes, total = np.zeros((n, labels)), 0.0
    for i in range(n):
        present = 0
        for label in range(labels):
            present += Y[i, label]
        if present == 0 or present == labels:
            continue
        weight = 1.0 / (n * present * (labels - present))
        for p in range(labels):
            if Y[i, p] == 0:
                continue
            for q in range(labels):
                margin = 1 - F[i, p] + F[i, q]
                if Y[i, q] == 0 and margin > 0:
                    slopes[i, p] -= weight
                    slopes[i, q] += weight
                    total += weight * margin
    return slopes, total


def hamming_threshold(F: np.ndarray, Y: np.ndarray) -> float:
    """Find the threshold with the fewest wrong cells of Y (n, L) where scores F exceed it."""
    order = np.argsort(-F, axis=None, kind="stable")
    scores, truth = F.ravel()[order], Y.ravel()[order]
    wrong = truth.sum() + np.concatenate([[0], np.cumsum(1 - 2 * truth.astype(np.int64))])
    ends = np.concatenate([[True], scores[:-1] != scores[1:], [True]])  # no cut between ties
    count = int(np.where(ends, wrong, np.iinfo(np.int64).max).argmin())
    above = scores[count - 1] if count else scores[0] + 2
    below = scores[count] if count < len(scores) else scores[-1] - 2
    return float((above + below) / 2)

"""L2-penalized losses whose penalty is so weak that the scores nearly interpolate, for n <= d.

Such an optimum lies far out, at scores of ten and more, and curvatures there differ by many orders
of magnitude: from 0 Newton's method takes a step for each unit of the scores, and a factor for one
curvature is of little help. Here it starts from ridge regression that nearly interpolates the
signs, scaled to the lowest objective, and takes some six steps for all labels side by side.

Weights are those of rows. Systems of the Gram matrix and the curvatures are solved by conjugate
gradients in float32; their preconditioner is the inverse for the largest eigenvectors of the matrix
and the diagonal of the rest. Gradients of the last steps are in float64.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.utils.extmath import randomized_range_finder

from classify.solvers.roots import increasing_root

_VECTORS, _SPARE_VECTORS = 128, 16  # eigenvectors, and how many more are looked for
_RIDGE = 1.5e-3  # of ridge regression, relative to the mean of the Gram matrix's diagonal
_ROUGH, _FORCING = 0.1, 2e-5  # share of a system's error that is left: at the start, and of a step
_NEAR = 0.2  # share of the objective at 0 from which on ridge regression hardly interpolates
_LEAST = 3e-4  # share of the root of the largest curvature that the preconditioner looks at
_MAX_CG_STEPS = 100
_MAX_STEPS = 20  # of each precision
_PATIENCE, _LITTLE = 2, 0.1  # steps that gain less than this share of the tolerance
_LONGEST = 10.0  # step
_FLAT = 0.1  # a step ends where the slope along it has fallen to this share
_SPARE = 0.9  # share of the tolerance that is asked for


def minimize(
    coordinates, loss, C: float, start: np.ndarray, tol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Minimize ``sum w**2 / 2 + C loss(X w + b)`` for every label, as far as it goes.

    Parameters
    ----------
    coordinates : classify.solvers.l2_coordinates.Rows
        Whose bias is penalized, or 0.
    loss : object
        As for `classify.solvers.newton_l2.solve_path`.
    C : float
    start : float64 array of shape (n, L)
        Weights of the rows, taken where they are better than those of ridge regression.
    tol : float
        Stop when the duality gap is at most about this share of the objective.

    Returns
    -------
    weights : float64 array of shape (n, L)
    steps : int array of shape (L,)
    """
    space = _Space.of(coordinates.gram)
    weights, scores = _interpolating(space, loss, C)
    ridge = _objective(loss, C, weights, scores)
    fits = np.flatnonzero(ridge < _NEAR * C * loss.value(np.zeros_like(scores)))
    scores_before = coordinates.exact_times(start) if start.any() else np.zeros_like(scores)
    worse = ~(ridge < _objective(loss, C, start, scores_before))
    worse[np.setdiff1d(np.arange(len(loss)), fits)] = True
    weights[:, worse], scores[:, worse] = start[:, worse], scores_before[:, worse]
    progress = _Progress(len(loss))
    for exact in (False, True):
        if exact:
            scores = coordinates.exact_times(weights)
        times = coordinates.exact_times if exact else space.times
        labels = progress.begin(fits)
        for _ in range(_MAX_STEPS):
            part = loss.take(labels)
            residual, pull, dual = _residual(part, C, scores[:, labels], times)
            objective = _objective(part, C, weights[:, labels], scores[:, labels])
            going = progress.unfinished(labels, objective, objective + dual, tol)
            labels = labels[going]
            if not len(labels):
                break
            here = weights[:, labels], scores[:, labels], residual[:, going], pull[:, going]
            moved = _step(space, loss.take(labels), C, *here)
            sound = np.isfinite(moved).all(axis=(0, 1))
            labels = labels[sound]
            weights[:, labels], scores[:, labels] = (one[:, sound] for one in moved)
            progress.steps[labels] += 1
    return weights, progress.steps


def _objective(loss, C: float, weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return _dots(weights, scores) / 2 + C * loss.value(scores)


def _residual(loss, C: float, scores: np.ndarray, times: Callable):
    """Give C times the residual, that times the Gram matrix, and minus the dual objective."""
    residual = loss.residual(scores)
    pull = C * times(residual)
    return C * residual, pull, C * (_dots(residual, pull) / 2 - loss.dual_value(residual))


class _Progress:
    """How far the labels are, and whether they get on.

    Rounding, or rows of one place with contrary signs, may leave steps that gain nothing.
    """

    def __init__(self, labels: int):
        self.steps = np.zeros(labels, dtype=int)

    def begin(self, labels: np.ndarray) -> np.ndarray:
        """Look at some labels anew."""
        self._lowest = np.full(len(self.steps), np.inf)
        self._idle = np.zeros(len(self.steps), dtype=int)
        return labels

    def unfinished(self, labels, objective, gap, tol: float) -> np.ndarray:
        """Tell which of some labels need more steps, and take them to some use."""
        little = objective > (1 - _LITTLE * tol) * self._lowest[labels]
        self._idle[labels] = np.where(little, self._idle[labels] + 1, 0)
        self._lowest[labels] = objective
        # What isn't finite isn't larger.
        return (gap > _SPARE * tol * objective) & (self._idle[labels] < _PATIENCE)


class _Space(NamedTuple):
    """The Gram matrix, and roughly what it is.

    Attributes
    ----------
    gram : float32 array of shape (n, n)
    vectors : float32 array of shape (n, k)
        The largest eigenvectors, times the roots of their eigenvalues.
    rest : float32 array of shape (n,)
        Of the diagonal, what these leave.
    """

    gram: np.ndarray
    vectors: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, gram: np.ndarray) -> "_Space":
        """Look for the eigenvectors (Halko, Martinsson and Tropp, SIAM Review 53, 2011)."""
        k = min(_VECTORS, len(gram) // 4)
        near = randomized_range_finder(
            gram, size=k + _SPARE_VECTORS, n_iter=1, power_iteration_normalizer="QR", random_state=0
        )
        values, vectors = np.linalg.eigh(near.T @ (gram @ near))
        roots = np.sqrt(np.maximum(values[-k:], 0))
        vectors = (near @ vectors[:, -k:]) * roots
        rest = np.maximum(np.diag(gram) - np.einsum("ij,ij->i", vectors, vectors), 0)
        return cls(gram, vectors, rest)

    def times(self, V: np.ndarray) -> np.ndarray:
        """Multiply by the Gram matrix in float32."""
        return (self.gram @ V.astype(np.float32)).astype(np.float64)


def _interpolating(space: _Space, loss, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Give weights (n, L) of ridge regression to the signs, scaled, and their scores."""
    n = len(space.gram)
    signs = np.sign(loss.residual(np.zeros((n, len(loss)))))
    ridge = _RIDGE * float(np.diag(space.gram).mean())
    root = np.full((n, 1), ridge**-0.5, dtype=np.float32)
    weights, scores = _solve(space, root, root * signs.astype(np.float32), _ROUGH)
    square = _dots(weights, scores)

    def slope(length):
        at = length * scores
        first = length * square - C * (loss.residual(at) * scores).sum(axis=0)
        return first, square + C * (loss.curvature(at) * scores**2).sum(axis=0)

    length = increasing_root(slope, np.ones(len(loss)))
    return length * weights, length * scores


def _step(space: _Space, loss, C: float, weights, scores, residual, pull):
    """Take a Newton step to the lowest point along it; give weights and scores.

    With the Gram matrix K, curvatures E, weights u and C times the residual r it is the move that
    solves ``(1 + E K) move = r - u``: ``(r - u) - root (1 + root K root)^-1 root K (r - u)`` for
    ``root**2 = E``, where ``K (r - u)`` is what r pulls minus the scores.
    """
    root = np.sqrt(C * loss.curvature(scores)).astype(np.float32)
    towards, scores_towards = residual - weights, pull - scores
    back, scores_back = _solve(space, root, root * scores_towards.astype(np.float32), _FORCING)
    move, moved = towards - back, scores_towards - scores_back
    linear, square = _dots(weights, moved), _dots(move, moved)

    def slope(length):
        at = scores + length * moved
        first = linear + length * square - C * (loss.residual(at) * moved).sum(axis=0)
        return first, square + C * (loss.curvature(at) * moved**2).sum(axis=0)

    falls = slope(0.0)[0]
    length = increasing_root(slope, np.ones(len(linear)), near=_FLAT * np.abs(falls))
    # Near the optimum what float32 leaves of a move may lead nowhere.
    length = np.where((falls < 0) & (square > 0), np.minimum(length, _LONGEST), 0)
    return weights + length * move, scores + length * moved


@np.errstate(over="ignore", invalid="ignore")  # a step that isn't finite isn't taken
def _solve(space: _Space, root, R, forcing: float) -> tuple[np.ndarray, np.ndarray]:
    """Solve ``(1 + root K root) x = R`` for each label; give root x and K root x in float64."""
    near = _Preconditioner.of(space, root)
    root = np.broadcast_to(root, R.shape)
    x, pull = np.zeros_like(R), np.zeros_like(R)
    whole, labels, least = root, np.arange(R.shape[1]), np.finfo(np.float32).tiny
    Z = near.times(R)
    P, energy = Z, _dots(R, Z)
    enough = forcing**2 * energy
    for _ in range(_MAX_CG_STEPS):
        product = space.gram @ (root * P)
        Q = P + root * product
        length = energy / np.maximum(_dots(P, Q), least)
        x[:, labels] += length * P
        pull[:, labels] += length * product
        R = R - length * Q
        Z = near.times(R)
        energy, last = _dots(R, Z), energy
        going = energy > enough[labels]
        if not going.any():
            break
        P = Z + energy / np.maximum(last, least) * P
        if not going.all():
            near, labels, energy = near.take(going), labels[going], energy[going]
            P, R, root = P[:, going], R[:, going], root[:, going]
    return (whole * x).astype(np.float64), pull.astype(np.float64)


class _Preconditioner(NamedTuple):
    """Inverses of ``1 + root K root`` for K of vectors and a diagonal, by Woodbury's identity."""

    vectors: np.ndarray  # (n, k)
    inverse: np.ndarray  # (n, L), or (n, 1) if the labels share it
    weight: np.ndarray  # likewise
    inner: np.ndarray  # (L, k, k), or (1, k, k)

    @classmethod
    def of(cls, space: _Space, root: np.ndarray) -> "_Preconditioner":
        vectors, k = space.vectors, space.vectors.shape[1]
        inverse = 1 / (1 + root**2 * space.rest[:, None])
        inner = np.empty((root.shape[1], k, k), dtype=np.float32)
        for label, share in enumerate((root * np.sqrt(inverse)).T):
            counting = np.flatnonzero(share > _LEAST * share.max())
            scaled = vectors[counting] * share[counting, None]
            inner[label] = np.linalg.inv(np.eye(k, dtype=np.float32) + scaled.T @ scaled)
        return cls(vectors, inverse, root * inverse, inner)

    def take(self, going: np.ndarray) -> "_Preconditioner":
        if len(self.inner) == 1:
            return self
        return self._replace(
            inverse=self.inverse[:, going], weight=self.weight[:, going], inner=self.inner[going]
        )

    def times(self, R: np.ndarray) -> np.ndarray:
        among = self.vectors.T @ (self.weight * R)
        among = np.matmul(self.inner, among.T[:, :, None])[:, :, 0].T
        return self.inverse * R - self.weight * (self.vectors @ among)


def _dots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", A, B)

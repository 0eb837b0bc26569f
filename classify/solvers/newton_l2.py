"""L2-penalized losses of many labels over one shared matrix, along a path of C.

The L2 norm doesn't change under rotation, so the rows are first written in the eigenbasis of the
smaller Gram matrix: n coordinates a row where the columns outnumber the n rows. One eigenbasis
serves all labels and all C, and in it every Hessian is close to diagonal, so that conjugate
gradients need few steps. Newton's method goes on for all labels side by side: every product is one
of matrices. Along the path, each C starts from the extrapolation of the two before.

It knows the loss only by its value, derivatives and dual value.
"""

import numpy as np

from classify.solvers.duality_gap import free_shift
from classify.solvers.products import (
    column_gram,
    row_blocks,
    row_gram,
    times,
    transpose_times,
    widened_if_small,
)
from classify.solvers.roots import increasing_root
from classify.solvers.solution import Solution

_MAX_STEPS = 100
_MAX_CG_STEPS = 500
_FORCING = 0.1  # a Newton system is solved to this share of its right-hand side, or better
_SINGLE = 0.01  # from which share on float32 will do
_TOGETHER = 2**24  # rows times labels side by side: some ten arrays of 128 MiB
_WRITTEN = 2**26  # values of a basis for n > d that is written down: 256 MiB
_FLAT = 0.1  # a step ends where the slope along it has fallen to this share
_PATIENCE = 3  # steps without a smaller gap or objective
_ROUNDING = 1e-12  # relative error of an objective


def solve_path(X: np.ndarray, loss, Cs, *, bias: str, tol: float) -> list[Solution]:
    """Minimize ``sum w**2 / 2 + C loss(X w + b)`` for every label and every C.

    Parameters
    ----------
    X : float32 or float64 array of shape (n, d)
    loss : object
        Convex loss of scores (n, L), with the methods ``value``, ``residual``, ``curvature`` and
        ``dual_value``; ``len(loss)`` labels, of which ``take`` gives some.
    Cs : sequence of float
        Weights of the loss, increasing.
    bias : {"penalized", "unpenalized", "none"}
        Whether b counts in the norm, does not, or is 0.
    tol : float
        Stop when the duality gap is at most this share of the objective.

    Returns
    -------
    list over Cs of Solution
        Where rounding ends the progress of a label before `tol`, its gap says so.
    """
    X = widened_if_small(X)
    basis = (_RowBasis if X.shape[0] <= X.shape[1] else _ColumnBasis)(X, bias)
    path = [Solution.zeros(len(loss), X.shape[1]) for _ in Cs]
    together = max(1, _TOGETHER // len(X))
    for start in range(0, len(loss), together):
        labels = slice(start, start + together)
        _solve_labels(basis, loss.take(labels), Cs, tol, [s.take(labels) for s in path])
    return path


def _solve_labels(basis, loss, Cs, tol: float, path: list[Solution]) -> None:
    """Follow the path for some labels, noting each C in its solution."""
    before = here = np.zeros((len(basis.ridge), len(loss)))
    points = []
    for i, C in enumerate(Cs):
        start = here
        if i > 1:
            ratio = np.log(C / Cs[i - 1]) / np.log(Cs[i - 1] / Cs[i - 2])
            start = _better(basis, loss, C, here, here + ratio * (here - before))
        before, here = here, _minimize(basis, loss, C, start, tol, path[i])
        path[i].n_iter[:] += path[i - 1].n_iter if i else 0
        points.append(here)
    coef, intercept = basis.weights(np.hstack(points))
    for i, solution in enumerate(path):
        labels = slice(i * len(loss), (i + 1) * len(loss))
        solution.coef[:], solution.intercept[:] = coef[labels], intercept[labels]


def _better(basis, loss, C: float, V: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Of two starts, the one with the lower objective, label by label."""
    first, second = (basis.ridge @ P**2 / 2 + C * loss.value(basis.times(P)) for P in (V, W))
    return np.where(second < first, W, V)


def _minimize(basis, loss, C: float, start: np.ndarray, tol: float, solution: Solution):
    """Take Newton steps until every label's gap is small enough; return the weights (r, L)."""
    V, scores = start.copy(), basis.times(start)
    steps, stalled = np.zeros(len(loss), dtype=int), np.zeros(len(loss), dtype=int)
    smallest, lowest = np.full((2, len(loss)), np.inf)
    while True:
        if basis.bias == "unpenalized":
            shift = free_shift(loss, scores)
            V[-1] += shift
            scores += shift
        residual = loss.residual(scores)
        pull = C * basis.transpose_times(residual)
        objective = basis.ridge @ V**2 / 2 + C * loss.value(scores)
        gap = objective + basis.ridge @ pull**2 / 2 - C * loss.dual_value(residual)
        better = (gap < smallest) | (objective < lowest * (1 - _ROUNDING))
        stalled = np.where(better, 0, stalled + 1)
        smallest, lowest = np.minimum(gap, smallest), np.minimum(objective, lowest)
        going = (gap > tol * objective) & (stalled <= _PATIENCE) & (steps < _MAX_STEPS)
        if not going.any():
            solution.objective[:], solution.gap[:], solution.n_iter[:] = objective, gap, steps
            return V
        labels = np.flatnonzero(going)
        part = loss.take(labels)
        forcing = np.minimum(_FORCING, np.sqrt(gap[labels] / objective[labels]))
        forcing[stalled[labels] > 0] = _SINGLE / 10  # float32 was too coarse
        curvature = C * part.curvature(scores[:, labels])
        gradient = basis.ridge[:, None] * V[:, labels] - pull[:, labels]
        move = _newton_direction(basis, curvature, gradient, forcing)
        scores_move = basis.times(move)
        length = _step_length(basis, part, C, V[:, labels], move, scores[:, labels], scores_move)
        V[:, labels] += length * move
        scores[:, labels] += length * scores_move
        steps[labels] += 1


def _step_length(basis, loss, C: float, V, move, scores, scores_move) -> np.ndarray:
    """Length of the step to the lowest point along each label's direction."""
    linear = basis.ridge @ (V * move)
    square = basis.ridge @ move**2

    def slope(length):
        at = scores + length * scores_move
        first = linear + length * square - C * (loss.residual(at) * scores_move).sum(axis=0)
        return first, square + C * (loss.curvature(at) * scores_move**2).sum(axis=0)

    return increasing_root(slope, np.ones(len(linear)), near=_FLAT * np.abs(slope(0.0)[0]))


@np.errstate(invalid="ignore")
def _newton_direction(basis, curvature, gradient, forcing) -> np.ndarray:
    """Solve ``(ridge + F' diag(curvature) F) move = -gradient`` for each label, to its forcing.

    Conjugate gradients, preconditioned by the diagonal; a label leaves when it is done. The flag
    of an invalid operation is passed over: OpenBLAS has been seen to raise it in float32 products
    of finite factors (compare numpy issue 24067). A direction that is not finite shows in the
    duality gap.
    """
    kind = np.float32 if forcing.min() >= _SINGLE else np.float64
    D, R = curvature.astype(kind), -gradient.astype(kind)
    ridge = basis.ridge.astype(kind)[:, None]
    inverse = 1 / (ridge + basis.diagonal(D).astype(kind))
    move = np.zeros_like(R)
    P = inverse * R
    energy = _dots(R, P)
    enough = forcing**2 * energy
    labels = np.arange(R.shape[1])
    for _ in range(_MAX_CG_STEPS):
        Q = ridge * P + basis.transpose_times(D * basis.times(P))
        length = energy / np.maximum(_dots(P, Q), np.finfo(kind).tiny)
        move[:, labels] += length * P
        R -= length * Q
        Z = inverse * R
        energy, last = _dots(R, Z), energy
        going = energy > enough[labels]
        if not going.any():
            break
        P = Z + energy / last * P
        if not going.all():
            P, R, D, inverse = P[:, going], R[:, going], D[:, going], inverse[:, going]
            energy, labels = energy[going], labels[going]
    return move.astype(np.float64)


def _dots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", A, B)


class _RowBasis:
    """Rows in the eigenbasis of X X', for n <= d: n coordinates a row, or fewer.

    The weights of a penalized constant column are among them. A free intercept is the last
    coordinate, of ridge 0, and the others then belong to centered columns.
    """

    def __init__(self, X: np.ndarray, bias: str):
        self.X, self.bias = X, bias
        gram = row_gram(X) + float(bias == "penalized")
        if bias == "unpenalized":
            means = gram.mean(axis=0)
            gram += means.mean() - means - means[:, None]
        values, vectors = np.linalg.eigh(gram)
        kept = values > len(X) * np.finfo(float).eps * values[-1]
        self.roots, self.vectors = np.sqrt(values[kept]), vectors[:, kept]
        F = self.vectors * self.roots
        self.ridge = np.ones(F.shape[1])
        if bias == "unpenalized":
            F, self.ridge = np.column_stack([F, np.ones(len(F))]), np.append(self.ridge, 0.0)
        self.F, self.F32 = F, F.astype(np.float32)
        self.squares = self.F32**2

    def times(self, V: np.ndarray) -> np.ndarray:
        """F V, in the precision of V."""
        return (self.F32 if V.dtype == np.float32 else self.F) @ V

    def transpose_times(self, R: np.ndarray) -> np.ndarray:
        """F' R, in the precision of R."""
        return (self.F32 if R.dtype == np.float32 else self.F).T @ R

    def diagonal(self, D: np.ndarray) -> np.ndarray:
        """Diagonals of F' diag(D) F, one column a label."""
        return self.squares.T @ D.astype(np.float32)

    def weights(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (L, d) and intercepts (L,) in terms of the columns of X."""
        dual = self.vectors @ (V[: len(self.roots)] / self.roots[:, None])
        if self.bias == "unpenalized":
            dual -= dual.mean(axis=0)
        coef = transpose_times(self.X, dual)
        if self.bias == "unpenalized":
            means = self.X.mean(axis=0, dtype=np.float64)
            return coef, V[-1] - coef @ means
        return coef, dual.sum(axis=0) * float(self.bias == "penalized")


class _ColumnBasis:
    """Rows in the eigenbasis of X' X, for n > d; the coordinates are those of `_RowBasis`.

    In float64 they aren't written down but computed from X. In float32 they are, up to a size.
    """

    def __init__(self, X: np.ndarray, bias: str):
        self.X, self.bias = X, bias
        sums = transpose_times(X, np.ones((len(X), 1)))
        self.means = sums[0] / len(X)
        gram = column_gram(X)
        if bias == "penalized":
            gram = np.block([[gram, sums.T], [sums, np.full((1, 1), len(X))]])
        elif bias == "unpenalized":
            gram -= np.outer(sums[0], self.means)
        values, self.vectors = np.linalg.eigh(gram)
        self.values = np.maximum(values, 0.0)
        self.ridge = np.ones(len(values))
        if bias == "unpenalized":
            self.values, self.ridge = np.append(self.values, len(X)), np.append(self.ridge, 0.0)
        self.F32 = self._written() if X.size <= _WRITTEN else None

    def _written(self) -> np.ndarray:
        offset = np.zeros(self.vectors.shape[1])
        if self.bias == "penalized":
            offset = self.vectors[-1]
        elif self.bias == "unpenalized":
            offset = -self.means @ self.vectors
        F = np.ones((len(self.X), len(self.ridge)), dtype=np.float32)
        for rows, block in row_blocks(self.X):
            F[rows, : len(offset)] = block @ self.vectors[: block.shape[1]] + offset
        return F

    def times(self, V: np.ndarray) -> np.ndarray:
        """F V, in the precision of V or better."""
        if self.F32 is not None and V.dtype == np.float32:
            return self.F32 @ V
        coef, intercept = self.weights(V)
        return times(self.X, coef.T) + intercept

    def transpose_times(self, R: np.ndarray) -> np.ndarray:
        """F' R, in the precision of R or better."""
        if self.F32 is not None and R.dtype == np.float32:
            return self.F32.T @ R
        totals = R.sum(axis=0)
        sums = transpose_times(self.X, R).T
        if self.bias == "penalized":
            return self.vectors.T @ np.vstack([sums, totals])
        if self.bias == "unpenalized":
            return np.vstack([self.vectors.T @ (sums - np.outer(self.means, totals)), totals])
        return self.vectors.T @ sums

    def diagonal(self, D: np.ndarray) -> np.ndarray:
        """Diagonals of F' diag(D) F, one column a label; roughly so where F isn't written down."""
        if self.F32 is None:
            return np.outer(self.values, D.mean(axis=0))
        result = np.zeros((len(self.ridge), D.shape[1]))
        for rows, block in row_blocks(self.F32):
            result += (block**2).T @ D[rows]
        return result

    def weights(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (L, d) and intercepts (L,) in terms of the columns of X."""
        if self.bias == "unpenalized":
            coef = self.vectors @ V[:-1]
            return coef.T, V[-1] - self.means @ coef
        coef = self.vectors @ V
        if self.bias == "penalized":
            return coef[:-1].T, coef[-1]
        return coef.T, np.zeros(V.shape[1])

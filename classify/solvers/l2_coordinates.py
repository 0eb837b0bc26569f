"""Weights of many labels, by columns or by rows of a matrix, and how to step on them.

Both forms give the same products: scores of weights, what a residual pulls at them, and solutions
of ``1 + c X'X``, the Hessian of an L2-penalized loss whose curvatures are all c. Products are in
the precision of the weights, float32 or float64; solutions are those of a factor in float32.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from classify.solvers import products

_SHIFT = 1e-6  # added to a factorized matrix, relative to its norm: what float32 resolves
_KEPT = 2**30  # bytes of Cholesky factors
_PRODUCTS = 100  # of a label by the Gram matrix in float64, more or less


class Factors:
    """Cholesky factors of ``ridge + 4**level gram``, the last few."""

    def __init__(self, gram: np.ndarray, ridge: np.ndarray):
        self.gram, self.ridge = gram, ridge
        self.norm = float(np.abs(gram).sum(axis=1).max(initial=0.0))
        self.kept: dict[int, tuple] = {}

    def rounding(self, c: float) -> float:
        """Bound what rounding in float32 adds to ``c gram``, where the ridge is 1."""
        return c * self.norm * float(np.finfo(np.float32).eps)

    def solve(self, R: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Solve for each column of R, with the factor of its level."""
        result, right = np.empty_like(R), R.astype(np.float32, copy=False)
        for level in np.unique(levels):
            of_level = levels == level
            result[:, of_level] = cho_solve(
                self._factor(int(level)), right[:, of_level], check_finite=False
            )
        return result

    def _factor(self, level: int) -> tuple:
        if level not in self.kept:
            found = self._factorized(4.0**level)
            while self.kept and (len(self.kept) + 1) * found[0].nbytes > _KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[level] = found
        return self.kept[level]

    def _factorized(self, c: float) -> tuple:
        """Factorize; what float32 sees as indefinite gets a larger shift, for shorter steps."""
        shift = _SHIFT * c * self.norm
        while True:
            matrix = np.float32(c) * self.gram
            matrix[np.diag_indices_from(matrix)] += self.ridge + np.float32(shift)
            try:
                return cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
            except np.linalg.LinAlgError:
                shift = 10 * shift + np.finfo(np.float32).tiny


class Columns:
    """Weights of columns, for n > d, the intercept behind them.

    A free intercept belongs to centered columns.
    """

    by_scores = False  # whether `pair` looks at scores

    def __init__(self, X: np.ndarray, bias: str):
        self.X, self.bias = np.asarray(X, dtype=np.float32), bias
        self.size = X.shape[1] + (bias != "none")
        self.means = X.mean(axis=0, dtype=np.float64)
        means = self.means.astype(np.float32)
        gram = np.zeros((self.size, self.size), dtype=np.float32)
        inner = gram[: X.shape[1], : X.shape[1]]
        inner[:] = self.X.T @ self.X
        self.ridge = np.ones(self.size, dtype=np.float32)
        if bias == "penalized":
            gram[-1, :-1] = gram[:-1, -1] = len(X) * means
            gram[-1, -1] = len(X)
        elif bias == "unpenalized":
            inner -= len(X) * np.outer(means, means)
            gram[-1, -1] = len(X)
            self.ridge[-1] = 0
        self.factors = Factors(gram, self.ridge)

    def times(self, V: np.ndarray) -> np.ndarray:
        """Give the scores (n, L) of weights."""
        coef = V if self.bias == "none" else V[:-1]
        scores = self.X @ coef if V.dtype == np.float32 else products.times(self.X, coef)
        if self.bias != "none":
            scores += V[-1]
        if self.bias == "unpenalized":
            scores -= self.means.astype(V.dtype) @ coef
        return scores

    def transpose_times(self, R: np.ndarray) -> np.ndarray:
        """Give what the residual (n, L) pulls at each weight."""
        single = R.dtype == np.float32
        pull = self.X.T @ R if single else products.transpose_times(self.X, R).T
        return self.pulled(pull, R.sum(axis=0)).astype(R.dtype, copy=False)

    def penalty(self, V: np.ndarray) -> np.ndarray:
        """Give the gradient of half the squared norm."""
        return self.ridge[:, None] * V

    def pair(self, V: np.ndarray, scores: np.ndarray | None, G: np.ndarray) -> np.ndarray:
        """Give the slope along V, of these scores, of what has the gradient G, per label."""
        return np.einsum("ij,ij->j", V, G)

    def square(self, G: np.ndarray) -> np.ndarray:
        """Give the squared length of a gradient, per label."""
        G = G[:-1] if self.bias == "unpenalized" else G
        return np.einsum("ij,ij->j", G, G)

    def solve(self, G: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Give the step of a gradient, were all curvatures 4**level."""
        return self.factors.solve(G, levels)

    def place(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Give the weights here, (size, L), of weights (L, d) and intercepts (L,) of X."""
        if self.bias == "none":
            return coef.T.copy()
        offset = self.means @ coef.T if self.bias == "unpenalized" else 0
        return np.vstack([coef.T, intercept + offset])

    def pulled(self, pull: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Give the pull at each weight here of one (d, L) at X's columns, and its sum (L,)."""
        if self.bias == "none":
            return pull
        if self.bias == "unpenalized":
            pull = pull - np.outer(self.means, total)
        return np.vstack([pull, total])

    def weights(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give weights (L, d) and intercepts (L,) in terms of the columns of X, float64."""
        V = V.astype(np.float64)
        if self.bias == "none":
            return V.T.copy(), np.zeros(V.shape[1])
        offset = self.means @ V[:-1] if self.bias == "unpenalized" else 0
        return V[:-1].T.copy(), V[-1] - offset


class Rows:
    """Weights of rows, for n <= d: w is the sum of the rows by weight.

    A gradient is written by rows, too, so that its product by X is the Gram matrix's. A free
    intercept, the last weight, belongs to centered columns.
    """

    by_scores = True

    def __init__(self, X: np.ndarray, bias: str):
        self.X, self.bias = np.asarray(X, dtype=np.float32), bias
        n = len(X)
        self.size = n + (bias == "unpenalized")
        self.gram = self._biased(self.X @ self.X.T)
        self._gram64: np.ndarray | None = None
        self.factors = Factors(self.gram, np.ones(n, dtype=np.float32))

    def _biased(self, gram: np.ndarray) -> np.ndarray:
        if self.bias == "penalized":
            gram += 1
        elif self.bias == "unpenalized":
            means = gram.mean(axis=0, dtype=np.float64)
            gram += (means.mean() - means - means[:, None]).astype(gram.dtype)
        return gram

    def _gram_times(self, V: np.ndarray) -> np.ndarray:
        if V.dtype == np.float32:
            return self.gram @ V
        if self._gram64 is None and 4 * _PRODUCTS * V.shape[1] > len(self.X):
            self._gram64 = self._biased(products.row_gram(self.X))
        if self._gram64 is not None:
            return self._gram64 @ V
        return self.exact_times(V)  # for few labels the Gram matrix would take longer

    def exact_times(self, V: np.ndarray) -> np.ndarray:
        """Multiply by the Gram matrix in float64, without having it."""
        centered = V - V.mean(axis=0) if self.bias == "unpenalized" else V
        result = products.times(self.X, products.transpose_times(self.X, centered).T)
        if self.bias == "penalized":
            result += V.sum(axis=0)
        elif self.bias == "unpenalized":
            result -= result.mean(axis=0)
        return result

    def times(self, V: np.ndarray) -> np.ndarray:
        """Give the scores (n, L) of weights."""
        scores = self._gram_times(V[: len(self.gram)])
        return scores + V[-1] if self.bias == "unpenalized" else scores

    def transpose_times(self, R: np.ndarray) -> np.ndarray:
        """Give what the residual (n, L) pulls at each weight."""
        return np.vstack([R, R.sum(axis=0)]) if self.bias == "unpenalized" else R

    def penalty(self, V: np.ndarray) -> np.ndarray:
        """Give the gradient of half the squared norm."""
        if self.bias != "unpenalized":
            return V
        return np.vstack([V[:-1], np.zeros_like(V[-1])])

    def pair(self, V: np.ndarray, scores: np.ndarray, G: np.ndarray) -> np.ndarray:
        """Give the slope along V, of these scores, of what has the gradient G, per label."""
        if self.bias != "unpenalized":
            return np.einsum("ij,ij->j", scores, G)
        return np.einsum("ij,ij->j", scores - V[-1], G[:-1]) + V[-1] * G[-1]

    def square(self, G: np.ndarray) -> np.ndarray:
        """Give the squared length of a gradient, per label."""
        G = G[: len(self.gram)]
        return np.einsum("ij,ij->j", self._gram_times(G), G)

    def solve(self, G: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Give the step of a gradient, were all curvatures 4**level."""
        n = len(self.gram)
        move = self.factors.solve(G[:n], levels)
        if self.bias != "unpenalized":
            return move
        return np.vstack([move, G[-1] / (n * 4.0**levels)]).astype(G.dtype)

    def weights(self, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give weights (L, d) and intercepts (L,) in terms of the columns of X, float64."""
        dual = V[: len(self.gram)].astype(np.float64)
        if self.bias == "unpenalized":
            dual -= dual.mean(axis=0)
        coef = products.transpose_times(self.X, dual)
        if self.bias == "unpenalized":
            means = self.X.mean(axis=0, dtype=np.float64)
            return coef, V[-1] - coef @ means
        return coef, dual.sum(axis=0) * float(self.bias == "penalized")

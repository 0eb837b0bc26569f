"""Joint non-negative orthogonal matching pursuit as it is written: one query, one candidate a time.

What `classify.imcl.joint_omp` is compared with, for its results and for its speed.
"""

import numpy as np
from scipy.optimize import nnls

RIDGE = 1e-6


def loop_omp(
    y: np.ndarray,
    f: np.ndarray,
    Z: np.ndarray,
    F: np.ndarray,
    *,
    k: int,
    lambda_y: float = 1.0,
    lambda_f: float = 0.5,
    exclude: int = -1,
    rule: str = "break",
    coefficients: str = "clip",
    balance: bool = False,
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Find the neighbors of one query; parameters as in `classify.imcl.joint_omp.joint_omp`.

    Returns
    -------
    chosen : list of int
        At most k positions.
    c, c_bar : float arrays of the same length
    """
    chosen: list[int] = []
    c, c_bar = np.zeros(0), np.zeros(0)
    r_y, r_f = y, f
    while len(chosen) < k:
        parts = {}
        for i, (z, g) in enumerate(zip(Z, F, strict=True)):
            if i in chosen or i == exclude or min(z @ z, g @ g) < 1e-16:
                continue
            parts[i] = lambda_y * (r_y @ z) ** 2 / (z @ z), lambda_f * (r_f @ g) ** 2 / (g @ g)
        if not parts:
            break
        largest = np.max(list(parts.values()), axis=0) if balance else np.ones(2)
        largest[largest == 0] = 1.0
        scores = {i: float(np.sum(part / largest)) for i, part in parts.items()}
        if rule == "signs":
            for i in scores:
                signs = np.sign(r_y @ Z[i]) * (lambda_y > 0) + np.sign(r_f @ F[i]) * (lambda_f > 0)
                scores[i] *= signs
        best = max(scores, key=lambda i: scores[i])
        if rule == "signs" and scores[best] < 1e-6:
            break
        if rule == "break" and (r_y @ Z[best] <= 1e-9 or r_f @ F[best] <= 1e-9):
            break
        chosen.append(best)
        c, c_bar = _fit(y, Z[chosen], coefficients), _fit(f, F[chosen], coefficients)
        r_y, r_f = y - c @ Z[chosen], f - c_bar @ F[chosen]
    return chosen, c, c_bar


def omp_by_query(
    y: np.ndarray, f: np.ndarray, Z: np.ndarray, F: np.ndarray, *, k: int
) -> list[int]:
    """Do the same for one query with all candidates at once, by two products a round."""
    chosen: list[int] = []
    r_y, r_f = y, f
    z_squares, f_squares = np.einsum("ij,ij->i", Z, Z), np.einsum("ij,ij->i", F, F)
    while len(chosen) < k:
        inner_y, inner_f = Z @ r_y, F @ r_f
        scores = inner_y**2 / z_squares + 0.5 * inner_f**2 / f_squares
        scores[chosen] = -1.0
        best = int(scores.argmax())
        if inner_y[best] <= 1e-9 or inner_f[best] <= 1e-9:
            break
        chosen.append(best)
        r_y = y - _fit(y, Z[chosen], "clip").astype(y.dtype) @ Z[chosen]
        r_f = f - _fit(f, F[chosen], "clip").astype(f.dtype) @ F[chosen]
    return chosen


def _fit(target, rows, coefficients):
    ridge = np.sqrt(RIDGE * (rows**2).sum() / len(rows))
    rows = np.hstack([rows, ridge * np.eye(len(rows))]).T
    target = np.concatenate([target, np.zeros(rows.shape[1])])
    if coefficients == "nnls":
        return nnls(rows, target)[0]
    solution = np.linalg.lstsq(rows, target, rcond=None)[0]
    return np.maximum(solution, 0) if coefficients == "clip" else solution

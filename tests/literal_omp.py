"""Joint non-negative orthogonal matching pursuit as it is written, a candidate at a time."""

import numpy as np
from scipy.optimize import nnls

RIDGE = 1e-6


def literal_omp(
    y,
    f,
    Z,
    F,
    *,
    k,
    lambda_y=1.0,
    lambda_f=0.5,
    exclude=-1,
    rule="break",
    coefficients="clip",
    balance=False,
):
    """Positions, label weights and feature weights of one query."""
    chosen, c, c_bar = [], np.zeros(0), np.zeros(0)
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
        best = max(scores, key=scores.get)
        if rule == "signs" and scores[best] < 1e-6:
            break
        if rule == "break" and (r_y @ Z[best] <= 1e-9 or r_f @ F[best] <= 1e-9):
            break
        chosen.append(best)
        c, c_bar = _fit(y, Z[chosen], coefficients), _fit(f, F[chosen], coefficients)
        r_y, r_f = y - c @ Z[chosen], f - c_bar @ F[chosen]
    return chosen, c, c_bar


def _fit(target, rows, coefficients):
    ridge = np.sqrt(RIDGE * (rows**2).sum() / len(rows))
    rows = np.hstack([rows, ridge * np.eye(len(rows))]).T
    target = np.concatenate([target, np.zeros(rows.shape[1])])
    if coefficients == "nnls":
        return nnls(rows, target)[0]
    solution = np.linalg.lstsq(rows, target, rcond=None)[0]
    return np.maximum(solution, 0) if coefficients == "clip" else solution

"""Variational inference of DBA: the E-step, compiled by numba on first use, and the bound.

Notation of `classify.miml.dba`: phi (N, L) are the classes of instances, mu_c their mean over a
bag, e2_c = E[zbar_c^2] = mu_c^2 + sum_m phi_mc (1 - phi_mc) / M^2, and tau(xi) = tanh(xi/2) /
(4 xi) belongs to the quadratic bound log sigma(s) >= log sigma(xi) + (s - xi)/2 - tau(xi)
(s^2 - xi^2) (Jaakkola and Jordan).
"""

import numpy as np
from scipy.special import digamma as scipy_digamma
from scipy.special import gammaln, polygamma

from classify.compiled import compiled
from features.bags.packed import Bags

MAX_SWEEPS, CHANGE = 15, 1e-6


@compiled()
def digamma(x):
    """Evaluate the logarithmic derivative of the gamma function at x > 0, to about 1e-14."""
    total = 0.0
    while x < 12:
        total -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (
        1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132)))
    )
    return total + np.log(x) - 0.5 / x - series


@compiled()
def _tau(xi):
    return 0.125 if xi < 1e-6 else np.tanh(xi / 2) / (4 * xi)


@compiled()
def infer(log_words, starts, sizes, phi, alpha, slope, bias, Y, labeled, max_sweeps, change):
    """Update `phi` (N, L) in place, bag by bag, one instance at a time.

    Parameters
    ----------
    log_words : array of shape (N, L)
        sum_v x_v log beta_cv.
    starts, sizes : int arrays of shape (n,)
    phi : array of shape (N, L)
    alpha, slope, bias : arrays of shape (L,)
    Y : int8 array of shape (n, L)
        Used only if `labeled`: without labels this is the inference of latent Dirichlet allocation.
    labeled : bool
    max_sweeps : int
    change : float
        Largest change of phi in a sweep to stop at.
    """
    labels = phi.shape[1]
    gamma, total = np.empty(labels), np.empty(labels)
    prior, tau, row = np.empty(labels), np.empty(labels), np.empty(labels)
    for i in range(len(starts)):
        size = sizes[i]
        here = phi[starts[i] : starts[i] + size]
        words = log_words[starts[i] : starts[i] + size]
        for _ in range(max_sweeps):
            whole = 0.0
            for c in range(labels):
                total[c], spread = 0.0, 0.0
                for m in range(size):
                    total[c] += here[m, c]
                    spread += here[m, c] * (1 - here[m, c])
                gamma[c] = alpha[c] + total[c]
                whole += gamma[c]
                mean = total[c] / size
                second = mean * mean + spread / (size * size)
                square = bias[c] ** 2 + 2 * bias[c] * slope[c] * mean + slope[c] ** 2 * second
                tau[c] = _tau(np.sqrt(max(square, 0.0)))
            base = digamma(whole)
            for c in range(labels):
                prior[c] = digamma(gamma[c]) - base
            largest = 0.0
            for m in range(size):
                highest = -np.inf
                for c in range(labels):
                    row[c] = prior[c] + words[m, c]
                    if labeled:
                        share = slope[c] / size
                        others = total[c] - here[m, c]
                        row[c] += share * (Y[i, c] - 0.5) - tau[c] * (
                            2 * bias[c] * share + share * share * (1 + 2 * others)
                        )
                    highest = max(highest, row[c])
                norm = 0.0
                for c in range(labels):
                    row[c] = np.exp(row[c] - highest)
                    norm += row[c]
                for c in range(labels):
                    value = row[c] / norm
                    largest = max(largest, abs(value - here[m, c]))
                    total[c] += value - here[m, c]
                    here[m, c] = value
            if largest < change:
                break


def moments(phi: np.ndarray, bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    """Give mu and e2 of every bag, (n, L) each."""
    sizes = bags.sizes[:, None]
    mu = np.add.reduceat(phi, bags.starts, axis=0) / sizes
    spread = np.add.reduceat(phi * (1 - phi), bags.starts, axis=0)
    return mu, mu**2 + spread / sizes**2


def bound_points(mu, e2, slope, bias) -> np.ndarray:
    """Give the xi at which the quadratic bound is tightest, (n, L)."""
    return np.sqrt(np.maximum(bias**2 + 2 * bias * slope * mu + slope**2 * e2, 0))


def tau(xi: np.ndarray) -> np.ndarray:
    """Give tanh(xi/2) / (4 xi), 1/8 at 0."""
    safe = np.where(xi < 1e-6, 1, xi)
    return np.where(xi < 1e-6, 0.125, np.tanh(safe / 2) / (4 * safe))


def expected_logs(mu: np.ndarray, sizes: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give E[log theta] of every bag at the best gamma, alpha + sum_m phi: (n, L)."""
    gamma = alpha + mu * sizes[:, None]
    return scipy_digamma(gamma) - scipy_digamma(gamma.sum(axis=1, keepdims=True))


def newton_alpha(alpha: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Take a Newton step of alpha, as in latent Dirichlet allocation.

    The bound's part with alpha is n (log Gamma(sum alpha) - sum log Gamma(alpha)) +
    sum (alpha - 1) E; its Hessian is diag(h) + z 1 1' (Blei, Ng, Jordan, JMLR 2003, appendix
    A.4.2). The step is halved until all alpha are positive and that part does not fall.

    Parameters
    ----------
    alpha : ndarray of shape (L,)
    expected : ndarray of shape (n, L)
        E[log theta].

    Returns
    -------
    ndarray of shape (L,)
    """
    n, total = len(expected), expected.sum(axis=0)

    def value(alpha):
        return n * (gammaln(alpha.sum()) - gammaln(alpha).sum()) + float((alpha - 1) @ total)

    gradient = n * (scipy_digamma(alpha.sum()) - scipy_digamma(alpha)) + total
    diagonal, shared = -n * polygamma(1, alpha), n * polygamma(1, alpha.sum())
    shift = (gradient / diagonal).sum() / (1 / shared + (1 / diagonal).sum())
    step = (gradient - shift) / diagonal
    for _ in range(50):
        moved = alpha - step
        if (moved > 0).all() and value(moved) >= value(alpha):
            return moved
        step = step / 2
    return alpha


def lower_bound(log_words, bags: Bags, phi, alpha, slope, bias, Y) -> float:
    """Evaluate the evidence lower bound of labeled bags, gamma and xi at their best for `phi`.

    Parameters
    ----------
    log_words, phi : ndarrays of shape (N, L)
    bags : Bags
    alpha, slope, bias : ndarrays of shape (L,)
    Y : int8 ndarray of shape (n, L)

    Returns
    -------
    float
    """
    mu, e2 = moments(phi, bags)
    gamma = alpha + mu * bags.sizes[:, None]
    expected = expected_logs(mu, bags.sizes, alpha)
    value = len(bags) * (gammaln(alpha.sum()) - gammaln(alpha).sum())
    value += ((alpha - 1) * expected).sum() + (phi * expected[bags.owners]).sum()
    value += (phi * log_words).sum()
    value -= (gammaln(gamma.sum(axis=1)) - gammaln(gamma).sum(axis=1)).sum()
    value -= ((gamma - 1) * expected).sum()
    value -= (phi * np.log(np.maximum(phi, 1e-300))).sum()
    xi = bound_points(mu, e2, slope, bias)
    first = bias + slope * mu
    second = bias**2 + 2 * bias * slope * mu + slope**2 * e2
    value += ((Y - 0.5) * first - tau(xi) * (second - xi**2) - np.logaddexp(0, -xi) - xi / 2).sum()
    return float(value)

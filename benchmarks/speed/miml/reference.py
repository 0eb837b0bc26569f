"""Literal versions of what `speed miml` measures, one numpy expression per formula."""

import numpy as np

from features.bags.packed import Bags


def loop_distances(bags: Bags) -> np.ndarray:
    """Compute maximal Hausdorff distances by loops over pairs of bags and pairs of instances.

    Parameters
    ----------
    bags : Bags
        n bags.

    Returns
    -------
    ndarray of shape (n, n)
    """
    found = np.zeros((len(bags), len(bags)))
    for i in range(len(bags)):
        for j in range(i + 1, len(bags)):
            A, B = bags[i], bags[j]
            between = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in B] for a in A])
            there, back = between.min(axis=1).max(), between.min(axis=0).max()
            found[i, j] = found[j, i] = max(there, back)
    return found


def loop_epoch(bags: Bags, Y, pairs, V, W, options, rng) -> int:
    """Go through pairs of a bag and a label as MIMLfast does (Huang et al., AAAI 2014).

    Parameters
    ----------
    bags : Bags
        With the constant column, d columns.
    Y : int array of shape (n, L)
    pairs : int array of shape (p, 2)
        Bag and label; label L is the dummy.
    V : ndarray of shape (d, m)
        Changed in place.
    W : ndarray of shape (L + 1, K, m)
        Changed in place.
    options : tuple
        Learning rate, decay, largest norm.
    rng : numpy.random.Generator

    Returns
    -------
    int
        Updates.
    """
    rate, decay, norm = options
    updates, dummy = 0, Y.shape[1]
    for bag, label in pairs:
        X = bags[bag]
        others = [*np.flatnonzero(Y[bag] == 0), *([dummy] if label != dummy else [])]
        scores = W @ (X @ V).T  # (L + 1, K, size)
        for draw in range(1, len(others) + 1):
            other = others[int(rng.random() * len(others))]
            if scores[other].max() <= scores[label].max() - 1:
                continue
            weight = sum(1 / j for j in range(1, len(others) // draw + 1))
            step = rate / (1 + decay * rate * updates) * weight
            updates += 1
            k, x = np.unravel_index(scores[label].argmax(), scores[label].shape)
            k2, x2 = np.unravel_index(scores[other].argmax(), scores[other].shape)
            w, w2, old = W[label, k].copy(), W[other, k2].copy(), V.copy()
            V += step * (np.outer(X[x], w) - np.outer(X[x2], w2))
            W[label, k] += step * X[x] @ old
            W[other, k2] -= step * X[x2] @ old
            V *= np.minimum(1, norm / np.linalg.norm(V, axis=1, keepdims=True))
            for vector in (W[label, k], W[other, k2]):
                vector *= min(1, norm / np.linalg.norm(vector))
            break
    return updates

"""One epoch of MIMLfast's stochastic descent, compiled by numba on first use.

Vectors over the shared space are contiguous: V is held transposed, (d, m).
"""

import numpy as np

from classify.compiled import compiled


@compiled(fastmath={"reassoc", "nsz", "contract"})
def _key(W, label, U):
    """Find a label's best (concept, instance) in projected instances U (size, m), and its score."""
    best, concept, instance = -np.inf, 0, 0
    for k in range(W.shape[1]):
        w = W[label, k]
        for x in range(len(U)):
            score, u = 0.0, U[x]
            for j in range(len(w)):
                score += w[j] * u[j]
            if score > best:
                best, concept, instance = score, k, x
    return best, concept, instance


@compiled(fastmath={"reassoc", "nsz", "contract"})
def _cap(vector, norm):
    """Shorten a vector to a norm where it is longer."""
    square = 0.0
    for j in range(len(vector)):
        square += vector[j] * vector[j]
    if square > norm * norm:
        factor = norm / np.sqrt(square)
        for j in range(len(vector)):
            vector[j] *= factor


@compiled(fastmath={"reassoc", "nsz", "contract"})
def _project(X, V, U):
    for x in range(len(X)):
        U[x, :] = 0.0
        for i in range(X.shape[1]):
            value = X[x, i]
            if value != 0:
                for j in range(V.shape[1]):
                    U[x, j] += value * V[i, j]


@compiled()
def _candidates(Y, bag, label, out):
    """List what a label is compared with: absent labels, and the dummy for a real label."""
    count, dummy = 0, Y.shape[1]
    for q in range(dummy):
        if Y[bag, q] == 0:
            out[count] = q
            count += 1
    if label != dummy:
        out[count] = dummy
        count += 1
    return count


@compiled(fastmath={"reassoc", "nsz", "contract"})
def _update(X, V, W, U, positive, negative, step, norm):
    """Move both labels' concepts and the map by one step, with the old values of everything."""
    label, k, x = positive
    other, k2, x2 = negative
    w, w2 = W[label, k], W[other, k2]
    for i in range(len(V)):
        up, down = step * X[x, i], step * X[x2, i]
        if up != 0 or down != 0:
            row = V[i]
            for j in range(len(w)):
                row[j] += up * w[j] - down * w2[j]
            _cap(row, norm)
    for j in range(len(w)):
        w[j] += step * U[x, j]
        w2[j] -= step * U[x2, j]
    _cap(w, norm)
    _cap(w2, norm)


@compiled()
def _add(total, values):
    """Add in place; an array expression would allocate the sum first, which costs more."""
    total, values = total.reshape(-1), values.reshape(-1)
    for i in range(len(total)):
        total[i] += values[i]


@compiled()
def run_epoch(
    X, starts, sizes, Y, pairs, V, W, sums, harmonic, gamma0, eta, norm, every, updates, rng
):
    """Go through pairs of a bag and a label in order, and update V (d, m) and W (L + 1, K, m).

    Parameters
    ----------
    X : float64 array of shape (N, d)
    starts, sizes : int arrays of shape (n,)
    Y : int8 array of shape (n, L)
    pairs : int array of shape (p, 2)
        Bag and label; label L is the dummy.
    V, W : arrays
        Changed in place.
    sums : tuple of two arrays
        Running sums of V and W, added to after every `every`-th pair once there was an update.
    harmonic : array of shape (L + 2,)
        1 + 1/2 + ... + 1/k at k.
    gamma0, eta, norm : float
    every, updates : int
    rng : numpy.random.Generator

    Returns
    -------
    updates, added : int
        Updates so far, and how often the sums were added to in this epoch.
    """
    U = np.empty((sizes.max(), V.shape[1]))
    candidates = np.empty(Y.shape[1] + 1, np.int64)
    added = 0
    for position in range(len(pairs)):
        bag, label = pairs[position, 0], pairs[position, 1]
        here = X[starts[bag] : starts[bag] + sizes[bag]]
        projected = U[: sizes[bag]]
        count = _candidates(Y, bag, label, candidates)
        if count > 0:
            _project(here, V, projected)
            score, k, x = _key(W, label, projected)
            for draw in range(1, count + 1):
                other = candidates[int(rng.random() * count)]
                rival, k2, x2 = _key(W, other, projected)
                if rival > score - 1:
                    step = gamma0 / (1 + eta * gamma0 * updates) * harmonic[count // draw]
                    updates += 1
                    _update(here, V, W, projected, (label, k, x), (other, k2, x2), step, norm)
                    break
        if (position + 1) % every == 0 and updates > 0:
            _add(sums[0], V)
            _add(sums[1], W)
            added += 1
    return updates, added

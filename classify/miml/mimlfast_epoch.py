"""One epoch of MIMLfast's stochastic descent, compiled by numba on first use.

Vectors over the shared space are contiguous: V is held transposed, (d, m). Shortening a row of V
only notes a factor, which the next pass over V applies; the sum of a concept's vector is brought up
to date only when the vector changes. Loops stand where array expressions would do, each of which
takes seconds to compile: the text of numba's error for shapes that differ is compiled with it.
"""

import numpy as np

from classify.compiled import compiled

_ANY_ORDER = {"reassoc", "nsz", "contract"}  # of sums, which vector instructions need


@compiled(fastmath=_ANY_ORDER)
def _key(W, label, U):
    """Find a label's best (concept, instance) in projected instances U (size, m), and its score."""
    best, concept, instance = -np.inf, 0, 0
    whole = W.shape[1] - W.shape[1] % 3
    for k in range(0, whole, 3):  # three at a time, for which U is read once
        w, w1, w2 = W[label, k], W[label, k + 1], W[label, k + 2]
        for x in range(len(U)):
            score, score1, score2, u = 0.0, 0.0, 0.0, U[x]
            for j in range(len(w)):
                score += w[j] * u[j]
                score1 += w1[j] * u[j]
                score2 += w2[j] * u[j]
            if score > best:
                best, concept, instance = score, k, x
            if score1 > best:
                best, concept, instance = score1, k + 1, x
            if score2 > best:
                best, concept, instance = score2, k + 2, x
    for k in range(whole, W.shape[1]):
        w = W[label, k]
        for x in range(len(U)):
            score, u = 0.0, U[x]
            for j in range(len(w)):
                score += w[j] * u[j]
            if score > best:
                best, concept, instance = score, k, x
    return best, concept, instance


@compiled()
def _excess(square, norm):
    """Give the factor that shortens a vector of this squared length to a norm, at most 1."""
    return norm / np.sqrt(square) if square > norm * norm else 1.0


@compiled()
def _scale(vector, factor):
    for j in range(len(vector)):
        vector[j] *= factor


@compiled()
def _write(out, vector):
    for j in range(len(vector)):
        out[j] = vector[j]


@compiled(fastmath=_ANY_ORDER)
def _project(X, V, factors, U):
    """Write X diag(factors) V to U, by eight rows of V at a time."""
    width, m = V.shape
    rest = width % 8
    for x in range(len(X)):
        out = U[x]
        out[:] = 0.0
        for i in range(rest):
            a, row = X[x, i] * factors[i], V[i]
            for j in range(m):
                out[j] += a * row[j]
    for i in range(rest, width, 8):
        f = factors[i : i + 8]
        row, row1, row2, row3 = V[i], V[i + 1], V[i + 2], V[i + 3]
        row4, row5, row6, row7 = V[i + 4], V[i + 5], V[i + 6], V[i + 7]
        for x in range(len(X)):
            out, here = U[x], X[x, i : i + 8]
            a, b, c, d = here[0] * f[0], here[1] * f[1], here[2] * f[2], here[3] * f[3]
            e, g, h, k = here[4] * f[4], here[5] * f[5], here[6] * f[6], here[7] * f[7]
            for j in range(m):
                first = (a * row[j] + b * row1[j]) + (c * row2[j] + d * row3[j])
                second = (e * row4[j] + g * row5[j]) + (h * row6[j] + k * row7[j])
                out[j] += first + second


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


@compiled(fastmath=_ANY_ORDER)
def _update(X, V, factors, W, U, positive, negative, step, norm):
    """Move both labels' concepts and the map by one step, with the old values of everything."""
    label, k, x = positive
    other, k2, x2 = negative
    w, w2 = W[label, k], W[other, k2]
    for i in range(len(V)):
        up, down, factor = step * X[x, i], step * X[x2, i], factors[i]
        if up != 0 or down != 0 or factor != 1:
            row, square = V[i], 0.0
            for j in range(len(w)):
                value = factor * row[j] + (up * w[j] - down * w2[j])
                row[j] = value
                square += value * value
            factors[i] = _excess(square, norm)
    square, square2 = 0.0, 0.0
    for j in range(len(w)):
        w[j] += step * U[x, j]
        w2[j] -= step * U[x2, j]
        square += w[j] * w[j]
        square2 += w2[j] * w2[j]
    _scale(w, _excess(square, norm))
    _scale(w2, _excess(square2, norm))


@compiled()
def _add(total, values, factors):
    """Add diag(factors) values in place."""
    for i in range(len(values)):
        row, out, factor = values[i], total[i], factors[i]
        for j in range(len(row)):
            out[j] += factor * row[j]


@compiled()
def _settle(total, W, settled, terms, label, k):
    """Bring the sum of a concept's vector up to a number of terms."""
    missing = terms - settled[label, k]
    if missing > 0:
        out, w = total[label, k], W[label, k]
        for j in range(len(w)):
            out[j] += missing * w[j]
        settled[label, k] = terms


@compiled()
def run_epoch(
    X, starts, sizes, Y, pairs, V, W, sums, harmonic, gamma0, eta, norm, every, updates, rng
):
    """Go through pairs of a bag and a label in order, and update V (d, m) and W (L + 1, K, m).

    Parameters
    ----------
    X : float64 array of shape (N, d)
    starts, sizes : int arrays of shape (n,)
    Y : int8 array of shape (n, L), in C order
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
    # Copies begin at a multiple of 32 bytes, numpy's arrays at one of 16, where an epoch takes a
    # fifth longer: half of the vector loads then cross a line of the cache.
    given, given_concepts = V, W
    V, W = V.copy(), W.copy()
    longest = 0
    for size in sizes:
        longest = max(longest, size)
    U = np.empty((longest, V.shape[1]))
    factors = np.ones(len(V))
    settled = np.zeros(W.shape[:2], np.int64)
    candidates = np.empty(Y.shape[1] + 1, np.int64)
    added = 0
    for position in range(len(pairs)):
        bag, label = pairs[position, 0], pairs[position, 1]
        here = X[starts[bag] : starts[bag] + sizes[bag]]
        projected = U[: sizes[bag]]
        count = _candidates(Y, bag, label, candidates)
        if count > 0:
            _project(here, V, factors, projected)
            score, k, x = _key(W, label, projected)
            for draw in range(1, count + 1):
                other = candidates[int(rng.random() * count)]
                rival, k2, x2 = _key(W, other, projected)
                if rival > score - 1:
                    step = gamma0 / (1 + eta * gamma0 * updates) * harmonic[count // draw]
                    updates += 1
                    _settle(sums[1], W, settled, added, label, k)
                    _settle(sums[1], W, settled, added, other, k2)
                    up, down = (label, k, x), (other, k2, x2)
                    _update(here, V, factors, W, projected, up, down, step, norm)
                    break
        if (position + 1) % every == 0 and updates > 0:
            _add(sums[0], V, factors)
            added += 1
    for i in range(len(V)):
        _scale(V[i], factors[i])
        _write(given[i], V[i])
    for label in range(W.shape[0]):
        for k in range(W.shape[1]):
            _write(given_concepts[label, k], W[label, k])
            _settle(sums[1], W, settled, added, label, k)
    return updates, added

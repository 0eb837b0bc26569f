"""Loops over pairs of a present and an absent label, compiled by numba on first use.

Time is |P| x L an image, memory L beyond what is passed in; a process compiles them in about a
second. They check nothing: `classify.losses.warp` calls them with arrays of the right types.

Everywhere labels are int8 (b, L) of 1, 0 and -1, scores float64 (b, L), and `negatives` is the
scores with -inf in place of all but absent labels, which then violate no margin.
"""

from classify.compiled import compiled

RAMP_CUT = -0.8  # the margin below which the ramp is flat: the ramp-loss WARP paper's s


@compiled()
def count_violators(negatives, scores, labels, counts):
    """Write into `counts` (b, L) how many negatives come within margin 1 of each present label."""
    for i in range(len(scores)):
        row = negatives[i]
        for j in range(len(row)):
            if labels[i, j] == 1:
                bound, count = scores[i, j] - 1, 0
                for k in range(len(row)):
                    count += row[k] > bound
                counts[i, j] = count


# Free order of summation lets the inner loop use vector instructions: 5 times as fast.
@compiled(fastmath={"reassoc", "nsz"})
def add_pairs(negatives, scores, weights, beta, values, gradient):
    """Add the weighted ramps of all pairs to `values` (b,), their slopes to `gradient` (b, L)."""
    for i in range(len(scores)):
        row, slopes = negatives[i], gradient[i]
        for j in range(len(row)):
            weight = weights[i, j]
            if weight == 0:
                continue
            score, loss, active, cut = scores[i, j], 0.0, 0, 0
            for k in range(len(row)):
                margin = score - row[k]
                loss += max(0.0, 1 - margin) - beta * max(0.0, RAMP_CUT - margin)
                slopes[k] += (weight if margin < 1 else 0.0) - (
                    beta * weight if margin < RAMP_CUT else 0.0
                )
                active += margin < 1
                cut += margin < RAMP_CUT
            slopes[j] -= weight * (active - beta * cut)
            values[i] += weight * loss


@compiled()
def _known_and_absent(labels):
    known = absent = 0
    for label in labels:
        known += label >= 0
        absent += label == 0
    return known, absent


@compiled()
def _rank(known, draw, nearest):
    return (2 * (known - 1) + draw) // (2 * draw) if nearest else (known - 1) // draw


@compiled()
def expected_weights(counts, labels, harmonic, nearest, weights):
    """Add to `weights` (b, L), of zeros, the mean of L(rank) over the draw that first violates."""
    for i in range(len(counts)):
        known, absent = _known_and_absent(labels[i])
        for j in range(counts.shape[1]):
            count, draw = counts[i, j], 1
            going_on = 1.0 if count else 0.0  # P(no violator among the draws so far)
            while going_on > 1e-17:  # 0 at the latest when only violators are left
                hit = count / (absent - draw + 1)
                weights[i, j] += going_on * hit * harmonic[_rank(known, draw, nearest)]
                going_on *= 1 - hit
                draw += 1


@compiled()
def sampled_weights(counts, labels, harmonic, nearest, uniforms, weights):
    """Write L(rank) of one such draw into `weights` (b, L); `uniforms` (b, L) decide which."""
    for i in range(len(counts)):
        known, absent = _known_and_absent(labels[i])
        for j in range(counts.shape[1]):
            count, draw = counts[i, j], 1
            if count == 0:
                continue
            going_on = 1 - count / absent
            while uniforms[i, j] < going_on:
                draw += 1
                going_on *= 1 - count / (absent - draw + 1)
            weights[i, j] = harmonic[_rank(known, draw, nearest)]

"""Implementations that `speed warp` compares, with a loop, and the problem they are fitted to.

All descend alike: minibatches of 96 rows, momentum 0.9, learning rate 1, from zeros. Each is a
function of features and labels that gives coefficients and intercepts. Torch and scikit-learn's
networks are imported where they are used, so that help texts do not wait for them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.speed.warp.report import RMLC, TORCH
from classify.losses import LOSSES, named_loss
from classify.losses.kernels import RAMP_CUT
from classify.row_blocks import row_blocks
from classify.sgd import DROPS
from classify.warp.tagger import WarpTagger

BATCH_SIZE, MOMENTUM, LEARNING_RATE = 96, 0.9, 1.0
EPOCHS = 3  # of every implementation; the time is divided by them, set-up included
LABELS_PER_IMAGE, KAPPA = 3, 5.0

Fit = Callable[..., tuple[np.ndarray, np.ndarray]]


class Implementation(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    name : str
    loss : str
        What it minimizes, a name in `classify.losses`.
    kappa : float
        Of that loss.
    fit : callable
        ``(X (n, d), Y (n, L)) -> (coefficients (L, d), intercepts (L,))``.
    """

    name: str
    loss: str
    kappa: float
    fit: Fit


def ours(loss: str, *, kappa: float = KAPPA, **options) -> Fit:
    """Give the fit of a `WarpTagger`."""

    def fit(X, Y):
        tagger = WarpTagger(
            loss,
            kappa=kappa,
            learning_rate=LEARNING_RATE,
            momentum=MOMENTUM,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            **options,
        ).fit(X, Y)
        return tagger.coef_, tagger.intercept_

    return fit


def torch_logistic(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descend on cross-entropy as it is written in torch: no loader, rows by a permutation."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    targets = torch.from_numpy(Y.astype(np.float32))

    def loss(scores, batch):
        return binary_cross_entropy_with_logits(scores, targets[batch], reduction="sum")

    return _torch_descent(X, Y.shape[1], loss)


def torch_pairwise(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descend on torch's own hinge of all pairs, which takes lists of labels that end in -1."""
    import torch
    from torch.nn.functional import multilabel_margin_loss

    positions = np.argsort(-Y, axis=1, kind="stable")
    lists = np.where(np.take_along_axis(Y, positions, axis=1) == 1, positions, -1)
    targets, divisor = torch.from_numpy(lists), LOSSES["pairwise"].loss_scale

    def loss(scores, batch):
        # Torch divides by the number of labels.
        total = multilabel_margin_loss(scores, targets[batch], reduction="sum")
        return total * (Y.shape[1] / divisor)

    return _torch_descent(X, Y.shape[1], loss)


def _torch_descent(X, labels, loss_of):
    import torch

    torch.manual_seed(0)
    inputs = torch.from_numpy(X)
    model = torch.nn.Linear(X.shape[1], labels)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    for epoch in range(EPOCHS):
        drops = sum(epoch >= share * EPOCHS for share in DROPS)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.1**drops
        for batch in torch.randperm(len(X)).split(BATCH_SIZE):
            optimizer.zero_grad()
            (loss_of(model(inputs[batch]), batch) / len(batch)).backward()
            optimizer.step()
    return model.weight.detach().numpy(), model.bias.detach().numpy()


def scikit_learn_logistic(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descend by scikit-learn's network without a hidden layer, at one rate throughout."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=(),
        solver="sgd",
        alpha=0.0,
        batch_size=BATCH_SIZE,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
    )
    for _ in range(EPOCHS):
        model.partial_fit(X, Y, classes=np.arange(Y.shape[1]))
    return model.coefs_[0].T, model.intercepts_[0]


IMPLEMENTATIONS = (
    Implementation(RMLC, "ramp", KAPPA, ours("ramp")),
    Implementation("RMLC, sampled ranks", "ramp", KAPPA, ours("ramp", rank_mode="sample")),
    Implementation("WARP (hinge, kappa 0)", "hinge", 0.0, ours("hinge", kappa=0.0)),
    Implementation("pairwise, this project", "pairwise", 0.0, ours("pairwise")),
    Implementation("pairwise, torch's multilabel_margin_loss", "pairwise", 0.0, torch_pairwise),
    Implementation("cross-entropy, this project", "bce", 0.0, ours("bce")),
    Implementation(TORCH, "bce", 0.0, torch_logistic),
    Implementation(
        "cross-entropy, scikit-learn's MLP, no hidden layer", "bce", 0.0, scikit_learn_logistic
    ),
)


def objective(
    one: Implementation, X: np.ndarray, Y: np.ndarray, coef: np.ndarray, intercept: np.ndarray
) -> float:
    """Mean over rows (n, d) of the loss that an implementation minimizes, as it divides it."""
    loss = named_loss(
        one.loss,
        beta=1.0,
        kappa=one.kappa,
        rank_mode="expected",
        rounding="floor",
        rng=np.random.default_rng(0),
    )
    total = sum(
        loss(X[block] @ coef.T + intercept, Y[block])[0].sum()
        for block in row_blocks(np.arange(len(X)))
    )
    return total / len(X) / LOSSES[one.loss].loss_scale


def loop_epoch(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Do an epoch of RMLC as it is written: image by image, draw by draw, pair by pair.

    Returns
    -------
    W : float32 array of shape (L, d)
        From zeros; an image moves it as far as its share of a batch does.
    """
    rng = np.random.default_rng(0)
    W = np.zeros((Y.shape[1], X.shape[1]), dtype=np.float32)
    for x, y in zip(X, Y, strict=True):
        step = np.zeros_like(W)
        present, absent = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
        for j in present:
            weight = _loop_weight(W, x, j, rng.permutation(absent))
            for k in absent:
                if RAMP_CUT < W[j] @ x - W[k] @ x < 1:
                    step[j] += weight * x
                    step[k] -= weight * x
        for column, label in enumerate(y):
            sign = 1 if label == 1 else -1
            if RAMP_CUT < sign * (W[column] @ x) < 1:
                step[column] += KAPPA * sign * x
        W += LEARNING_RATE / BATCH_SIZE / LOSSES["ramp"].loss_scale * step
    return W


def _loop_weight(W, x, j, order) -> float:
    """Weight of a present label: draw absent ones in order until one comes within the margin."""
    draws = 0
    for k in order:
        draws += 1
        if 1 - W[j] @ x + W[k] @ x > 0:
            break
    return sum(1 / t for t in range(1, (len(W) - 1) // draws + 1))


def make_blocks(d: int, labels: int, *, seed: int = 0) -> Callable[[int], tuple]:
    """Give a function that makes the next rows: features of mean length 1, three labels a row.

    Features are as after a ReLU, and a linear model decides which labels score best.

    Returns
    -------
    callable
        ``(count) -> (X float32 (count, d), Y int8 (count, labels))``.
    """
    rng = np.random.default_rng(seed)
    model = rng.standard_normal((d, labels), dtype=np.float32)

    def draw(count):
        X = np.maximum(rng.standard_normal((count, d), dtype=np.float32), 0)
        X /= np.float32(np.sqrt(d / 2))
        scores = X @ model
        scores -= model.sum(axis=0) * X.mean()
        order = np.argpartition(-scores, LABELS_PER_IMAGE - 1, axis=1)[:, :LABELS_PER_IMAGE]
        Y = np.zeros(scores.shape, dtype=np.int8)
        np.put_along_axis(Y, order, 1, axis=1)
        return X, Y

    return draw


def make_problem(n: int, d: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Make n such rows in blocks."""
    draw, parts = make_blocks(d, labels), []
    for start in range(0, n, 8192):
        parts.append(draw(min(8192, n - start)))
    X, Y = zip(*parts, strict=True)
    return np.concatenate(X), np.concatenate(Y)

"""CNN-RNN on image vectors: a recurrent network that names an image's labels one after the other.

The network and its search lie here; it knows no image, no cache and no other learner.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from tqdm import tqdm

from classify.base import Tagger
from classify.parameters import Flag, Number, OneOf, check_parameters
from classify.row_blocks import mean_norm, mean_row, row_blocks
from features.errors import InputError

_IGNORED = -100  # torch's own mark of places that cost nothing
_TINY = 1e-7
_PREFIX = "network_."  # of the names of the network's weights among a model's arrays


class CnnRnnTagger(Tagger):
    """Labels predicted in sequence by an LSTM (Wang, Yang, Mao, Huang, Huang and Xu).

    With o_t the state of an LSTM over the embeddings u_l of the labels named so far and x the
    image, the next label has the softmax of u_l . relu(U_o o_t + U_x x). In training an image's
    present labels come in the order of their frequency, followed by an end. It cannot leave unknown
    labels out: they count as absent.

    A label's score is the logit of its largest softmax value over all steps and hypotheses of a
    beam search, so that a score above 0 means a probability above one half at some step.

    Parameters
    ----------
    hidden : int
        Size of the embeddings and of the LSTM's state.
    beam : int
        Hypotheses that the search keeps.
    learning_rate, weight_decay : float
        Of Adam.
    batch_size, epochs : int
    random_state : int, RandomState instance or None
        Draws the start and the order of rows.
    verbose : bool
        Show a progress bar on stderr.

    Attributes
    ----------
    network_ : torch module
    order_ : int array of shape (L,)
        Labels, the most frequent first.
    longest_ : int
        Most labels of a training row; the search stops there.
    center_, scale_ : array of shape (d,) and float
        How features are prepared.
    loss_curve_ : list of float
    classes_ : array
        The two classes of a single column, or ``arange(L)``.
    multilabel_ : bool
        Whether it was fitted with an (n, L) indicator.
    n_features_in_ : int

    Examples
    --------
    >>> X, Y = [[0.0, 1.0], [1.0, 1.0], [4.0, 1.0], [5.0, 1.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> CnnRnnTagger(hidden=8, epochs=60).fit(X, Y).predict([[0.5, 1.0]])
    array([[1, 0]])
    """

    fitted_arrays = ("order_", "longest_", "center_", "scale_")

    _allowed: ClassVar[Mapping[str, OneOf | Number | Flag]] = {
        "hidden": Number(Integral, low=1),
        "beam": Number(Integral, low=1),
        "learning_rate": Number(low=0.0, above=True),
        "weight_decay": Number(low=0.0),
        "batch_size": Number(Integral, low=1),
        "epochs": Number(Integral, low=1),
        "verbose": Flag(),
    }

    def __init__(
        self,
        hidden=64,
        *,
        beam=2,
        learning_rate=0.01,
        weight_decay=0.0,
        batch_size=96,
        epochs=30,
        random_state=0,
        verbose=False,
    ):
        self.hidden = hidden
        self.beam = beam
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y):
        """Fit all labels at once.

        Parameters
        ----------
        X : float32 or float64 array of shape (n, d)
        y : array of shape (n, L) of 1, 0 and -1 (unknown, taken as 0), or (n,) with two classes

        Returns
        -------
        self

        Raises
        ------
        InputError
            For a parameter out of its range, for X or y that can't be fitted, and when the descent
            diverges.
        """
        check_parameters(self, self._allowed)
        X, targets = self._start_fit(X, y)
        present = targets == 1
        rows = np.arange(len(X))
        self.center_ = mean_row(X, rows, np.ones(len(X)))
        self.scale_ = mean_norm(X, rows, np.ones(len(X)), self.center_)
        self.order_ = np.argsort(-present.sum(axis=0), kind="stable")
        self.longest_ = int(present.sum(axis=1).max())
        sequences = torch.from_numpy(label_sequences(present, self.order_))
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Network(X.shape[1], present.shape[1], self.hidden)
            self.network_ = network.to(getattr(torch, X.dtype.name))
            self._descend(X, sequences, np.random.default_rng(seed))
        return self

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give the network's weights too, each under ``network_.`` and torch's name for it."""
        arrays = super().to_arrays()
        weights = self.network_.state_dict()
        return arrays | {f"{_PREFIX}{name}": weight.numpy() for name, weight in weights.items()}

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_features: int, n_labels: int):
        """Become a fitted tagger, from what `to_arrays` gave."""
        super().set_arrays(arrays, n_features=n_features, n_labels=n_labels)
        weights = {
            name.removeprefix(_PREFIX): torch.from_numpy(np.array(array))
            for name, array in arrays.items()
            if name.startswith(_PREFIX)
        }
        with torch.random.fork_rng(devices=[]):  # the initial weights are replaced at once
            network = _Network(n_features, n_labels, self.hidden)
        self.network_ = network.to(getattr(torch, self.center_.dtype.name))
        self.network_.load_state_dict(weights)
        return self

    def _descend(self, X, sequences, rng):
        optimizer = torch.optim.Adam(
            self.network_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        self.loss_curve_ = []
        for _ in tqdm(range(self.epochs), unit="epoch", disable=not self.verbose):
            total = 0.0
            order = rng.permutation(len(X))
            for batch in np.split(order, range(self.batch_size, len(order), self.batch_size)):
                loss = self.network_.loss(self._prepare(X[batch]), sequences[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            self.loss_curve_.append(total / len(X))
            if not np.isfinite(total):
                raise InputError(
                    f"training diverged in epoch {len(self.loss_curve_)}: "
                    f"learning_rate={self.learning_rate:g} is too large, divide it by 10"
                )

    def _prepare(self, X) -> torch.Tensor:
        dtype = self.center_.dtype.type
        return torch.from_numpy((X.astype(dtype, copy=False) - self.center_) / dtype(self.scale_))

    def _scores(self, X: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            best = [
                self.network_.search(self._prepare(X[block]), self.beam, self.longest_).numpy()
                for block in row_blocks(np.arange(len(X)))
            ]
        chances = np.clip(np.concatenate(best).astype(np.float64), _TINY, 1 - _TINY)
        return np.log(chances) - np.log1p(-chances)


def label_sequences(present: np.ndarray, order: np.ndarray) -> np.ndarray:
    """List the present labels of each row in a given order, then the end.

    Parameters
    ----------
    present : bool array of shape (n, L)
    order : int array of shape (L,)

    Returns
    -------
    int64 array of shape (n, most labels of a row + 1)
        L stands for the end; behind it, -100.

    Examples
    --------
    >>> label_sequences(np.array([[True, False, True], [False, True, False]]), np.array([2, 0, 1]))
    array([[   2,    0,    3],
           [   1,    3, -100]])
    """
    counts = present.sum(axis=1)
    ranked = np.argsort(~present[:, order], axis=1, kind="stable")  # present ones to the front
    sequences = np.hstack([order[ranked], np.zeros((len(present), 1), dtype=int)])
    sequences = sequences[:, : counts.max(initial=0) + 1]
    places = np.arange(sequences.shape[1])
    sequences[places == counts[:, None]] = present.shape[1]
    sequences[places > counts[:, None]] = _IGNORED
    return sequences.astype(np.int64)


class _Network(nn.Module):
    """Scores of the next label, given the image and the labels before."""

    def __init__(self, n_features: int, n_labels: int, hidden: int):
        super().__init__()
        self.start = n_labels  # the end's embedding also stands for the beginning
        self.embeddings = nn.Embedding(n_labels + 1, hidden)
        self.cell = nn.LSTM(hidden, hidden, batch_first=True)
        self.from_state = nn.Linear(hidden, hidden)
        self.from_image = nn.Linear(n_features, hidden, bias=False)
        self.bias = nn.Parameter(torch.zeros(n_labels + 1))

    def next_scores(self, states: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """(..., hidden) states and projected images to (..., L + 1) scores."""
        joint = torch.relu(self.from_state(states) + images)
        return joint @ self.embeddings.weight.T + self.bias

    def loss(self, images: torch.Tensor, sequences: torch.Tensor) -> torch.Tensor:
        """Mean over places of the cross-entropy of the right label, those before it given."""
        begin = torch.full_like(sequences[:, :1], self.start)
        before = torch.cat([begin, sequences[:, :-1]], dim=1).clamp(min=0)
        states, _ = self.cell(self.embeddings(before))
        scores = self.next_scores(states, self.from_image(images)[:, None])
        return nn.functional.cross_entropy(scores.flatten(0, 1), sequences.flatten())

    def search(self, images: torch.Tensor, beam: int, longest: int) -> torch.Tensor:
        """Beam search; return the largest softmax of every label along it, (n, L)."""
        n, n_tokens = len(images), self.start + 1
        projected = self.from_image(images)[:, None]
        tokens = torch.full((n, 1), self.start)
        used = torch.zeros(n, 1, n_tokens, dtype=torch.bool)
        totals, ended = images.new_zeros(n, 1), torch.zeros(n, 1, dtype=torch.bool)
        memory = None
        best = images.new_zeros(n, self.start)
        for _ in range(longest + 1):
            width = tokens.shape[1]
            states, memory = self.cell(self.embeddings(tokens.reshape(-1, 1)), memory)
            scores = self.next_scores(states.reshape(n, width, -1), projected)
            chances = scores.softmax(dim=2)
            live = chances.masked_fill(ended[:, :, None] | used, 0.0)
            best = torch.maximum(best, live.amax(dim=1)[:, : self.start])
            steps = chances.clamp(min=1e-30).log().masked_fill(used, -torch.inf)
            stay = images.new_full((n_tokens,), -torch.inf)
            stay[self.start] = 0.0  # what has ended stays as it is
            steps = torch.where(ended[:, :, None], stay, steps)
            joint = (totals[:, :, None] + steps).flatten(1)
            totals, chosen = joint.topk(min(beam, joint.shape[1]), dim=1)
            parents, tokens = chosen // n_tokens, chosen % n_tokens
            ended = (tokens == self.start) | totals.isinf()  # or names a label again
            used = used.gather(1, parents[:, :, None].expand(-1, -1, n_tokens))
            named = nn.functional.one_hot(tokens, n_tokens).bool()
            used = used | named & ~ended[:, :, None]
            rows = (torch.arange(n)[:, None] * width + parents).flatten()
            memory = tuple(part[:, rows] for part in memory)
            if ended.all():
                break
        return best

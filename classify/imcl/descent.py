"""The descent of IMCL: batches, neighbors, steps of the classifier and of the label graph.

It knows neither files nor how anything is validated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from classify.imcl.joint_omp import Neighbors
from classify.imcl.loss import Gradients, LossTerms, Parameters, Penalty, Rows, batch_loss
from classify.imcl.neighbors import NeighborPool, NeighborSearch, Source
from classify.imcl.rmsprop import RMSProp
from classify.imcl.variants import Variant
from features.errors import InputError

RATIO_BATCHES = 10  # batches whose losses are compared before the first step
SLOWER, SLOWEST, SMOOTHING = 0.8, 0.125, 0.3  # as in IMCL's released code
LARGEST_GROWTH = 100  # of the loss over its start, beyond which a descent counts as diverged


@dataclass(frozen=True)
class Settings:
    """Parameters of `classify.imcl.tagger.InteractiveTagger` by the same names."""

    variant: Variant
    lambda_y: float
    lambda_f: float
    k: int
    learn_graph: bool
    image_graph: str
    dictionary_size: int
    refresh: int | None
    learning_rate: float
    graph_learning_rate: float
    batch_size: int
    steps: int | None

    @classmethod
    def of(cls, tagger: object, variant: Variant) -> "Settings":
        """Read a tagger's parameters; `variant` is its parameter of that name, looked up."""
        names = [field.name for field in fields(cls) if field.name != "variant"]
        return cls(variant, **{name: getattr(tagger, name) for name in names})


class Descent:
    """Moves `parameters` in place.

    Parameters
    ----------
    parameters : Parameters
    source : Source
    rows : int array
        Rows to learn from, ascending.
    penalty : Penalty
    settings : Settings
    rng : numpy Generator
        Draws the dictionary and the orders.

    Attributes
    ----------
    lambda_y, lambda_f : float
        Weights in the loss.
    """

    def __init__(
        self,
        parameters: Parameters,
        source: Source,
        rows: np.ndarray,
        *,
        penalty: Penalty,
        settings: Settings,
        rng: np.random.Generator,
    ):
        self.parameters, self.source, self.rows = parameters, source, rows
        self.penalty, self.settings, self.rng = penalty, settings, rng
        self.search = NeighborSearch(
            settings.k,
            settings.lambda_y,
            settings.lambda_f,
            settings.variant.rule,
            settings.variant.coefficients,
            settings.variant.balance,
        )
        self.rate = min(settings.learning_rate, 1 / penalty.curvature())
        self.optimizers = {
            name: RMSProp(array)
            for name, array in parameters.arrays()._asdict().items()
            if array is not None
        }
        self.pool = self._dictionary() if settings.variant.pool == "dictionary" else None
        self.fixed = self._find_all() if settings.image_graph == "fixed" else None
        self.lambda_y, self.lambda_f = settings.lambda_y, settings.lambda_f
        first = self._first_losses()
        if settings.variant.lambda_mode == "ratio":
            self.lambda_y *= first.classifier / (first.labels or 1.0)
            self.lambda_f *= first.classifier / (first.features or 1.0)
        self.limit = LARGEST_GROWTH * first.total(self.lambda_y, self.lambda_f)
        self.since_refresh = 0

    def epoch(self, slower: float = 1.0) -> float:
        """Visit the rows once, or `steps` batches of them, and return the batches' mean loss.

        Parameters
        ----------
        slower : float
            Factor of the classifier's learning rate.

        Raises
        ------
        InputError
            The loss grew beyond all measure or is not finite.
        """
        if self.since_refresh:
            self._refresh()
        losses = [self.step(numbers, slower) for numbers in self._batches()]
        mean = float(np.mean(losses))
        if not mean <= self.limit:  # so that NaN is caught too
            raise InputError(
                f"training diverges: the mean loss is {mean:.3g}, {LARGEST_GROWTH} times that of "
                f"the start or more: learning_rate={self.settings.learning_rate:g} is too large, "
                "divide it by 10"
            )
        return mean

    def step(self, numbers: np.ndarray, slower: float = 1.0) -> float:
        """Find the neighbors of some rows, move every parameter once, and return the loss."""
        settings = self.settings
        if self.since_refresh == settings.refresh:
            self._refresh()
        self.since_refresh += 1
        parts, gradients = self._loss(*self._neighborhood(numbers))
        for name, optimizer in self.optimizers.items():
            if name != "edges":
                optimizer.step(getattr(gradients, name), rate=slower * self.rate)
            elif settings.learn_graph:
                optimizer.step(gradients.edges, rate=settings.graph_learning_rate)
                weights = self.parameters.graph.weights
                np.clip(weights, 0.0, 1.0, out=weights)
        return parts.total(self.lambda_y, self.lambda_f)

    def _loss(self, batch, neighbors, found) -> tuple[LossTerms, Gradients]:
        with np.errstate(over="ignore", invalid="ignore"):  # `epoch` says what is wrong then
            return batch_loss(
                self.parameters,
                batch,
                neighbors,
                found,
                lambda_y=self.lambda_y,
                lambda_f=self.lambda_f,
                rules=self.source.rules,
                penalty=self.penalty,
                reduction=self.settings.variant.reduction,
            )

    def _neighborhood(self, numbers) -> tuple[Rows, Rows, Neighbors]:
        """Rows by their numbers, the candidates that were found for them, and their weights."""
        batch = self.source.read(numbers)
        pool = self.pool
        if pool is None:
            pool = NeighborPool(batch, numbers, self.search, self.source.rules)
            pool.refresh(self.parameters)
        if self.fixed is None:
            found = pool.find(self.parameters, batch, numbers)
        else:
            place = np.searchsorted(self.rows, numbers)
            found = Neighbors(*(array[place] for array in self.fixed))
        near = pool.take(found)
        if self.fixed is None:
            found = pool.weigh(self.parameters, batch, near, found)
        return batch, near, found

    def _batches(self) -> Iterator[np.ndarray]:
        size, steps = self.settings.batch_size, self.settings.steps
        order = self.rng.permutation(self.rows)
        for start in range(0, len(order), size)[:steps]:
            yield np.sort(order[start : start + size])

    def _first_losses(self) -> LossTerms:
        batches = list(self._batches())[:RATIO_BATCHES]
        return LossTerms(
            *np.mean([self._loss(*self._neighborhood(batch))[0] for batch in batches], axis=0)
        )

    def _dictionary(self) -> NeighborPool:
        numbers = self.rows
        if len(numbers) > self.settings.dictionary_size:
            numbers = self.rng.choice(numbers, self.settings.dictionary_size, replace=False)
            numbers.sort()
        pool = NeighborPool(self.source.read(numbers), numbers, self.search, self.source.rules)
        pool.refresh(self.parameters)
        return pool

    def _find_all(self) -> Neighbors:
        assert self.pool is not None
        size = 1024  # rows of X held at once
        parts = []
        for start in range(0, len(self.rows), size):
            numbers = self.rows[start : start + size]
            parts.append(self.pool.find(self.parameters, self.source.read(numbers), numbers))
        return Neighbors(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _refresh(self):
        if self.pool is not None:
            self.pool.refresh(self.parameters)
        self.since_refresh = 0


class PlateauSchedule:
    """The best value of a validation so far, and a learning rate that falls with it.

    Parameters
    ----------
    first : float
        The value at the start; higher is better.

    Attributes
    ----------
    best : float
    factor : float
        Of the learning rate: 0.8 times what it was whenever the exponential average of the values
        falls, down to 1/8.

    Examples
    --------
    >>> pace = PlateauSchedule(0.5)
    >>> pace.improves(0.4), pace.factor, pace.improves(0.6)
    (False, 0.8, True)
    """

    def __init__(self, first: float):
        self.best = self.smoothed = first
        self.factor = 1.0

    def improves(self, value: float) -> bool:
        """Take the next value in, and say whether it is the best."""
        smoothed = SMOOTHING * value + (1 - SMOOTHING) * self.smoothed
        if smoothed < self.smoothed:
            self.factor = max(SLOWEST, SLOWER * self.factor)
        self.smoothed = smoothed
        better = value > self.best
        self.best = max(value, self.best)
        return better

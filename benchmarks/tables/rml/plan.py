"""What ``tables rml`` fits: parts, learners, shares and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.tables.options import check_values
from benchmarks.tables.rml.learners import LEARNERS
from benchmarks.tables.task import Task
from classify.parallel import Trial
from features.errors import check_number

PARTS = ("supervised", "noise", "semi")
SUPERVISED = ("rmlc", "warp", "softmax", "pairwise", "lsep", "bce", "l1lr", "lr")
NOISY = ("rmlc", "warp", "bce")
SEMI_SUPERVISED = ("rmlc", "ss-rmlc-paper", "ss-rmlc-official", "bce")


@dataclass(frozen=True)
class Plan:
    """What is fitted.

    Attributes
    ----------
    splits : int
        Random splits of the supervised part.
    repeats : int
        Seeds of the other parts, and of the supervised part under an official split.
    seed : int
        The first one; the others follow by one.
    parts : sequence of {"supervised", "noise", "semi"}
    learners, noisy_learners : sequence of str
        Names in `benchmarks.tables.rml.learners.LEARNERS`, of the first two parts.
    noise : sequence of float
        Shares of the training rows whose labels are replaced; rows to select on among them.
    labeled : sequence of float
        Shares of the training rows with labels.
    """

    splits: int = 30
    repeats: int = 5
    seed: int = 0
    parts: Sequence[str] = PARTS
    learners: Sequence[str] = SUPERVISED
    noisy_learners: Sequence[str] = NOISY
    noise: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    labeled: Sequence[float] = (0.05, 0.1, 0.2, 0.5)

    def check(self) -> None:
        """Refuse what no run can use.

        Raises
        ------
        InputError
        """
        for name, low in (("splits", 1), ("repeats", 1), ("seed", 0)):
            check_number(name, getattr(self, name), whole=True, low=low)
        check_values("parts", self.parts, PARTS)
        check_values("learners", self.learners, LEARNERS)
        check_values("noisy_learners", self.noisy_learners, LEARNERS)
        check_values("noise", self.noise, low=0, high=1)
        check_values("labeled", self.labeled, low=0, high=1, above=True)

    def seeds(self, task: Task) -> tuple[range, range]:
        """Give the seeds of the supervised part, and of the others."""
        few = range(self.seed, self.seed + self.repeats)
        return (few if task.official else range(self.seed, self.seed + self.splits)), few

    def fits(self, task: Task) -> list[Trial]:
        """List every fit once; a fit that no seed changes is done once on an official split."""
        many, few = self.seeds(task)
        supervised = [
            fit
            for fit in _fits(
                self.learners, [0.0], [1.0], many if "supervised" in self.parts else ()
            )
            if not task.official or LEARNERS[fit["learner"]].descent or fit["seed"] == many[0]
        ]
        noisy = few if "noise" in self.parts else ()
        semi = few if "semi" in self.parts else ()
        fits = [
            *supervised,
            *_fits(self.noisy_learners, self.noise, [1.0], noisy),
            *_fits(SEMI_SUPERVISED, [0.0], self.labeled, semi),
        ]
        return list({tuple(fit.values()): fit for fit in fits}.values())


def _fits(
    learners: Sequence[str], noise: Sequence[float], labeled: Sequence[float], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    return [
        {"learner": learner, "noise": float(rate), "labeled": float(share), "seed": seed}
        for seed in seeds
        for learner in dict.fromkeys(learners)
        for rate in dict.fromkeys(noise)
        for share in dict.fromkeys(labeled)
    ]

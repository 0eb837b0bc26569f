"""The learners of ``tables rml``, and the settings to choose from for each.

All get the same features and the same selection: every setting of a learner's grid is fitted to a
part of the training rows and evaluated on the rest of them, and the best is fitted to all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from benchmarks.tables.method import Method
from benchmarks.tables.options import check_share, check_values
from benchmarks.tables.rml.data import BlockScaler
from classify.logistic import LogisticTagger
from classify.metrics import METRICS
from classify.warp.semi_supervised import SemiSupervisedTagger
from classify.warp.tagger import WarpTagger
from features.errors import check_choice, check_number
from features.noise import VARIANTS

#: What precedes the division of each cache's columns by one number.
SCALINGS: dict[str, Callable[[], Any]] = {
    "none": FunctionTransformer,
    "max01": MaxAbsScaler,
}

#: Of the epochs that descend on the hinge, with every ramp: else it loses rare labels from zeros.
WARM_UP = 0.3


def _semi_supervised(preset: str, **parameters: Any) -> SemiSupervisedTagger:
    nested = {f"estimator__{name}": value for name, value in parameters.items()}
    return SemiSupervisedTagger.from_preset(preset, estimator__warm_up=WARM_UP, **nested)


def _descent(name: str, title: str, make: Callable[..., Any], **more: Any) -> Method:
    return Method(name, title, make, descent=True, **more)


_OFFICIAL = partial(WarpTagger.from_preset, "official", rank_mode="expected", warm_up=WARM_UP)

#: By name; a `Protocol` adds their settings.
LEARNERS: dict[str, Method] = {
    one.name: one
    for one in (
        _descent("rmlc", "RMLC", partial(WarpTagger, "ramp", warm_up=WARM_UP)),
        _descent("rmlc-official", "RMLC, official", _OFFICIAL),
        _descent("warp", "WARP", partial(WarpTagger, "hinge", kappa=0.0), decides=False),
        _descent("softmax", "softmax", partial(WarpTagger, "softmax"), decides=False),
        _descent("pairwise", "pairwise", partial(WarpTagger, "pairwise"), decides=False),
        _descent("lsep", "LSEP", partial(WarpTagger, "lsep"), decides=False),
        _descent("bce", "BCE", partial(WarpTagger, "bce")),
        Method("l1lr", "L1LR", partial(LogisticTagger, "l1")),
        Method("lr", "LR", partial(LogisticTagger, "l2")),
        _descent(
            "ss-rmlc-paper", "SS-RMLC, paper", partial(_semi_supervised, "paper"), unlabeled=True
        ),
        _descent(
            "ss-rmlc-official",
            "SS-RMLC, official",
            partial(_semi_supervised, "official"),
            unlabeled=True,
        ),
    )
}


@dataclass(frozen=True)
class Protocol:
    """How every learner is selected and trained.

    Attributes
    ----------
    learning_rates, weight_decays, C : sequence of float
        The grids.
    scaling : sequence of str
        Of `SCALINGS`; each is combined with all of a grid.
    epochs : int
        On all training rows; a fit to fewer of them makes as many steps.
    metric : str
        What settings are selected by.
    folds : int
        Folds of the labeled training rows; 1 for one part set aside.
    validation : float
        Share of that part.
    variant : {"bernoulli", "permute"}
        How labels are corrupted, as in `features.noise.corrupt`.
    """

    learning_rates: Sequence[float] = (1.0, 10.0)
    weight_decays: Sequence[float] = (0.0, 1e-5, 1e-4)
    C: Sequence[float] = (1.0, 10.0, 100.0)
    scaling: Sequence[str] = ("none",)
    epochs: int = 30
    metric: str = "top3_f1_macro"
    folds: int = 1
    validation: float = 0.1
    variant: str = "bernoulli"

    def check(self) -> None:
        """Refuse what no run can use.

        Raises
        ------
        InputError
        """
        check_choice("metric", self.metric, METRICS)
        check_choice("variant", self.variant, VARIANTS)
        check_values("learning_rates", self.learning_rates, low=0, above=True)
        check_values("weight_decays", self.weight_decays, low=0)
        check_values("C", self.C, low=0, above=True)
        check_values("scaling", self.scaling, SCALINGS)
        for name in ("epochs", "folds"):
            check_number(name, getattr(self, name), whole=True, low=1)
        check_share("validation", self.validation)

    def settings(self, descent: bool) -> dict[str, Mapping[str, Any]]:
        """List settings by the text that stands for each in result lines.

        Parameters
        ----------
        descent : bool
            Whether to list learning rates and weight decays, or C.

        Examples
        --------
        >>> list(Protocol(C=(1.0, 10.0)).settings(descent=False))
        ['none, C 1', 'none, C 10']
        """
        grid: dict[str, Mapping[str, Any]] = {}
        if descent:
            for scaling, rate, decay in product(
                self.scaling, self.learning_rates, self.weight_decays
            ):
                text = f"{scaling}, rate {rate:g}, decay {decay:g}"
                grid[text] = {"scaling": scaling, "learning_rate": rate, "weight_decay": decay}
        else:
            for scaling, C in product(self.scaling, self.C):
                grid[f"{scaling}, C {C:g}"] = {"scaling": scaling, "C": C}
        return grid

    def methods(self, widths: Sequence[int]) -> dict[str, Method]:
        """Give all learners, on scaled features, with their settings.

        Parameters
        ----------
        widths : sequence of int
            Columns of each cache.
        """
        return {
            name: replace(
                one,
                make=partial(_on_scaled, widths, one.make),
                settings=self.settings(one.descent),
            )
            for name, one in LEARNERS.items()
        }


def _on_scaled(widths: Sequence[int], make: Callable[..., Any], *, scaling: str, **parameters):
    return make_pipeline(SCALINGS[scaling](), BlockScaler(widths), make(**parameters))

"""Stage two: learners, metrics and sweeps over cached features.

The estimators are importable from here. Each one's module is loaded when it is first named, so
that ``import classify`` loads neither scikit-learn nor numba nor torch.
"""

from importlib import import_module

TYPE_CHECKING = False  # `typing` takes long to load
if TYPE_CHECKING:
    from typing import Any

    from classify.baselines.curriculum import CurriculumTagger
    from classify.baselines.fast0tag import Fast0TagTagger
    from classify.baselines.latent_noise import LatentNoiseTagger
    from classify.baselines.wsabie import WsabieTagger
    from classify.finetune.cnn_rnn import CnnRnnTagger
    from classify.imcl.tagger import InteractiveTagger
    from classify.logistic import LogisticTagger
    from classify.miml.dba import DBA
    from classify.miml.kisar import KISAR
    from classify.miml.mimlfast import MIMLfast
    from classify.miml.mimlknn import MIMLkNN
    from classify.miml.mimlsvm import MIMLSVM
    from classify.miml.ranklsim import RankLSIM
    from classify.model_files import load_model
    from classify.models import TaggerModel
    from classify.warp.semi_supervised import SemiSupervisedTagger
    from classify.warp.tagger import WarpTagger

__all__ = [
    "DBA",
    "KISAR",
    "MIMLSVM",
    "CnnRnnTagger",
    "CurriculumTagger",
    "Fast0TagTagger",
    "InteractiveTagger",
    "LatentNoiseTagger",
    "LogisticTagger",
    "MIMLfast",
    "MIMLkNN",
    "RankLSIM",
    "SemiSupervisedTagger",
    "TaggerModel",
    "WarpTagger",
    "WsabieTagger",
    "load_model",
]

_MODULES = {"TaggerModel": "classify.models", "load_model": "classify.model_files"}


def __getattr__(name: str) -> "Any":
    module = _MODULES.get(name) or _estimators().get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_estimators()})


def _estimators() -> "dict[str, str]":
    """Map the estimators of all learners to their modules."""
    from classify.learners import LEARNERS

    places = [
        place for one in LEARNERS.values() for place in (one.constructor, one.around) if place
    ]
    return {name: module for module, _, name in (place.partition(":") for place in places)}

"""The learners of ``tables imcl`` as records: each with as many settings to choose from.

Adding a row to the table is adding a record here. Features come to them divided by their mean
length in the training rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.tables.method import Method
from classify.baselines.curriculum import CurriculumTagger
from classify.baselines.fast0tag import Fast0TagTagger
from classify.baselines.latent_noise import LatentNoiseTagger
from classify.baselines.wsabie import WsabieTagger
from classify.imcl.tagger import InteractiveTagger
from classify.logistic import LogisticTagger
from classify.warp.tagger import WarpTagger
from features.errors import check_choice

LOGISTIC, IMCL = "logistic", "imcl"
FIXED, LEARNED = "image-fixed-label-fixed", "both-learned"

#: What the paper uses on Open Images, and what its Table 2 tries beside.
PAPER = {"lambda_y": 1.0, "lambda_f": 0.5, "k": 5}
SENSITIVITY = {"lambda_y": (0.0, 0.5, 1.0, 2.0), "lambda_f": (0.0, 0.5, 1.0, 2.0), "k": (3, 5, 7)}


@dataclass(frozen=True)
class Ablation:
    """IMCL with some parameters set, the others as chosen for IMCL itself.

    Attributes
    ----------
    name : str
        In result lines.
    title : str
        In tables.
    parameters : mapping
    section : {"graphs", "lambda_y", "lambda_f", "k"}
        The table that it stands in.
    """

    name: str
    title: str
    parameters: Mapping[str, Any]
    section: str


def _logistic(C: float) -> LogisticTagger:
    return LogisticTagger("l2", C=C)


def _lsep(start: float) -> WarpTagger:
    return WarpTagger("lsep", init=LogisticTagger("l2", C=start), learning_rate=0.1)


def _latent_noise(output: str, *, start: float) -> LatentNoiseTagger:
    return LatentNoiseTagger(output, init=LogisticTagger("l2", C=start))


def _imcl(**parameters: Any) -> InteractiveTagger:
    return InteractiveTagger(early_stopping="never", **parameters)


def _cnn_rnn(**parameters):
    from classify.finetune.cnn_rnn import CnnRnnTagger  # torch loads in seconds: not for --help

    return CnnRnnTagger(**parameters)


_CS = ({"C": 10.0}, {"C": 100.0}, {"C": 1000.0})
_STARTS = tuple({"start": C["C"]} for C in _CS)  # of those that begin at logistic regression


def _method(
    name: str, title: str, make: Callable[..., Any], settings: Sequence[Mapping[str, Any]]
) -> Method:
    """Give a record whose settings have numbers as names."""
    return Method(name, title, make, dict(enumerate(settings)))


PARTIAL_LEARNERS = (
    _method(LOGISTIC, "Logistic", _logistic, _CS),
    _method(
        "latent-noise-relevance",
        "Latent Noise (relevance)",
        partial(_latent_noise, "relevance"),
        _STARTS,
    ),
    _method(
        "latent-noise-visual", "Latent Noise (visual)", partial(_latent_noise, "visual"), _STARTS
    ),
    _method(
        "cnn-rnn",
        "CNN-RNN",
        _cnn_rnn,
        (
            {"hidden": 64, "learning_rate": 0.01},
            {"hidden": 128, "learning_rate": 0.01},
            {"hidden": 64, "learning_rate": 0.003},
        ),
    ),
    _method("lsep", "LSEP", _lsep, _STARTS),
    _method(
        "fast0tag",
        "Fast0Tag",
        Fast0TagTagger,
        (
            {"learning_rate": 0.003},
            {"learning_rate": 0.01},
            {"learning_rate": 0.01, "weight_decay": 1e-5},
        ),
    ),
    _method(
        "wsabie",
        "Wsabie",
        WsabieTagger,
        (
            {"n_components": 100, "learning_rate": 0.01},
            {"n_components": 100, "learning_rate": 0.003, "max_norm": 10.0},
            {"n_components": 300, "learning_rate": 0.003},
        ),
    ),
    _method(
        "curriculum",
        "Curriculum Labeling",
        CurriculumTagger,
        (
            {"C": 10.0, "score_threshold": 4.0},
            {"C": 100.0, "score_threshold": 8.0},
            {"C": 1000.0, "score_threshold": 10.0},
        ),
    ),
    _method(IMCL, "IMCL", _imcl, tuple({**C, **PAPER} for C in _CS)),
)

#: Similarity of images and of labels as in the paper's Table 4, then its Table 2. Without
#: parameters of its own an ablation is IMCL itself.
ABLATIONS = (
    Ablation("neither", "neither used", {"lambda_y": 0.0, "lambda_f": 0.0}, "graphs"),
    # Without a weight nothing descends; with next to none the classifier does, by its own loss.
    Ablation(
        "neither-same-descent",
        "neither used, same descent",
        {"lambda_y": 1e-6, "lambda_f": 0.0},
        "graphs",
    ),
    Ablation(
        FIXED, "image fixed, label fixed", {"image_graph": "fixed", "learn_graph": False}, "graphs"
    ),
    Ablation(
        "image-fixed-label-learned",
        "image fixed, label learned",
        {"image_graph": "fixed"},
        "graphs",
    ),
    Ablation(
        "image-learned-label-fixed", "image learned, label fixed", {"learn_graph": False}, "graphs"
    ),
    Ablation(
        "image-learned-no-label-graph",
        "image learned, no label graph",
        {"graph": "identity", "learn_graph": False},
        "graphs",
    ),
    Ablation(LEARNED, "both learned", {}, "graphs"),
    *(
        Ablation(f"{value:g}", f"{value:g}", {} if value == PAPER[name] else {name: value}, name)
        for name, values in SENSITIVITY.items()
        for value in values
    ),
)


def find_partial_learners(names: Sequence[str] | None) -> list[Method]:
    """Look learners up by name; all of them for None. Logistic, which gains refer to, is added.

    Raises
    ------
    InputError
        There is none of a name; the message lists those there are.

    Examples
    --------
    >>> [learner.name for learner in find_partial_learners(["lsep"])]
    ['logistic', 'lsep']
    """
    known = [learner.name for learner in PARTIAL_LEARNERS]
    for name in names or ():
        check_choice("learners", name, known)
    wanted = known if names is None else {LOGISTIC, *names}
    return [learner for learner in PARTIAL_LEARNERS if learner.name in wanted]

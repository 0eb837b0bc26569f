"""What a fine-tuning is asked to do: every setting with its reason. Loads no torch."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from classify.finetune.earlier import current_names
from classify.finetune.story import read_story, settings_schema
from classify.losses import LOSSES, RANK_MODES, ROUNDINGS
from classify.metrics import METRICS
from features.checks.json_files import schema_fault
from features.errors import InputError, check_choice, check_number, plain_words

CONFIG = "config.json"  # in a run folder
SCHEDULES = ("step", "cosine", "constant")
AUGMENTATIONS = ("none", "flip", "crop")
PRECISIONS = ("float32", "bf16")
BATCH_NORMS = ("frozen", "train")
HEAD_INITS = ("logistic", "zeros")
POOLS = ("sum", "max")  # of co-projection's map: maximum plus mean, or the maximum alone
#: Weights of the loss among which the initialization by logistic regression chooses.
HEAD_CS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
# Settings that may change between a run and its resumption: they move rounding at most.
RUNTIME_FIELDS = ("device", "workers", "accumulate", "checkpoint_every", "log_every", "tensorboard")


class Model(NamedTuple):
    """A way to learn, and the rates it starts with.

    Attributes
    ----------
    description : str
    learning_rate, head_learning_rate : float
        Learning rates of the backbone and of the head.
    weight_decay : float
    objective : str
        Its class in `classify.finetune.objectives`, or ``module:class``.
    loss : str
        The loss of `classify.losses` that a ranking objective takes.
    """

    description: str
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    objective: str
    loss: str = ""


# The co-projection paper's rates.
_RATES = (1e-3, 1e-2, 1e-4)
# Sums over pairs and labels are steeper than means over labels. The ramp-loss WARP paper's rates
# (5e-5 and 1e-4 for everything, in tens of thousands of steps of 96) are for much more data.
_RANKING_RATES = (1e-4, 1e-3, 1e-4)
_OBJECTIVES = "classify.finetune.objectives"
_EMBEDDING = f"{_OBJECTIVES}:ConstrainedRanking"


def _ranking(loss: str, description: str = "", objective: str = "Ranking") -> Model:
    text = description or LOSSES[loss].description
    return Model(text, *_RANKING_RATES, f"{_OBJECTIVES}:{objective}", loss)


#: Name to model. Every loss that has a torch function is a model of its own.
MODELS: dict[str, Model] = {
    "bce": Model("binary cross-entropy: the baseline", *_RATES, f"{_OBJECTIVES}:Objective"),
    "rml": _ranking("ramp"),
    "ss-rml": _ranking(
        "ramp",
        "ramp-loss WARP; unlabeled images take the labels of their nearest labeled ones",
        "SemiSupervised",
    ),
    **{
        loss.learner: _ranking(name)
        for name, loss in LOSSES.items()
        if loss.torch and name not in ("ramp", "bce")
    },
    "imcl": Model(
        "unknown labels follow similar images, over a learned label graph",
        *_RATES,
        "classify.finetune.imcl:Interactive",
    ),
    "coprojection": Model(
        "two branches, constrained ranking of label vectors", *_RATES, _EMBEDDING
    ),
    "coprojection-b": Model(
        "coprojection with a vector for each image's set of labels", *_RATES, _EMBEDDING
    ),
    "coprojection-tba": Model(
        "ablation: embedded image added, no label vectors", *_RATES, _EMBEDDING
    ),
    "coprojection-tbc": Model(
        "ablation: embedded image concatenated, no label vectors", *_RATES, _EMBEDDING
    ),
    "coprojection-mse": Model(
        "ablation: squared distance instead of constrained ranking", *_RATES, _EMBEDDING
    ),
}


def _option(default: Any, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": text, **more})


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of a fine-tuning; the text of each stands beside it and in ``--help``.

    Raises
    ------
    InputError
        A number out of its range, or an unknown name.
    """

    model: str = _option("bce", "what learns", choices=tuple(MODELS))
    backbone: str = _option("resnet101", "a backbone that extract knows")
    weights: str = _option("torchvision", "its start, as for python -m extract")
    size: int = _option(224, "side of the input in pixels; co-projection takes 448")
    split: str = _option(
        "random", "random (2/3 to train on), or a csv of image and train, val or test"
    )
    seed: int = _option(0, "of the split, the head, the order of images and every draw")
    epochs: int = _option(30, "passes over the training images")
    batch_size: int = _option(16, "images a step, over all processes")
    accumulate: int = _option(1, "parts a process cuts its share of a batch into, to save memory")
    learning_rate: float | None = _option(None, "learning rate of the backbone (the model's)")
    head_learning_rate: float | None = _option(None, "of the head (the model's)")
    head_init: str = _option(
        "zeros", "first weights of the head: zeros, or logistic regression on the features",
        choices=HEAD_INITS,
    )  # fmt: skip
    graph_learning_rate: float = _option(0.5, "of the label graph, as in IMCL's released code")
    momentum: float = _option(0.9, "of the gradient descent")
    weight_decay: float | None = _option(None, "of weights, not of biases (the model's)")
    schedule: str = _option("step", "step: a tenth at 60 % and 85 %", choices=SCHEDULES)
    batch_norm: str = _option(
        "frozen", "statistics of the backbone's norms; train them in batches of 16 or more only",
        choices=BATCH_NORMS,
    )  # fmt: skip
    augment: str = _option(
        "none", "of training images; crop also flips; co-projection takes none",
        choices=AUGMENTATIONS,
    )  # fmt: skip
    beta: float = _option(1.0, "leak of the ramp: 1 none, .9 as in RML-CNN's released code")
    kappa: float = _option(5.0, "weight of labels by themselves beside their pairs (rml)")
    rank_mode: str = _option("expected", "how WARP estimates ranks", choices=RANK_MODES)
    rounding: str = _option("floor", "of the estimated rank", choices=ROUNDINGS)
    warm_up: float = _option(
        0.3, "share of the epochs with the hinge for the ramp (rml), without neighbors (imcl)"
    )
    refresh: int | None = _option(
        None, "epochs between looks at all training images (20 for ss-rml, 1 for imcl)"
    )
    neighbors: int = _option(5, "images that an image resembles, at most (imcl)")
    lambda_y: float = _option(1.0, "weight of labels in that, also in the loss (imcl)")
    lambda_f: float = _option(0.5, "weight of features in that (imcl)")
    asymmetry: float = _option(2.0, "c: an absent label has the value -1/c (imcl)")
    pool: str = _option(
        "sum", "of the map, for the linear score: maximum plus mean, or max alone (coprojection)",
        choices=POOLS,
    )  # fmt: skip
    row3_stride: int = _option(
        1, "of the embedding's second 3 x 3 convolution, printed as 2 (coprojection)"
    )
    embedding_weight: float = _option(
        1.0, "of what embeddings add to cross-entropy, the paper's beta (coprojection)"
    )
    missing: float = _option(0.0, "share of each training image's labels to hide")
    unlabeled: float = _option(0.0, "share of training images whose labels to hide altogether")
    min_positives: int = _option(1, "of every label among the training images; 0 allows none")
    validation: float = _option(0.1, "share of the training images to choose the epoch on; 0: last")
    metric: str = _option("map", "to choose the epoch by", choices=tuple(METRICS))
    patience: int | None = _option(None, "epochs without a better one before stopping")
    precision: str = _option("float32", "bf16 is autocast, for a GPU", choices=PRECISIONS)
    device: str = _option("auto", "auto, cpu, cuda or cuda:N")
    workers: int = _option(4, "threads that decode images")
    checkpoint_every: int = _option(200, "steps; what a kill costs at most")
    log_every: int = _option(10, "steps a line of log.jsonl, and between checks for NaN")
    tensorboard: bool = _option(False, "write the log's numbers for TensorBoard too")

    def __post_init__(self) -> None:
        for one in fields(self):
            if choices := one.metadata.get("choices"):
                check_choice(one.name, getattr(self, one.name), choices)
        for name in ("epochs", "batch_size", "accumulate", "workers", "checkpoint_every",
                     "log_every", "neighbors", "row3_stride"):  # fmt: skip
            check_number(name, getattr(self, name), whole=True, low=1)
        if self.refresh is not None:
            check_number("refresh", self.refresh, whole=True, low=1)
        for name in ("missing", "unlabeled", "validation"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise InputError(
                    f"The {name!r} option must be a float in the range [0, 1). Got {value!r}."
                )
        check_number("embedding_weight", self.embedding_weight, low=0)

    @property
    def rates(self) -> dict[str, float]:
        """Return the learning rate of each part: backbone, head and graph."""
        model, backbone, head = MODELS[self.model], self.learning_rate, self.head_learning_rate
        return {
            "backbone": model.learning_rate if backbone is None else backbone,
            "head": model.head_learning_rate if head is None else head,
            "graph": self.graph_learning_rate,
        }

    @property
    def refreshed(self) -> int:
        """Epochs between looks at all training images."""
        return self.refresh if self.refresh is not None else 1 if self.model == "imcl" else 20

    @property
    def decay(self) -> float:
        """Weight decay."""
        return MODELS[self.model].weight_decay if self.weight_decay is None else self.weight_decay

    def record(self) -> dict[str, Any]:
        """Everything that can change a value, as JSON; files are left to their checksums."""
        kept = {k: v for k, v in asdict(self).items() if k not in (*RUNTIME_FIELDS, "weights")}
        split = "random" if self.split == "random" else "given"
        return {**kept, "split": split, "rates": self.rates, "weight_decay": self.decay}


def read_run(run: Path) -> tuple[FinetuneConfig, tuple[str, ...]]:
    """Read what a run was asked to do.

    Parameters
    ----------
    run : Path
        A run folder.

    Returns
    -------
    config : FinetuneConfig
    label_names : tuple of str

    Raises
    ------
    InputError
        The folder holds no run.
    """
    try:
        story = read_story(run / CONFIG)
        known = {one.name for one in fields(FinetuneConfig)}
        given = {k: v for k, v in current_names(story["config"]).items() if k in known}
        if fault := schema_fault(given, settings_schema(FinetuneConfig)):
            raise InputError(f"{run / CONFIG}: {fault}")
        return FinetuneConfig(**given), tuple(story["label_names"])
    except InputError as error:
        raise InputError(
            f"{run} is no run folder ({plain_words(error)}); make one with `python -m classify "
            "finetune`"
        ) from error

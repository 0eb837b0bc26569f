"""A model and its backbone as one torch module: pixels in, scores, probabilities, decisions out.

It repeats in float32 tensors what `extract`, `classify.feature_scaler`, the linear learners and
`classify.decisions` compute, so that it can be exported.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from classify.learners import LEARNERS, find_learner
from classify.models import Decisions, Member, TaggerModel
from classify.scaling import find_scaling
from extract.network import FeatureNetwork
from extract.plan import Plan
from extract.pooling import POOLINGS
from features.errors import InputError


def check_exportable(model: TaggerModel) -> None:
    """Raise an `InputError` if the model takes instances, or a learner has no linear head."""
    names = [member.learner for member in model.members]
    if model.takes == "instances":
        raise InputError(
            f"The learner {names[0]!r} takes bags of instances, and a graph has one vector per "
            "image: export a model of another learner, such as l2."
        )
    for name, member in zip(names, model.members, strict=True):
        if not (find_learner(name).linear and hasattr(member.estimator, "coef_")):
            able = ", ".join(key for key, one in LEARNERS.items() if one.linear)
            raise InputError(
                f"The learner {name!r} has no linear head that could be exported: export a model "
                f"of one of {able}."
            )


class TaggerGraph(nn.Module):
    """Backbone, scaling, heads, calibration and thresholds of a model.

    Parameters
    ----------
    model : TaggerModel
        One that `check_exportable` lets pass.
    plan : Plan
        The extraction that made its features.

    Attributes
    ----------
    output_names : list of str
        "scores"; "probabilities" if the model is calibrated; "decisions" if it decides.
    """

    def __init__(self, model: TaggerModel, plan: Plan):
        super().__init__()
        wanted = {name.partition("/")[2] for name in model.layers}
        layers = tuple(layer for layer in plan.layers if layer.name in wanted)
        self.network = FeatureNetwork(plan.backbone, layers, plan.tensors)
        given = [f"{plan.backbone.name}/{layer.name}" for layer in layers]
        self._order = [given.index(name) for name in model.layers]
        records = model.manifest["layers"]
        self._halved = [records[name]["dtype"] == "float16" for name in model.layers]
        self.members = nn.ModuleList(_Head(member, len(model.members)) for member in model.members)
        decisions = model.decisions
        calibrator = None if decisions is None else decisions.calibrator
        self.calibration = None if calibrator is None else _Calibration(calibrator)
        self.decide = _Decision(decisions, len(model.label_names)) if model.decides else None
        self.output_names = ["scores"]
        self.output_names += ["probabilities"] if self.calibration is not None else []
        self.output_names += ["decisions"] if self.decide is not None else []
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Tag pictures.

        Parameters
        ----------
        pixels : Tensor of uint8, shape (n, 3, size, size)
            RGB, decoded and resized as the extraction does.

        Returns
        -------
        tuple of Tensor, each (n, L)
            What `output_names` lists: float32, float32 and bool.
        """
        network = self.network
        nodes = network.network(pixels * network.scale + network.shift)
        pooled = [_POOLINGS[layer.pooling](nodes[layer.node]) for layer in network.layers]
        parts = [pooled[place].flatten(1) for place in self._order]
        # A cache that stores float16 rounds.
        parts = [
            part.half().float() if halved else part
            for part, halved in zip(parts, self._halved, strict=True)
        ]
        X = torch.cat(parts, dim=1)
        scores = torch.stack([head(X) for head in self.members]).sum(dim=0)
        outputs = [scores]
        if self.calibration is not None:
            outputs.append(self.calibration(scores))
        if self.decide is not None:
            outputs.append(self.decide(scores))
        return tuple(outputs)


def _quadrants(x: Tensor) -> Tensor:
    """Take `extract.pooling.quadrant_max` by cuts: ONNX has no adaptive maximum."""
    rows, columns = (
        (slice(0, -(-side // 2)), slice(side // 2, side)) for side in (x.shape[-2], x.shape[-1])
    )
    parts = [x[..., top, left].amax(dim=(-2, -1)) for top in rows for left in columns]
    return torch.stack(parts, dim=-1).flatten(1)


_POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {**POOLINGS, "quadrant_max": _quadrants}


class _Head(nn.Module):
    """The scaling and the linear scores of a member, with its share of the mean."""

    divisors: Tensor | None
    weights: Tensor
    bias: Tensor

    def __init__(self, member: Member, count: int):
        super().__init__()
        scaler = member.scaler
        scaling = find_scaling(scaler.scaling)
        self.root, self.by_row = scaling.root, scaling.divide_by == "row length"
        widths: Sequence[int] = [scaler.n_features_in_]
        self.widths = list(widths if scaler.widths is None else scaler.widths)
        divisors = scaler.divisors_
        self.register_buffer("divisors", None if divisors is None else _float(divisors))
        share = member.weight / count
        self.register_buffer("weights", _float(share * member.estimator.coef_.T))
        self.register_buffer("bias", _float(share * member.estimator.intercept_))

    def forward(self, X: Tensor) -> Tensor:
        if self.root:
            X = X.sign() * X.abs().sqrt()
        if self.by_row:
            X = torch.cat([_unit(part) for part in X.split(self.widths, dim=1)], dim=1)
        if self.divisors is not None:
            X = X / self.divisors
        return X @ self.weights + self.bias


def _unit(X: Tensor) -> Tensor:
    """Divide rows by their Euclidean length; the largest value first, so no square overflows."""
    largest = X.abs().amax(dim=1, keepdim=True)
    X = X / torch.where(largest == 0, torch.ones_like(largest), largest)
    length = (X * X).sum(dim=1, keepdim=True).sqrt()
    return X / torch.where(length == 0, torch.ones_like(length), length)


class _Calibration(nn.Module):
    """Platt's sigmoid, or isotonic steps as a sum of ramps between knots."""

    slopes: Tensor
    intercepts: Tensor
    starts: Tensor
    widths: Tensor
    rises: Tensor
    lowest: Tensor
    stepped: Tensor

    def __init__(self, calibrator):
        super().__init__()
        self.register_buffer("slopes", _float(calibrator.slopes_))
        self.register_buffer("intercepts", _float(calibrator.intercepts_))
        ends = np.concatenate([[0], calibrator.knot_ends_])
        counts = np.diff(ends)
        self.isotonic = bool(counts.any())
        if not self.isotonic:
            return
        n_labels, most = len(counts), max(2, counts.max())
        x, y = np.zeros((2, n_labels, most))
        for label, (start, end) in enumerate(pairwise(ends)):
            if end > start:
                knots = calibrator.knots_[:, start:end]
                x[label] = np.pad(knots[0], (0, most - (end - start)), mode="edge")
                y[label] = np.pad(knots[1], (0, most - (end - start)), mode="edge")
        # In float64: between close knots a ramp is steep.
        width = np.diff(x, axis=1)
        self.register_buffer("starts", torch.tensor(x[:, :-1]))
        self.register_buffer("widths", torch.tensor(np.where(width > 0, width, 1.0)))
        self.register_buffer("rises", torch.tensor(np.where(width > 0, np.diff(y, axis=1), 0.0)))
        self.register_buffer("lowest", torch.tensor(y[:, 0]))
        self.register_buffer("stepped", torch.tensor(counts > 0))

    def forward(self, scores: Tensor) -> Tensor:
        smooth = torch.sigmoid(self.slopes * scores + self.intercepts)
        if not self.isotonic:
            return smooth
        along = (scores.double()[:, :, None] - self.starts) / self.widths
        steps = self.lowest + (self.rises * along.clamp(0.0, 1.0)).sum(dim=2)
        return torch.where(self.stepped, steps.float(), smooth)


class _Decision(nn.Module):
    """A score above 0, at least its label's threshold, or among the k best of its row."""

    thresholds: Tensor

    def __init__(self, decisions: Decisions | None, n_labels: int):
        super().__init__()
        self.kind = "zero" if decisions is None else decisions.rule.kind
        self.k = min(int(decisions.rule.value), n_labels) if decisions is not None else 0
        thresholds = np.zeros(n_labels) if decisions is None else decisions.thresholds
        self.register_buffer("thresholds", _float(thresholds))

    def forward(self, scores: Tensor) -> Tensor:
        if self.kind == "top":
            best = scores.topk(self.k, dim=1).indices
            return torch.zeros_like(scores).scatter(1, best, 1.0) > 0.5
        return scores > 0 if self.kind == "zero" else scores >= self.thresholds


def _float(values: np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float32))

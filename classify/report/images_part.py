"""The part of the page that predictions give: labels, probabilities, pairs of labels, layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from classify.metrics import get_metric
from classify.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    reliability_curve,
)
from classify.report.figures import (
    layer_figure,
    recall_figure,
    reliability_figure,
    share_figure,
)
from classify.report.labels import (
    Fitted,
    LabelRow,
    LayerRow,
    label_rows,
    pair_rows,
    precision_recall,
    together,
)
from classify.report.page import (
    Cell,
    Commands,
    Drawing,
    Drawings,
    Paragraph,
    Section,
    Table,
    count,
    decimal,
    word,
)
from classify.report.predictions import Predictions
from classify.report.text import heading

DRAWN_LABELS = 24  # precision-recall curves
MATRIX_LABELS = 20
PAIRS = 30
BINS = 10


def sections(names: Sequence[str], Y: np.ndarray, fitted: Fitted, made: Commands) -> list[Section]:
    """Build the sections about labels and layers.

    Parameters
    ----------
    names : sequence of L str
    Y : int8 array of shape (n, L)
    fitted : Fitted
    made : Commands
        The command behind the figures.
    """
    found = fitted.found
    rows = label_rows(names, Y, found)
    parts = [
        _labels(rows, Y, found, fitted.learner, made),
        _reliability(Y, found, made),
        _pairs(names, Y, found, made),
    ]
    return [*parts, _layers(fitted.layers, fitted.sparse, made)] if fitted.layers else parts


def _labels(
    rows: Sequence[LabelRow], Y: np.ndarray, found: Predictions, learner: str, made: Commands
) -> Section:
    values = [
        f"{heading(name)} {get_metric(name).function(Y, found.scores):.3f}"
        for name in ("example_ap", "map")
    ]
    f1 = np.mean([one.f1 for one in rows])
    text = (
        f"Predictions of {learner} for all {len(Y):,} images, each scored by a fit that did not "
        f"see it; labels are decided by the rule {found.rule}, learned on the other folds. "
        f"Over all images: {', '.join(values)}, "
        f"mean F1 of the labels {f1:.3f}. Counts are of images where the label is known."
    )
    headings = [
        "label", "present", "absent", "unknown", "predicted", "hits", "precision", "recall", "F1",
        "average precision",
    ]  # fmt: skip
    cells = [
        [
            word(one.name),
            *map(count, (one.positive, one.negative, one.unknown, one.predicted, one.hits)),
            decimal(one.precision if one.predicted else np.nan),
            decimal(one.recall if one.positive else np.nan),
            *map(decimal, (one.f1, one.ap)),
        ]
        for one in rows
    ]
    table = Table("Counts and measures of each label", headings, cells)
    return Section(
        "labels", "Labels", [Paragraph(text), table, made, *_recall(rows, Y, found, made)]
    )


def _recall(
    rows: Sequence[LabelRow], Y: np.ndarray, found: Predictions, made: Commands
) -> list[Any]:
    usable = [k for k, one in enumerate(rows) if one.positive and one.negative]
    kept = sorted(usable, key=lambda k: -rows[k].positive)[:DRAWN_LABELS]
    if not kept:
        return []
    svgs = []
    for k in kept:
        curve = precision_recall(Y[:, k], found.scores[:, k])
        name = f"{rows[k].name} ({rows[k].positive:,})"
        svgs.append((name, recall_figure(*curve, f"recall-{k}", rows[k].name, rows[k].ap)))
    of_all = f"the {len(kept)} most frequent of " if len(kept) < len(rows) else ""
    which = f"{of_all}{len(rows)} labels"
    caption = f"Precision against recall of {which}, with their numbers of images"
    return [Drawings(caption, svgs), made]


def _reliability(Y: np.ndarray, found: Predictions, made: Commands) -> Section:
    P = found.probabilities
    curve = reliability_curve(Y, P, BINS)
    error, brier = expected_calibration_error(Y, P, BINS), brier_score(Y, P)
    method = {"platt": "Platt's sigmoid", "isotonic": "isotonic regression"}[found.calibration]
    text = (
        f"Probabilities are those of {method}, learned on the scores of the other folds. Expected "
        f"calibration error {error:.4f} over {BINS} bins of equal width, Brier score {brier:.4f}; "
        "both are 0 at best."
    )
    headings = ["mean probability", "share of present labels", "cells"]
    cells = [
        [Cell(f"{p:.3f}", float(p)), decimal(float(seen)), count(int(number))]
        for p, seen, number in zip(*curve, strict=True)
    ]
    parts = [
        Paragraph(text),
        Drawing(
            "How often a label is present where its probability is about that; larger dots stand "
            "for more pairs of image and label",
            reliability_figure(curve, "reliability"),
            "square",
        ),
        made,
        Table("The same as numbers", headings, cells, sortable=False),
    ]
    return Section("reliability", "Reliability of probabilities", parts)


def _pairs(names: Sequence[str], Y: np.ndarray, found: Predictions, made: Commands) -> Section:
    true, predicted = together(Y, found.decided)
    shown = np.argsort(-np.diag(true), kind="stable")[:MATRIX_LABELS]
    shown = shown[np.diag(true)[shown] > 0]
    parts: list[Any] = []
    if len(shown) > 1:
        part = np.ix_(shown, shown)
        svg = share_figure([names[k] for k in shown], true[part], predicted[part], "together")
        of_all = "" if len(shown) == len(names) else f" (the {len(shown)} most frequent labels)"
        caption = f"Share of a label's images that have each other label{of_all}"
        parts += [Drawing(caption, svg, "two"), made]
    rows = [
        [
            word(f"{one.first} and {one.second}"),
            count(one.true),
            count(one.predicted),
            Cell(f"{one.predicted - one.true:+,}", one.predicted - one.true),
        ]
        for one in pair_rows(names, true, predicted, PAIRS)
    ]
    if rows:
        headings = ["labels", "true", "predicted", "difference"]
        caption = "Images with both labels, where true and predicted numbers differ most"
        parts += [Table(caption, headings, rows), made]
    text = "Which labels come together, in truth and as predicted, on images where both are known."
    if not parts:
        text += " No image has two known labels."
    return Section("together", "Labels that come together", [Paragraph(text), *parts])


def _layers(layers: Sequence[LayerRow], sparse: str, made: Commands) -> Section:
    text = (
        f"{sparse} keeps few weights; the others are exactly 0. A column counts as used if any "
        "label has a weight on it. Shares are of absolute weights of the scaled features."
    )
    headings = ["layer", "columns", "used columns", "weights that are not 0", "share of weights"]
    rows = [
        [
            word(one.name),
            *map(count, (one.columns, one.used, one.nonzeros)),
            Cell(f"{one.share:.1%}", round(one.share, 9)),
        ]
        for one in layers
    ]
    svg = layer_figure([one.name for one in layers], [one.share for one in layers], "layers-drawn")
    parts = [
        Paragraph(text),
        Table("Weights of each layer", headings, rows),
        Drawing("Share of the absolute weights in each layer", svg),
        made,
    ]
    return Section("layers", "Layers that L1 chose", parts)

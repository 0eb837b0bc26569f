"""Page, claims and curves of the ablations of ``tables miml`` from their result lines alone."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low
from typing import Any

import numpy as np

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.report.markdown import mean_and_std, plain, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.report.statistics import heading, over_splits
from benchmarks.tables.miml.ablations import (
    ALL,
    CS,
    LEARNERS,
    LIBLINEAR,
    SELECTION,
    layer_groups,
)
from benchmarks.tables.miml.report import PAPER, paper_of, quoted_rows
from benchmarks.tables.published import PublishedTable
from benchmarks.tables.task import Span, spans_of
from classify.metrics import MIML_METRICS
from classify.results import Line

SCALINGS = {"none": "unscaled", "max01": "max01", "x57.4": "times 57.4"}


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Write a page of the ablations only; parameters as for `sections`."""
    title = f"# {plain(header['data'])}: the exact optimum, C selected, layer by layer\n"
    return title + sections(header, lines)


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Compare L1 and L2 where C is selected; parameters as for `sections`."""
    found = []
    for scale in CS:
        scores = {
            learner: {
                line["seed"]: line["example_ap"]
                for line in _pick(lines, learner=learner, scaling=scale, layers=ALL, selected=True)
            }
            for learner in LEARNERS
        }
        gains = [scores["l1"][seed] - scores["l2"][seed] for seed in sorted(scores["l1"])]
        text = f"L1LR is above LR, C selected inside the training rows, {SCALINGS[scale]}"
        numbers = f"average precision {show_differences(gains)}"
        found.append(Claim(PAPER, text, verdict(gains), numbers))
    return found


def sections(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Write the sections: along C, C selected, non-zeros per layer, groups of layers.

    Parameters
    ----------
    header : mapping
        Of the result file.
    lines : sequence of dict
        As `run_ablations` gives them.

    Returns
    -------
    str
        Markdown.
    """
    spans, paper = spans_of(header), paper_of(header)
    parts = ["\n## The exact optimum along C\n", _precision(lines)]
    for learner, scale in _paths():
        parts += [f"### {_name(learner, scale)}\n", _path_table(lines, learner, scale)]
    parts += ["## C selected inside the training rows\n", _selection_text()]
    parts += [_selected_table(lines, paper)]
    parts += ["## Non-zeros of L1 in each layer\n", _nonzeros_text(), _nonzeros_table(lines, spans)]
    groups = layer_groups(spans)
    if len(groups) > 1:
        parts += ["## Layers alone and together\n", "Unscaled, C selected as above.\n"]
        for learner in LEARNERS:
            parts += [_groups_table(lines, learner, groups)]
    return "\n".join(parts)


def path_panels(
    lines: Sequence[Line], references: Mapping[str, Mapping[str, float]]
) -> list[Panel]:
    """Arrange average precision against C: one panel per scaling, cut off below its references.

    Parameters
    ----------
    lines : sequence of dict
    references : mapping of scaling to mapping of name to value
        Average precisions to draw as horizontal lines.
    """
    panels = []
    for scale in CS:
        curves = {f"{name.upper()}, exact": _curve(lines, name, scale) for name in LEARNERS}
        beside = references.get(scale, {})
        panels.append(
            Panel(
                f"{heading('example_ap')}, {SCALINGS[scale]}",
                curves,
                beside,
                xlabel="C",
                log=True,
                bottom=max(0.0, min(beside.values()) - 0.1) if beside else None,
            )
        )
    return panels


def _curve(lines: Sequence[Line], learner: str, scale: str) -> Curve:
    values = [
        _mean(_pick(lines, learner=learner, scaling=scale, layers=ALL, C=C), "example_ap")
        for C in CS[scale]
    ]
    return Curve(
        CS[scale], [value.mean for value in values], [np.nan_to_num(v.std) for v in values]
    )


def _precision(lines: Sequence[Line]) -> str:
    gaps = [x["relative_gap"] for x in lines if x["learner"] != LIBLINEAR and x["relative_gap"]]
    failed = [line["error"] for line in lines if line["error"]]
    text = textwrap.fill(
        f"Duality gaps of the exact fits are at most {max(gaps, default=0.0):.1e} of the "
        "objective. Non-zeros are means over labels. Features times 57.4 act like a C that is 57.4 "
        "(L1) or 57.4 squared (L2) times as large, except for the bias, whose penalty stays.",
        100,
    )
    text += "\n"
    if failed:
        text += f"\n{len(failed)} of {len(lines)} fits failed, the first with: {plain(failed[0])}\n"
    return text


def _path_table(lines: Sequence[Line], learner: str, scale: str) -> str:
    rows = []
    for C in CS[scale]:
        members = _pick(lines, learner=learner, scaling=scale, layers=ALL, C=C)
        rows.append([f"{C:g}", *_metrics(members), _number(members, "nonzeros")])
    return table(["C", *map(heading, MIML_METRICS), "non-zeros"], rows)


def _selection_text() -> str:
    text = (
        "In each split, C is the value above with the best mean average precision over "
        f"{SELECTION['folds']} folds of the training rows; the learner is then fitted on all of "
        "them. `C` is the lower median over the splits, with its range."
    )
    return textwrap.fill(text, 100) + "\n"


def _selected_table(lines: Sequence[Line], paper: PublishedTable | None) -> str:
    rows = []
    for learner, scale in _paths():
        members = _pick(lines, learner=learner, scaling=scale, layers=ALL, selected=True)
        rows.append(
            [
                _name(learner, scale),
                *_metrics(members),
                _selected_C(members),
                _number(members, "nonzeros"),
            ]
        )
    if paper:
        rows += [[*row, "", ""] for row in quoted_rows(paper, paper.ours)]
    return table(["learner", *map(heading, MIML_METRICS), "C", "non-zeros"], rows)


def _nonzeros_text() -> str:
    return "Mean over splits and labels, and its share of the layer's columns.\n"


def _nonzeros_table(lines: Sequence[Line], spans: Mapping[str, Span]) -> str:
    solutions: list[tuple[str, dict]] = [
        ("LIBLINEAR's default stop, unscaled, C = 1", {"learner": LIBLINEAR})
    ]
    for scale in CS:
        for name, which in ("C = 1", {"C": 1.0}), ("selected C", {"selected": True}):
            exact = {"learner": "l1", "scaling": scale, "layers": ALL, **which}
            solutions.append((f"exact, {SCALINGS[scale]}, {name}", exact))
    widths = {name: end - first for name, (first, end) in spans.items()}
    rows = []
    for name, which in solutions:
        members = _pick(lines, **which)
        counts = [_mean(members, f"nonzeros {layer}").mean for layer in spans]
        counts.append(_mean(members, "nonzeros").mean)
        columns = [*widths.values(), sum(widths.values())]
        cells = [f"{n:.1f} ({n / width:.1%})" for n, width in zip(counts, columns, strict=True)]
        rows.append([name, *cells])
    header = [f"{layer}, of {width}" for layer, width in widths.items()]
    return table(["solution", *header, f"all, of {sum(widths.values())}"], rows)


def _groups_table(lines: Sequence[Line], learner: str, groups: Mapping[str, Span]) -> str:
    rows = []
    for group in [*(name for name in groups if name != ALL), ALL]:
        which = {"learner": learner, "scaling": "none", "layers": group}
        chosen, at_one = _pick(lines, **which, selected=True), _pick(lines, **which, C=1.0)
        first, end = groups[group]
        cells = [str(end - first), *_metrics(chosen), _selected_C(chosen)]
        cells += [_number(chosen, "nonzeros"), mean_and_std(*_mean(at_one, "example_ap"))]
        rows.append([group, *cells])
    metrics = [heading(metric) for metric in MIML_METRICS]
    last = f"{heading('example_ap')} at C = 1"
    return table([learner.upper(), "columns", *metrics, "C", "non-zeros", last], rows)


def _paths() -> list[tuple[str, str]]:
    return [(learner, scale) for learner in LEARNERS for scale in CS]


def _name(learner: str, scale: str) -> str:
    return f"{learner.upper()}, {SCALINGS[scale]}"


def _pick(lines: Iterable[Line], **wanted: Any) -> list[Line]:
    return [line for line in lines if all(line[name] == wanted[name] for name in wanted)]


def _mean(lines: Sequence[Line], field: str):
    """Give mean and std of a field, which are NaN where a fit failed or none was made."""
    return over_splits([line.get(field) for line in lines] or [None])


def _metrics(lines: Sequence[Line]) -> list[str]:
    return [mean_and_std(*_mean(lines, metric)) for metric in MIML_METRICS]


def _number(lines: Sequence[Line], field: str) -> str:
    return mean_and_std(*_mean(lines, field), digits=1)


def _selected_C(lines: Sequence[Line]) -> str:
    values = [line["C"] for line in lines]
    if not values:
        return "undefined"
    return f"{median_low(values):g} ({min(values):g} to {max(values):g})"

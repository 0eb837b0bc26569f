"""The part of the page that result lines alone give: summary, comparisons, curves."""

import math
from collections.abc import Mapping, Sequence

from classify.report.figures import Points, curve_figure
from classify.report.files import Results
from classify.report.lines import AXES, Scored
from classify.report.page import (
    MISSING,
    Cell,
    Commands,
    Drawing,
    Paragraph,
    Section,
    Table,
    count,
    decimal,
    spread,
    word,
)
from classify.report.statistics import (
    Comparison,
    best_first,
    compare,
    curves,
    shown_metrics,
    strengths,
    summarize,
    usual,
)
from classify.report.text import heading

SIGNIFICANT = 0.05


def sections(
    files: Sequence[Results], lines: Sequence[Scored], metric: str, made: Commands
) -> list[Section]:
    """Build the sections.

    Parameters
    ----------
    files : sequence of Results
    lines : sequence of Scored
        Of these files.
    metric : str
        That is compared and drawn.
    made : Commands
        The commands behind the files.
    """
    at_usual = usual(lines)
    found = [_summary(files, at_usual, metric, made), _comparisons(at_usual, metric, made)]
    drawn = [
        *_curves(curves(lines, metric), metric, made),
        *_strengths(strengths(at_usual), files, made),
    ]
    return [*found, Section("curves", "Curves", drawn)] if drawn else found


def _summary(
    files: Sequence[Results], lines: Sequence[Scored], metric: str, made: Commands
) -> Section:
    metrics = shown_metrics(lines)
    table = best_first(summarize(lines, [*metrics, metric]), metric)
    rows = [
        [
            word(name),
            count(max(number for _, _, number in values.values())),
            *(_spread(values.get(one)) for one in metrics),
        ]
        for name, values in table.items()
    ]
    text = (
        "Mean and standard deviation over the splits, on images that were not trained on. Arrows "
        "point to where better values lie."
    )
    failed = sum(one.failed for one in files)
    if failed:
        total = sum(len(one.lines) for one in files)
        text += f" {failed} of {total} fits failed and are left out; the files say why."
    caption = "Metrics of each way to train"
    headings = ["learner", "splits", *map(heading, metrics)]
    return Section("summary", "Summary", [Paragraph(text), Table(caption, headings, rows), made])


def _spread(score: tuple[float, float, int] | None) -> Cell:
    return spread(*score[:2]) if score else MISSING


def _comparisons(lines: Sequence[Scored], metric: str, made: Commands) -> Section:
    found = compare(lines, metric)
    title = "Paired comparisons"
    if not found:
        text = (
            "No two ways to train were scored on the same splits. Sweeps of one cache with the "
            "same --splits and --seed can be compared."
        )
        return Section("comparisons", title, [Paragraph(text)])
    most = max(one.difference[2] for one in found)
    text = (
        f"Differences of {heading(metric)} on the same splits. p is Wilcoxon's signed-rank test, "
        f"two-sided; the adjusted p is Holm's for all comparisons of this table ({len(found)}). "
        f"With {most} splits no p is below {2.0 ** (1 - most):.2g}, and as splits share images, p "
        "is a guide and no proof."
    )
    if len(found) * 2.0 ** (1 - most) > SIGNIFICANT:
        needed = 1 + math.ceil(math.log2(len(found) / SIGNIFICANT))
        text += (
            f" So few splits can't bring an adjusted p below {SIGNIFICANT:g}: that takes {needed}, "
            "or fewer comparisons."
        )
    headings = [
        "better", "other", "difference", "splits better", "equal", "worse", "p", "adjusted p",
        f"below {SIGNIFICANT:g}",
    ]  # fmt: skip
    ranked = sorted(found, key=lambda one: one.adjusted if math.isfinite(one.adjusted) else 2)
    rows = [_row(one) for one in ranked]
    table = Table(f"Differences of {metric}, paired by split", headings, rows)
    return Section("comparisons", title, [Paragraph(text), table, made])


def _row(one: Comparison) -> list[Cell]:
    mean, std, _ = one.difference
    shown = f"{mean:+.4f} ± {std:.4f}" if math.isfinite(std) else f"{mean:+.4f}"
    return [
        word(one.first),
        word(one.second),
        Cell(shown, round(mean, 9)),
        count(one.better),
        count(one.equal),
        count(one.worse),
        decimal(one.p, 4),
        decimal(one.adjusted, 4),
        word("yes" if one.adjusted < SIGNIFICANT else "no"),
    ]


def _curves(
    found: dict[str, dict[str, list]], metric: str, made: Commands
) -> list[Drawing | Commands]:
    parts: list[Drawing | Commands] = []
    for axis, lines in found.items():
        xlabel = AXES[axis][0]
        log = axis == "n_train" and all(at > 0 for points in lines.values() for at, _ in points)
        svg = curve_figure(lines, f"curve-{axis}", xlabel=xlabel, ylabel=heading(metric), log=log)
        caption = f"{metric} against {xlabel}: mean and standard deviation over the splits"
        parts += [Drawing(caption, svg), made]
    return parts


def _strengths(
    found: Mapping[str, Points], files: Sequence[Results], made: Commands
) -> list[Drawing | Commands]:
    if not found:
        return []
    metrics = {one.header["metric"] for one in files if one.is_sweep}
    ylabel = f"{', '.join(map(heading, sorted(metrics)))} on inner folds"
    svg = curve_figure(found, "curve-C", xlabel="C", ylabel=ylabel, log=True)
    caption = (
        "The score that C was chosen by, inside the training images: mean and standard deviation "
        "over the splits. A curve that still rises at an end asks for a wider --C."
    )
    return [Drawing(caption, svg), made]

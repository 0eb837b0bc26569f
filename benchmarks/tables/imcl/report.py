"""From the result lines of ``tables imcl`` to its tables, curves and verdicts. Fits nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.tables.experiment import layers_of, sources_of
from benchmarks.tables.imcl.learners import FIXED, IMCL, LEARNED, LOGISTIC, VARIANTS
from benchmarks.tables.imcl.published import (
    OPEN_IMAGES,
    OPEN_IMAGES_ABLATION,
    OPEN_IMAGES_NOTES,
    OPEN_IMAGES_SENSITIVITY,
)
from classify.results import Line

HIGH_RATES = (0.8, 0.9)  # where IMCL must be above its rivals

#: (learner, section, variant, rate) to field to values, a value a mask and in the masks' order.
Values = dict[tuple, dict[str, np.ndarray]]


class Verdict(NamedTuple):
    """A claim of the paper, and whether our numbers bear it out.

    Attributes
    ----------
    claim : str
    holds : bool or None
        None where nothing was measured that could tell.
    because : str
        The numbers.
    """

    claim: str
    holds: bool | None
    because: str


def gather(lines: Iterable[Line]) -> Values:
    """Sort lines into arrays over masks."""
    groups: dict[tuple, list[Line]] = {}
    for line in sorted(lines, key=lambda line: (line["split"], line["mask"])):
        key = (line["learner"], line["section"], line["variant"], line["rate"])
        groups.setdefault(key, []).append(line)
    return {
        key: {
            field: np.array([np.nan if line[field] is None else line[field] for line in members])
            for field in members[0]
            if field == "map" or field == "map_zero" or (field[:1] == "g" and field[1:].isdigit())
        }
        for key, members in groups.items()
    }


def markdown(values: Values, header: Mapping[str, Any], facts: Sequence[str]) -> str:
    """Write the report."""
    rates = sorted({key[3] for key in values}, reverse=True)
    learners = list(dict.fromkeys(key[0] for key in _in_table_order(values)))
    parts = [
        f"# {header['data']}: learning from partial labels on {', '.join(layers_of(header))}\n",
        *facts,
        "\n## Mean average precision (%), by share of labels that is missing\n",
        _main_table(values, learners, rates, _percent),
        "## Gain over Logistic on the same masks (points)\n",
        _main_table(values, [one for one in learners if one != LOGISTIC], rates, _gain),
        *(_groups_table(values, learners, rate) for rate in rates[:1]),
        *_ablations(values),
        "## What holds\n",
        *(_sentence(verdict) for verdict in verdicts(values)),
        "",
        sources_of(header),
    ]
    return "\n".join(parts)


def verdicts(values: Values) -> list[Verdict]:
    """Compare the numbers with what the paper says."""
    return [_above_every_rival(values), _learned_above_fixed(values)]


def gain_panel(values: Values) -> Panel:
    """Arrange the gains over Logistic against the missing rate."""
    curves = {}
    for learner in dict.fromkeys(key[0] for key in _in_table_order(values)):
        rates = sorted({key[3] for key in values if key[:2] == (learner, "main")})
        if learner == LOGISTIC:
            continue
        gains = [_gains(values, (learner, "main", "", rate)) for rate in rates]
        curves[learner] = Curve(
            rates, [float(g.mean()) for g in gains], [_std(gain) for gain in gains]
        )
    return Panel("gain in mAP over Logistic (points)", curves, {LOGISTIC: 0.0}, "missing rate")


def _in_table_order(values: Values) -> list[tuple]:
    order = list(OPEN_IMAGES)
    return sorted(values, key=lambda key: order.index(key[0]))


def _std(numbers: np.ndarray) -> float:
    return float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0


def _show(numbers: np.ndarray, sign: str = "") -> str:
    std = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
    text = mean_and_std(float(numbers.mean()), std, digits=2)
    return f"+{text}" if sign and not text.startswith(("-", "undefined")) else text


def _percent(values: Values, key: tuple) -> str:
    return _show(100 * values[key]["map"]) if key in values else ""


def _gains(values: Values, key: tuple) -> np.ndarray:
    return 100 * (values[key]["map"] - values[LOGISTIC, "main", "", key[3]]["map"])


def _gain(values: Values, key: tuple) -> str:
    return _show(_gains(values, key), "+") if key in values else ""


def _main_table(values, learners, rates, show) -> str:
    rows = [[one, *(show(values, (one, "main", "", rate)) for rate in rates)] for one in learners]
    return table(["learner", *(f"{rate:.0%} missing" for rate in rates)], rows)


def _groups_table(values: Values, learners: Sequence[str], rate: float) -> str:
    fields = [name for name in values[LOGISTIC, "main", "", rate] if name.startswith("g")]
    rows = []
    for one in learners:
        mine = values[one, "main", "", rate]
        groups = [_show(100 * mine[name]) for name in fields]
        quoted = [_quoted_all(numbers) for numbers in OPEN_IMAGES[one]]
        rows.append([one, *groups, _show(100 * mine["map"]), _show(100 * mine["map_zero"])])
        rows[-1] += quoted
    columns = ["learner", *(name.upper() for name in fields), "all", "all, zero convention"]
    columns += ["fixed features, quoted", "end to end, quoted"]
    return (
        f"## By groups of labels, {rate:.0%} missing\n\n{table(columns, rows)}\n"
        "G1 has the labels with the fewest training images, counted before cells are hidden (the "
        "numbers of\nannotations, by which the paper sorts, are equal here up to chance). `all` "
        "leaves out labels without a\nknown present test image; the zero convention of the paper's "
        "code counts them as 0. Quoted: all 5,000\nlabels of Open Images, another data set.\n\n"
        + "".join(f"- {note}\n" for note in OPEN_IMAGES_NOTES)
    )


def _quoted_all(numbers: tuple[float, ...]) -> str:
    return f"{numbers[-1]:.2f}" if numbers else ""


def _variant_key(variant, rate: float) -> tuple:
    if variant.parameters:
        return (IMCL, variant.section, variant.name, rate)
    return (IMCL, "main", "", rate)


def _ablations(values: Values) -> list[str]:
    parts = []
    rates = sorted({key[3] for key in values if key[1] != "main"}, reverse=True)
    for rate in rates:
        for section in dict.fromkeys(one.section for one in VARIANTS):
            rows = []
            for one in (one for one in VARIANTS if one.section == section):
                key = _variant_key(one, rate)
                quoted = _quoted_variant(section, one.name)
                rows.append([one.name, _percent(values, key), _gain(values, key), quoted])
            title = "Similarities of images and of labels" if section == "graphs" else section
            parts += [
                f"## IMCL, {title}, {rate:.0%} missing\n",
                table([section, "mAP (%)", "gain over Logistic", "Open Images, quoted"], rows),
            ]
    return parts


def _quoted_variant(section: str, name: str) -> str:
    if section == "graphs":
        return f"{OPEN_IMAGES_ABLATION[name]:.2f}" if name in OPEN_IMAGES_ABLATION else ""
    values = {f"{value:g}": number for value, number in OPEN_IMAGES_SENSITIVITY[section].items()}
    return f"{values[name]:.2f}" if name in values else ""


def _above_every_rival(values: Values) -> Verdict:
    claim = "IMCL is above every rival at 80 to 90 % missing"
    rates = [rate for rate in HIGH_RATES if (IMCL, "main", "", rate) in values]
    rivals = [key for key in values if key[0] != IMCL and key[3] in rates]
    if not rivals:
        return Verdict(claim, None, "IMCL was not run at these rates")
    margins, texts = [], []
    for rate in rates:
        mine = 100 * values[IMCL, "main", "", rate]["map"]
        others = {key[0]: 100 * values[key]["map"] for key in rivals if key[3] == rate}
        best = max(others, key=lambda name: others[name].mean())
        margin = mine - others[best]
        margins.append(margin.mean())
        texts.append(
            f"at {rate:.0%} {_show(margin, '+')} points against the best of {len(others)} rivals, "
            f"{best}, above it on {(margin > 0).sum()} of {len(margin)} masks"
        )
    return Verdict(claim, bool(min(margins) > 0), "; ".join(texts))


def _learned_above_fixed(values: Values) -> Verdict:
    claim = "learned graphs are above fixed ones"
    keys = [key for key in values if key[1:3] == ("graphs", FIXED)]
    if not keys:
        return Verdict(claim, None, "the variants were not run")
    margins, texts = [], []
    for key in keys:
        rate = key[3]
        margin = 100 * (values[IMCL, "main", "", rate]["map"] - values[key]["map"])
        margins.append(margin.mean())
        texts.append(
            f"at {rate:.0%} {LEARNED} minus {FIXED} is {_show(margin, '+')} points, above 0 on "
            f"{(margin > 0).sum()} of {len(margin)} masks"
        )
    return Verdict(claim, bool(min(margins) > 0), "; ".join(texts))


def _sentence(verdict: Verdict) -> str:
    word = {True: "holds", False: "does not hold", None: "open"}[verdict.holds]
    return f"- {verdict.claim}: **{word}**; {verdict.because}."

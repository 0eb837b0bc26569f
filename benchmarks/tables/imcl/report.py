"""From the result lines of ``tables imcl`` to its page, claims and curves. Fits nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.report.claims import Claim, show_differences, verdict
from benchmarks.report.markdown import mean_and_std, table
from benchmarks.report.plots import Curve, Panel
from benchmarks.tables.imcl.learners import ABLATIONS, FIXED, IMCL, LOGISTIC, PARTIAL_LEARNERS
from benchmarks.tables.imcl.published import (
    OPEN_IMAGES,
    OPEN_IMAGES_ABLATION,
    OPEN_IMAGES_NOTES,
    OPEN_IMAGES_SENSITIVITY,
)
from benchmarks.tables.task import data_and_layers, sources_of
from classify.results import Line

PAPER = "IMCL"
TITLES = {one.name: one.title for one in PARTIAL_LEARNERS}

#: (learner, section, variant, rate) to field to values, one per seed, ascending.
Values = dict[tuple, dict[str, np.ndarray]]


def gather(lines: Iterable[Line]) -> Values:
    """Sort lines into arrays over masks."""
    groups: dict[tuple, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line["seed"]):
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


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables imcl` out: learners, groups of labels, ablations; Markdown."""
    data, layers = data_and_layers(header)
    values = gather(lines)
    rates = sorted({key[3] for key in values}, reverse=True)
    learners = list(dict.fromkeys(key[0] for key in _in_table_order(values)))
    found = [[one.text, one.verdict, one.numbers] for one in claims(header, lines)]
    parts = [
        f"# {data}: learning from partial labels on {layers}\n",
        *_facts(header, len({line["seed"] for line in lines})),
        "\n## Mean average precision (%), by share of labels that is missing\n",
        _main_table(values, learners, rates, _percent),
        "## Gain over Logistic on the same masks (points)\n",
        _main_table(values, [one for one in learners if one != LOGISTIC], rates, _gain),
        *(_groups_table(values, learners, rate) for rate in rates[:1]),
        *_ablations(values),
        *(["## Claims\n", table(["claim", "verdict", "measured"], found)] if found else []),
        sources_of(header),
    ]
    return "\n".join(parts)


def claims(header: Mapping[str, Any], lines: Sequence[Line]) -> list[Claim]:
    """Evaluate the claims of the IMCL paper by differences of mAP over the masks.

    Parameters
    ----------
    header, lines
        As for `page`.

    Returns
    -------
    list of Claim
        Per missing rate: IMCL above each baseline; with the ablations, learned graphs above fixed
        ones.
    """
    values = gather(lines)
    found = []
    for rate in sorted({key[3] for key in values if key[0] == IMCL}, reverse=True):
        mine = values[IMCL, "main", "", rate]["map"]
        for learner in TITLES:
            key = (learner, "main", "", rate)
            if learner != IMCL and key in values:
                text = f"IMCL above {TITLES[learner]}, {rate:.0%} missing"
                found.append(_claim(text, mine, values[key]["map"]))
        fixed = (IMCL, "graphs", FIXED, rate)
        if fixed in values:
            text = f"learned similarities above fixed ones, {rate:.0%} missing"
            found.append(_claim(text, mine, values[fixed]["map"]))
    return found


def gain_panel(values: Values) -> Panel:
    """Arrange the gains over Logistic against the missing rate."""
    curves = {}
    for learner in dict.fromkeys(key[0] for key in _in_table_order(values)):
        rates = sorted({key[3] for key in values if key[:2] == (learner, "main")})
        if learner == LOGISTIC:
            continue
        gains = [_gains(values, (learner, "main", "", rate)) for rate in rates]
        curves[TITLES[learner]] = Curve(
            rates, [float(g.mean()) for g in gains], [_std(gain) for gain in gains]
        )
    return Panel(
        "gain in mAP over Logistic (points)", curves, {TITLES[LOGISTIC]: 0.0}, "missing rate"
    )


def _in_table_order(values: Values) -> list[tuple]:
    order = list(TITLES)
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
    rows = [
        [TITLES[one], *(show(values, (one, "main", "", rate)) for rate in rates)]
        for one in learners
    ]
    return table(["learner", *(f"{rate:.0%} missing" for rate in rates)], rows)


def _groups_table(values: Values, learners: Sequence[str], rate: float) -> str:
    fields = [name for name in values[LOGISTIC, "main", "", rate] if name.startswith("g")]
    rows = []
    for one in learners:
        mine = values[one, "main", "", rate]
        groups = [_show(100 * mine[name]) for name in fields]
        quoted = [_quoted_all(numbers) for numbers in OPEN_IMAGES[TITLES[one]]]
        rows.append([TITLES[one], *groups, _show(100 * mine["map"]), _show(100 * mine["map_zero"])])
        rows[-1] += quoted
    columns = ["learner", *(name.upper() for name in fields), "all", "all, zero convention"]
    columns += ["fixed features, quoted", "end to end, quoted"]
    return (
        f"## By groups of labels, {rate:.0%} missing\n\n{table(columns, rows)}\n"
        "G1 has the labels with the fewest training images, counted before labels are hidden (the "
        "numbers of\nannotations, by which the paper sorts, are equal here up to chance). `all` "
        "leaves out labels without a\nknown present test image; the zero convention of the paper's "
        "code counts them as 0. Quoted: all 5,000\nlabels of Open Images, another data set.\n\n"
        + "".join(f"- {note}\n" for note in OPEN_IMAGES_NOTES)
    )


def _quoted_all(numbers: tuple[float, ...]) -> str:
    return f"{numbers[-1]:.2f}" if numbers else ""


def _ablation_key(ablation, rate: float) -> tuple:
    if ablation.parameters:
        return (IMCL, ablation.section, ablation.name, rate)
    return (IMCL, "main", "", rate)


def _ablations(values: Values) -> list[str]:
    parts = []
    rates = sorted({key[3] for key in values if key[1] != "main"}, reverse=True)
    for rate in rates:
        for section in dict.fromkeys(one.section for one in ABLATIONS):
            rows = []
            for one in (one for one in ABLATIONS if one.section == section):
                key = _ablation_key(one, rate)
                quoted = _quoted_ablation(section, one.title)
                rows.append([one.title, _percent(values, key), _gain(values, key), quoted])
            title = "Similarities of images and of labels" if section == "graphs" else section
            parts += [
                f"## IMCL, {title}, {rate:.0%} missing\n",
                table([section, "mAP (%)", "gain over Logistic", "Open Images, quoted"], rows),
            ]
    return parts


def _quoted_ablation(section: str, name: str) -> str:
    if section == "graphs":
        return f"{OPEN_IMAGES_ABLATION[name]:.2f}" if name in OPEN_IMAGES_ABLATION else ""
    values = {f"{value:g}": number for value, number in OPEN_IMAGES_SENSITIVITY[section].items()}
    return f"{values[name]:.2f}" if name in values else ""


def _claim(text: str, ours: np.ndarray, theirs: np.ndarray) -> Claim:
    gains = (100 * (ours - theirs)).tolist()
    means = f"{100 * ours.mean():.2f} and {100 * theirs.mean():.2f}"
    numbers = f"mAP (%) {means}: {show_differences(gains, digits=2)}"
    return Claim(PAPER, text, verdict(gains), numbers)


def _facts(header: Mapping[str, Any], masks: int) -> list[str]:
    random = header["split"] == "random"
    where = "random splits, one per mask" if random else "the split of the file"
    whose = (
        "of the same mask"
        if random
        else "on the first mask, and kept for the others, which hide other labels of the same rows"
    )
    settings = len(next(iter(header["settings"].values())))
    n_train = header["train_rows"]
    return [
        f"{n_train} training and {header['rows'] - n_train} test images, "
        f"{len(header['label_names'])} labels, {where}; labels hidden: {header['scheme']}.",
        f"Mean ± standard deviation (ddof 1) over {masks} masks. {TITLES[LOGISTIC]} is L2 logistic "
        "regression on the known labels.",
        f"Every learner has {settings} settings; one is selected on a quarter of the training rows "
        f"by their known labels, {whose}.",
    ]

"""From the result lines of ``tables miml --bags`` to its page, claims and curves. Fits nothing."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import mean_and_std, plain, table
from benchmarks.report.statistics import heading, over_splits
from benchmarks.tables.miml.bags_curves import curve_tables
from benchmarks.tables.miml.bags_methods import METHODS, Method
from benchmarks.tables.miml.bags_summary import (
    NETWORK,
    REGIONS,
    Summary,
    by_seed,
    paired,
    summarize,
    whole_training,
)
from benchmarks.tables.miml.published import DBA_NOTE, MIML_TABLES
from benchmarks.tables.miml.report import quoted_rows
from benchmarks.tables.published import PublishedTable
from classify.metrics import MIML_METRICS
from classify.results import Line


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `tables miml --bags` out: ours, quoted, settings; Markdown."""
    whole = whole_training(header, lines)
    summary, paper = summarize(whole), MIML_TABLES.get(header["published"])
    n_train = header["train_rows"]
    parts = [
        f"# {plain(header['data'])}: multi-instance multi-label methods\n",
        textwrap.fill(
            f"{n_train} training and {header['rows'] - n_train} test images, "
            f"{header['labels_per_image']:.3f} labels per image, mean ± standard deviation (ddof "
            f"1) over {_count(whole)} splits ({header['split']}). Settings are chosen inside the "
            "training rows, by 3 folds on ranking loss, except where 'defaults' is said. Hamming "
            "loss is that of each method's own decisions.",
            100,
        )
        + "\n",
        "## On the published instances\n",
        _results(whole, (REGIONS, "none"), paper),
    ]
    if paper:
        parts += ["### Ours minus published\n", _differences(summary, REGIONS, paper)]
        if ("dba", REGIONS) in summary:
            parts += [textwrap.fill(DBA_NOTE, 100) + "\n"]
    if any(instances == NETWORK for _, instances in summary):
        names = ", ".join(header.get("instance_layers", ()))
        parts += [
            f"## On the network's instances ({names})\n",
            f"Methods of instances over {_count(_of(whole, NETWORK))} splits, the others over "
            f"{_count(_of(whole, 'none'))}.\n",
            _results(whole, (NETWORK, "none"), None),
            "### Gain over the published instances, and distance to logistic regression\n",
            "Differences of average precision on the same splits.\n",
            _gains(whole),
        ]
    if len({line["n_train"] for line in lines}) > 1:
        parts += [curve_tables(lines)]
    parts += ["## Settings that were chosen\n", _settings(whole), _sources(header)]
    return "\n".join(parts)


def readme(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Write the README's short table, a column per method; parameters as for `page`."""
    summary, paper = summarize(whole_training(header, lines)), MIML_TABLES.get(header["published"])
    methods = [one for one in _methods(summary) if one.takes == "instances" and one.tuned]
    rows = []
    if paper:
        quoted = [paper.rows[one.published or ""]["example_ap"].mean for one in methods]
        rows.append(["published (quoted)", *(f"{value:.3f}" for value in quoted)])
    for title, kind in (("ours, tuned", REGIONS), ("ours, a network's instances", NETWORK)):
        found = [summary.get((one.method, kind)) for one in methods]
        if any(found):
            values = [mean_and_std(*one["example_ap"], digits=3) if one else "" for one in found]
            rows.append([title, *values])
    return table(["", *(one.title for one in methods)], rows)


def _of(lines: Iterable[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["instances"] == kind]


def _methods(summary: Summary) -> list[Method]:
    present = {method for method, _ in summary}
    return [one for one in METHODS.values() if one.method in present]


def _count(lines: Iterable[Line]) -> str:
    counts = sorted(Counter((x["method"], x["instances"]) for x in lines).values())
    return f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"


def _results(lines: Sequence[Line], kinds: tuple[str, ...], paper: PublishedTable | None) -> str:
    """Lay the metrics out, with the number of splits where the methods differ in it."""
    summary = summarize(lines)
    splits = Counter((line["method"], line["instances"]) for line in lines)
    differ = len({splits[place] for place in splits if place[1] in kinds}) > 1
    rows = []
    for method in _methods(summary):
        for kind in kinds:
            found = summary.get((method.method, kind))
            if found:
                count = [str(splits[method.method, kind])] if differ else []
                values = [mean_and_std(*found[m]) for m in MIML_METRICS]
                rows.append([method.title, *count, *values])
    if paper:
        quoted = quoted_rows(paper, paper.rows)
        rows += [[row[0], "", *row[1:]] for row in quoted] if differ else quoted
    count_heading = ["splits"] if differ else []
    return table(["method", *count_heading, *map(heading, MIML_METRICS)], rows)


def _differences(summary: Summary, kind: str, paper: PublishedTable) -> str:
    rows = []
    for method in _methods(summary):
        found = summary.get((method.method, kind)) or summary.get((method.method, "none"))
        if found and method.published in paper.rows:
            theirs = paper.rows[method.published]
            values = [f"{found[m].mean - theirs[m].mean:+.4f}" for m in MIML_METRICS]
            rows.append([f"{method.title} - {method.published}", *values])
    return table(["", *map(heading, MIML_METRICS)], rows)


def _gains(lines: Sequence[Line]) -> str:
    references = {name: by_seed(lines, name, "none") for name in ("l1lr", "lr")}
    rows = []
    for method in METHODS.values():
        found = by_seed(lines, method.method, NETWORK)
        if not found:
            continue
        before = by_seed(lines, method.method, REGIONS)
        differences = [paired(found, before)]
        differences += [paired(one, found) for one in references.values()]
        rows.append([method.title, *(_signed(one) for one in differences)])
    return table(["method", "gain", "L1LR is above by", "LR is above by"], rows)


def _signed(differences: list[float]) -> str:
    if not differences:
        return ""
    mean, std = over_splits(differences)
    return f"{mean:+.3f} ± {std:.3f}"


def _settings(lines: Iterable[Line]) -> str:
    chosen: dict[tuple[str, str, str], Counter] = {}
    for line in lines:
        for name, value in json.loads(line["settings"]).items():
            place = (METHODS[line["method"]].title, line["instances"], name)
            chosen.setdefault(place, Counter())[value] += 1
    rows = [
        [*place, ", ".join(f"{value:g} ({n})" for value, n in counts.most_common())]
        for place, counts in sorted(chosen.items())
    ]
    return table(["method", "instances", "parameter", "value (splits)"], rows)


def _sources(header: Mapping[str, Any]) -> str:
    manifests = "".join(f"cache manifest {one['manifest']}; " for one in header["caches"])
    versions = ", ".join(f"{name} {number}" for name, number in header["versions"].items())
    bags = header["bags"]
    text = (
        f"Bags {plain(bags['file'])}, SHA-256 {bags['sha256']}; {manifests}"
        f"labels {header['labels']}; splits {header['splits']} (seeds {header['seeds']}); "
        f"{versions}."
    )
    return textwrap.fill(text, 100) + "\n"

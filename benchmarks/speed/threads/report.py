"""The page of `speed threads`, from its lines alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.markdown import table
from benchmarks.report.targets import Target, at_most, targets_table
from benchmarks.speed.record import median, median_and_range, of_part
from classify.results import Line

ALONE, BESIDE = "alone", "beside 2 busy processes"
ONE, PAIR = "one process of a job array", "two processes of a job array, half each"
#: How threads wait at barriers. GNU's OpenMP spins 300,000 times where nothing is set.
POLICIES: Mapping[str, Mapping[str, str]] = {
    "spinning": {"GOMP_SPINCOUNT": "300000"},
    "passive": {"GOMP_SPINCOUNT": "0"},
    "one thread": {"GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1"},
}
COST, SHARED, ARRAY = 1.05, 1.3, 1.0  # factors that are allowed


def page(header: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """Lay the lines of `speed threads` out: Markdown."""
    found = of_part(lines, "threads")
    rows = [
        [place, name, f"{header['images'] / median(some, 'seconds'):,.0f}", _range(some)]
        for place in (ALONE, BESIDE, ONE, PAIR)
        for name in POLICIES
        if (some := found.get(f"{place}: {name}"))
    ]
    return "\n".join(
        [
            "# Extraction on a shared machine\n",
            f"{header['machine']}; {header['task']}, from files to shards; medians over "
            f"{max(len(some) for some in found.values())} rounds of processes that take turns. "
            "*Spinning* is how torch's OpenMP threads wait by default, *passive* how every command "
            "of this project lets them wait.\n",
            table(["where", "threads wait", "images/s", "s, median (range)"], rows),
            targets_table(_targets(found)),
        ]
    )


def _range(lines: Sequence[Line]) -> str:
    return median_and_range(lines, "seconds")


def _targets(found: Mapping[str, Sequence[Line]]) -> list[Target]:
    def over(place: str, policy: str, base: str, base_policy: str) -> float:
        """Give the median, over rounds, of the ratio of seconds within a round."""
        pairs = zip(found[f"{place}: {policy}"], found[f"{base}: {base_policy}"], strict=True)
        ratios = [{"ratio": a["seconds"] / b["seconds"]} for a, b in pairs]
        return median(ratios, "ratio")

    return [
        at_most("alone, passive over spinning, s", COST, over(ALONE, "passive", ALONE, "spinning")),
        at_most(
            "beside busy processes, passive over one thread, s",
            SHARED,
            over(BESIDE, "passive", BESIDE, "one thread"),
        ),
        at_most(
            "two processes of an array over one, passive, s",
            ARRAY,
            over(PAIR, "passive", ONE, "passive"),
        ),
    ]

"""``python -m benchmarks results``: every page of results from stored result lines alone.

``results/TABLE/RUN.jsonl`` or ``.jsonl.gz`` holds the lines of one run, ``TABLE/RUN.md`` is its
page, and ``notes/TABLE-RUN.md`` has a person's remarks. ``earlier/`` has pages of runs whose lines
were not kept; they are listed and never changed.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks.catalog import CATALOG
from benchmarks.report.claims import Claim, claims_table
from benchmarks.stored import RESULTS, Stored, store, stored_runs
from features.command_line import add_options, load
from features.errors import InputError, check_choice
from features.files import write_text

README = Path(__file__).parents[1] / "README.md"
_MARKERS = re.compile(
    r"(?P<begin><!-- results:(?P<name>[^:]+):begin -->).*?(?P<end><!-- results:(?P=name):end -->)",
    re.DOTALL,
)


def render(folder: Path = RESULTS) -> dict[str, str]:
    """Render every page.

    Parameters
    ----------
    folder : Path
        With the stored result files.

    Returns
    -------
    dict of str to str
        Path relative to `folder` to text: a page per run, ``claims.md`` and ``index.md``.

    Raises
    ------
    InputError
        A stored file can't be read or belongs to no table of the catalog.
    """
    runs = stored_runs(folder)
    pages = {one.page: _page(one, folder) for one in runs}
    pages["claims.md"] = _claims_page(runs)
    pages["index.md"] = _index(runs, folder)
    return pages


def fill(text: str, folder: Path = RESULTS) -> str:
    """Put results between the markers ``<!-- results:NAME:begin -->`` and ``...:end -->``.

    Parameters
    ----------
    text : str
        Markdown.
    folder : Path
        With the stored result files.

    Returns
    -------
    str
        `text` with what the catalog's entries have for its markers.

    Raises
    ------
    InputError
        A marker names nothing, or has no end.
    """
    blocks = _blocks(folder)

    def block(match: re.Match) -> str:
        check_choice("results", match["name"], blocks, kind="marker")
        return f"{match['begin']}\n{blocks[match['name']]()}{match['end']}"

    if text.count(":begin -->") != len(_MARKERS.findall(text)):
        raise InputError("a results marker has no end: write <!-- results:NAME:end --> behind it")
    return _MARKERS.sub(block, text)


def results(
    *,
    add: Path | None = None,
    name: str | None = None,
    command: str = "",
    commit: str = "",
    date: str = "",
    machine: str = "",
    seconds: float = 0.0,
) -> Path:
    """Render all pages of ``benchmarks/results`` and the tables of the README.

    Parameters
    ----------
    add : Path, optional
        A result file to store first.
    name : str, optional
        ``TABLE/RUN`` under which it is stored.
    command, commit, date, machine : str
        How it was made.
    seconds : float
        Wall time of the run.

    Returns
    -------
    Path
        The index page.

    Raises
    ------
    InputError
        `add` without `name`, or a file that is no result file.
    """
    if add is not None:
        if not name:
            raise InputError(f"{add} needs a place: give --name TABLE/RUN, as in miml/msrc_v2")
        made = {"command": command, "commit": commit, "date": date, "machine": machine}
        store(add, name, {**made, "seconds": seconds})
    for path, text in render().items():
        write_text(RESULTS / path, text)
    write_text(README, fill(README.read_text(encoding="utf-8")))
    print(RESULTS / "index.md")
    return RESULTS / "index.md"


def add_arguments(parser) -> None:
    """Declare the options of `results`."""
    add_options(
        parser,
        results,
        {
            "add": "a finished run's result file to store first",
            "name": "its place, TABLE/RUN",
            "command": "command that made it",
            "commit": "revision of the project",
            "date": "day of the run",
            "machine": "what it ran on",
            "seconds": "wall time of the run",
        },
    )


def _page(one: Stored, folder: Path) -> str:
    note = folder / "notes" / f"{one.path.parent.name}-{one.name}.md"
    parts = [load(one.entry.page)(one.header, one.lines), _provenance(one)]
    if note.exists():
        parts.insert(1, "## Notes\n\n" + note.read_text(encoding="utf-8"))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _provenance(one: Stored) -> str:
    run = one.run
    facts = [f"{run[key]}" for key in ("date", "machine") if run.get(key)]
    if run.get("seconds"):
        facts.append(f"{run['seconds']:,.0f} s")
    if run.get("commit"):
        facts.append(f"revision {run['commit']}")
    lines = f"Lines: [{one.path.name}]({one.path.name}). {', '.join(facts)}."
    command = f"\n\n```\n{run['command']}\n```" if run.get("command") else ""
    return f"## How it was made\n\n{lines}{command}\n"


def _claims(runs: Iterable[Stored]) -> list[tuple[Claim, Stored]]:
    return [
        (claim, one)
        for one in runs
        if one.entry.claims
        for claim in load(one.entry.claims)(one.header, one.lines)
    ]


def _claims_page(runs: Iterable[Stored]) -> str:
    rows = [(claim, f"[{one.name}]({one.page})") for claim, one in _claims(runs)]
    return (
        "# Claims of the papers\n\n"
        "Each verdict is computed from result lines: a claim holds where the mean of paired\n"
        "differences over the seeds is more than two standard errors above 0, does not hold where\n"
        "it is more than two below, and is not shown in between.\n\n" + claims_table(rows)
    )


def _index(runs: Iterable[Stored], folder: Path) -> str:
    parts = ["# Results\n", "[What holds of the papers' claims](claims.md)\n"]
    for table, entry in CATALOG.items():
        mine = [one for one in runs if one.entry.table == table]
        if mine:
            parts.append(f"## {entry.command.summary[0].upper()}{entry.command.summary[1:]}\n")
            parts.append("".join(f"- [{one.name}]({one.page})\n" for one in mine))
    earlier = sorted((folder / "earlier").glob("*.md"))
    if earlier:
        parts.append("## Earlier runs, whose lines were not kept\n")
        parts.append("".join(f"- [{path.stem}](earlier/{path.name})\n" for path in earlier))
    return "\n".join(parts)


def _blocks(folder: Path) -> dict[str, Callable[[], str]]:
    """Map each marker's name to what makes its text."""
    runs = stored_runs(folder)
    blocks: dict[str, Callable[[], str]] = {
        "claims": partial(_short_claims, runs),
        "quickstart": lambda: load("benchmarks.quickstart:describe")(),
    }
    for one in runs:
        if one.entry.readme:
            blocks[one.page.removesuffix(".md")] = partial(_short_table, one)
    return blocks


def _short_table(one: Stored) -> str:
    return load(one.entry.readme)(one.header, one.lines)


def _short_claims(runs: Iterable[Stored]) -> str:
    rows = [(claim, f"[{one.name}](benchmarks/results/{one.page})") for claim, one in _claims(runs)]
    return claims_table(rows)

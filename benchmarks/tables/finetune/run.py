"""``tables finetune``: result lines from finished run folders, and the page that shows them."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.tables.experiment import odd_numbers, open_folder, write_page
from classify.finetune.earlier import current_names
from classify.results import Line, ResultFile, read_results
from features.cache import FeatureCache
from features.command_line import add_options
from features.errors import InputError
from features.files import sha256_of_text

KEY = ("settings", "splits", "seed")
# Runs that differ in nothing else are seeds of one and the same.
_VARIED = ("seed", "splits", "versions", "key")
_SHOWN = ("rates", "model", "backbone", "size", "missing", "unlabeled", "images")
_NESTED = {"rates", "versions", "key"}


def finetune(
    out: Path,
    *,
    runs: Sequence[Path] = (),
    frozen: Path | None = None,
    layers: Sequence[str] | None = None,
) -> Path:
    """Compare finished fine-tunings with the papers' tables, as Markdown; also printed.

    Runs whose settings differ in the seed alone are one row, their mean and standard deviation.
    With cached features of the same images, every run is also compared with a learner on these.
    Result lines are kept beside the page; runs that they hold already are not read again.

    Parameters
    ----------
    out : Path
        The Markdown file; the lines are in the file of that name ending in ``.jsonl``.
    runs : sequence of Path
        Run folders of ``python -m classify finetune``.
    frozen : Path, optional
        A cache of the network that the runs started from.
    layers : sequence of str, optional
        Its layers to learn from; by default all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A folder without results, or a cache of other images or labels.
    """
    from benchmarks.tables.finetune.report import page

    store = None if frozen is None else FeatureCache(frozen)
    header = {
        "table": "finetune",
        "layers": "" if store is None else ", ".join(layers or store.layers),
        "cache": "" if store is None else store.manifest_hash,
    }
    if out.suffix != ".md":
        raise InputError(f"The 'out' option must end in .md. Got {str(out)!r}.")
    stored = out.with_suffix(".jsonl")
    open_folder(out.parent, stored.name, out.name)
    with ResultFile(stored, key=KEY, header=header, odd=odd_numbers) as results:
        for run in runs:
            line = _line(run)
            if tuple(line[name] for name in KEY) not in results:
                results.append(line if frozen is None else line | _frozen(run, frozen, layers))
        results.finish()
        text = page(header, results.lines)
    return write_page(out, text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `finetune`."""
    add_options(
        parser,
        finetune,
        {
            "out": "the Markdown file; result lines are written beside it",
            "runs": "finished run folders",
            "frozen": "cached features of the network that the runs started from",
            "layers": "layers of these to learn from (all)",
        },
        runs={"nargs": "*", "help": "finished run folders"},
    )


def _line(run: Path) -> Line:
    """Read the settings and metrics of a run folder as one flat line."""
    from benchmarks.tables.finetune.report import METRICS

    path = run / "results.jsonl"
    if not path.is_file():
        raise InputError(
            f"{run} has no results.jsonl; give the folder of a finished `python -m classify "
            "finetune`"
        )
    header, lines = read_results(path)
    header, line = current_names(header), current_names(lines[0] if lines else {})
    needed = {*KEY, *_SHOWN, *METRICS}
    if lacking := sorted(needed - {"settings"} - (header | line).keys()):
        raise InputError(
            f"{path} lacks {lacking[0]}, which every finished run has. Restore it, or train again "
            "into another folder."
        )
    if wrong := _odd(header) or odd_numbers(line):
        raise InputError(f"{path} {wrong}. Restore it, or train again into another folder.")
    settings = _settings(header)
    flat = {name: value for name, value in header.items() if not isinstance(value, dict | list)}
    rates = {f"{part}_learning_rate": value for part, value in header["rates"].items()}
    return {"settings": sha256_of_text(repr(settings))[:12], **flat, **rates, **line}


def _odd(header: Mapping[str, Any]) -> str:
    """Tell what keeps the settings of a run from being shown; empty if nothing does."""
    shares = {name: header[name] for name in ("missing", "unlabeled")}
    rates = header["rates"] if isinstance(header["rates"], dict) else {"rates": header["rates"]}
    for name, value in (shares | rates).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"has {name} {value!r}"
    rest = header.keys() - _NESTED
    nested = [name for name in rest if isinstance(header[name], dict | list)]
    return f"has {min(nested)} {header[min(nested)]!r}" if nested else ""


def _frozen(run: Path, cache: Path, layers: Sequence[str] | None) -> Line:
    """Train the run's counterpart on frozen features; give its result as fields of a line."""
    from benchmarks.tables.finetune.frozen import frozen_counterpart

    other = frozen_counterpart(run, cache, layers)
    values = {f"frozen_{name}": value for name, value in other.values.items()}
    return {"frozen_learner": other.learner, "frozen_C": other.C, **values}


def _settings(header: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted((name, repr(value)) for name, value in header.items() if name not in _VARIED)

"""What ``python -m benchmarks`` offers: one record per table, measurement or other command.

A record names functions and loads none, so that help texts wait for nothing.
"""

from typing import NamedTuple

from features.command_line import Command


class Entry(NamedTuple):
    """One command and, where it writes result lines, how they are shown.

    Attributes
    ----------
    table : str
        What the header of its result lines has as ``table``.
    command : Command
    page : str
        ``module:function`` of ``(header, lines)`` that gives its Markdown page.
    claims : str
        The same for a list of `benchmarks.report.claims.Claim`; empty for none.
    readme : str
        The same for a short table for the README; empty for none.
    """

    table: str
    command: Command
    page: str = ""
    claims: str = ""
    readme: str = ""


def _entry(
    path: str, summary: str, example: str, module: str, names: tuple[str, str], **pages: str
) -> Entry:
    """Give a record whose functions are `names`, (options, command), of one module."""
    command = Command(
        tuple(path.split()),
        summary,
        f"python -m benchmarks {path} {example}".rstrip(),
        *(f"benchmarks.{module}:{name}" for name in names),
    )
    shown = {kind: f"benchmarks.{where}" for kind, where in pages.items()}
    return Entry(path.removeprefix("tables ").replace(" ", "-"), command, **shown)


_ENTRIES = (
    _entry(
        "quickstart",
        "render synthetic pictures, cache their features, train, and write a page with the results",
        "",
        "quickstart",
        ("add_arguments", "quickstart"),
    ),
    _entry(
        "tables miml",
        "L1LR and LR on features, multi-instance methods on bags, beside the published Table 1",
        "--data data/msrc_v2 --cache msrc.cache --out tables/msrc",
        "tables.miml.command",
        ("add_arguments", "run"),
        page="tables.miml.report:page",
        claims="tables.miml.report:claims",
        readme="tables.miml.report:readme",
    ),
    _entry(
        "tables rml",
        "ramp-loss WARP and other ranking losses: all labels, wrong labels, few labels",
        "--data data/corel5k --split data/corel5k/split.csv --cache corel.cache --out tables/corel",
        "tables.rml.run",
        ("add_arguments", "rml"),
        page="tables.rml.report:page",
        claims="tables.rml.claims:claims",
    ),
    _entry(
        "tables imcl",
        "IMCL and its baselines where most labels are missing, beside the published tables",
        "--cache msrc.cache --missing 0.9 0.8 0.6 0.4 0.2 0",
        "tables.imcl.run",
        ("add_imcl_arguments", "imcl"),
        page="tables.imcl.report:page",
        claims="tables.imcl.report:claims",
    ),
    _entry(
        "tables imcl-synthetic",
        "how much of a known label graph IMCL recovers, on two synthetic sets",
        "--seeds 3 --out imcl-synthetic",
        "tables.imcl.synthetic",
        ("add_synthetic_arguments", "imcl_synthetic"),
        page="tables.imcl.synthetic:page",
        claims="tables.imcl.synthetic:claims",
    ),
    _entry(
        "tables finetune",
        "finished fine-tunings beside the tables of three papers, which are quoted",
        "--runs tuned --out tables/finetune.md",
        "tables.finetune.run",
        ("add_arguments", "finetune"),
        page="tables.finetune.report:page",
        claims="tables.finetune.report:claims",
    ),
    _entry(
        "tables auto",
        "what `fit` chooses by itself, beside the former default and every single choice",
        "--cache msrc.cache --out tables/auto",
        "tables.auto.run",
        ("add_arguments", "auto"),
        page="tables.auto.report:page",
        readme="tables.auto.report:readme",
    ),
    _entry(
        "tables suggest",
        "images that `multilabel suggest` would have labeled next, beside random picks",
        "--cache msrc.cache --out tables/suggest",
        "tables.suggest.run",
        ("add_arguments", "suggest"),
        page="tables.suggest.report:page",
    ),
    _entry(
        "speed extract",
        "images per second of every engine, beside a plain loop, a peer and the machine's limit",
        "--data data/msrc_v2 --out speed-extract.md",
        "speed.extract",
        ("add_arguments", "speed_extract"),
        page="speed.extract_report:page",
    ),
    _entry(
        "speed sweep",
        "seconds and objective of fits, regularization paths and whole sweeps, beside every peer",
        "--cache msrc.cache --out speed-sweep.md",
        "speed.sweep.run",
        ("add_arguments", "speed_sweep"),
        page="speed.sweep.report:page",
    ),
    _entry(
        "speed logistic",
        "L2 of many rows and a path of L1 for many labels, beside an earlier version",
        "--before ../earlier --out speed-logistic.md",
        "speed.logistic.run",
        ("add_arguments", "speed_logistic"),
        page="speed.logistic.report:page",
    ),
    _entry(
        "speed warp",
        "an epoch of ramp-loss WARP beside logistic descents, larger caches, and propagation",
        "--out speed-warp.md",
        "speed.warp.run",
        ("add_arguments", "speed_warp"),
        page="speed.warp.report:page",
    ),
    _entry(
        "speed imcl",
        "IMCL's joint matching pursuit against loops, a step on more and more rows, and memory",
        "--out speed-imcl.md",
        "speed.imcl.run",
        ("add_arguments", "speed_imcl"),
        page="speed.imcl.report:page",
    ),
    _entry(
        "speed miml",
        "distances between bags, the six multi-instance methods tuned, and an epoch of MIMLfast",
        "--bags MSRC_MIML.mat --out speed-miml.md",
        "speed.miml.run",
        ("add_arguments", "speed_miml"),
        page="speed.miml.report:page",
    ),
    _entry(
        "speed threads",
        "extraction alone, beside busy processes, and as a job array, by how threads wait",
        "--out speed-threads.md",
        "speed.threads.run",
        ("add_arguments", "speed_threads"),
        page="speed.threads.report:page",
    ),
    _entry(
        "speed cache",
        "opening, checking, reading and resuming made-up caches of up to ten million rows",
        "--out speed-cache.md",
        "speed.cache.run",
        ("add_arguments", "speed_cache"),
        page="speed.cache.report:page",
    ),
    _entry(
        "speed disk",
        "L2 and ramp-loss WARP on a made-up cache larger than the memory of their process",
        "--out speed-disk.md",
        "speed.disk.run",
        ("add_arguments", "speed_disk"),
        page="speed.disk.report:page",
    ),
    _entry(
        "speed dask",
        "a sweep and an extraction on separate processes, one killed, one slow; the cost of a task",
        "--out speed-dask.md",
        "speed.dask.run",
        ("add_arguments", "speed_dask"),
        page="speed.dask.report:page",
    ),
    _entry(
        "speed finetune",
        "a training step phase by phase with its memory, and training beside a plain loop",
        "--out speed-finetune.md",
        "speed.finetune",
        ("add_arguments", "speed_finetune"),
        page="speed.finetune_report:page",
    ),
    _entry(
        "results",
        "render the pages of results and the README's tables from stored result lines",
        "",
        "pages",
        ("add_arguments", "results"),
    ),
)
#: Result files whose command is another entry's: name in the header, that entry, and its functions.
_MORE = (
    ("miml-ablations", "miml", ("ablations_report:page", "ablations_report:claims", "")),
    ("miml-bags", "miml", ("bags_report:page", "bags_claims:claims", "bags_report:readme")),
)
CATALOG = {entry.table: entry for entry in _ENTRIES}
CATALOG |= {
    name: Entry(
        name, CATALOG[of].command, *(one and f"benchmarks.tables.{of}.{one}" for one in functions)
    )
    for name, of, functions in _MORE
}

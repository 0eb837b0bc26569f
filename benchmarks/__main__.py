"""``python -m benchmarks``: the papers' tables and measurements. A command is one entry here."""

from benchmarks import quickstart
from benchmarks.commands import Command, parser_of
from benchmarks.speed import extract as speed_extract
from benchmarks.speed import finetune as speed_finetune
from benchmarks.speed import imcl as speed_imcl
from benchmarks.speed import warp as speed_warp
from benchmarks.speed.sweep import run as speed_sweep
from benchmarks.tables.finetune.run import add_arguments as add_finetune_arguments
from benchmarks.tables.finetune.run import finetune
from benchmarks.tables.imcl.run import add_imcl_arguments, imcl
from benchmarks.tables.imcl.synthetic import add_synthetic_arguments, imcl_synthetic
from benchmarks.tables.miml.run import add_miml_arguments, miml
from benchmarks.tables.rml.run import add_arguments as add_rml_arguments
from benchmarks.tables.rml.run import rml
from features.command_line import run_command

COMMANDS = (
    Command(
        ("quickstart",),
        "render pictures, cache their features, train, and write a page with the results",
        "python -m benchmarks quickstart",
        quickstart.add_arguments,
        quickstart.quickstart,
    ),
    Command(
        ("tables", "miml"),
        "L1LR and LR on VGG16 features over random splits, beside the published Table 1",
        "python -m benchmarks tables miml --data data/msrc_v2 --cache msrc.cache --out tables/msrc",
        add_miml_arguments,
        miml,
    ),
    Command(
        ("tables", "rml"),
        "ramp-loss WARP and other ranking losses: all labels, wrong labels, few labels",
        "python -m benchmarks tables rml --data data/corel5k --split data/corel5k/split.csv "
        "--cache corel.cache --out tables/corel",
        add_rml_arguments,
        rml,
    ),
    Command(
        ("tables", "imcl"),
        "IMCL and its rivals where most labels are missing, beside the published tables",
        "python -m benchmarks tables imcl --cache msrc.cache --missing 0.9 0.8 0.6 0.4 0.2 0",
        add_imcl_arguments,
        imcl,
    ),
    Command(
        ("tables", "imcl-synthetic"),
        "how much of a known label graph IMCL recovers, on two sets that are drawn",
        "python -m benchmarks tables imcl-synthetic --seeds 3 --out imcl-synthetic",
        add_synthetic_arguments,
        imcl_synthetic,
    ),
    Command(
        ("tables", "finetune"),
        "finished fine-tunings beside the tables of three papers, which are quoted",
        "python -m benchmarks tables finetune --runs tuned --out tables/finetune.md",
        add_finetune_arguments,
        finetune,
    ),
    Command(
        ("speed", "extract"),
        "images a second of every engine, beside a plain loop, a peer and the machine's limit",
        "python -m benchmarks speed extract --data data/msrc_v2 --out speed-extract.md",
        speed_extract.add_arguments,
        speed_extract.speed_extract,
    ),
    Command(
        ("speed", "sweep"),
        "seconds and objective of fits, paths of C and whole sweeps, beside every peer",
        "python -m benchmarks speed sweep --cache msrc.cache --out speed",
        speed_sweep.add_arguments,
        speed_sweep.speed_sweep,
    ),
    Command(
        ("speed", "warp"),
        "an epoch of ramp-loss WARP beside logistic descents, growing caches, and propagation",
        "python -m benchmarks speed warp --out speed-warp.md",
        speed_warp.add_arguments,
        speed_warp.speed_warp,
    ),
    Command(
        ("speed", "imcl"),
        "IMCL's joint matching pursuit against loops, a step on growing data, and memory",
        "python -m benchmarks speed imcl --out speed-imcl.md",
        speed_imcl.add_arguments,
        speed_imcl.speed_imcl,
    ),
    Command(
        ("speed", "finetune"),
        "a training step phase by phase with its memory, and training beside a plain loop",
        "python -m benchmarks speed finetune --out speed-finetune.md",
        speed_finetune.add_arguments,
        speed_finetune.speed_finetune,
    ),
)


def main() -> None:
    """Parse the command line and run the command it names."""
    parser = parser_of(COMMANDS, "python -m benchmarks", "Tables of the papers, and measurements.")
    options = vars(parser.parse_args())
    options.pop("run")(**options)


if __name__ == "__main__":
    run_command(main)

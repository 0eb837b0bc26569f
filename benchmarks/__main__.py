"""``python -m benchmarks``: the commands that `benchmarks.catalog` lists."""

from features.interrupts import end_quietly

if __name__ == "__main__":
    end_quietly()  # also while what follows is loaded

from collections.abc import Sequence
from typing import Any

from benchmarks.catalog import CATALOG
from features.command_line import run_command, run_commands


def main(argv: Sequence[str] | None = None) -> Any:
    """Parse the command line and run the command it names."""
    commands = list(dict.fromkeys(entry.command for entry in CATALOG.values()))
    return run_commands(
        commands, "python -m benchmarks", "Tables of the papers, and measurements.", argv
    )


if __name__ == "__main__":
    run_command(main)

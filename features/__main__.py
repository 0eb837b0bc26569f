"""`python -m features`: make an index, and look at, check, merge and export caches."""

from features.interrupts import end_quietly

if __name__ == "__main__":
    end_quietly()  # also while what follows is loaded

from collections.abc import Sequence

from features.command_line import Command, run_command, run_commands

_OPTIONS = "features.commands.options"

COMMANDS = (
    Command(
        ("index",),
        "turn published annotations into labels.csv",
        "python -m features index --format coco --source instances_val2017.json "
        "--images val2017 --out coco",
        f"{_OPTIONS}:add_index_arguments",
        f"{_OPTIONS}:run_index",
    ),
    Command(
        ("info",),
        "print what is inside a cache",
        "python -m features info photos.cache",
        f"{_OPTIONS}:add_info_arguments",
        f"{_OPTIONS}:run_info",
    ),
    Command(
        ("verify",),
        "check every file of a cache",
        "python -m features verify photos.cache",
        f"{_OPTIONS}:add_verify_arguments",
        f"{_OPTIONS}:run_verify",
    ),
    Command(
        ("merge",),
        "bring shards of several runs into one cache",
        "python -m features merge photos.cache part-0.cache part-1.cache",
        f"{_OPTIONS}:add_merge_arguments",
        f"{_OPTIONS}:run_merge",
    ),
    Command(
        ("export",),
        "write a cache as one npz or parquet file",
        "python -m features export photos.cache --out photos.npz",
        f"{_OPTIONS}:add_export_arguments",
        f"{_OPTIONS}:run_export",
    ),
)


def main(argv: Sequence[str] | None = None) -> int | None:
    """Parse the command line and run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        By default the process's arguments.

    Returns
    -------
    int or None
        The exit code, where it is not always 0.
    """
    return run_commands(
        COMMANDS,
        "python -m features",
        "Make an index of images, and look at, check, merge and export caches.",
        argv,
    )


if __name__ == "__main__":
    run_command(main)

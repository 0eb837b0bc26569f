"""The ``multilabel`` command: one name in front of the four programs of the project.

Nothing is loaded before `run`, which first says what Ctrl-C does.
"""

import sys

from features.interrupts import end_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

DISTRIBUTION = "multilabel-from-cache"
PROGRAMS = {
    "extract": "images to a feature cache",
    "features": "make an index; look at, check, merge and export caches",
    "classify": "train, predict and sweep on a cache; fine-tune a network",
    "benchmarks": "tables of the papers and measurements, from a checkout of the project",
}
#: Commands under a name of their own: the program that they belong to, and what they do.
SHORTCUTS = {
    "tag": ("classify", "tag a folder of pictures with a trained model"),
    "export-onnx": ("classify", "write a trained model with its backbone as one ONNX file"),
    "audit": ("classify", "look for repeated pictures and doubtful labels in a cache"),
    "suggest": ("classify", "choose the images of a cache to label next"),
    "neighbors": ("classify", "find the images of a cache that look most like given ones"),
    "report": ("classify", "write one HTML page about results, labels and mistakes"),
}


def usage() -> str:
    """Write the help text."""
    lines = [f"  {name:<12}{text}" for name, text in PROGRAMS.items()]
    lines += [f"  {name:<12}{text}" for name, (_, text) in SHORTCUTS.items()]
    return "\n".join(
        [
            "usage: multilabel [--version] PROGRAM ...",
            "",
            "Tag images with several labels at once from cached features.",
            "",
            "programs:",
            *lines,
            "",
            "example:",
            "  multilabel extract --data photos --out photos.cache",
            "  multilabel classify fit photos.cache --out tagger.safetensors",
        ]
    )


def main(argv: "Sequence[str] | None" = None) -> "Any":
    """Run the program that the first word names, with the other words.

    ``multilabel classify fit ...`` is ``python -m classify fit ...``.

    Parameters
    ----------
    argv : sequence of str, optional
        By default the process's arguments.

    Returns
    -------
    object
        What the program returns.

    Raises
    ------
    InputError
        There is no such program, or it is not installed.
    """
    from features.command_line import CommandParser, load
    from features.errors import InputError

    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return None
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"multilabel {version(DISTRIBUTION)}")
        return None
    if words[0] in SHORTCUTS:
        words.insert(0, SHORTCUTS[words[0]][0])
    name, *rest = words
    if name not in PROGRAMS:
        allowed = ", ".join([*PROGRAMS, *SHORTCUTS])
        raise InputError(f"The program must be one of {allowed}. Got {name!r}.")
    from importlib.util import find_spec

    if find_spec(name) is None:
        raise InputError(f"{name} is not installed: run it from a checkout of the project.")
    CommandParser.launcher = "multilabel"
    sys.argv = [f"multilabel {name}", *rest]
    return load(f"{name}.__main__:main")()


def run() -> None:
    """Run `main` and leave the process with its exit code."""
    end_quietly()  # also while what follows is loaded
    from features.command_line import run_command

    run_command(main)

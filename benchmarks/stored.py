"""Result lines that are kept in ``results/TABLE/RUN.jsonl``, with how each run was made."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from benchmarks.catalog import CATALOG, Entry
from classify.results import in_order, parse_results
from features.errors import InputError, check_choice, plain_words
from features.files import write_bytes
from features.files.ownership import make_folder, require_ours

RESULTS = Path(__file__).parent / "results"
_NAME = re.compile(r"[a-zA-Z0-9][\w.-]*/[a-zA-Z0-9][\w.-]*", re.ASCII)
_TAKEN = ("earlier", "notes")  # folders of other things
PLAIN = 100_000  # bytes of a result file above which it is stored compressed

Line = dict[str, Any]


class Stored(NamedTuple):
    """A stored result file.

    Attributes
    ----------
    path : Path
    header : dict
        As the run wrote it; ``table`` names the entry of the catalog.
    run : dict
        How it was made: command, commit, date, machine, seconds.
    lines : list of dict
    """

    path: Path
    header: dict[str, Any]
    run: dict[str, Any]
    lines: list[Line]

    @property
    def name(self) -> str:
        """Name of the run, such as ``msrc_v2-vgg16``."""
        return self.path.name.partition(".jsonl")[0]

    @property
    def page(self) -> str:
        """Where its page lies, relative to the folder of results."""
        return f"{self.path.parent.name}/{self.name}.md"

    @property
    def entry(self) -> Entry:
        """What the catalog knows about its table."""
        check_choice("table", self.header.get("table"), CATALOG, kind="header field")
        return CATALOG[self.header["table"]]


def read_stored(path: Path) -> Stored:
    """Read a stored result file.

    Parameters
    ----------
    path : Path
        ``.jsonl`` or ``.jsonl.gz``.

    Raises
    ------
    InputError
        It is no result file; the message names the line.
    """
    data = path.read_bytes()
    try:
        text = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} is no gzip file ({plain_words(error)}): store its lines again"
        ) from error
    header, lines = parse_results(path, text)
    run = json.loads(text.split(b"\n", 1)[0]).get("run", {})
    if not isinstance(run, dict):
        raise InputError(f"{path}, line 1: run must be an object. Got {run!r}. Store it again.")
    return Stored(path, header, run, in_order(lines))


def store(source: Path, name: str, run: Mapping[str, Any], *, folder: Path = RESULTS) -> Path:
    """Keep the lines of a finished run, with how it was made.

    Parameters
    ----------
    source : Path
        A result file that a command wrote.
    name : str
        ``TABLE/RUN``, such as ``miml/msrc_v2-vgg16``.
    run : mapping
        Command, commit, date, machine, seconds. What is empty stays as the file has it.
    folder : Path

    Returns
    -------
    Path
        ``.jsonl``, or ``.jsonl.gz`` if it is large. Equal lines give equal bytes.

    Raises
    ------
    InputError
        `source` is no result file of a table, `name` has another form, or something else than an
        earlier run of that table is there.
    """
    if not _NAME.fullmatch(name) or name.partition("/")[0] in _TAKEN:
        raise InputError(
            "The 'name' option must be TABLE/RUN, of letters, digits, dots, dashes and "
            f"underscores, as in miml/msrc_v2. Got {name!r}."
        )
    if not source.is_file():
        raise InputError(f"{source} is no file: give the result lines that a command wrote.")
    first, _, rest = source.read_bytes().partition(b"\n")
    parse_results(source, first + b"\n" + rest)
    head = json.loads(first.decode("utf-8-sig"))
    table = head["header"].get("table")
    check_choice("table", table, CATALOG, kind="header field")
    known = {name: value for name, value in run.items() if value}
    head["run"] = {**head.get("run", {}), **known}
    data = json.dumps(head, ensure_ascii=False).encode() + b"\n" + rest
    plain = folder / f"{name}.jsonl"
    packed = plain.with_name(f"{plain.name}.gz")
    for path in (plain, packed):
        require_ours(path, _is_of(path, table), what=f"a result file of {table}")
    make_folder(plain.parent)
    if len(data) > PLAIN:
        path, other, data = packed, plain, gzip.compress(data, mtime=0)
    else:
        path, other = plain, packed
    write_bytes(path, data)
    other.unlink(missing_ok=True)  # of an earlier run that was smaller or larger
    return path


def _is_of(path: Path, table: str) -> Callable[[BinaryIO], bool]:
    return lambda file: read_stored(path).header.get("table") == table


def stored_runs(folder: Path = RESULTS) -> list[Stored]:
    """Read every stored result file, in the order of the catalog."""
    paths = [*folder.glob("*/*.jsonl"), *folder.glob("*/*.jsonl.gz")]
    order = list(CATALOG)
    runs = [read_stored(path) for path in sorted(paths)]
    return sorted(runs, key=lambda one: order.index(one.entry.table))

"""The pictures under a folder, and a count of what else lies there.

Hidden files and the companions that systems leave (`._a.jpg`, `Thumbs.db`, `__MACOSX/`) are
skipped, and so are folders of deleted files and of snapshots, which are counted. Links are
followed; each folder is listed once, so that loops end.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import InputError
from features.inputs.image_kinds import describe_left_out, image_suffixes
from features.inputs.name_forms import CONTROL

_COMPANIONS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"})
#: Folders in which systems and network drives keep what was deleted, and earlier states.
_BINS = frozenset(
    {
        "$recycle.bin", "recycler", "recycled", "system volume information", "#recycle", "@recycle",
        "lost+found", "#snapshot", "~snapshot", "@recently-snapshot", "@snapshot",
    }
)  # fmt: skip
_PLACEHOLDER = ".icloud"  # behind `.` and the name of a file that is on Apple's server only


@dataclass
class Listing:
    """What lies under a folder; paths are relative to it, with `/` between their parts.

    Attributes
    ----------
    pictures : list of str
        Files that are read as pictures, sorted.
    others : list of str
        Other files.
    loops : list of str
        Links to a folder that is listed already, or that holds the folder itself.
    broken : list of str
        Links to nothing, and names of pictures that aren't files.
    bins : list of str
        Folders of deleted files or of snapshots.
    absent : list of str
        Placeholders of pictures that have not been downloaded.
    odd : list of str
        Files whose paths hold control characters or are not UTF-8: no id can be one of these.
    """

    pictures: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    bins: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def left_out(self, *, beside: Iterable[str] = ()) -> tuple[str, ...]:
        """Count by kind what is left out.

        Parameters
        ----------
        beside : iterable of str
            Files that are read as something else, such as `labels.csv`.

        Returns
        -------
        tuple of str
            One line for files, one for each kind of links, one for bins, one for placeholders, one
            for odd names; empty where there are none.
        """
        known = set(beside)
        lines = [describe_left_out(name for name in self.others if name not in known)]
        if self.loops:
            lines.append(
                f"{len(self.loops)} links to folders that are listed already are left out (first "
                f"{self.loops[0]!r})"
            )
        if self.broken:
            lines.append(
                f"{len(self.broken)} links to nothing, or no files, are left out (first "
                f"{self.broken[0]!r})"
            )
        if self.bins:
            lines.append(
                f"{len(self.bins)} folders of deleted files or snapshots are left out (first "
                f"{self.bins[0]!r})"
            )
        if self.absent:
            lines.append(
                f"{len(self.absent)} pictures are placeholders of iCloud (first "
                f"{self.absent[0]!r}): download them to have them read"
            )
        return tuple(filter(None, [*lines, self.oddly_named()]))

    def oddly_named(self) -> str:
        """Count the files of odd names in a line, or nothing."""
        if not self.odd:
            return ""
        return (
            f"{len(self.odd)} files whose names are no plain paths in UTF-8 are left out (first "
            f"{self.odd[0]!r})"
        )


def is_companion(name: str) -> bool:
    """Tell whether a file or folder is hidden, or one of those that systems leave behind.

    Examples
    --------
    >>> is_companion("._0.xml"), is_companion("Thumbs.db"), is_companion("0.xml")
    (True, True, False)
    """
    return name.startswith(".") or name.casefold() in _COMPANIONS or _is_bin(name)


def _is_bin(name: str) -> bool:
    return name.casefold() in _BINS


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sort paths, without companions, and without folders that are called like files."""
    return sorted(path for path in paths if not (is_companion(path.name) or path.is_dir()))


def scan(folder: Path) -> Listing:
    """List a folder at any depth.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Listing
        Every real folder is listed once: under its own path if it lies in `folder`, or else under
        the first link to it, in the order of paths.

    Raises
    ------
    InputError
        A folder can't be read.
    """
    found = Listing()
    suffixes = image_suffixes()
    seen = {_identity(parent) for parent in (folder.resolve(), *folder.resolve().parents)}
    links: list[tuple[str, str]] = []
    _walk(os.fspath(folder), "", found, suffixes, seen, links)
    while links:
        links.sort(reverse=True)
        relative, path = links.pop()
        identity = _identity(path)
        if identity in seen:
            found.loops.append(relative)
            continue
        seen.add(identity)
        _walk(path, f"{relative}/", found, suffixes, seen, links)
    for names in vars(found).values():
        names.sort()
    return found


def list_images(images: Path) -> tuple[str, ...]:
    """List the files under a folder, at any depth, whose name ends like an image's.

    Parameters
    ----------
    images : Path
        The folder.

    Returns
    -------
    tuple of str
        Sorted paths relative to `images`, with `/` between their parts; see `scan`.
    """
    return tuple(scan(images).pictures)


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _listed(folder: str) -> "os._ScandirIterator[str]":
    try:
        return os.scandir(folder)
    except OSError as error:  # pictures would be missing without a word
        raise InputError(
            f"The folder {folder} can't be listed ({error.strerror}). Give the permission to read "
            "it, or move it away."
        ) from error


def _walk(
    top: str,
    prefix: str,
    found: Listing,
    suffixes: frozenset[str],
    seen: set[tuple[int, int]],
    links: list[tuple[str, str]],
) -> None:
    """List real folders; put links to folders aside, since a real path goes first."""
    waiting = [(top, prefix)]
    while waiting:
        folder, prefix = waiting.pop()
        with _listed(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if is_companion(entry.name):
                    if _is_bin(entry.name):
                        found.bins.append(name)
                    elif entry.name.endswith(_PLACEHOLDER):
                        found.absent.append(name)
                    continue
                if entry.is_dir(follow_symlinks=False):
                    identity = _identity(entry.path)
                    if identity in seen:  # reached by a link before
                        found.loops.append(name)
                        continue
                    seen.add(identity)
                    waiting.append((entry.path, f"{name}/"))
                # entry.is_dir() raises for a link to itself; what is no link needs no look at it
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    links.append((name, entry.path))
                elif CONTROL.search(name):
                    found.odd.append(name)
                elif not _is_picture(entry.name, suffixes):
                    found.others.append(name)
                elif entry.is_file(follow_symlinks=False) or os.path.isfile(entry.path):
                    found.pictures.append(name)
                else:
                    found.broken.append(name)


def _is_picture(name: str, suffixes: frozenset[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes

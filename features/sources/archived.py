"""A data set in archives: the same rows, ids, paths and labels as the folder they were made of."""

from pathlib import Path

from features.datasets import BESIDE, Dataset, Members, index_images
from features.errors import InputError
from features.inputs.image_kinds import image_suffixes
from features.labels import read_labels_csv
from features.sources.archive import Archive
from features.sources.base import Fault
from features.sources.webdataset import read_labels

MOST_LABELS = 1 << 30  # bytes of a labels.csv
LABELS = "labels.csv"
NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def load_archive(archive: Archive, *, strict_names: bool = False) -> Dataset:
    """Read the members of archives as `features.datasets.load_dataset` reads a folder.

    Parameters
    ----------
    archive : Archive
    strict_names : bool
        Refuse names in `labels.csv` that are not exactly their members'.

    Returns
    -------
    Dataset
        Without `labels.csv` with the labels of `features.sources.webdataset`, if there are any;
        whose `root` is the first archive.

    Raises
    ------
    InputError
        There are no pictures, or as for `features.datasets.load_dataset`.
    """
    root = archive.files[0].path
    front = "images/" if any(n.startswith("images/") for n in archive.listing.pictures) else ""
    pictures = [name[len(front) :] for name in archive.listing.pictures if name.startswith(front)]
    members = Members(archive, front, pictures)
    images = root / "images" if front else root
    if LABELS in archive:
        source = root / LABELS
        ids, labels, names = read_labels_csv(source, content=_labels_of(archive, source))
        return index_images(
            images, ids, labels, names, source=source, root=root, strict_names=strict_names,
            notes=archive.notes, members=members,
        )  # fmt: skip
    if not pictures:
        raise _nothing(archive, root)
    found = read_labels(archive, [front + name for name in pictures])
    left_out = archive.listing.left_out(beside=(*BESIDE, *found.used))
    return index_images(
        images, pictures, found.labels, found.label_names, source=root, root=root,
        notes=(*archive.notes, *found.notes, *left_out), members=members,
    )  # fmt: skip


def _labels_of(archive: Archive, source: Path) -> bytes:
    try:
        return archive.read(LABELS, MOST_LABELS)
    except Fault as fault:
        raise InputError(
            f"{source} can't be read ({fault.reason.lower()}). Make the archive again."
        ) from fault


def _nothing(archive: Archive, root: Path) -> InputError:
    lines = [f"No images in {root}", *archive.notes, *archive.listing.left_out()]
    if any(name.endswith(NESTED) for name in archive.listing.others):
        lines.append("archives in an archive are not opened: give --data these")
    endings = " ".join(sorted(image_suffixes()))
    return InputError(f"{'; '.join(lines)}. Put some there ({endings}).")

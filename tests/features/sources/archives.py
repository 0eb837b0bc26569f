"""Zip and tar files of given members, also such as no program would write."""

import io
import tarfile
import zipfile


def make_tar(path, members, form=tarfile.PAX_FORMAT):
    """Write a tar of (name or TarInfo, bytes) pairs."""
    with tarfile.open(path, "w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def make_zip(path, members, method=zipfile.ZIP_STORED):
    """Write a zip of (name or ZipInfo, bytes) pairs."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(name, data, method)
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    """Make the entry of a link in a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def files_of(folder):
    """List a folder's files as members."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths]


def archive(folder, path, *, front=""):
    """Write a folder's files as a zip or a tar, as the name ends."""
    members = [(front + name, data) for name, data in files_of(folder)]
    return (make_zip if path.suffix == ".zip" else make_tar)(path, members)

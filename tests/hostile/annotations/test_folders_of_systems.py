"""What systems, network drives and clouds put among pictures: no data, and not in silence."""

import pytest

from features.annotations.catalog import AUTO, find_format
from features.datasets import load_dataset
from features.errors import InputError
from tests.annotation_samples import write_files

BINS = [
    "$RECYCLE.BIN/S-1-5-21/$R1.jpg",  # Windows
    "RECYCLER/1.jpg",
    "System Volume Information/1.jpg",
    "#recycle/b.jpg",  # Synology
    "#snapshot/daily/a.jpg",
    "@Recycle/b.jpg",  # QNAP
    "@Recently-Snapshot/a.jpg",
    "~snapshot/hourly.0/a.jpg",  # NetApp
    "lost+found/#12.jpg",
    "2024/#recycle/b.jpg",
]


@pytest.mark.parametrize("name", BINS)
def test_deleted_pictures_and_snapshots_are_no_data(tmp_path, name):
    found = load_dataset(write_files(tmp_path, {"a.jpg": "a", name: "b"}))
    assert found.ids == ("a.jpg",)
    (note,) = found.notes
    folder = "2024/#recycle" if name.startswith("2024") else name.split("/")[0]
    assert note == f"1 folders of deleted files or snapshots are left out (first {folder!r})"


def test_a_name_that_a_table_states_is_read_from_wherever_it_is(tmp_path):
    files = {"images/#recycle/a.jpg": "a", "labels.csv": "image,cat\n#recycle/a.jpg,1\n"}
    assert load_dataset(write_files(tmp_path, files)).ids == ("#recycle/a.jpg",)


def test_pictures_that_are_not_downloaded_are_counted(tmp_path):
    files = {"a.jpg": "a", ".IMG_1.HEIC.icloud": "bplist00", ".b.jpg.icloud": "bplist00"}
    found = load_dataset(write_files(tmp_path, {**files, "Icon\r": "", "._a.jpg": "x"}))
    assert found.ids == ("a.jpg",)
    assert found.notes == (
        "2 pictures are placeholders of iCloud (first '.IMG_1.HEIC.icloud'): download them to have "
        "them read",
    )


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (
            {"a.cr3": "x", "b.CR3": "x"},
            r"no image; 2 files are not read as pictures: 2 .cr3 \(camera",
        ),
        ({"abc": "x"}, "no image; 1 file is not read as pictures: 1 without an ending. Give"),
        ({".a.jpg.icloud": "x"}, "no image; 1 pictures are placeholders of iCloud"),
        ({"#recycle/a.jpg": "x"}, "no image; 1 folders of deleted files or snapshots are left out"),
    ],
)
def test_a_folder_without_pictures_says_what_is_there(tmp_path, files, text):
    with pytest.raises(InputError, match=text):
        load_dataset(write_files(tmp_path, files))


NO_DATA_SETS = {
    "a.zip": (b"Rar!\x1a\x07\x01\x00" + bytes(90), "is a RAR archive; unpack it. Give a folder"),
    "b.zip": (b"7z\xbc\xaf\x27\x1c" + bytes(90), "is a 7z archive; unpack it. Give"),
    "c.tar": (b"<!DOCTYPE html><html>login</html>", "is an HTML page. Give"),
    "d.parquet": (b"version https://git-lfs.github.com/spec/v1\noid 1\n", "is a Git LFS pointer"),
    "e.txt": (b"version https://git-lfs.github.com/spec/v1\noid 1\n", "run `git lfs pull`"),
    "g.parquet": (b"/annex/objects/MD5-s1--ab\n", "is a git-annex pointer"),
    "h": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file. Give"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_DATA_SETS)
def test_what_is_downloaded_instead_of_a_data_set_is_named(tmp_path, name):
    content, text = NO_DATA_SETS[name]
    with pytest.raises(InputError, match=text):
        load_dataset(write_files(tmp_path, {name: content}) / name)


@pytest.mark.parametrize("broken", ["", "<ann"])
def test_a_broken_file_among_annotations_is_named(tmp_path, broken):
    """It comes first, and once hid of what form the folder is."""
    whole = "<annotation><filename>b.jpg</filename><object><name>cat</name></object></annotation>"
    write_files(tmp_path, {"A/a.xml": broken, "A/b.xml": whole, "images/b.jpg": "b"})
    source = tmp_path / "A"
    with pytest.raises(InputError, match=r"a\.xml is not XML"):
        find_format(AUTO, source).read(source, tmp_path / "images")

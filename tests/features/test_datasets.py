"""A folder, its labels.csv and its split.csv: what is read, and one line for each mistake."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.datasets import file_sizes, index_images, load_dataset
from features.errors import InputError
from features.files import TEMPORARY, remove_temporaries
from features.inputs.image_kinds import image_suffixes
from features.inputs.listing import list_images
from features.labels import read_labels_csv, read_split_csv, write_labels_csv
from tests.hostile.damage import overwrite


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them deep and not ASCII, none of them labeled."""
    for position, name in enumerate(["b.jpg", "a.PNG", "zoo/Katze ß, Öl.jpeg"]):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * position)
    return tmp_path


def write_csv(folder, text, encoding="utf-8"):
    (folder / "labels.csv").write_bytes(text.encode(encoding))


def test_rows_are_those_of_the_csv(folder):
    write_csv(folder, 'image,cat,dog\nb.jpg,1,0\n"zoo/Katze ß, Öl.jpeg",-1,\n\na.PNG,0,1\n')
    dataset = load_dataset(str(folder))
    assert len(dataset) == 3
    assert dataset.root == folder
    assert dataset.ids == ("b.jpg", "zoo/Katze ß, Öl.jpeg", "a.PNG")
    assert dataset.paths == ("images/b.jpg", "images/zoo/Katze ß, Öl.jpeg", "images/a.PNG")
    assert dataset.label_names == ("cat", "dog")
    assert dataset.labels.dtype == np.int8
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [-1, -1], [0, 1]])
    np.testing.assert_array_equal(file_sizes(dataset), [0, 2, 1])
    assert file_sizes(dataset).dtype == np.int64


def test_without_csv_the_rows_are_the_sorted_files(folder):
    images = folder / "images"
    for name in (
        ".hidden.jpg",
        ".cache/c.jpg",
        "notes.txt",
        "Thumbs.db",
        "jpg",
        "folder.jpg/d.gif",
    ):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).touch()
    (images / "link.bmp").symlink_to("b.jpg")
    (images / "gone.bmp").symlink_to("nowhere.jpg")
    (images / "loop").symlink_to("..")
    dataset = load_dataset(folder)
    expected = ("a.PNG", "b.jpg", "folder.jpg/d.gif", "link.bmp", "zoo/Katze ß, Öl.jpeg")
    assert dataset.ids == expected == list_images(images)
    assert dataset.labels is None
    assert dataset.label_names == ()


@pytest.mark.parametrize("suffix", sorted(image_suffixes()))
def test_suffixes_in_either_case_are_images(tmp_path, suffix):
    for name in (f"a{suffix}", f"b{suffix.upper()}"):
        (tmp_path / name).touch()
    assert list_images(tmp_path) == (f"a{suffix}", f"b{suffix.upper()}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_make_no_difference(folder, encoding, end):
    write_csv(folder, end.join(["image,Öl", "b.jpg,1", "a.PNG,0"]), encoding)
    dataset = load_dataset(folder)
    assert (dataset.ids, dataset.label_names) == (("b.jpg", "a.PNG"), ("Öl",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it must have a column 'image'"),
        ("file,cat\nb.jpg,1\n", "must be 'image', .* The first is 'file'"),
        ("image cat\nb 1\n", "separated by commas. The first is 'image cat'"),
        ("image\nb.jpg\n", "names no labels"),
        ("image,cat,,dog\nb.jpg,1,1,0\n", "label 2 is called ''"),
        ('image,"cat\ndog"\nb.jpg,1\n', r"label 1 is called 'cat\\ndog'"),
        ("image,cat,dog,cat\nb.jpg,1,1,1\n", r"labels of one name: 1 \(first 'cat'\)"),
        ("image,cat\n", "lists no images"),
        ("image,cat\nb.jpg,1\na.PNG,0,1\n", "line 3: 3 fields where the header has 2"),
        ("image,cat\nb.jpg\n", "line 2: 1 fields where the header has 2"),
        ("image,cat,dog\n\nb.jpg,0,yep\n", "line 3, column 'dog': a label must be 1, .* Got 'yep'"),
        ("image,cat\nb.jpg,2\n", "line 2, column 'cat': .* Got '2'"),
        ("image,cat\nb.jpg, 2\n", "line 2, column 'cat': .* Got ' 2'"),
        ("image,cat\nb.jpg,0.5\n", "line 2, column 'cat': .* Got '0.5'"),
        ("image,cat\nb.jpg,1\na.PNG,1\nb.jpg,0\n", r"images twice: 1 \(first 'b.jpg'\)"),
        (
            "image,cat\nb.jpg,1\nx.jpg,1\ny.jpg,1\n",
            r"2 \(first 'x.jpg', 'y.jpg'\) of 3 .*not found",
        ),
        ("image,cat\n../b.jpg,1\n", "'../b.jpg' is not a plain path"),
        ("image,cat\nzoo/../b.jpg,1\n", "'zoo/../b.jpg' is not a plain path"),
        ("image,cat\n/etc/c.jpg,1\n", "'/etc/c.jpg' is not a plain path"),
        ("image,cat\n,1\n", "line 2: no image is named. Name one, or remove the line"),
        ('image,cat\n"b\n.jpg",1\n', r"'b\\n.jpg' is not a plain path"),
        ('image,cat\n"b.jpg,1\n', "after line 1: .*. Repair the quotes"),
        ('image,cat\nb.jpg,1\n"a"x,1\n', "after line 2: .*. Repair the quotes"),
    ],
)
def test_a_malformed_csv_is_one_line(folder, text, message):
    write_csv(folder, text)
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(folder)
    assert "\n" not in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_another_encoding_is_named(folder):
    write_csv(folder, "image,Öl\nb.jpg,1\n", "latin-1")
    with pytest.raises(InputError, match=r"labels\.csv is not UTF-8. Save it again"):
        load_dataset(folder)


def test_folders_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere is not there. Give a folder of images"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="There is no folder images/ in "):
        load_dataset(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"No images in .*\(\.apng"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "d/" * 3000, "x" * 300 + ".tar", "a\0b", "loop"])
def test_a_name_that_no_file_system_takes_is_one_line(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="(too long|is not there)") as caught:
        load_dataset(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_listed_folder_keeps_its_row(folder):
    """What can't be decoded is for the extraction to report, row by row."""
    write_csv(folder, "image,cat\nzoo,1\nb.jpg,0\n")
    assert load_dataset(folder).ids == ("zoo", "b.jpg")


def test_images_that_were_moved_are_named(tmp_path):
    (tmp_path / "images").symlink_to("/moved/elsewhere")
    (tmp_path / "thumbnail.jpg").touch()
    message = "images is a link to nothing: /moved/elsewhere is not there. Restore it"
    with pytest.raises(InputError, match=message):
        load_dataset(tmp_path)


def test_a_broken_link_is_no_missing_csv(folder):
    (folder / "labels.csv").symlink_to("nowhere.csv")
    with pytest.raises(FileNotFoundError):
        load_dataset(folder)


def test_index_images_refuses_empty_label_lists(folder):
    with pytest.raises(InputError, match="here names no labels"):
        index_images(folder / "images", ["b.jpg"], np.zeros((1, 0), np.int8), (), source="here")


plain_text = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(code) for code in [*range(32), 127]]
    ),
    min_size=1,
    max_size=8,
)
parts = plain_text.filter(lambda part: part not in (".", "..") and "/" not in part)
images = st.lists(parts, min_size=1, max_size=3).map("/".join)


@st.composite
def label_tables(draw):
    ids = draw(st.lists(images, min_size=1, max_size=6, unique=True))
    names = draw(
        st.lists(plain_text.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True)
    )
    row = st.lists(st.sampled_from([1, 0, -1]), min_size=len(names), max_size=len(names))
    return ids, draw(st.lists(row, min_size=len(ids), max_size=len(ids))), names


@given(table=label_tables())
def test_what_is_written_is_read_back(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    ids, labels, names = table
    write_labels_csv(path, ids, labels, names)
    read_ids, read_labels, read_names = read_labels_csv(path)
    assert (list(read_ids), list(read_names)) == (ids, names)
    np.testing.assert_array_equal(read_labels, labels)


TABLE = b'image,cat,dog\n"b,1.jpg",1,0\nzoo/a.png,0,-1\n'


@given(position=st.integers(0, len(TABLE) - 1), byte=st.integers(0, 255))
def test_a_corrupted_byte_is_an_input_error_or_a_whole_table(tmp_path_factory, position, byte):
    path = tmp_path_factory.getbasetemp() / "corrupted.csv"
    content = bytearray(TABLE)
    content[position] = byte
    overwrite(path, content)
    try:
        ids, labels, names = read_labels_csv(path)
    except InputError:
        return
    assert labels.shape == (len(ids), len(names))
    assert np.isin(labels, (-1, 0, 1)).all()


@pytest.mark.parametrize(
    ("ids", "labels", "names", "message"),
    [
        (["a.jpg"], [[1, 0]], ["cat"], r"must have shape \(1, 1\). Got \(1, 2\)"),
        (["a.jpg"], [[2]], ["cat"], "must be 1, 0 or -1"),
        (["a.jpg"], [[np.nan]], ["cat"], "must be 1, 0 or -1"),
        (["../a.jpg"], [[1]], ["cat"], "not a plain path"),
        (["a.jpg", "a.jpg"], [[1], [0]], ["cat"], "images twice"),
        (["a.jpg"], [[1]], [""], "label 1 is called ''"),
        ([], np.zeros((0, 1)), ["cat"], "lists no images"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, ids, labels, names, message):
    path = tmp_path / "labels.csv"
    with pytest.raises(InputError, match=message):
        write_labels_csv(path, ids, labels, names)
    assert list(tmp_path.iterdir()) == []


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from features.labels import write_labels_csv

class Ids(list):
    looks = 0
    def __iter__(self):
        Ids.looks += 1
        for place, image in enumerate(super().__iter__()):
            if place == len(self) // 2 and Ids.looks == LAST:
                os.kill(os.getpid(), signal.SIGKILL)
            yield image

LAST = 3  # the checks look twice, then the writer does
ids = Ids(f"{place}.jpg" for place in range(20_000))
write_labels_csv(Path(sys.argv[1]), ids, np.zeros((20_000, 1)), ["cat"])
"""


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "labels.csv"
    write_labels_csv(path, ["a.jpg"], [[1]], ["cat"])
    before = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert len(list(tmp_path.glob(f"*{TEMPORARY}"))) == 1  # it was in the middle of the file
    assert remove_temporaries(tmp_path) == 1


def test_splits_are_rows_of_the_index(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("image,split\nc.jpg,test\na.jpg,train\nd.jpg,val\nb.jpg,train\n")
    splits = read_split_csv(path, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    assert {name: rows.tolist() for name, rows in splits.items()} == {
        "train": [0, 1],
        "val": [3],
        "test": [2],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the columns must be image,split. Got ."),
        ("image,set\na.jpg,train\n", r"the columns must be image,split. Got image,set"),
        (
            "image,split\na.jpg,training\n",
            "line 2: the 'split' column must be one of train, val, test. Got 'training'",
        ),
        ("image,split\na.jpg,train\na.jpg,test\n", "line 3: 'a.jpg' is listed twice"),
        ("image,split\na.jpg,train\nb.jpg,test\nx.jpg,test\n", "1 .*'x.jpg'.* not in the index"),
        ("image,split\na.jpg,train\n", r"no split for 1 \(first 'b.jpg'\)"),
        ("image,split\na.jpg\n", "line 2: 1 fields where the header has 2"),
    ],
)
def test_a_malformed_split_is_one_line(tmp_path, text, message):
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_split_csv(path, ["a.jpg", "b.jpg"])
    assert re.match(re.escape(str(path)), str(caught.value))


def test_msrc_is_as_published(msrc):
    dataset = load_dataset(msrc)
    assert dataset.labels.shape == (591, 23)
    counts = "150 242 144 45 3 35 160 26 30 79 60 46 32 35 34 38 35 32 161 24 30 67 33"
    assert (dataset.labels == 1).sum(axis=0).tolist() == [int(count) for count in counts.split()]
    assert (dataset.labels == 1).sum() == 1541
    assert (file_sizes(dataset) > 0).all()


def test_corel5k_is_as_published(corel):
    dataset = load_dataset(corel)
    assert dataset.labels.shape == (4999, 374)
    splits = read_split_csv(corel / "split.csv", dataset.ids)
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 4500, "test": 499}

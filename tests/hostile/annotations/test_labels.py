"""Labels that can teach nothing, and csv files as common tools write them."""

import re

import numpy as np
import pytest

from features.commands.info import describe_cache
from features.datasets import load_dataset
from features.errors import InputError
from features.inputs.label_warnings import label_warnings
from tests.caches import write_problem


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ([0, 0, 0], r"no image has 1 \(first 'dog'\) of 2 labels"),
        ([-1, -1, -1], r"no image has 1 \(first 'dog'\)"),
        ([0, -1, 0], r"no image has 1 \(first 'dog'\)"),
        ([1, -1, -1], r"known to lack 1 \(first 'dog'\).*Write 0 if -1 was meant as absent"),
        ([1, 1, -1], r"known to lack 1 \(first 'dog'\)"),
        ([1, 1, 1], r"every image has 1 \(first 'dog'\)"),
    ],
)
def test_a_label_that_teaches_nothing_is_one_line(column, line):
    labels = np.array([[1, 0, -1], column], dtype=np.int8).T
    (found,) = label_warnings(labels, ("cat", "dog"))
    assert re.search(line, found)
    assert "\n" not in found


@pytest.mark.parametrize("name", ["cat ", "Cat", " c at", "c\u2003at", "cat_", "cat\u200b"])
def test_one_name_twice_but_for_a_blank_is_named(name):
    (found,) = label_warnings(np.array([[1, 0], [0, 1]], dtype=np.int8), ("cat", name))
    assert f"'cat' and {name!r}" in found


def test_a_sound_table_has_no_warning():
    labels = np.array([[1, 0], [0, 1], [-1, -1]], dtype=np.int8)
    assert label_warnings(labels, ("cat", "dog")) == ()


def test_a_file_of_1_and_minus_1_is_one_line_and_not_one_per_label():
    labels = np.where(np.eye(5), 1, -1).astype(np.int8)
    (found,) = label_warnings(labels, tuple("abcde"))
    assert "5 (first 'a', 'b', 'c') of 5 labels" in found


def test_info_names_labels_that_teach_nothing(tmp_path):
    labels = np.array([[1, 1, 0, 1], [0, 1, 0, -1], [1, 1, 0, -1]], dtype=np.int8)
    names = ["good", "always", "never", "meant"]
    cache = write_problem(tmp_path, names, labels, {"a/b": np.ones((3, 2))})
    lines = [line.strip() for line in describe_cache(cache).splitlines()]
    assert [line for line in lines if "of 4 labels" in line] == list(label_warnings(labels, names))
    assert len(label_warnings(labels, names)) == 3


# labels.csv as spreadsheets and libraries write it


def load(folder, content):
    for name in ("a.jpg", "b,c.jpg"):
        (folder / name).touch()
    (folder / "labels.csv").write_bytes(content)
    return load_dataset(folder)


PLAIN = 'image,cat,big dog\na.jpg,1,0\n"b,c.jpg",-1,1\n'


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        "\n\n" + PLAIN + ",,\n\n",
        'image;cat;big dog\na.jpg;1;0\n"b,c.jpg";-1;1\n',
        "sep=;\nimage;cat;big dog\na.jpg;1,0;0,0\nb,c.jpg;-1,0;1,0\n",
        "image\tcat\tbig dog\na.jpg\t1\t0\nb,c.jpg\t-1\t1\n",
        'Image, cat , big dog\na.jpg, 1 , 0\n"b,c.jpg", -1,1 \n',
        'image, "cat", "big dog"\n"a.jpg", "1", "0"\n"b,c.jpg", "-1", "1"\n',
        '"image","cat","big dog"\n"a.jpg","1","0"\n"b,c.jpg","","1"\n',
        'image,cat,big dog\n a.jpg ,1.0,0.0\n"b,c.jpg",-1.0,1.00\n',
        'image,cat,big dog\na.jpg,True,False\n"b,c.jpg",,TRUE\n',
        'image,cat,big dog\na.jpg,yes,no\n"b,c.jpg",NA,Y\n',
        'image,cat,big dog\na.jpg,1e0,-0.0\n"b,c.jpg",nan,+1\n',
        ',image,cat,big dog\n0,a.jpg,1,0\n1,"b,c.jpg",-1,1\n',
        'Unnamed: 0,image,cat,big dog\n0,a.jpg,1,0\n1,"b,c.jpg",-1,1\n',
        'id,Unnamed: 0,image,cat,big dog\n7,0,a.jpg,1,0\n9,1,"b,c.jpg",-1,1\n',
        'image,cat,big dog,\na.jpg,1,0,\n"b,c.jpg",-1,1,\n',
        'image,cat,big dog\na.jpg,1,0,,\n"b,c.jpg",-1,1,\n',
        "image|cat|big dog\na.jpg|1|0\nb,c.jpg|-1|1\n",
        "image;cat;big dog\na.jpg;WAHR;FALSCH\nb,c.jpg;;WAHR\n",
        'image,cat,big dog\na.jpg,present,absent\n"b,c.jpg",unknown,Present\n',
        'image,cat,big dog\na.jpg,Vrai,Faux\n"b,c.jpg",N/A,on\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_dialect_gives_the_same_labels(tmp_path, text, encoding):
    if encoding == "utf-16":
        text = text.removeprefix("\ufeff")  # the encoder writes one
    dataset = load(tmp_path, text.encode(encoding))
    assert dataset.ids == ("a.jpg", "b,c.jpg")
    assert dataset.label_names == ("cat", "big dog")
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [-1, 1]])


@pytest.mark.parametrize("cell", ["2", "0.5", "-2", "1_0", "maybe", "inf", "x", "1 0", "0x1", "--"])
def test_a_cell_that_says_neither_is_named(tmp_path, cell):
    message = rf"labels.csv, line 3, column 'dog': a label must be .* Got '{cell}'"
    with pytest.raises(InputError, match=message):
        load(tmp_path, f'image,cat,dog\na.jpg,1,1\n"b,c.jpg",0,{cell}\n'.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"PK\x03\x04\x14\0\x06\0" + bytes(40), "is a workbook of a spreadsheet. Save it as csv"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(40), "is a workbook of a spreadsheet"),
        ("image,é\na.jpg,1\n".encode("cp1252"), "is not UTF-8. Save it again with that"),
        (b"image,cat\na.jpg,1,0\n", "line 2: 3 fields where the header has 2"),
    ],
)
def test_other_files_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=f"labels.csv.* {message}"):
        load(tmp_path, text)


def test_names_that_differ_by_a_blank_stay_apart_and_are_told(tmp_path):
    dataset = load(tmp_path, b'image,cat,cat \na.jpg,1,0\n"b,c.jpg",0,1\n')
    assert dataset.label_names == ("cat", "cat ")
    (line,) = label_warnings(dataset.labels, dataset.label_names)
    assert "'cat' and 'cat '" in line


def test_two_columns_of_one_name_are_still_refused(tmp_path):
    with pytest.raises(InputError, match=r"labels of one name: 1 \(first 'cat'\)"):
        load(tmp_path, b"image,cat,cat\na.jpg,1,0\n")

"""Wide csv files with further columns, and those whose -1 means absent."""

import numpy as np
import pytest

from features.__main__ import main
from features.annotations.catalog import AUTO, find_format
from features.datasets import load_dataset
from features.errors import InputError
from tests.annotation_samples import write_files

NAMES = ("a", "b", "c", "d")
CHEXPERT = """Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema
set/train/a.jpg,Female,68,Frontal,AP,1.0,
set/train/b.jpg,Male,1,Lateral,,0.0,-1.0
set/train/c.jpg,F,0,Frontal,PA,,1.0
set/train/d.jpg,Unknown,87,Frontal,AP,,0.0
"""
NIH = """Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,\
View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],
a.jpg,Cardiomegaly|Emphysema,000,1,57Y,M,PA,2682,2749,0.143,0.143,
b.jpg,No Finding,001,2,58Y,F,AP,2894,2729,0.168,0.168,
"""


def write(folder, text):
    files = {f"images/{name}.jpg": b"" for name in NAMES}
    return write_files(folder, {"given.csv": text, **files}) / "given.csv"


def read(folder, text, **options):
    source = write(folder, text)
    return find_format(AUTO, source).read(source, folder / "images", **options)


def wide(columns):
    """Write a file of a label and further columns, each given by its cells."""
    names, cells = zip(*columns.items(), strict=True)
    rows = zip((f"{name}.jpg" for name in NAMES), "1010", *cells, strict=True)
    return "\n".join(["image,cat," + ",".join(names), *(",".join(row) for row in rows)]) + "\n"


def test_columns_of_chest_x_rays_are_left_out_and_named(tmp_path):
    dataset = read(tmp_path, CHEXPERT)
    assert dataset.label_names == ("No Finding", "Edema")
    np.testing.assert_array_equal(dataset.labels, [[1, -1], [0, -1], [-1, 1], [-1, 0]])
    line = "columns that are not read as labels: 'Sex', 'Age', 'Frontal/Lateral', 'AP/PA'"
    assert [note for note in dataset.notes if line in note]
    lists = read(tmp_path / "nih", NIH)
    assert lists.label_names == ("Cardiomegaly", "Emphysema", "No Finding")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *((name, ("train", "val", "train", "test")) for name in ("split", "Subset", "partition")),
        ("set", ("train", "val", "train", "test")),
        ("partition", "0002"),
        ("fold", "0101"),  # it looks like a label
        ("split", "1010"),
        ("kind_of_day", ("sunny", "rainy", "sunny", "dark")),
        ("count", "4792"),
        ("file_size", ("12", "1", "0", "1")),
        ("width", ("640", "480", "640", "1")),
        ("image_height", "1111"),
        ("md5", ("0cc1", "0cc2", "0cc3", "1")),
        ("checksum", ("0cc1", "0cc2", "0cc3", "1")),
        ("url", ("http://x/a.jpg", "", "http://x/c.jpg", "http://x/d.jpg")),
        ("file_path", ("p/a.jpg", "p/b.jpg", "p/c.jpg", "p/d.jpg")),
        ("source", ("flickr",) * 4),
        ("date", ("2020-01-01",) * 4),
        ("timestamp", ("1600000000",) * 4),
        ("patient_id", ("1", "1", "2", "3")),
        ("Sex", "FFFM"),
        ("View Position", ("PA", "AP", "", "AP")),
    ],
)
def test_what_is_no_label_is_left_out_and_named(tmp_path, name, cells):
    dataset = read(tmp_path, wide({name: cells, "dog": "0110"}))
    assert dataset.label_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [0, 1], [1, 1], [0, 0]])
    assert dataset.notes[-1].endswith(f"columns that are not read as labels: {name!r}")


@pytest.mark.parametrize(
    ("name", "cells", "line"),
    [
        ("dog", ("1", "0", "yess", "1"), 4),
        ("dog", ("1", "0", "", "2"), 5),
        ("dog", ("0.2", "0.9", "0.1", "0.4"), 2),  # shares
        ("dog", "xxxx", 2),  # a mark
        ("dog", ("12", "", "", "12"), 2),
        ("dog", "1123", 4),
        ("date", "1012", 5),
    ],
)
def test_a_label_with_a_bad_cell_is_an_error_with_the_cell(tmp_path, name, cells, line):
    text = wide({name: cells, "split": ("train",) * 4})
    if name == "date":  # a fruit: one cell of many
        text += "e.jpg,0,1,train\nf.jpg,0,1,train\n"
    with pytest.raises(
        InputError, match=f"line {line}, column '{name}': a label must be"
    ) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["path", "partition", "hash", "date", "size", "frame", "picture", "set", "camera", "lock_id"],
)
def test_a_label_that_is_called_like_something_else_is_a_label(tmp_path, name):
    dataset = read(tmp_path, wide({name: "0110"}))
    assert dataset.label_names == ("cat", name) and dataset.notes == ()


def test_a_table_without_a_label_is_refused(tmp_path):
    with pytest.raises(InputError, match="column 'split': a label must be"):
        read(tmp_path, "image,split,width\na.jpg,train,640\nb.jpg,test,480\n")


def test_a_labels_csv_stays_strict_and_is_told_the_command(tmp_path):
    write(tmp_path, wide({"split": ("train",) * 4})).rename(tmp_path / "labels.csv")
    message = "column 'split': a label must be .* --format csv-columns .* turns it into columns"
    with pytest.raises(InputError, match=message):
        load_dataset(tmp_path)


# -1 that means absent

CELEBA = "image_id,Bald,Bangs\na.jpg,-1,1\nb.jpg,1,-1\nc.jpg,-1,-1\n"


def test_a_file_of_1_and_minus_1_names_the_option(tmp_path):
    dataset = read(tmp_path, CELEBA)
    np.testing.assert_array_equal(dataset.labels, [[-1, 1], [1, -1], [-1, -1]])
    assert (
        "every cell is filled; -1 is taken as unknown. If it means absent, give --negative absent"
        in dataset.notes[-1]
    )
    absent = read(tmp_path, CELEBA, negative=0)
    np.testing.assert_array_equal(absent.labels, [[0, 1], [1, 0], [0, 0]])
    assert absent.notes == ()


def test_the_option_changes_neither_empty_cells_nor_words(tmp_path):
    absent = read(tmp_path, "image,cat,dog\na.jpg,-1,\nb.jpg,-1.0,NA\nc.jpg,1,0\n", negative=0)
    np.testing.assert_array_equal(absent.labels, [[0, -1], [0, -1], [1, 0]])
    blank = read(tmp_path / "blank", "image,cat,dog\na.jpg,1,\nb.jpg,,1\n")
    assert blank.notes == ()  # there is no -1 that could mean something else


def test_lines_with_a_value_take_the_option(tmp_path):
    text = "image,label,value\na.jpg,cat,-1\nb.jpg,cat,1\n"
    np.testing.assert_array_equal(read(tmp_path, text).labels, [[-1], [1]])
    np.testing.assert_array_equal(read(tmp_path, text, negative=0).labels, [[0], [1]])


def test_the_command_line(tmp_path, capsys):
    source = write(tmp_path, CELEBA)
    words = ["index", "--source", str(source), "--images", str(tmp_path / "images")]
    assert not main([*words, "--out", str(tmp_path / "kept")])
    assert "--negative absent" in capsys.readouterr().err
    assert not main([*words, "--out", str(tmp_path / "out"), "--negative", "absent"])
    assert "--negative" not in capsys.readouterr().err
    assert (tmp_path / "out" / "labels.csv").read_text().splitlines()[1] == "a.jpg,0,1"


def test_another_format_refuses_the_option(tmp_path):
    message = "--negative is for csv-columns and csv-lines; .* is taken as csv-tags. Leave it out"
    with pytest.raises(InputError, match=message):
        read(tmp_path, "image,tags\na.jpg,cat|dog\n", negative=0)


def test_a_file_is_read_once_to_tell_its_form(tmp_path, monkeypatch):
    from features.annotations import csv_columns, csv_tables

    looks = []
    for module in (csv_columns, csv_tables):
        real = module.find_form
        monkeypatch.setattr(
            module, "find_form", lambda path, real=real: looks.append(1) or real(path)
        )
    find_format(AUTO, write(tmp_path, wide({"dog": "0110"})))
    assert len(looks) == 1

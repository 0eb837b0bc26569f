"""Csv files with labels over several columns, with confidences in a cell, and in single quotes."""

import numpy as np
import pytest

from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from tests.hostile.annotations.test_csv_columns import read, write

BODY = "a.jpg,cat,dog,\nb.jpg,dog,,\nc.jpg,,,NaN\n"


@pytest.mark.parametrize(
    "columns",
    [
        "label1,label2,label3",
        "tag_1,tag_2,tag_3",
        "labels/0,labels/1,labels/2",
        "labels.0.name,labels.1.name,labels.2.name",
        "Label 1,Label 2,Label 3",
        "class[0],class[1],class[2]",
        "label,label.1,label.2",
        "label,label,label",
    ],
)
def test_each_cell_of_several_columns_is_a_label(tmp_path, columns):
    dataset = read(tmp_path, f"image,{columns}\n{BODY}")
    assert dataset.label_names == ("cat", "dog")
    np.testing.assert_array_equal(dataset.labels, [[1, 1], [0, 1], [0, 0]])
    (note,) = dataset.notes
    assert "each cell is a label in the columns " + repr(columns.split(",")[0]) in note


def test_lines_may_be_short_and_other_columns_are_named(tmp_path):
    dataset = read(tmp_path, "image,label1,split,label2\na.jpg,cat,train,x y\na.jpg,dog\n")
    assert dataset.label_names == ("cat", "dog", "x y") and dataset.labels.tolist() == [[1, 1, 1]]
    assert dataset.notes[1].endswith("not read as labels: 'split'")
    with pytest.raises(InputError, match="line 2: 4 fields where the header has 3"):
        read(tmp_path, "image,label1,label2\na.jpg,cat,dog,bird\n")


@pytest.mark.parametrize("cells", ["1,0\nb.jpg,0,1", "True,False\nb.jpg,no,yes"])
def test_indicators_in_numbered_columns_are_of_labels(tmp_path, cells):
    dataset = read(tmp_path, f"image,label1,label2\na.jpg,{cells}\n")
    assert dataset.label_names == ("label1", "label2")
    assert dataset.labels.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "cell",
    [
        "cat:0.98|dog:0.02",
        "cat: 0.98; dog: .02",
        "cat=0.98 dog=2e-2",
        "cat 0.98 dog 0.02",
        '"cat (0.98), dog (0.02)"',
        "cat@0.98|dog@0.02",
        "cat 98%|dog 2 %",
        "\"[('cat', 0.98), ('dog', 0.02)]\"",
        "\"{'cat': 0.98, 'dog': 0.02}\"",
        '"{""cat"": 0.98, ""dog"": 0.02}"',
        '"[[""cat"", 0.98], [""dog"", 0.02]]"',
    ],
)
def test_confidences_in_a_cell_are_read_as_in_lines(tmp_path, cell):
    dataset = read(tmp_path, f"image,tags\na.jpg,{cell}\nb.jpg,\n")
    assert dataset.label_names == ("cat", "dog")
    assert dataset.labels.tolist() == [[1, -1], [0, 0]]
    assert "0.5 or more is present, 0 absent" in dataset.notes[-1]
    lines = read(tmp_path / "lines", "image,label,confidence\na.jpg,cat,0.98\na.jpg,dog,0.02\n")
    assert lines.labels.tolist() == [[1, -1]]


def test_a_confidence_of_zero_is_absent(tmp_path):
    dataset = read(tmp_path, "image,tags\na.jpg,cat:1|dog:0\nb.jpg,dog:1\n")
    assert dataset.labels.tolist() == [[1, 0], [-1, 1]]
    cells = ("{'cat': True, 'dog': False}", "{'cat': 0, 'dog': 1}")
    lines = [f'{name}.jpg,"{cell}"' for name, cell in zip("ab", cells, strict=True)]
    flags = read(tmp_path / "flags", "\n".join(["image,tags", *lines, ""]))
    assert flags.labels.tolist() == [[1, 0], [0, 1]]


def test_a_confidence_that_others_lack_is_told(tmp_path):
    with pytest.raises(InputError, match=r"'cat:0.98' is a label with its confidence, and 'dog' "):
        read(tmp_path, "image,tags\na.jpg,cat:0.98|dog\n")


@pytest.mark.parametrize("tags", ["floor:1|floor:0", "time:12|place:3", "level:1", "no 5|no 1"])
def test_numbers_that_are_no_confidences_are_of_the_label(tmp_path, tags):
    dataset = read(tmp_path, f"image,tags\na.jpg,{tags}\n")
    assert dataset.label_names == tuple(sorted(tags.split("|")))


@pytest.mark.parametrize(
    "text",
    [
        "'image','cat','dog'\n'a.jpg','1','0'\n'b.jpg','0','1'\n",
        "'image';'cat';'dog'\n'a.jpg';1;0\n'b.jpg';0;1\n",
        "image,label\n'a.jpg','cat'\n'b.jpg','dog'\n",
        "'image', 'tags'\n'a.jpg', 'cat'\n'b.jpg', 'dog'\n",
        "'a.jpg','cat'\n'b.jpg','dog'\n",
        "'image'\t'label'\t'score'\n'a.jpg'\t'cat'\t'0.9'\n'b.jpg'\t'dog'\t'1'\n",
        "'image','label1','label2'\n'a.jpg','cat',''\n'b.jpg','','dog'\n",
    ],
)
def test_single_quotes_throughout_are_no_part_of_cells(tmp_path, text):
    dataset = read(tmp_path, text)
    assert dataset.label_names == ("cat", "dog") and dataset.ids == ("a.jpg", "b.jpg")
    assert dataset.labels.tolist() == [[1, 0], [0, 1]]
    assert not any("differ" in note for note in dataset.notes)


def test_a_single_quote_within_a_table_is_a_letter(tmp_path):
    rows = csv_rows(write(tmp_path, "image,tags\na.jpg,'cat' 'dog'\nb.jpg,it's\n"))
    assert [fields[1] for _, fields in rows] == ["tags", "'cat' 'dog'", "it's"]
    quoted = csv_rows(write(tmp_path, "'image','tags'\n'a,1.jpg','it''s'\n"))
    assert [fields for _, fields in quoted][1] == ["a,1.jpg", "it's"]

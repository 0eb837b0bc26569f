"""Annotations in csv files of every form, as tools write them."""

import re

import numpy as np
import pytest

from features.__main__ import main
from features.annotations.catalog import AUTO
from features.datasets import load_dataset
from features.errors import InputError
from tests.annotation_samples import write_files
from tests.hostile.annotations.test_annotations import read

# Csv forms


def csv(folder, text, *files, format=AUTO, name="given.csv"):
    write_files(folder, {f"images/{file}": b"" for file in files or ("a.jpg", "b.jpg")})
    write_files(folder, {name: text})
    return read(folder / name, folder / "images", format)


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("image,tags\na.jpg,big cat|dog\nb.jpg,dog\n", "'|'"),
        ("image,tags\na.jpg,big cat; dog\nb.jpg,dog;\n", "semicolons"),
        ('image,tags\na.jpg,"big cat, dog"\nb.jpg,dog\n', "commas"),
        ("image,tags\na.jpg,big cat,dog\nb.jpg,dog\n", "commas"),
        ("image;tags\na.jpg;big cat,dog\nb.jpg;dog\n", "commas"),
        ("image\ttags\na.jpg\tbig cat|dog\nb.jpg\tdog\n", "'|'"),
        ("Image Index,Finding Labels,Age\na.jpg,big cat|dog,5\nb.jpg,dog,7\n", "'|'"),
        ("tags,file_name\nbig cat|dog,a.jpg\ndog,b.jpg\n", "'|'"),
        ("a.jpg,big cat|dog\nb.jpg,dog\n", "'|'"),
        ("image,tags\n./images/a.jpg,big cat|dog\nb,dog\n", "'|'"),
        ("image,tags\na.jpg,\"['big cat', 'dog']\"\nb.jpg,['dog']\n", None),
        ('image,labels\na.jpg,"[""big cat"", ""dog""]"\nb.jpg,"[""dog""]"\n', None),
        ('image,labels\na.jpg,"(big cat, dog)"\nb.jpg,{dog}\n', None),
    ],
)
def test_tags_of_one_field_are_told_apart(tmp_path, text, separator):
    dataset = csv(tmp_path, text)
    assert dataset.ids == ("a.jpg", "b.jpg")
    assert dataset.label_names == ("big cat", "dog")
    np.testing.assert_array_equal(dataset.labels, [[1, 1], [0, 1]])
    told = [note for note in dataset.notes if "tags are separated by" in note]
    assert [note.rpartition(" by ")[2] for note in told] == ([separator] if separator else [])


def test_tags_with_blanks_between_them(tmp_path):
    dataset = csv(tmp_path, "image_name,tags\na,haze  primary\nb,\n")
    assert dataset.label_names == ("haze", "primary")
    np.testing.assert_array_equal(dataset.labels, [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("image,label\na.jpg,cat\na.jpg,dog\nb.jpg,dog\n", [[1, 1], [0, 1]]),
        ("image,label,confidence\na.jpg,cat,0.9\nb.jpg,dog,0.5\n", [[1, 0], [0, 1]]),
        ("image,label,confidence\na.jpg,cat,0.9\nb.jpg,dog,0.2\n", [[1, 0], [0, -1]]),
        ("image,label,x\na.jpg,cat,1\nb.jpg,dog,0\n", [[1, -1], [-1, 0]]),
        ("image,label,present\na.jpg,cat,True\nb.jpg,dog,no\n", [[1, -1], [-1, 0]]),
        ("score;class;file\n0,75;cat;a.jpg\n0,0;dog;b.jpg\n", [[1, -1], [-1, 0]]),
        ("a.jpg,cat,1\nb.jpg,dog,1\n", [[1, 0], [0, 1]]),
        ("image,label,box\na.jpg,cat,17\na.jpg,dog,18\nb.jpg,dog,19\n", [[1, 1], [0, 1]]),
        ("image,label\na.jpg,cat\nb.jpg,\nb.jpg,dog\n", [[1, 0], [0, 1]]),
        ("image,label,value\na.jpg,cat,1\na.jpg,cat,0\nb.jpg,dog,1\n", [[-1, -1], [-1, 1]]),
    ],
)
def test_a_line_per_label(tmp_path, text, labels):
    dataset = csv(tmp_path, text)
    assert (dataset.ids, dataset.label_names) == (("a.jpg", "b.jpg"), ("cat", "dog"))
    np.testing.assert_array_equal(dataset.labels, labels)
    word = "unknown" if -1 in dataset.labels[0] else "absent"
    assert dataset.notes[0].endswith(f"that no line names for an image is taken as {word}")


@pytest.mark.parametrize("value", ["1.5", "-0.2", "maybe", "80%"])
def test_a_value_that_is_no_confidence_is_named(tmp_path, value):
    with pytest.raises(InputError, match=rf"given.csv, line 3: .* Got '{value}'"):
        csv(tmp_path, f"image,label,confidence\na.jpg,cat,1\nb.jpg,dog,{value}\n")


def test_open_images_knows_nothing_but_what_is_verified(tmp_path):
    dataset = csv(
        tmp_path,
        "ImageID,Source,LabelName,Confidence\na,verification,/m/1,1\nb,machine,/m/1,0.9\n"
        "b,verification,/m/2,0.0\n",
    )
    assert dataset.label_names == ("/m/1", "/m/2")
    np.testing.assert_array_equal(dataset.labels, [[1, -1], [-1, 0]])


@pytest.mark.parametrize("format", ["open-images", "csv-lines", "csv-tags"])
def test_a_short_line_is_named(tmp_path, format):
    with pytest.raises(InputError, match=r"given.csv, line 2: [123] fields; .* need"):
        csv(tmp_path, "ImageID,LabelName,Confidence\na\n", format=format)


# labels.csv of another form


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("image,tags\na.jpg,cat dog\nb.jpg,dog\n", "csv-tags"),
        ("image_name,tags\na.jpg,cat dog\nb.jpg,dog\n", "csv-tags"),
        ('image,labels\na.jpg,"cat,dog"\nb.jpg,dog\n', "csv-tags"),
        ("image,tags\na.jpg,cat,dog\nb.jpg,dog\n", "csv-tags"),
        ("image,words\na.jpg,cat|dog\nb.jpg,dog\n", "csv-tags"),
        ("image,label\na.jpg,cat\na.jpg,dog\nb.jpg,dog\n", "csv-lines"),
        ("image,label,confidence\na.jpg,cat,1\na.jpg,dog,0.9\nb.jpg,dog,1\n", "csv-lines"),
        ("file,class\na.jpg,cat\na.jpg,dog\nb.jpg,dog\n", "csv-lines"),
        ("ImageID,Source,LabelName,Confidence\na,v,cat,1\na,v,dog,1\nb,v,dog,1\n", "open-images"),
        ("filename,cat,dog\na.jpg,1,1\nb.jpg,0,1\n", "csv-columns"),
        ("cat,dog,photo\n1,1,a.jpg\n0,1,b.jpg\n", "csv-columns"),
    ],
)
def test_labels_csv_of_another_form_is_told_its_command(tmp_path, text, format, capsys):
    data = tmp_path / "data"
    write_files(data, {"images/a.jpg": b"", "images/b.jpg": b"", "labels.csv": text})
    with pytest.raises(InputError, match=r"labels.csv.* It looks like ") as caught:
        load_dataset(data)
    assert "\n" not in str(caught.value)
    command = re.search("`python -m (features .*)`", str(caught.value))[1]
    assert f"--format {format} " in command
    main(command.split()[1:])
    assert "2 rows, 2 labels, 3 positives" in capsys.readouterr().out
    np.testing.assert_array_equal(load_dataset(f"{data}-indexed").labels[0], [1, 1])


@pytest.mark.parametrize(
    "text",
    [
        "image,cat\na.jpg,2\n",
        "file,cat\na.jpg,2\n",
        "a.jpg,1\n",
        "image,cat,dog\na.jpg,1,maybe\n",
        "image\na.jpg\n",
        "",
    ],
)
def test_a_labels_csv_with_a_mistake_is_told_no_other_form(tmp_path, text):
    write_files(tmp_path, {"images/a.jpg": b"", "labels.csv": text})
    with pytest.raises(InputError) as caught:
        load_dataset(tmp_path)
    assert "It looks like" not in str(caught.value)

"""Annotations as labeling tools and data set hosts export them, each with its own habits."""

import json

import numpy as np
import pytest

from features.annotations.catalog import AUTO, find_format
from features.errors import InputError
from tests.annotation_samples import write_files

BOX = " 0.5 0.5 0.1 0.1\n"
COCO = "http://images.cocodataset.org/train2017/"


def read(folder, files, source, images="images", format=AUTO):
    write_files(folder, files)
    return find_format(format, folder / source).read(folder / source, folder / images)


def table(folder, text, format=AUTO):
    files = {"given.csv": text, "images/a.jpg": b"", "images/b.jpg": b""}
    return read(folder, files, "given.csv", format=format)


# Csv


@pytest.mark.parametrize(
    "text",
    [
        ",filename,cat,dog\n0,a.jpg,1,0\n1,b.jpg,1,1\n",  # pandas
        "Unnamed: 0,photo_path,cat,dog\n0,a.jpg,1,0\n1,b.jpg,1,1\n",
        "id,image,cat,dog\n17,a.jpg,1,0\n18,b.jpg,1,1\n",
        "filename, cat, dog\na.jpg, 1, 0\nb.jpg, 1, 1\n",  # Roboflow
        "cat,dog,image\n1,0,a.jpg\n1,1,b.jpg\n",
        "image,label\na.jpg,cat\nb.jpg,cat\nb.jpg,dog\n",
        "filename,width,height,class,xmin\na.jpg,9,9,cat,1\nb.jpg,9,9,cat,1\nb.jpg,9,9,dog,2\n",
        "images/a.jpg,1,2,3,4,cat\nimages/b.jpg,1,2,3,4,cat\nimages/b.jpg,5,6,7,8,dog\n",  # boxes
        "TRAIN,gs://bucket/images/a.jpg,cat\nTEST,gs://bucket/images/b.jpg,cat,dog\n",  # Vertex AI
        "gs://bucket/a.jpg,cat\ngs://bucket/b.jpg,cat,dog\n",
        "a.jpg,cat,\nb.jpg,cat,dog\n",
        'id,image,choice\n1,a.jpg,cat\n2,b.jpg,"{""choices"":[""cat"",""dog""]}"\n',  # Label Studio
        "annotation_id,annotator,choice,id,image,lead_time\n7,1,cat,1,a.jpg,3.2\n"
        '8,1,"{""choices"":[""cat"",""dog""]}",2,b.jpg,3.1\n',
        "path,class,class_id\na.jpg,cat,0\nb.jpg,cat,0\nb.jpg,dog,1\n",
        "path,class_id,class_name\na.jpg,0,cat\nb.jpg,0,cat\nb.jpg,1,dog\n",
        "image,label,occluded\na.jpg,cat,0\nb.jpg,cat,1\nb.jpg,dog,0\n",
        "image,label_id,label\na.jpg,3,cat\nb.jpg,3,cat\nb.jpg,9,dog\n",
        'image,label\na.jpg,"[{""x"":1,""rectanglelabels"":[""cat""]}]"\n'
        'b.jpg,"[{""x"":1,""rectanglelabels"":[""cat""]},{""rectanglelabels"":[""dog""]}]"\n',
        "name,image,label\nx,a.jpg,cat\ny,b.jpg,cat\nz,b.jpg,dog\n",
    ],
)
def test_csv_files_of_many_tools(tmp_path, text):
    dataset = table(tmp_path, text)
    assert (dataset.ids, dataset.label_names) == (("a.jpg", "b.jpg"), ("cat", "dog"))
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [1, 1]])


@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".CSV", ".tab"])
def test_csv_files_of_other_endings(tmp_path, suffix):
    files = {f"given{suffix}": "image\ttags\na.jpg\tcat|dog\n", "images/a.jpg": b""}
    assert read(tmp_path, files, f"given{suffix}").label_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("header", "cells", "names"),
    [
        ("label", ("traffic light", "cat"), ("cat", "traffic light")),
        ("class", ("traffic light", "stop sign"), ("stop sign", "traffic light")),
        ("label", ("cat dog", "cat"), ("cat", "dog")),  # a word that stands alone, too
        ("labels", ("traffic light", "cat"), ("cat", "light", "traffic")),
        ("Target", ("16 0", "5"), ("0", "16", "5")),
        ("tags", ("nan", "cat"), ("cat",)),
        ("tags", ("[]", "cat"), ("cat",)),
        ("label", ("NULL", "cat"), ("cat",)),
    ],
)
def test_one_field_is_one_label_or_several(tmp_path, header, cells, names):
    dataset = table(tmp_path, f"image,{header}\na.jpg,{cells[0]}\nb.jpg,{cells[1]}\n")
    assert dataset.label_names == names
    assert [sum(row) for row in dataset.labels.tolist()][1] == len(cells[1].split()) or (
        cells[1] in names
    )


def test_columns_that_are_not_read_are_named(tmp_path):
    dataset = table(tmp_path, "image,label,breed,Age\na.jpg,cat,dog,7\nb.jpg,dog,,9\n")
    assert dataset.label_names == ("cat", "dog")
    assert "columns that are not read as labels: 'breed', 'Age'" in dataset.notes[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,1,0\nb.jpg,0,1\n", "given.csv has no header; its first line is an image's"),
        ("Path,cat,dog\na.jpg,40,1\nb.jpg,1,0\n", "line 2, column 'cat': a label must be"),
        ("# made by x\nimage,cat\na.jpg,1\n", "has one column, '# made by x'; it must have"),
        ("image cat\na 1\n", "has one column, 'image cat'; it must have .* commas"),
        ("<!DOCTYPE html><html>", "given.csv is an HTML page. Give the annotations"),
        (b"PK\x03\x04" + bytes(40), "is a workbook of a spreadsheet. Save it as csv"),
        ("image,catégorie\na.jpg,x\n".encode("latin-1"), "given.csv is not UTF-8"),
        ('image,tags\na.jpg,"{""name"":""rect""}"\n', "has no list of labels. Write them as"),
        ("image,tags\na.jpg,cat|dog\nc.jpg,cat\n", r"1 \(first 'c.jpg'\) of 2 images not found"),
    ],
)
def test_the_recognition_says_why_a_csv_file_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        table(tmp_path, text)
    assert "\n" not in str(caught.value)


# COCO


def coco(folder, images, names=("cat", "dog"), encoding="utf-8"):
    content = {
        "images": images,
        "annotations": [{"image_id": 1, "category_id": 1}, {"image_id": 2, "category_id": 2}],
        "categories": [{"id": k, "name": name} for k, name in enumerate(names, start=1)],
    }
    raw = json.dumps(content).encode(encoding)
    files = {"given.json": raw, "images/1.jpg": b"", "images/2.jpg": b""}
    return read(folder, files, "given.json")


@pytest.mark.parametrize(
    "first",
    [
        {"coco_url": COCO + "{}.jpg?raw=1"},
        {"coco_url": COCO + "{}.jpg#x", "file_name": ""},
        {"coco_url": COCO + "{}.jpg", "file_name": None},
        {"file_name": "https://host/set/{}.jpg"},
        {"file_name": "../../label-studio/data/media/upload/1/{}.jpg"},
        {"file_name": "images\\{}.jpg"},
        {"file_name": "train2017/{}.jpg", "path": "/datasets/x/{}.jpg"},
    ],
)
def test_coco_names_of_many_tools(tmp_path, first):
    def entry(number):
        named = {k: v.format(number) if isinstance(v, str) else v for k, v in first.items()}
        return {"id": number, **named}

    dataset = coco(tmp_path, [entry(1), entry(2)])
    assert dataset.ids == ("1.jpg", "2.jpg")
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [0, 1]])


def test_coco_numbers_as_names_and_other_encodings(tmp_path):
    images = [{"id": 1, "file_name": 1}, {"id": 2, "file_name": 2}]
    dataset = coco(tmp_path, images, names=(7, 8), encoding="utf-16")
    assert (dataset.ids, dataset.label_names) == (("1.jpg", "2.jpg"), ("7", "8"))


def test_coco_panoptic_files_have_the_labels_of_their_segments(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}],
        "annotations": [
            {"image_id": 1, "segments_info": [{"category_id": 3}, {"category_id": 4}]},
            {"image_id": 2, "segments_info": []},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "sky"}],
    }
    images = {"images/1.jpg": b"", "images/2.jpg": b""}
    dataset = read(tmp_path, {"p.json": json.dumps(content), **images}, "p.json")
    np.testing.assert_array_equal(dataset.labels, [[1, 1], [0, 0]])
    content["annotations"][1]["segments_info"] = [7]
    with pytest.raises(InputError, match=r"annotations\[2\] has image_id None; it must be one int"):
        read(tmp_path, {"p.json": json.dumps(content), **images}, "p.json")


@pytest.mark.parametrize("name", [None, ["cat"], True, {}])
def test_a_coco_category_without_a_name_is_named(tmp_path, name):
    with pytest.raises(InputError, match=r"categories\[0\] has name .*; it must be one str"):
        coco(tmp_path, [{"id": 1, "file_name": "1.jpg"}], names=(name, "dog"))


# VOC


def voc(folder, text, files=("a.jpg",), name="Annotations/0.xml"):
    return read(folder, {name: text, **{f"images/{f}": b"" for f in files}}, "Annotations")


def xml(name="cat", inside="", filename="a.jpg", declared=""):
    start = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return (
        f"{start}<annotation><filename>{filename}</filename><object><name>{name}</name>{inside}"
        "</object><object><name>zebra</name></object></annotation>"
    )


@pytest.mark.parametrize(
    "text",
    [
        xml("猫", declared="gbk").encode("gbk"),
        xml("猫", declared="shift_jis").encode("shift_jis"),
        xml("猫", declared="utf-16").encode("utf-16"),
        xml("猫", declared="ascii").encode(),
        "\n  " + xml("猫", declared="utf-8"),
        "\ufeff" + xml("猫", declared="utf-8"),
    ],
)
def test_voc_in_any_encoding(tmp_path, text):
    dataset = voc(tmp_path, text)
    assert dataset.label_names == ("zebra", "猫")
    np.testing.assert_array_equal(dataset.labels, [[1, 1]])


def test_voc_objects_that_were_deleted_are_none(tmp_path):
    dataset = voc(tmp_path, xml(inside="<deleted>1</deleted><verified>0</verified>"))
    assert dataset.label_names == ("zebra",)


def test_voc_in_folders_inside(tmp_path):
    dataset = voc(tmp_path, xml(filename="C:\\x\\JPEGImages\\b"), ["b.png"], "Annotations/x/1.XML")
    assert dataset.ids == ("b.png",)


def test_voc_from_the_folder_above(tmp_path):
    files = {"VOC/Annotations/0.xml": xml(), "VOC/JPEGImages/a.jpg": b""}
    assert read(tmp_path, files, "VOC", "VOC/JPEGImages").ids == ("a.jpg",)


# YOLO


def yolo(folder, files, source="labels", images="images"):
    return read(folder, {**files, "data.yaml": "names: [no, 1e3]\n"}, source, images)


def test_yolo_as_roboflow_and_cvat_lay_it_out(tmp_path):
    files = {
        "README.roboflow.txt": "x y\n",
        "train/images/a.jpg": b"",
        "train/labels/a.txt": "0" + BOX,
        "valid/images/a.jpg": b"",
        "valid/labels/a.txt": "1" + BOX,
    }
    dataset = yolo(tmp_path / "roboflow", files, ".", ".")
    assert dataset.ids == ("train/images/a.jpg", "valid/images/a.jpg")
    assert dataset.label_names == ("no", "1e3")
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [0, 1]])
    assert len(dataset.notes) == 1  # where the names are from; none is spelled otherwise
    files = {"train.txt": "data/a.jpg\n", "data/a.jpg": b"", "data/a.txt": "1" + BOX}
    np.testing.assert_array_equal(yolo(tmp_path / "cvat", files, ".", "data").labels, [[0, 1]])


def test_yolo_files_that_begin_with_a_blank_line(tmp_path):
    files = {"images/a.jpg": b"", "labels/a.txt": "\n1\t0.5\t0.5\t0.1\t0.1\n\n"}
    assert yolo(tmp_path, files).labels.tolist() == [[0, 1]]


def test_yolo_files_with_commas_are_called_no_table(tmp_path):
    write_files(tmp_path, {"labels/a.txt": "0,0.5,0.5,0.1,0.1\n", "images/a.jpg": b""})
    with pytest.raises(InputError, match="labels is of no known form. Give one of"):
        find_format(AUTO, tmp_path / "labels")


@pytest.mark.parametrize("name", ["A", "gro\u0308ße", "a.jpg", "images\\a"])
def test_yolo_files_of_another_spelling(tmp_path, name):
    files = {"images/a.jpg": b"", "images/größe.jpg": b"", f"labels/{name}.txt": "1" + BOX}
    dataset = yolo(tmp_path, files)
    row = dataset.ids.index("größe.jpg" if "ß" in name else "a.jpg")
    np.testing.assert_array_equal(dataset.labels[row], [0, 1])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"labels/a.txt": "0" + BOX, "labels/A.txt": "1" + BOX},
            "'a.txt' and 'A.txt' are both of the image 'a.jpg'",
        ),
        ({"labels/b.txt": "0" + BOX}, r"no image in .* for 1 \(first 'b'\)"),
        ({"labels/a.txt": "0" + BOX, "x.yaml": "names: [[a], b]"}, "names must be texts"),
        ({"labels/a.txt": "0" + BOX, "x.yml": "names: {'0': a, x: b}"}, "names must be numbered"),
    ],
)
def test_yolo_faults_of_exports_are_named(tmp_path, files, message):
    write_files(tmp_path, {"images/a.jpg": b"", **files})
    with pytest.raises(InputError, match=message):
        find_format("yolo", tmp_path / "labels").read(tmp_path / "labels", tmp_path / "images")


# NUS-WIDE


def test_nus_wide_with_blank_lines(tmp_path):
    files = {
        "NUS/Imagelist.txt": "a\\1.jpg \r\n\r\na\\2.jpg\r\n",
        "NUS/Labels_cat.txt": "1 \r\n\r\n0\r\n",
        "images/a/1.jpg": b"",
        "images/a/2.jpg": b"",
    }
    np.testing.assert_array_equal(read(tmp_path, files, "NUS").labels, [[1], [0]])

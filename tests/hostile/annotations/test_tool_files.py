"""Files of tools with fields left out, in other encodings, or of another kind than their name."""

import os

import numpy as np
import pytest

from features.annotations.catalog import AUTO, find_format
from features.cache import FeatureCache, labels_of
from features.datasets import load_dataset
from features.errors import InputError
from features.inputs.label_warnings import label_warnings
from tests.annotation_samples import SAMPLES, write_files
from tests.features.test_cache import make_cache
from tests.hostile.annotations.test_annotation_tables import csv
from tests.hostile.annotations.test_exports import read, table, xml, yolo

WIDE = "image,cat,dog\na.jpg,1,0\nb.jpg,1,1\n"
BOX = " 0.5 0.5 0.1 0.1\n"


# Csv


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_table_in_any_form_of_unicode(tmp_path, encoding):
    dataset = table(tmp_path, WIDE.encode(encoding))
    assert (dataset.ids, dataset.label_names) == (("a.jpg", "b.jpg"), ("cat", "dog"))
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [1, 1]])


@pytest.mark.parametrize(
    "text",
    [
        "image_id,image,cat,dog\n7,a.jpg,1.0,0.0\n8,b.jpg,1.0,1.0\n",
        "image_id,file_name,cat,dog\n7,a.jpg,1,0\n8,b.jpg,1,1\n",
        "image_id,file_name,label\n7,a.jpg,cat\n8,b.jpg,cat\n8,b.jpg,dog\n",
        '"image" "cat" "dog"\n"1" "a.jpg" 1 0\n"2" "b.jpg" 1 1\n',  # R's write.table
        '"image" "cat" "dog"\n"a.jpg" TRUE FALSE\n"b.jpg" TRUE TRUE\n',
        '"image"\t"cat"\t"dog"\n"1"\t"a.jpg"\t1\t0\n"2"\t"b.jpg"\t1\t1\n',
        '"image","tags"\n"1","a.jpg","cat"\n"2","b.jpg","cat|dog"\n',
        "image,tags\na.jpg,\"{'cat'}\"\nb.jpg,\"{'cat', 'dog'}\"\n",
    ],
)
def test_tables_of_numbered_rows_and_of_sets(tmp_path, text):
    dataset = table(tmp_path, text)
    assert (dataset.ids, dataset.label_names) == (("a.jpg", "b.jpg"), ("cat", "dog"))
    np.testing.assert_array_equal(dataset.labels, [[1, 0], [1, 1]])


def test_an_empty_set_of_tags_is_no_tag(tmp_path):
    dataset = table(tmp_path, "image,tags\na.jpg,\"{'cat', 'dog'}\"\nb.jpg,set()\n")
    np.testing.assert_array_equal(dataset.labels, [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "given.csv is empty; it must have the image and its labels"),
        (b"\xef\xbb\xbf", "given.csv is empty"),
        ("image;cat;dog\na.jpg,1,0\n", "line 2: 1 fields where .* 3. Complete .* is ';', as in"),
        ("image\tcat\tdog\n1\ta.jpg\t1\t0\n", "4 fields where .* the first field is a row's numbe"),
        ("image,fur,cat\na.jpg,long,1\n", "column 'fur': .* Remove a column that is no label"),
        ('"image\n"1",a.jpg,1\n', "given.csv, after line 0: .* Repair the quotes"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer; run `git lfs pull"),
        (
            b"\x1f\x8b\x08\x00",
            "given.csv is a gzip archive. Give the annotations themselves, whole",
        ),
        (b"%PDF-1.7\n", "given.csv is a PDF file"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        table(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file", "way"),
    [
        ("17.0", "17.jpg", "a number with a decimal point"),
        ("cats/8.0", "cats/8.png", "a number with a decimal point"),
        ("images/1f2e3d4c-a b.jpg", "a b.jpg", "name in front and Label Studio's prefix"),
        ("../data/media/upload/1/1f2e3d4c-a.jpg", "a.jpg", "in front of all and Label Studio's"),
        ("/data/upload/7/1f2e3d4c-a%20b.jpg", "a b.jpg", "URL encoding and one path in front"),
        (f"a_jpg.rf.{'0f' * 16}.jpg", "a.jpg", "Roboflow's ending"),
        (f"x_png.rf.{'0f' * 16}.jpg", "x.png", "Roboflow's ending"),
        ("\u202aC:\\x\\a.jpg", "a.jpg", "can't be seen and backslashes"),
        ("\ufeffa.jpg", "a.jpg", "characters that can't be seen"),
        ("a\u00adb.jpg", "ab.jpg", "characters that can't be seen"),
    ],
)
def test_names_that_tools_rewrite(tmp_path, name, file, way):
    dataset = csv(tmp_path, f"image,label\n{name},cat\n", file)
    assert dataset.ids == (file,)
    assert way in dataset.notes[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,tags\n0.jpg,cat dog\n1.jpg,dog\n",
            "It looks like a csv file of image,tags: .*",
        ),
        ("image,label\n0.jpg,cat\n0.jpg,dog\n", "csv-lines --source .*l.csv --images IMAGES --out"),
        ("", "l.csv is empty; it must have a column 'image'"),
    ],
)
def test_labels_that_are_given_beside_a_cache_are_told_their_form(tmp_path, text, message):
    cache = make_cache(tmp_path)
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        labels_of(FeatureCache(cache), tmp_path / "l.csv")


@pytest.mark.parametrize("names", [("20210304-a", "20210305-b"), ("1f2e3d4c-a", "b")])
def test_dates_and_names_of_several_tools_are_no_uploads(tmp_path, names):
    with pytest.raises(InputError, match="images not found"):
        csv(tmp_path, f"image,label\n{names[0]}.jpg,x\n{names[1]}.jpg,y\n")


# Forms told apart


@pytest.mark.parametrize(
    "files",
    [
        ("train/1.jpg", "val/1.jpg", "test/2.jpg"),
        ("images/1.jpg", "masks/1.png"),
        ("Train/images/1.jpg", "Test/1.jpg"),
    ],
)
def test_parts_of_a_data_set_are_no_classes(tmp_path, files):
    write_files(tmp_path, dict.fromkeys(files, b""))
    with pytest.raises(InputError, match="is of no known form. Give one of coco"):
        read(tmp_path, {}, ".", ".")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("coco", "coco is of no known form; .*_annotations.json looks like coco. Give that as"),
        ("voc/0.xml", "0.xml is of no known form; .*voc looks like voc. Give that as --source"),
        ("yolo/data.yaml", "data.yaml is of no known form; .*yolo looks like yolo. Give that"),
        ("a.zip", "a.zip is a ZIP archive. Give the annotations themselves, whole and unpacked"),
        ("page.json", "page.json is an HTML page. Give the annotations"),
        ("lfs", "0.xml is a Git LFS pointer; run `git lfs pull`"),
    ],
)
def test_a_source_beside_the_right_one_is_told_it(tmp_path, source, message):
    files = {
        "coco/_annotations.json": '{"images": [], "annotations": [], "categories": []}',
        "voc/0.xml": xml(),
        "yolo/data.yaml": "names: [cat]\n",
        "yolo/labels/a.txt": "0" + BOX,
        "a.zip": b"PK\3\4",
        "page.json": "<!DOCTYPE html><html></html>",
        "lfs/0.xml": "version https://git-lfs.github.com/spec/v1\n",
    }
    with pytest.raises(InputError, match=message):
        read(tmp_path, files, source, ".")


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("voc", "Annotations/1.xml"),
        ("yolo", "labels/train/3.txt"),
        ("yolo", "data.yaml"),
        ("nus-wide", "NUS/Groundtruth/AllLabels/Labels_cow.txt"),
        ("labels", "labels.csv"),
        ("scene", "miml data.mat"),
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_has_no_end_is_not_read(tmp_path, format, name, kind):
    write_files(tmp_path, {"Annotations/0.xml": xml(), "images/a.jpg": b""})
    source, images = tmp_path / "Annotations", tmp_path / "images"
    if format in SAMPLES:
        source, images = SAMPLES[format][0](tmp_path)
    path = tmp_path / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    source = path if format == "scene" else source
    with pytest.raises(InputError, match="is a named pipe, a socket or a device"):
        if format == "labels":
            load_dataset(tmp_path)
        else:
            find_format(format, source).read(source, images)


# VOC, YOLO, NUS-WIDE, folders


@pytest.mark.parametrize("filename", ["", " ", "IMG_0001.jpg", None])
def test_voc_files_without_an_image_of_that_name_have_the_one_of_their_own(tmp_path, filename):
    text = xml(filename=filename or "")
    if filename is None:
        text = text.replace("<filename></filename>", "")
    files = {"Annotations/a.xml": text, "Annotations/b.xml": xml("dog", filename="b.jpg")}
    images = {"images/a.png": b"", "images/b.jpg": b""}
    dataset = read(tmp_path, files | images, "Annotations")
    assert dataset.ids == ("a.png", "b.jpg")
    assert "1 (first 'a.xml') state no image that is there" in dataset.notes[0]
    source = tmp_path / "Annotations"
    with pytest.raises(InputError, match="state no image .* Write the files' names"):
        find_format(AUTO, source).read(source, tmp_path / "images", strict_names=True)


def test_voc_files_without_any_image_are_named(tmp_path):
    files = {"Annotations/c.xml": xml(filename="IMG_1.jpg"), "images/a.jpg": b""}
    with pytest.raises(InputError, match=r"1 \(first 'IMG_1.jpg'\) of 1 images not found"):
        read(tmp_path, files, "Annotations")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data.yaml": "names: cat dog\n"}, "names must be a list, or numbered. Got 'cat dog'"),
        ({"data.yaml": "names: {1: cat, 2: dog}\n"}, "numbered from 0 to 1. Got 1, 2"),
        ({"data.yaml": "names: [cat, dog]\n", "args.yaml": "names: [x, y]\n"}, "name other classe"),
        ({"classes.txt": "<html>\n</html>\n"}, "classes.txt is an HTML page"),
    ],
)
def test_yolo_names_that_can_t_be_meant_are_refused(tmp_path, files, message):
    files = {"labels/a.txt": "0" + BOX, "images/a.jpg": b"", **files}
    with pytest.raises(InputError, match=message):
        read(tmp_path, files, "labels")


def test_yolo_labels_and_images_beside_each_other(tmp_path):
    files = {"labels/a.txt": "1" + BOX, "images/a.jpg": b"", "images/b.jpg": b""}
    dataset = yolo(tmp_path, files, ".", ".")
    assert dataset.ids == ("images/a.jpg", "images/b.jpg")
    np.testing.assert_array_equal(dataset.labels, [[0, 1], [0, 0]])


@pytest.mark.parametrize(
    "name", ["copy/Labels_cat.txt", "Groundtruth/labels_cat.txt", "old/imagelist.txt"]
)
def test_two_files_of_one_nus_wide_list_are_both_named(tmp_path, name):
    source, images = SAMPLES["nus-wide"][0](tmp_path)
    write_files(source, {name: "0\n0\n"})
    with pytest.raises(InputError, match="are both of one list") as caught:
        find_format("nus-wide", source).read(source, images)
    assert name in str(caught.value)


def test_classes_of_one_name_in_two_unicode_forms_are_told():
    labels = np.array([[1, 0], [0, 1]], dtype=np.int8)
    (line,) = label_warnings(labels, ("größe", "gro\u0308ße"))
    assert line.startswith(
        "label names that differ only by blanks, underscores, case, Unicode form"
    )

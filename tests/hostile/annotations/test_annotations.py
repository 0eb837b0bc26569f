"""Annotations as users' tools write them: values, names, companions, and forms told apart."""

import json
import re

import numpy as np
import pytest

from features.__main__ import main
from features.annotations.catalog import AUTO, find_format
from features.annotations.index import index_annotations
from features.command_line import run_command
from features.datasets import load_dataset
from features.errors import InputError
from features.inputs.label_warnings import label_warnings
from tests.annotation_samples import SAMPLES, write_files


def read(source, images, format=AUTO):
    return find_format(format, source).read(source, images)


# COCO and LVIS


def coco(folder, images, annotations, categories, files=("a.jpg", "b.jpg")):
    write_files(folder, {f"images/{name}": b"" for name in files})
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(content))
    return read(folder / "instances.json", folder / "images")


CATEGORIES = [{"id": 2, "name": "dog"}, {"id": 10, "name": "cat"}]


@pytest.mark.parametrize(
    ("ids", "categories"),
    [
        (("x1", "x2"), (2, 10)),
        (("7", "8"), ("2", "10")),
        ((7, 8), ("2", "10")),
        ((7.0, 8.0), (2.0, 10)),
        (("0007", "7"), (2, "10")),
    ],
)
def test_ids_of_any_kind_that_agree_are_taken(tmp_path, ids, categories):
    dataset = coco(
        tmp_path,
        [{"id": one, "file_name": name} for one, name in zip(ids, ("a.jpg", "b.jpg"), strict=True)],
        [{"image_id": ids[1], "category_id": categories[1]}],
        [{"id": categories[0], "name": "dog"}, {"id": categories[1], "name": "cat"}],
    )
    assert dataset.label_names == ("dog", "cat")
    np.testing.assert_array_equal(dataset.labels, [[0, 0], [0, 1]])


def test_one_tool_writes_numbers_and_another_one_text(tmp_path):
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": "8", "file_name": "b.jpg"}]
    pairs = [{"image_id": "7", "category_id": "10"}, {"image_id": 8.0, "category_id": 2}]
    dataset = coco(tmp_path, images, pairs, CATEGORIES)
    np.testing.assert_array_equal(dataset.labels, [[0, 1], [1, 0]])


@pytest.mark.parametrize("value", [True, None, [7], 7.5, "", float("inf")])
def test_an_id_that_is_none_is_named(tmp_path, value):
    images = [{"id": value, "file_name": "a.jpg"}]
    with pytest.raises(InputError, match=r"images\[0\] has id .*; it must be one int or str"):
        coco(tmp_path, images, [], CATEGORIES)


@pytest.mark.parametrize("second", [7, "7", 7.0])
def test_an_id_that_comes_twice_is_named_with_both_places(tmp_path, second):
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": second, "file_name": "b.jpg"}]
    message = r"twice in images: images\[0\] and images\[1\] have id 7. Every id must be unique"
    with pytest.raises(InputError, match=message):
        coco(tmp_path, images, [], CATEGORIES)


@pytest.mark.parametrize("second", ["a.jpg", "A.JPG", "images\\a.jpg", "a"])
def test_one_file_under_two_ids_gets_the_labels_of_both(tmp_path, second):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": second}]
    pairs = [{"image_id": 1, "category_id": 10}, {"image_id": 2, "category_id": 2}]
    dataset = coco(tmp_path, images, pairs, CATEGORIES)
    assert dataset.ids == ("a.jpg",)
    np.testing.assert_array_equal(dataset.labels, [[1, 1]])
    assert "1 (first 'a.jpg') files come more than once; their labels" in dataset.notes[-1]


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("http://images.cocodataset.org/train2017/a.jpg", "a.jpg"),
        ("http://images.cocodataset.org/val2017/a%20b.jpg", "a b.jpg"),
        ("http://images.cocodataset.org/val2017/a.jpg", "val2017/a.jpg"),
        ("https://host/a.jpg", "a.jpg"),
    ],
)
def test_lvis_names_are_at_the_end_of_a_url(tmp_path, url, file):
    dataset = coco(tmp_path, [{"id": 1, "coco_url": url}], [], CATEGORIES, [file])
    assert dataset.ids == (file,)


def test_lvis_says_what_was_looked_for(tmp_path):
    images = [
        {"id": 1, "coco_url": "http://x/val2017/a.jpg", "neg_category_ids": [2]},
        {"id": 2, "coco_url": "http://x/val2017/b.jpg", "neg_category_ids": []},
    ]
    pairs = [{"image_id": 2, "category_id": 2}]
    dataset = coco(tmp_path, images, pairs, CATEGORIES)
    np.testing.assert_array_equal(dataset.labels, [[0, -1], [1, -1]])


def test_an_image_without_any_name_is_named(tmp_path):
    with pytest.raises(InputError, match=r"images\[0\] has file_name None; it must be one str"):
        coco(tmp_path, [{"id": 1, "coco_url": 5}], [], CATEGORIES)


@pytest.mark.parametrize("url", ["http://[x/a.jpg", "//[/a.jpg", "http://h]/val2017/a.jpg"])
def test_a_url_that_is_none_is_named(tmp_path, url):
    with pytest.raises(InputError, match=r"images\[0\] has no file_name, and its coco_url .* is"):
        coco(tmp_path, [{"id": 1, "coco_url": url}], [], CATEGORIES)


# VOC


def voc(folder, *objects, extra=()):
    inside = "".join(f"<object><name>{name}</name>{rest}</object>" for name, rest in objects)
    text = f"<annotation><filename>a.jpg</filename>{inside}</annotation>"
    write_files(folder, {"images/a.jpg": b"", "Annotations/0.xml": text, **dict(extra)})
    return read(folder / "Annotations", folder / "images")


@pytest.mark.parametrize(
    ("difficult", "value"),
    [
        ("", 1),
        ("<difficult/>", 1),
        ("<difficult>Unspecified</difficult>", 1),
        ("<difficult> 0 </difficult>", 1),
        ("<difficult>false</difficult>", 1),
        ("<difficult>None</difficult>", 1),
        ("<difficult>-1</difficult>", 1),
        ("<difficult>1</difficult>", -1),
        ("<difficult>True</difficult>", -1),
        ("<difficult>1.0</difficult>", -1),
    ],
)
def test_difficult_as_tools_write_it(tmp_path, difficult, value):
    dataset = voc(tmp_path, ("cat", difficult), ("zebra", ""))
    np.testing.assert_array_equal(dataset.labels, [[value, 1]])


def test_hidden_companions_are_no_annotations(tmp_path):
    junk = dict.fromkeys(
        ("._0.xml", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/._0.xml"), b"\0\5\26\7"
    )
    dataset = voc(tmp_path, ("cat", ""), extra={f"Annotations/{k}": v for k, v in junk.items()})
    assert dataset.ids == ("a.jpg",)


@pytest.mark.parametrize("format", ["yolo", "folders", "nus-wide", "open-images", "csv-tags"])
def test_companions_change_no_sample(tmp_path, format):
    write, ids, names, labels = SAMPLES[format]
    source, images = write(tmp_path)
    for folder in {path.parent for path in tmp_path.rglob("*") if path.is_file()}:
        for file in [path for path in folder.iterdir() if path.is_file()]:
            (folder / f"._{file.name}").write_bytes(b"\0\5\26\7")
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
        write_files(folder, {"__MACOSX/._labels.txt": b"\0\5\26\7", "__MACOSX/._a.jpg": b"\0"})
    dataset = read(source, images)
    assert (dataset.ids, dataset.label_names) == (ids, names)
    np.testing.assert_array_equal(dataset.labels, labels)


# NUS-WIDE, YOLO, folders


def test_nus_wide_with_parts_only(tmp_path):
    files = {
        "TrainImagelist.txt": "a\\1.jpg\n",
        "TestImagelist.txt": "b\\2.jpg\n",
        "TrainTestLabels/Labels_cat_Train.txt": "1\n",
        "TrainTestLabels/Labels_cat_Test.txt": "0\n",
    }
    write_files(tmp_path / "NUS", files)
    write_files(tmp_path / "images", {"a/1.jpg": b"", "b/2.jpg": b""})
    dataset = read(tmp_path / "NUS", tmp_path / "images")
    assert dataset.ids == ("a/1.jpg", "b/2.jpg")
    np.testing.assert_array_equal(dataset.labels, [[1], [0]])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "Groundtruth/AllLabels/Labels_cat.txt",
            "1\n",
            "cat.txt has 1 lines; the list has 2",
        ),
        ("Groundtruth/AllLabels/Labels_cat.txt", "1\n2\n", "Labels_cat.txt: a label must be"),
        ("ImageList/Imagelist.txt", "", "lists no images|has 2 lines; the list has 0"),
        ("ImageList/Imagelist.txt", b"\xff\n1.jpg\n", "Imagelist.txt is not UTF-8"),
    ],
)
def test_nus_wide_mistakes_are_named(tmp_path, name, text, message):
    source, images = SAMPLES["nus-wide"][0](tmp_path)
    write_files(source, {name: text})
    with pytest.raises(InputError, match=message):
        read(source, images, "nus-wide")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"data.yaml": "names: [cat, dog]\n"}, ("cat", "dog")),
        ({"data.yaml": "names: {0: cat, 1: dog, 2: cow}\n"}, ("cat", "dog", "cow")),
        ({"data.yaml": "nc: 2\n", "labels/classes.txt": "cat\r\ndog\r\n"}, ("cat", "dog")),
        ({"data.yaml": "", "classes.txt": "\ufeffcat\ndog\n"}, ("cat", "dog")),
        ({"data.yaml": "a: 1", "obj.names": "cat\ndog\n"}, ("cat", "dog")),
        ({"data.yaml": "[]"}, ("0", "1")),
    ],
)
def test_yolo_names_are_found(tmp_path, files, names):
    source, images = SAMPLES["yolo"][0](tmp_path)
    write_files(tmp_path, files)
    dataset = read(source, images)
    assert dataset.label_names == names
    np.testing.assert_array_equal(dataset.labels[:, :2], SAMPLES["yolo"][3])
    assert "names" in dataset.notes[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"labels/train/1.txt": "cat 0.5 0.5 1 1\n"}, "1.txt, line 1: .* Got 'cat'"),
        ({"labels/train/1.txt": "\n-1 0.5 0.5 1 1\n"}, "1.txt, line 2: .* Got '-1'"),
        ({"labels/train/1.txt": "0.5 0.5 0.5 1 1\n"}, "1.txt, line 1: .* Got '0.5'"),
        ({"labels/train/1.txt": "1e300 0.5 0.5 1 1\n"}, "1.txt, line 1: .* Got '1e300'"),
        ({"labels/train/1.txt": "7 0.5 0.5 1 1\n"}, "class 7 occurs and there are 2 names"),
        ({"labels/train/9.txt": "0 0.5 0.5 1 1\n"}, r"no image in .* for 1 \(first 'train/9'\)"),
        ({"data.yaml": "names: [cat\n"}, "data.yaml is not YAML"),
        ({"data.yaml": "names: {1: cat, 2: dog}\n"}, "names must be numbered from 0 to 1"),
        ({"data.yaml": "!!python/object/apply:os.system ['x']\n"}, "data.yaml is not YAML"),
    ],
)
def test_yolo_mistakes_are_named(tmp_path, files, message):
    source, images = SAMPLES["yolo"][0](tmp_path)
    write_files(tmp_path, files)
    with pytest.raises(InputError, match=message) as caught:
        read(source, images, "yolo")
    assert "\n" not in str(caught.value)


def test_yolo_takes_numbers_as_numpy_writes_them_and_the_folder_above(tmp_path):
    source, images = SAMPLES["yolo"][0](tmp_path)
    write_files(source, {"train/1.txt": "0.000000e+00 5.0e-01 0.5 0.2 0.2\n", "train/3.txt": ""})
    dataset = read(source.parent, images, "yolo")
    np.testing.assert_array_equal(dataset.labels, SAMPLES["yolo"][3])


def test_folders_of_classes_are_at_any_depth(tmp_path):
    names = ("train/cat/1.jpg", "test/cat/2.jpg", "test/dog/1.jpg")
    write_files(tmp_path, dict.fromkeys(names, b""))
    dataset = read(tmp_path, tmp_path, "folders")
    assert (len(dataset), dataset.label_names) == (3, ("cat", "dog"))
    (tmp_path / "loose.jpg").touch()
    with pytest.raises(InputError, match=r"1 \(first 'loose.jpg'\) pictures lie in no folder"):
        read(tmp_path, tmp_path, "folders")


# Forms told apart


def test_a_source_of_no_known_form_lists_the_formats(tmp_path):
    write_files(tmp_path, {"given.bin": b"x", "images/a.jpg": b""})
    with pytest.raises(InputError, match="is of no known form. Give one of coco, voc, yolo"):
        index_annotations(AUTO, tmp_path / "given.bin", tmp_path / "images", tmp_path / "out")


@pytest.mark.parametrize("format", ["coco", "voc", "nus-wide", "csv-tags", "yolo", "scene"])
def test_a_folder_for_a_file_and_the_reverse_are_named(tmp_path, format):
    write_files(tmp_path, {"given.csv": "x", "images/a.jpg": b""})
    is_folder = find_format(format, tmp_path).is_folder
    source = tmp_path / "given.csv" if is_folder else tmp_path / "images"
    with pytest.raises(InputError, match=f"The source of format {format} is .* is a f"):
        read(source, tmp_path / "images", format)


@pytest.fixture
def command(capsys):
    """Runs the command and gives its exit code, output and errors."""

    def run(*words):
        with pytest.raises(SystemExit) as left:
            run_command(lambda: main(["index", *map(str, words)]))
        return left.value.code, *capsys.readouterr()

    return run


def test_the_command_says_form_ways_warnings_and_what_is_left_out(tmp_path, command):
    write_files(tmp_path, {"images/c.cr3": b"", "images/d.jpg": b""})
    write_files(tmp_path, {"given.csv": "image,tags\nimages\\a.jpg,x|y\nB.jpg,x\n"})
    write_files(tmp_path, {"images/a.jpg": b"", "images/b.jpg": b""})
    paths = ("--source", tmp_path / "given.csv", "--images", tmp_path / "images")
    code, out, err = command(*paths, "--out", tmp_path / "out")
    assert code == 0
    told = err.splitlines()
    assert re.search("given.csv: taken as csv-tags, ", told[0])
    assert re.search("tags are separated by '|'", told[1])
    assert re.search(
        "2 of 2 names differ from their files' in: .*backslashes and the fold", told[2]
    )
    assert "  every image has 1 (first 'x') of 2 labels" in out
    assert "  1 more images in " in out
    assert "  1 file is not read as pictures: 1 .cr3 (camera raw)" in out
    code, _, err = command(*paths, "--out", tmp_path / "other", "--strict-names")
    assert code == 1
    assert re.fullmatch("error: .*2 of 2 names differ .*\n", err)
    assert not (tmp_path / "other").exists()


def test_the_option_without_a_name_lists_the_formats(command):
    code, out, _ = command("--format")
    assert code == 0
    assert re.search("(?m)^  yolo +YOLO text files", out)
    assert command("--format", "lvis")[0] == 1


@pytest.mark.parametrize("name", ["<script>", "=1+1", '"a", b', "a|b", "`x`", "*", "é\u202e"])
def test_names_of_labels_survive_as_they_are(tmp_path, name):
    dataset = coco(
        tmp_path, [{"id": 1, "file_name": "a.jpg"}], [], [{"id": 1, "name": name}], ["a.jpg"]
    )
    out = tmp_path / "out"
    source, images = tmp_path / "instances.json", tmp_path / "images"
    assert index_annotations(AUTO, source, images, out).label_names == (name,)
    assert load_dataset(out).label_names == (name,) == dataset.label_names
    assert label_warnings(dataset.labels, (name,))[0].startswith("no image has 1 (first ")

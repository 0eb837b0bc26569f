"""JSON and text lists of pictures and their labels, as scripts and hosts of data write them."""

import contextlib
import json
import time

import pytest

from features.annotations.catalog import AUTO, find_format
from features.datasets import load_dataset
from features.errors import InputError
from features.inputs.csv_rows import csv_rows
from tests.annotation_samples import write_files
from tests.hostile.annotations.test_labeling_tools import PICTURES, given, refuses, table

BOTH = {"a.jpg": [1, 0], "b.jpg": [1, 1]}


def lines(*entries):
    return "".join(f"{json.dumps(entry)}\n" for entry in entries)


# Of published data sets


def by_name(folder, format, source):
    return find_format(format, folder / source).read(folder / source, folder / "images")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3\ncat\na.jpg 1\n", "states '3' images and has 1. Give CelebA's file, whole"),
        (
            "1\ncat dog\na.jpg 1\n",
            "line 3: it must be an image's name and 2 times 1 or -1. Got '1'",
        ),
        ("2\ncat\na.jpg 1\n\nb.jpg 0\n", "line 5: it must be an image's name .* Got '0'. Correct"),
        ("1\ncat\nc.jpg 1\n", r"1 \(first 'c.jpg'\) of 1 images not found"),
        ("0\ncat\n", "lists no images"),
        ("", "states '' images and has 0"),
    ],
)
def test_what_is_wrong_in_celeba_s_list_is_named(tmp_path, text, message):
    write_files(tmp_path, {"list.txt": text, **PICTURES})
    with pytest.raises(InputError, match=message):
        find_format("celeba", tmp_path / "list.txt").read(
            tmp_path / "list.txt", tmp_path / "images"
        )


def test_celeba_s_list_with_a_mark_and_other_line_ends(tmp_path):
    text = "\ufeff2\r\ncat dog\r\na.jpg 1 -1\r\nb.jpg  1  1\r\n"
    assert table(given(tmp_path, text, "list.txt")) == BOTH


def mirflickr(folder, format=AUTO, **texts):
    pictures = {"images/im1.jpg": b"", "images/im2.jpg": b"", "images/sub/x.jpg": b""}
    write_files(folder, {f"lists/{name}.txt": text for name, text in texts.items()} | pictures)
    source = folder / "lists"
    return find_format(format, source).read(source, folder / "images")


def test_mirflickr_s_lists_name_images_by_number_or_name(tmp_path):
    dataset = mirflickr(
        tmp_path, "mirflickr", cat="2\n\n2\n", dog_r1="IM1.JPG\nsub\\x.jpg\n", cow=""
    )
    assert dataset.label_names == ("cat", "cow", "dog_r1")
    assert table(dataset) == {"im1.jpg": [0, 0, 1], "im2.jpg": [1, 0, 0], "sub/x.jpg": [0, 0, 1]}


def test_what_is_wrong_in_mirflickr_s_lists_is_named(tmp_path):
    with pytest.raises(InputError, match=r"1 \(first 'im7'\) of 2 images not found in .* Add them"):
        mirflickr(tmp_path, cat="2\n7\n")
    write_files(tmp_path, {"lists/cat.txt": "../x\n"})
    with pytest.raises(InputError, match="'../x' is not a plain path"):
        mirflickr(tmp_path, "mirflickr")
    write_files(tmp_path, {"none/README.txt": "2\n"})
    with pytest.raises(
        InputError, match=r"No \*.txt in .*none. Give the folder of the labels' lists"
    ):
        find_format("mirflickr", tmp_path / "none").read(tmp_path / "none", tmp_path / "images")


# JSON


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"]},
        {"a.jpg": {"cat": 1, "dog": 0}, "b.jpg": {"cat": True, "dog": "yes"}},
        {"images/a.jpg": "cat", "images/b.jpg": {"labels": ["dog", "cat"]}},
        [{"image": "a.jpg", "cat": 1, "dog": 0}, {"image": "b.jpg", "cat": "1.0", "dog": True}],
        [{"file_name": "a.jpg", "tags": "cat"}, {"file_name": "b.jpg", "tags": "cat|dog"}],
        [{"image_id": "a", "labels": "cat"}, {"image_id": "b", "labels": "cat dog"}],
        [{"path": "x/a.jpg", "classes": ["cat"]}, {"path": "x/b.jpg", "classes": ["dog", "cat"]}],
    ],
)
def test_json_of_scripts(tmp_path, content):
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        lines(
            {"file_name": "a.jpg", "labels": ["cat"]}, {"file_name": "b", "labels": ["cat", "dog"]}
        ),
        lines({"image": "a.jpg", "label": "cat"}, {"image": "b", "label": ["cat", "dog"]}) + "\n\n",
        "\ufeff"
        + lines({"image": "a.jpg", "cat": 1, "dog": 0}, {"image": "b", "cat": 1, "dog": 1}),
        lines(
            {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "categories": ["cat"]}},
            {"file_name": "b.jpg", "objects": {"bbox": [], "categories": ["cat", "dog"]}},
        ),
        lines(
            {"imageGcsUri": "gs://x/a.jpg", "classificationAnnotations": [{"displayName": "cat"}]},
            {
                "imageGcsUri": "gs://x/b.jpg",
                "classificationAnnotations": [{"displayName": "cat"}, {"displayName": "dog"}],
            },
        ).replace("\n", "\r\n"),
    ],
)
@pytest.mark.parametrize("name", ["metadata.jsonl", "given.ndjson"])
def test_json_lines_of_hosts(tmp_path, text, name):
    dataset = given(tmp_path, text, name)
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == BOTH


def test_null_is_unknown_and_one_label_keeps_its_blanks_and_commas(tmp_path):
    content = [{"image": "a.jpg", "label": "tench, Tinca tinca"}, {"image": "b.jpg", "label": None}]
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("tench, Tinca tinca",)
    assert table(dataset) == {"a.jpg": [1], "b.jpg": [-1]}
    assert "1 (first 'b.jpg') pictures have null for labels: unknown" in dataset.notes[0]
    content = [{"image": "a.jpg", "x": 0, "y": -1}, {"image": "b.jpg", "x": None, "y": 1}]
    assert table(given(tmp_path, content)) == {"a.jpg": [0, -1], "b.jpg": [-1, 1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a.jpg": {"cat": 640}}, "a.jpg.cat is 640; it must be 1, 0, -1 or empty .unknown.. Corr"),
        ({"a.jpg": [["cat", 1.5]]}, r"a.jpg\[0\]\[1\] is 1.5; it must be text"),
        ([{"image": "a.jpg", "width": 640}], r"\[0\].width is 640; it must be 1, 0, -1 or empty"),
        ([{"image": "a.jpg", "size": [4, 3]}], r"\[0\].size is \[4, 3\]; it must be 1, 0, -1 or"),
        (
            [{"image": "a.jpg", "tags": ["x"]}, {"image": "b.jpg"}],
            r"\[1\].tags is missing or null; it",
        ),
        ([{"image_id": 1, "category_id": 1, "score": 0.5}], "is of no known form"),
        ([{"image": "a.jpg"}], "is of no known form"),
        ({"a": ["cat"]}, "is of no known form"),
    ],
)
def test_what_is_wrong_in_json_is_named(tmp_path, content, message):
    refuses(tmp_path, content, message)


def test_a_line_that_is_no_json_is_named(tmp_path):
    text = lines({"image": "a.jpg", "label": "x"}) + '{"image": "b.jpg", "la\n'
    refuses(tmp_path, text, "given.jsonl, line 2 is not JSON .* Give CreateML's", "given.jsonl")


def test_a_folder_with_a_list_of_hugging_face_is_told_the_command(tmp_path):
    write_files(tmp_path, {"a.jpg": b"", "metadata.jsonl": lines({"file_name": "a.jpg"})})
    assert any("'metadata.jsonl' may hold them" in note for note in load_dataset(tmp_path).notes)


# Text and csv


@pytest.mark.parametrize(
    "text",
    [
        'image_id,labels\na,"""cat"""\nb,"""cat"",""dog"""\n',
        "image_id,labels\na,'cat'\nb,'cat dog'\n",
        "image_id,labels\na,['cat']\nb,\"['cat' 'dog']\"\n",  # numpy
        'image_id,labels\na,[cat]\nb,"[cat, dog]"\n',
        "image_id;labels\na;'cat'\nb;'cat','dog'\n",
    ],
)
def test_tags_in_quotes_of_their_own(tmp_path, text):
    dataset = given(tmp_path, text, "given.csv")
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == BOTH


def test_labels_with_boxes_behind_them(tmp_path):
    text = "ImageId,PredictionString\na,n01 115 49 448 294 \nb,n01 1 2 3 4 n02 5.5 6 7 8\n"
    dataset = given(tmp_path, text, "given.csv")
    assert dataset.label_names == ("n01", "n02")
    assert table(dataset) == BOTH
    assert "four numbers of a box follow each label, and are not read" in dataset.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg cat\nb.jpg cat dog\n",
        "./a.jpg  cat \nimages/b.jpg   cat  dog\r\n",
        "a.jpg cat\nb.jpg cat\nb.jpg dog\n",
        "image cat dog\na.jpg 1 0\nb.jpg 1 1\n",
        "image  cat  dog \na.jpg  1  0\nb.jpg  1  1\n",
    ],
)
@pytest.mark.parametrize("name", ["train.txt", "given.csv"])
def test_lists_with_blanks_between_fields(tmp_path, text, name):
    dataset = given(tmp_path, text, name)
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == BOTH


def test_numbers_of_classes_are_labels_and_a_table_needs_their_names(tmp_path):
    assert given(tmp_path, "a.jpg 65\nb.jpg 970\n", "val.txt").label_names == ("65", "970")
    refuses(tmp_path, "a.jpg 0 1\nb.jpg 1 1\n", "has no header; its first line is", "val.txt")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("my cat.jpg,x\n", ["my cat.jpg", "x"]),
        ("image\na b.jpg\n", ["image"]),
        ("a b\nc d\n", ["a b"]),
        ("my cat.jpg\nb c.jpg\n", ["my cat.jpg"]),
    ],
)
def test_blanks_in_names_are_no_separators(tmp_path, text, fields):
    write_files(tmp_path, {"given.csv": text})
    assert next(csv_rows(tmp_path / "given.csv", ragged=True)) == (1, fields)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "1" + "\n" * 60_000),
        ("given.xml", "<annotations " * 5_000),
        ("given.json", '{"' + '\\"' * 30_000),
        ("given.csv", f"image,labels\na.jpg,{'a' * 60_000} b\n"),
        ("given.txt", f"image,labels\na.jpg,a{' ' * 60_000}b\n"),
        ("x/cat_train.txt", f"a{' ' * 60_000}b\n"),
        ("given.csv", f"{' ' * 60_000}image\n"),
        ("given.csv", '"' * 60_001 + "\n"),
    ],
)
def test_long_runs_of_one_character_take_no_long_time(tmp_path, name, text):
    write_files(tmp_path, {name: text, **PICTURES})
    source = tmp_path / name.partition("/")[0]
    begin = time.process_time()
    with contextlib.suppress(InputError):
        find_format(AUTO, source).read(source, tmp_path / "images")
    assert time.process_time() - begin < 2

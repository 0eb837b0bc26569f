"""VIA, FiftyOne, Datumaro, VoTT and VOC's lists, with what users make of them."""

import csv
import io
import json

import pytest

from features.annotations.catalog import AUTO, find_format
from features.errors import InputError
from tests.annotation_samples import SAMPLES, write_files
from tests.hostile.annotations.test_labeling_tools import PICTURES, given, refuses, table

# VIA


def via(**attributes):
    return {"shape_attributes": {"name": "rect", "x": 1}, "region_attributes": attributes}


def file_of(name, *regions, **own):
    return {"filename": name, "size": 9, "regions": [*regions], "file_attributes": own}


def keyed(*files):
    return {f"{file['filename']}{file['size']}": file for file in files}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (via(name="cat"), [via(name="cat"), via(name="dog")]),
        (via(label="cat", id="1"), [via(label="dog", id="2"), via(label="cat", id="")]),
        (via(kind={"cat": True}), [via(kind={"cat": True, "dog": True, "cow": False})]),
        (via(name="cat", type="x"), [via(name="cat "), via(name="dog", type="")]),
    ],
)
@pytest.mark.parametrize("form", ["json", "project", "version 1", "mark"])
def test_via_in_every_form(tmp_path, a, b, form):
    content = keyed(file_of("a.jpg", a, caption="x"), file_of("sub\\B.JPG", *b, public="no"))
    if form == "version 1":
        for file in content.values():
            file["regions"] = {str(at): one for at, one in enumerate(file["regions"])}
    if form == "project":
        content = {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {}}
    text = json.dumps(content).encode("utf-8-sig" if form == "mark" else "utf-8")
    write_files(tmp_path, {"images/sub/b.jpg": b""})
    (tmp_path / "images" / "b.jpg").unlink(missing_ok=True)
    dataset = given_via(tmp_path, text)
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == {"a.jpg": [1, 0], "sub/b.jpg": [1, 1]}


def given_via(folder, content, name="given.json"):
    pictures = {"images/a.jpg": b"", "images/sub/b.jpg": b""}
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    write_files(folder, {name: text, **pictures})
    return find_format(AUTO, folder / name).read(folder / name, folder / "images")


def test_via_says_which_attributes_are_labels(tmp_path):
    content = keyed(file_of("a.jpg", via(name="cat", pose="left"), tags={"day": True}))
    first, second = given(tmp_path, content).notes
    assert first.endswith("labels are the values of: 'name', 'tags'")
    assert second.endswith("not read: 'pose'")


def test_via_options_come_first_and_files_may_have_labels(tmp_path):
    options = {"type": "checkbox", "options": {"zebra": "", "cat": "a cat"}}
    content = {
        "_via_attributes": {"region": {}, "file": {"animals": options}},
        "_via_img_metadata": keyed(
            file_of("a.jpg", animals={"cat": True, "zebra": True}), file_of("b.jpg", animals="")
        ),
    }
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("zebra", "cat")
    assert table(dataset) == {"a.jpg": [1, 1], "b.jpg": [0, 0]}


def via_csv(*rows, first="filename"):
    text = io.StringIO()
    header = [first, "file_size", "file_attributes", "region_count", "region_id"]
    write = csv.writer(text)
    write.writerow([*header, "region_shape_attributes", "region_attributes"])
    for name, own, region in rows:
        write.writerow([name, 9, own, 1, 0, '{"name":"rect"}', region])
    return text.getvalue()


@pytest.mark.parametrize("first", ["filename", "#filename"])
def test_via_as_csv(tmp_path, first):
    rows = [("a.jpg", "{}", '{"name":"cat"}'), ("a.jpg", "{}", '{"name":"dog"}')]
    text = via_csv(*rows, ("b.jpg", "{}", "{}"), first=first)
    assert table(given(tmp_path, text, "given.csv")) == {"a.jpg": [1, 1], "b.jpg": [0, 0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            keyed(file_of("a.jpg", via(x="1", y="2"))),
            "attributes 'x', 'y' holds the labels can't be",
        ),
        (
            keyed(file_of("a.jpg", via(name="a"), via(name=True))),
            "attributes.name is true; it must",
        ),
        ({"a": {"regions": [], "file_attributes": {}}}, "a.filename is missing or null; it must"),
        (
            {"a": file_of("a.jpg", 3)},
            r"a.regions\[0\] is 3; it must be an object. Correct it or rem",
        ),
        (keyed(file_of("a.jpg")), "names no labels"),
        (
            {"project": {}, "config": {}, "attribute": {}, "file": {}},
            "is of VIA 3 without 'metadata', 'view'",
        ),
    ],
)
def test_what_is_wrong_in_via_is_named(tmp_path, content, message):
    refuses(tmp_path, content, message)


def test_what_is_wrong_in_via_s_csv_is_named(tmp_path):
    text = via_csv(("a.jpg", "{}", "name=cat"))
    refuses(tmp_path, text, 'line 2, region_attributes is "name=cat"; it must be', "given.csv")
    text = via_csv((" ", "{}", "{}"))
    refuses(tmp_path, text, 'line 2, filename is " "; it must be text', "given.csv")
    write_files(tmp_path, {"given.csv": "image,label\na,b\n", **PICTURES})
    with pytest.raises(InputError, match="has no column filename, file_attributes, region_attrib"):
        find_format("via", tmp_path / "given.csv").read(tmp_path / "given.csv", tmp_path / "images")


# FiftyOne


@pytest.mark.parametrize(
    ("classes", "a", "b"),
    [
        (["cat", "dog"], 0, [0, 1]),
        (["cat", "dog"], "cat", ["cat", "dog"]),
        (None, "cat", ["dog", "cat"]),
        (["cat", "dog"], [{"label": 0, "bounding_box": [0, 0, 1, 1]}], [{"label": "dog"}, 0]),
        (["cat", "dog"], {"label": "cat"}, [{"label": 0}, {"label": 1}]),
    ],
)
def test_fiftyone_labels_are_numbers_names_or_objects(tmp_path, classes, a, b):
    dataset = given(tmp_path, {"classes": classes, "labels": {"a": a, "images/b.jpg": b}})
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


def test_fiftyone_pictures_without_labels_are_unknown(tmp_path):
    dataset = given(tmp_path, {"classes": ["cat"], "labels": {"a": None, "b": []}})
    assert table(dataset) == {"a.jpg": [-1], "b.jpg": [0]}
    assert "1 (first 'a') pictures have no labels, not even an empty list" in dataset.notes[0]


def sample(name, **fields):
    return {"filepath": f"data/{name}", "tags": [], "_media_type": "image", **fields}


def test_fiftyone_samples(tmp_path):
    one = {"_cls": "Classification", "label": "cat"}
    many = {"_cls": "Detections", "detections": [{"label": "dog"}, {"label": "cat"}]}
    wrong = {"_cls": "Classifications", "classifications": [{"label": "cow"}]}
    content = {
        "samples": [
            sample("a.jpg", ground_truth=one, predictions=wrong),
            sample("b.jpg", ground_truth=many, predictions=None),
        ]
    }
    assert table(given(tmp_path, content)) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}
    content["samples"][1]["ground_truth"] = None
    assert table(given(tmp_path, content)) == {"a.jpg": [1], "b.jpg": [-1]}


TWO = {"x": {"_cls": "Classification"}, "y": {"_cls": "Detections"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"classes": ["x"], "labels": {"a": 1}},
            "labels.a is 1; it must be the number of a class, f",
        ),
        ({"classes": ["x"], "labels": {"a": [-1]}}, r"labels.a\[0\] is -1; it must be the number"),
        ({"classes": ["x"], "labels": {"a": [None]}}, r"labels.a\[0\] is missing or null; it must"),
        ({"classes": ["x"], "labels": {"a": True}}, "labels.a is true; it must be the number of"),
        ({"classes": ["x"], "labels": {"c": 0}}, r"1 \(first 'c'\) of 1 images not found"),
        ({"classes": {}, "labels": {"a": "x"}}, "classes is {}; it must be a list"),
        (
            {"samples": [sample("a.jpg", **TWO)]},
            "fields 'x', 'y' holds the labels can't be told. Exp",
        ),
        ({"samples": [sample("a.jpg", x=TWO["x"])]}, r"samples\[0\].x.label is missing or null"),
        ({"samples": [sample("a.jpg")]}, "names no labels"),
    ],
)
def test_what_is_wrong_in_fiftyone_is_named(tmp_path, content, message):
    refuses(tmp_path, content, message)


# Datumaro and VoTT


def datumaro(*items, names=("cat", "dog")):
    labels = [{"name": name, "parent": "", "attributes": []} for name in names]
    return {"info": {}, "categories": {"label": {"labels": labels}}, "items": [*items]}


def item(name, *numbers, **more):
    said = [{"id": 0, "type": "bbox", "label_id": number} for number in numbers]
    return {"id": name, "annotations": said, "attr": {"frame": 0}} | more


def test_datumaro_pictures_have_a_path_or_are_called_like_their_item(tmp_path):
    content = datumaro(
        item("x", 0, image={"path": "a.jpg", "size": [3, 4]}),
        item("b", 1, None, image={"path": ""}),
    )
    assert table(given(tmp_path, content)) == {"a.jpg": [1, 0], "b.jpg": [0, 1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (datumaro(item("a", 2)), r"label_id is 2; it must be the number of a class, from 0 to 1"),
        (datumaro(item("a", "0")), r'label_id is "0"; it must be the number'),
        (datumaro(item(" ")), r'items\[0\].id is " "; it must be text'),
        ({"categories": {}, "items": []}, "categories.label is missing or null; it must be an obj"),
        (datumaro(item("a"), names=()), "names no labels"),
    ],
)
def test_what_is_wrong_in_datumaro_is_named(tmp_path, content, message):
    refuses(tmp_path, content, message)


def test_vott_assets_that_nobody_has_visited_are_unknown(tmp_path):
    source, images = SAMPLES["vott"][0](tmp_path)
    content = json.loads(source.read_text())
    first, second = content["assets"].values()
    first["regions"], first["asset"]["state"] = [], 0
    second["regions"], second["asset"]["state"] = [], 1
    source.write_text(json.dumps(content))
    assert table(find_format(AUTO, source).read(source, images)) == {
        "a.jpg": [-1, -1],
        "b.jpg": [0, 0],
    }
    del second["asset"]["name"]
    source.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"assets.2.asset.name is missing or null; it must be text"
    ):
        find_format(AUTO, source).read(source, images)


# VOC's lists


def lists(folder, **texts):
    main = {f"VOC/ImageSets/Main/{name}.txt": text for name, text in texts.items()}
    write_files(folder, {**main, **PICTURES})
    source = folder / "VOC"
    return find_format(AUTO, source).read(source, folder / "images")


def test_voc_lists_say_present_absent_or_difficult(tmp_path):
    dataset = lists(
        tmp_path,
        train="a\nb\n",
        zebra_train="a -1\nb  1\n\n",
        zebra_trainval="a -1\nb 1\n",
        cow_val="a  0\r\n",
        Person_test="\ufeffb 1\n",
    )
    assert dataset.label_names == ("Person", "cow", "zebra")
    assert table(dataset) == {"a.jpg": [-1, -1, 0], "b.jpg": [1, -1, 1]}


def test_voc_s_own_classes_are_all_there(tmp_path):
    assert len(lists(tmp_path, cat_train="a 1\n").label_names) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a 1\nb 2\n",
            "cat_train.txt, line 2: it must be an image's name and 1, 0 or -1. Got 'b 2'",
        ),
        ("a 1\nb\n", "cat_train.txt, line 2: .* Got 'b'. Correct or remove it"),
        ("c 1\n", r"1 \(first 'c'\) of 1 images not found"),
        ("../a 1\n", "'../a' is not a plain path"),
    ],
)
def test_what_is_wrong_in_voc_lists_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        lists(tmp_path, cat_train=text)


def test_voc_lists_that_disagree_are_both_named(tmp_path):
    with pytest.raises(
        InputError, match="cat_train.txt and cat_trainval.txt disagree about .* 'a'"
    ):
        lists(tmp_path, cat_train="a 1\n", cat_trainval="a -1\n")


def test_a_voc_folder_with_annotations_is_read_by_these(tmp_path):
    write_files(tmp_path / "VOC", {"Annotations/a.xml": "<annotation></annotation>"})
    with pytest.raises(InputError, match="names no labels"):
        lists(tmp_path, cat_train="a 1\n")

"""Supervisely, SuperAnnotate, Darwin and VIA 3: files of a picture each, and numbers of options."""

import json

import numpy as np
import pytest

from features.annotations.catalog import AUTO, find_format
from features.errors import InputError
from tests import annotation_samples
from tests.annotation_samples import write_files

PICTURES = {"images/a.jpg": b"", "images/b.jpg": b""}
SIZE = {"height": 4, "width": 4}


def read(folder, files, *, pictures=PICTURES, images="images", format=AUTO):
    texts = {f"given/{name}": json.dumps(one) for name, one in files.items()}
    write_files(folder, {**texts, **pictures})
    return find_format(format, folder / "given").read(folder / "given", folder / images)


def refused(folder, files, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        read(folder, files, **options)
    assert "\n" not in str(caught.value)


def has(dataset, names, labels):
    assert (dataset.ids, dataset.label_names) == (("a.jpg", "b.jpg"), names)
    np.testing.assert_array_equal(dataset.labels, labels)


# Supervisely


def sly(*classes, tags=()):
    return {
        "description": "", "tags": list(tags), "size": SIZE,
        "objects": [{"classTitle": name, "tags": []} for name in classes],
    }  # fmt: skip


def of_value(name, value=None):
    return {"name": name, "value": value}


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg.json": sly("cat"), "b.jpg.json": sly("dog", "cat", "cat")},
        {"a.json": sly("cat"), "b.json": sly("dog", "cat")},
        {"a.jpg.json": sly(tags=["cat"]), "b.jpg.json": sly("cat", tags=["dog"])},
        {"a.jpg.json": sly("cat"), "b.jpg.json": sly("dog", tags=[of_value("cat")])},
        {
            "a.jpg.json": sly("cat", tags=[of_value("count", 3)]),
            "b.jpg.json": sly("dog", "cat", tags=[of_value("score", 0.5), of_value("n", 0)]),
        },
    ],
)
def test_supervisely_classes_and_tags(tmp_path, files):
    has(read(tmp_path, files), ("cat", "dog"), [[1, 0], [1, 1]])


def test_supervisely_one_of_several_values_is_a_label(tmp_path):
    tags = [of_value("sky", "blue"), of_value("note", "by hand")]
    meta = {
        "classes": [{"title": "cat"}],
        "tags": [
            {"name": "sky", "value_type": "oneof_string", "values": ["gray", "blue"]},
            {"name": "note", "value_type": "any_string"},
        ],
    }
    files = {"meta.json": meta, "ann/a.jpg.json": sly(tags=tags), "ann/b.jpg.json": sly("cat")}
    dataset = read(tmp_path, files, pictures={"given/img/a.jpg": b"", "given/img/b.jpg": b""},
                   images="given")  # fmt: skip
    assert dataset.ids == ("img/a.jpg", "img/b.jpg")
    assert dataset.label_names == ("cat", "sky: gray", "sky: blue")
    np.testing.assert_array_equal(dataset.labels, [[0, 0, 1], [1, 0, 0]])


def test_supervisely_folder_beside_its_project_has_the_declared_classes(tmp_path):
    meta = {"classes": [{"title": "zebra"}, {"title": "cat"}], "tags": []}
    files = {"a.jpg.json": sly("cat"), "b.jpg.json": sly("cat")}
    write_files(tmp_path, {"meta.json": json.dumps(meta)})
    has(read(tmp_path, files), ("zebra", "cat"), [[0, 1], [0, 1]])


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (sly(None), r"a.jpg.json: objects\[0\].classTitle is missing or null; it must be text"),
        (sly(tags=[{"value": 1}]), r"a.jpg.json: tags\[0\].name is missing"),
        (sly(tags=[7.5]), r"tags\[0\] is 7.5; it must be text"),
        ({**sly(), "objects": {}}, "a.jpg.json: objects is {}; it must be a list"),
    ],
)
def test_what_is_wrong_in_supervisely_is_named(tmp_path, file, message):
    refused(tmp_path, {"a.jpg.json": file}, message, format="supervisely")


# SuperAnnotate


def sa(*classes, tags=(), **metadata):
    return {
        "metadata": metadata, "tags": list(tags), "comments": [],
        "instances": [{"type": "polygon", "className": name} for name in classes],
    }  # fmt: skip


@pytest.mark.parametrize(
    "files",
    [
        {"a.jpg.json": sa("cat"), "b.jpg.json": sa("dog", "cat")},
        {"a.jpg___pixel.json": sa("cat"), "b.jpg___objects.json": sa("dog", "cat")},
        {"1.json": sa("cat", name="a.jpg"), "2.json": sa("dog", tags=["cat"], name="b.jpg")},
        {"a.jpg.json": sa("cat", name="old.jpg"), "b.jpg.json": sa("dog", "cat", name="x.jpg")},
    ],
)
def test_superannotate_instances_and_tags(tmp_path, files):
    has(read(tmp_path, files), ("cat", "dog"), [[1, 0], [1, 1]])


@pytest.mark.parametrize("status", ["NotStarted", "Not Started", "Skipped"])
def test_superannotate_pictures_that_nobody_has_looked_at_are_unknown(tmp_path, status):
    files = {"a.jpg.json": sa("cat", status="Completed"), "b.jpg.json": sa(status=status)}
    dataset = read(tmp_path, files)
    has(dataset, ("cat",), [[1], [-1]])
    assert "1 (first 'b.jpg') pictures were not annotated: unknown" in dataset.notes[-1]


def test_files_of_settings_are_counted(tmp_path):
    files = {"a.jpg.json": sa("cat"), "b.jpg.json": sa("cat"), "config.json": {"version": 1}}
    dataset = read(tmp_path, files)
    has(dataset, ("cat",), [[1], [1]])
    assert "1 (first 'config.json') JSON files without 'instances': left out" in dataset.notes[-1]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg.json": sa(None)}, r"instances\[0\].className is missing or null"),
        ({"a.jpg.json": {**sa("x"), "metadata": 3}}, "metadata is 3; it must be an object"),
        ({"a.jpg.json": {**sa("x"), "tags": [None]}}, r"tags\[0\] is missing or null"),
        ({"c.jpg.json": sa("x")}, r"1 \(first 'c.jpg'\) of 1 images not found"),
        ({"a.jpg.json": {}}, "No JSON file in .* has 'instances'. Give the folder of SuperAnno"),
    ],
)
def test_what_is_wrong_in_superannotate_is_named(tmp_path, files, message):
    refused(tmp_path, files, message, format="superannotate")


# Darwin


def v7(name, *labels, path="/", **annotation):
    said = [{"name": label, **annotation} for label in labels]
    return {"version": "2.0", "item": {"name": name, "path": path}, "annotations": said}


@pytest.mark.parametrize(
    "files",
    [
        {"a.json": v7("a.jpg", "cat", tag={}), "b.json": v7("b.jpg", "dog", "cat")},
        {"1.json": v7("a.jpg", "cat"), "2.json": v7("b.jpg", "dog", "cat", polygon={})},
        {"a.json": v7("x.jpg", "cat"), "b.json": v7("y.jpg", "cat", "dog")},
    ],
)
def test_darwin_tags_and_objects(tmp_path, files):
    has(read(tmp_path, files), ("cat", "dog"), [[1, 0], [1, 1]])


def test_darwin_folders(tmp_path):
    files = {"1.json": v7("a.jpg", "cat", path="/x/y"), "2.json": v7("a.jpg", "dog", path="/z")}
    dataset = read(tmp_path, files, pictures={"images/x/y/a.jpg": b"", "images/z/a.jpg": b""})
    assert dataset.ids == ("x/y/a.jpg", "z/a.jpg")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (v7("a.jpg", None), r"annotations\[0\].name is missing or null; it must be text"),
        (v7("a.jpg", "cat", frames={"0": {}}), "a.json is of a video; pictures are read. Export"),
        (v7("", "cat"), "item.name is \"\"; it must be text"),
        ({**v7("a.jpg"), "item": 1}, "item is 1; it must be an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_darwin_is_named(tmp_path, file, message):
    refused(tmp_path, {"a.json": file}, message, format="darwin")


# VIA 3


def via(folder, change=lambda content: None):
    source, images = annotation_samples.via3(folder)
    content = json.loads(source.read_text())
    change(content)
    source.write_text(json.dumps(content))
    return find_format(AUTO, source).read(source, images)


def test_a_project_of_via_3(tmp_path):
    has(via(tmp_path), ("dog", "cat"), [[0, 1], [1, 1]])


def test_typed_text_of_via_3_and_pictures_without_metadata(tmp_path):
    def change(content):
        content["attribute"] = {"1": {"aname": "class", "type": 1, "options": {}}}
        content["metadata"] = {"x": {"vid": "1", "xy": [], "av": {"1": " cat "}}}

    has(via(tmp_path, change), ("cat",), [[1], [0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["metadata"]["1_x"].update(vid="9"), 'vid is "9"; it must be one of the'),
        (lambda c: c["metadata"]["1_x"]["av"].update({"1": "7"}), "of options; '7' is none"),
        (lambda c: c["metadata"]["1_x"].update(av={"9": "1"}), "one of the numbers in 'attribute'"),
        (lambda c: c["file"]["1"].update(type=4), "file.1.type is 4; it must be 2, a picture"),
        (lambda c: c["view"]["1"].update(fid_list=["1", "2"]), "view.1 has 2 files; views of one"),
        (lambda c: c["view"]["1"].update(fid_list=["8"]), "one of the numbers in 'file'"),
        (lambda c: c.pop("view"), "is of VIA 3 without 'view'. Save the project again"),
        (lambda c: c["metadata"]["2_y"].update(xy=3), "xy is 3; it must be a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_via_3_is_named(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        via(tmp_path, change)
    assert "\n" not in str(caught.value)


# Folders that are called like files


@pytest.mark.parametrize("format", annotation_samples.SAMPLES)
def test_folders_that_are_called_like_files_are_none(tmp_path, format):
    source, images = annotation_samples.SAMPLES[format][0](tmp_path)
    sound = find_format(AUTO, source).read(source, images)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        path.with_name(f"0{path.name}").mkdir()
    for name in ("data.yaml", "classes.txt", "Labels_x.txt", "class-descriptions.csv", "meta.json"):
        for folder in {source.parent, source} if source.is_dir() else {source.parent}:
            if not (folder / name).exists():
                (folder / name).mkdir()
    dataset = find_format(AUTO, source).read(source, images)
    assert (dataset.ids, dataset.label_names) == (sound.ids, sound.label_names)
    np.testing.assert_array_equal(dataset.labels, sound.labels)

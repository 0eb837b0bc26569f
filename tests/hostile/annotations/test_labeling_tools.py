"""Exports of labeling tools in forms of their own, with what users make of them."""

import json

import pytest

from features.annotations.catalog import AUTO, find_format
from features.errors import InputError
from features.inputs.json_text import key_paths
from tests.annotation_samples import SAMPLES, write_files
from tests.hostile.annotations.test_exports import read

PICTURES = {"images/a.jpg": b"", "images/b.jpg": b""}


def given(folder, content, name="given.json"):
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return read(folder, {name: text, **PICTURES}, name)


def table(dataset):
    return dict(zip(dataset.ids, dataset.labels.tolist(), strict=True))


def refuses(folder, content, message, name="given.json"):
    with pytest.raises(InputError, match=message) as caught:
        given(folder, content, name)
    assert "\n" not in str(caught.value)


# CVAT


def cvat(folder, inside, meta=""):
    text = f"<annotations><version>1.1</version>{meta}{inside}</annotations>"
    return given(folder, text, "annotations.xml")


A_CAT = "<image id='0' name='a.jpg'><tag label='cat'/></image>"


def test_cvat_tells_that_attributes_are_no_labels(tmp_path):
    source, images = SAMPLES["cvat"][0](tmp_path)
    dataset = find_format(AUTO, source).read(source, images)
    assert dataset.notes == (f"{source}: attributes are not read as labels: 1 (first 'age')",)


@pytest.mark.parametrize("shape", ["polygon", "polyline", "points", "ellipse", "cuboid", "mask"])
@pytest.mark.parametrize("name", ["b.jpg", "images/b.jpg", "b", "images\\b.JPG"])
def test_cvat_shapes_of_every_kind_and_names_of_every_form(tmp_path, shape, name):
    inside = f"{A_CAT}<image id='1' name='{name}'><{shape} label='dog'/></image>"
    assert table(cvat(tmp_path, inside)) == {"a.jpg": [1, 0], "b.jpg": [0, 1]}


def test_cvat_pictures_without_shapes_and_twice(tmp_path):
    meta = "<meta><job><labels><label><name>cow</name></label></labels></job></meta>"
    dataset = cvat(tmp_path, A_CAT + A_CAT.replace("cat", "dog") + "<image name='b.jpg'/>", meta)
    assert dataset.label_names == ("cow", "cat", "dog")
    assert table(dataset) == {"a.jpg": [0, 1, 1], "b.jpg": [0, 0, 0]}


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (
            "<track id='0' label='cat'><box frame='0'/></track>",
            "tracks of a video .first 'cat'.*Exp",
        ),
        (A_CAT + "<track id='0'/>", "whose frames have no names of pictures"),
        ("<image id='7' name=' '/>", "image 0 .id '7'. has no name. Write its file's, or remove"),
        ("<image id='7' name='a.jpg'><box/></image>", "a box of image 'a.jpg' has no label. Write"),
        ("<image name='c.jpg'><tag label='x'/></image>", r"1 \(first 'c.jpg'\) of 1 images not fo"),
        ("<image name='../c.jpg'><tag label='x'/></image>", "'../c.jpg' is not a plain path"),
        ("<image name='a.jpg'/>", "names no labels"),
        ("<meta/>", "names no labels"),
        ("<image name='a.jpg'>", "is not XML"),
    ],
)
def test_what_is_wrong_in_cvat_is_named(tmp_path, inside, message):
    with pytest.raises(InputError, match=message):
        cvat(tmp_path, inside)


def test_cvat_in_other_encodings(tmp_path):
    text = f"<annotations><meta/>{A_CAT.replace('cat', 'größe')}</annotations>"
    for encoding in ("utf-8-sig", "utf-16"):
        dataset = given(tmp_path, text.encode(encoding), "annotations.xml")
        assert dataset.label_names == ("größe",)


# LabelMe


def labelme(folder, *files, images="images"):
    """Files are (name, changes of the content)."""
    texts = {}
    for name, changes in files:
        content = {"version": "5", "flags": {}, "shapes": [], "imagePath": None} | changes
        content = {key: value for key, value in content.items() if value != "left out"}
        texts[f"json/{name}.json"] = json.dumps(content)
    return read(folder, {**texts, **PICTURES}, "json", images)


def shapes(*labels):
    return {"shapes": [{"label": label, "points": []} for label in labels]}


@pytest.mark.parametrize(
    "path",
    [
        "a.jpg",
        "..\\images\\a.jpg",
        "../images/a.jpg",
        "C:\\x\\a.jpg",
        "A.JPG",
        "old.jpg",
        " ",
        None,
        "left out",
        "/home/x/images/a.jpg",
        "./a.jpg",
    ],
)
def test_labelme_pictures_are_found_by_path_or_by_the_name_of_the_file(tmp_path, path):
    dataset = labelme(tmp_path, ("a", {"imagePath": path} | shapes("cat", 7, "cat ")))
    assert (dataset.ids, dataset.label_names) == (("a.jpg",), ("7", "cat"))


def test_labelme_flags_are_present_absent_or_unknown(tmp_path):
    dataset = labelme(
        tmp_path,
        ("a", {"flags": {"x": True, "y": False, "z": None}} | shapes("y")),
        ("b", {"flags": {"x": False}} | shapes("cat")),
    )
    assert dataset.label_names == ("cat", "x", "y", "z")
    assert table(dataset) == {"a.jpg": [0, 1, 1, -1], "b.jpg": [1, 0, -1, -1]}


def test_labelme_files_in_folders_beside_their_pictures(tmp_path):
    files = {
        f"{part}/{name}.json": json.dumps({"imagePath": f"{name}.jpg", **shapes(name)})
        for part, name in (("train", "a"), ("test", "a"), ("test", "b"))
    }
    pictures = {name.replace(".json", ".jpg"): b"" for name in files}
    dataset = read(tmp_path / "all", {**files, **pictures}, ".", ".")
    assert table(dataset) == {"test/a.jpg": [1, 0], "test/b.jpg": [0, 1], "train/a.jpg": [1, 0]}


def test_labelme_files_in_folders_of_pictures_that_lie_in_one(tmp_path):
    dataset = labelme(
        tmp_path,
        ("train/x", {"imagePath": "a.jpg"} | shapes("cat")),
        ("test/y", {"imagePath": "b.jpg"} | shapes("dog")),
    )
    assert table(dataset) == {"b.jpg": [0, 1], "a.jpg": [1, 0]}


@pytest.mark.parametrize("hidden", ["._a.json", ".ipynb_checkpoints/a.json", "__MACOSX/a.json"])
def test_labelme_companions_are_no_annotations(tmp_path, hidden):
    write_files(tmp_path, {f"json/{hidden}": b"\0\5\x16\7"})
    assert labelme(tmp_path, ("a", shapes("cat"))).ids == ("a.jpg",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (shapes("cat", ""), r'a.json: shapes\[1\].label is ""; it must be text. Correct it or'),
        (shapes(None), r"shapes\[0\].label is missing or null; it must be text"),
        ({"shapes": ["cat"]}, r'shapes\[0\] is "cat"; it must be an object'),
        ({"flags": {"x": "maybe"}}, 'flags.x is "maybe"; it must be true or false'),
        ({"flags": ["x"]}, r'flags is \["x"\]; it must be an object'),
        ({"shapes": None}, "shapes is missing or null; it must be a list"),
        ({}, "names no labels"),
    ],
)
def test_what_is_wrong_in_labelme_is_named(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        labelme(tmp_path, ("a", content), ("b", shapes("x")) if content else ("b", {}))


@pytest.mark.parametrize("text", ["{}", "[]", '{"images": []}'])
def test_a_file_of_another_kind_among_labelme_s_is_named(tmp_path, text):
    write_files(tmp_path, {"json/z.json": text})
    with pytest.raises(
        InputError, match="z.json has no 'shapes'. Move a file that is none of Labe"
    ):
        labelme(tmp_path, ("a", shapes("cat")))


# CreateML


@pytest.mark.parametrize(
    "content",
    [
        [
            {"image": "a.jpg", "annotations": "cat"},
            {"image": "b.jpg", "annotations": ["dog", "cat"]},
        ],
        [
            {"imagefilename": "a.jpg", "annotation": [{"label": "cat", "coordinates": {"x": 1}}]},
            {"imagefilename": "b.jpg", "annotation": [{"label": "dog"}, {"label": "cat"}]},
        ],
        [{"image": "a.JPG", "label": "cat"}, {"image": "b", "labels": ["cat ", "dog"]}],
        [
            {"file_name": "x/a.jpg", "tags": ["cat"]},
            {"file_name": "x/b.jpg", "tags": ["cat", "dog"]},
        ],
        [
            {"image": "a.jpg", "annotations": [{"label": "cat"}, {"label": "cat"}]},
            {"image": "b.jpg", "annotations": {"label": "cat"}},
            {"image": "b.jpg", "annotations": [{"name": "dog"}]},
        ],
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_of_pictures_with_their_labels(tmp_path, content, encoding):
    dataset = given(tmp_path, json.dumps(content).encode(encoding))
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


def test_createml_numbers_are_names_and_empty_lists_are_no_labels(tmp_path):
    content = [{"image": "a.jpg", "annotations": [{"label": 7}, {"label": "7"}]}]
    content.append({"image": "b.jpg", "annotations": []})
    assert table(given(tmp_path, content)) == {"a.jpg": [1], "b.jpg": [0]}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"image": "a.jpg"},
            r"\[1\].annotations is missing or null; it must be a label, or a list",
        ),
        ({"annotations": []}, r"\[1\].image is missing or null; it must be text"),
        ({"image": " ", "annotations": []}, r'\[1\].image is " "; it must be text'),
        ({"image": "a.jpg", "annotations": [{"x": 1}]}, r"\[1\].annotations\[0\].label is missing"),
        ({"image": "a.jpg", "annotations": [None]}, r"annotations\[0\] is missing or null"),
        ({"image": "a.jpg", "annotations": True}, r"annotations is true; it must be text"),
        ("a.jpg", r'\[1\] is "a.jpg"; it must be an object'),
        ({"image": "c.jpg", "annotations": []}, r"1 \(first 'c.jpg'\) of 2 images not found"),
        (
            {"file": "a.jpg", "path": "b.jpg", "label": "x"},
            r"\[1\] has 'file' and 'path'; which one names the picture can't be told. Call it",
        ),
    ],
)
def test_what_is_wrong_in_createml_is_named(tmp_path, entry, message):
    refuses(tmp_path, [{"image": "b.jpg", "annotations": ["x"]}, entry], message)


# What tells them apart


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('{"a": {"b": [1, {"c": "d', {".a", ".a.b", ".a.b[]", ".a.b[].c"}),
        ('[{"a\\": {": 1, "b": ["x", "y": 1]}]', {"[]", '[].a\\": {', "[].b", "[].b[]"}),
        ("]]{", set()),
        ('"' + "\\" * 9, set()),
        ("[" * 9, {"[]" * count for count in range(1, 10)}),
    ],
)
def test_keys_of_json_that_ends_anywhere(text, paths):
    assert key_paths(text) == paths


@pytest.mark.parametrize("text", ['{"info": {"labels": []}}', '{"a": 1}', "[]", "[1]", '"'])
def test_json_of_no_form_is_refused(tmp_path, text):
    refuses(tmp_path, text, "is of no known form. Give one of coco")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("{'images': []}", "is not JSON"),  # Python's print of it
        (" \n", "is empty. Give the annotations"),
        ("", "is empty. Give the annotations"),
    ],
)
def test_what_was_to_be_json_says_why_it_is_none(tmp_path, text, message):
    refuses(tmp_path, text, message)

"""Label Studio's exports: tasks and the small form, with what users make of them."""

import numpy as np
import pytest

from features.datasets import index_images
from tests.annotation_samples import write_files
from tests.hostile.annotations.test_labeling_tools import given, refuses, table


def result(kind="choices", *labels, question="what"):
    return {"type": kind, "from_name": question, "to_name": "image", "value": {kind: [*labels]}}


def task(name, *annotations, **more):
    listed = [one if isinstance(one, dict) else {"result": one} for one in annotations]
    return {"id": 1, "annotations": listed, "predictions": [], "data": {"image": name}} | more


@pytest.mark.parametrize(
    "front",
    [
        "/data/upload/1/1f2e3d4c-{}.jpg",
        "/data/local-files/?d=folder/{}.jpg",
        "s3://bucket/folder/{}.jpg",
        "https://x.org/data/upload/7/1f2e3d4c-{}.jpg",
        "upload/1/1f2e3d4c-{}.jpg",
        "{}.jpg",
    ],
)
def test_label_studio_names_pictures_by_url_path_or_upload(tmp_path, front):
    content = [
        task(front.format("a"), [result("choices", "cat")]),
        task(front.format("b"), [result("polygonlabels", "dog"), result("brushlabels", "cat")]),
    ]
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("cat", "dog")
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


def test_label_studio_changes_the_characters_of_names(tmp_path):
    names = ["0a1b2c3d-my_cat_1.jpg", "1a1b2c3d-b.jpg"]
    for file in ("my cat (1).jpg", "b.jpg"):
        write_files(tmp_path, {f"images/{file}": b""})
    dataset = index_images(
        tmp_path / "images", names, np.eye(2, dtype=np.int8), ("x", "y"), source="here"
    )
    assert dataset.ids == ("my cat (1).jpg", "b.jpg")
    assert "Label Studio's prefix (2)" in dataset.notes[0]


def test_label_studio_tasks_that_nobody_judged_are_unknown(tmp_path):
    content = [
        task("a.jpg", predictions=[{"result": [result("choices", "cow")]}]),
        task("b.jpg", [result("choices", "cat")], {"result": [], "was_cancelled": True}),
    ]
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("cat",)
    assert table(dataset) == {"a.jpg": [-1], "b.jpg": [1]}
    assert "1 (first 'a.jpg') tasks have no annotation: all their labels are" in dataset.notes[0]
    content[1]["annotations"] = [{"result": [], "was_cancelled": False}, {"was_cancelled": True}]
    content[0] = task("a.jpg", [result("choices", "cat")], [result("choices", "dog")])
    dataset = given(tmp_path, content)
    assert table(dataset) == {"a.jpg": [1, 1], "b.jpg": [0, 0]}
    assert "tasks have several annotations; a label is present if any has it" in dataset.notes[0]


def test_label_studio_taxonomies_questions_and_what_is_no_label(tmp_path):
    paths = {"type": "taxonomy", "value": {"taxonomy": [["animal", "dog"], ["thing"]]}}
    content = [
        task("a.jpg", [paths, result("choices", "yes", question="day")]),
        task(
            "b.jpg",
            [
                result("choices", "yes", question="indoors"),
                {"type": "textarea", "value": {"text": ["a photo"]}},
                {"type": "relation", "from_id": "x", "to_id": "y", "labels": []},
                {"type": "rectangle", "value": {"x": 1}},
            ],
        ),
    ]
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("animal", "animal/dog", "day: yes", "indoors: yes", "thing")
    assert table(dataset) == {"a.jpg": [1, 1, 1, 0, 1], "b.jpg": [0, 0, 0, 1, 0]}
    assert dataset.notes[0].endswith("3 (first 'rectangle', 'relation', 'textarea')")


def test_label_studio_of_old_versions_and_other_keys(tmp_path):
    content = [
        {"id": 1, "completions": [{"result": [result("choices", "cat")], "skipped": False}]},
        {"id": 2, "completions": [{"result": [result("choices", "dog")], "skipped": True}]},
    ]
    for one, name in zip(content, ("a", "b"), strict=True):
        one["data"] = {"img_url": f"http://x/{name}.jpg", "text": "a photo", "number": 3}
    assert table(given(tmp_path, content)) == {"a.jpg": [1], "b.jpg": [-1]}


def test_label_studio_s_small_form(tmp_path):
    region = {"x": 1, "rectanglelabels": ["dog"], "original_width": 4}
    more = {"id": 1, "annotator": 1, "annotation_id": 1, "lead_time": 2.5, "created_at": "2024"}
    content = [
        {"image": "/data/upload/1/1f2e3d4c-a.jpg", "choice": "cat", "note": "a photo"} | more,
        {"image": "/data/upload/1/0a1b2c3d-b.jpg", "choice": {"choices": ["cat", "cow"]}} | more,
        {"image": "/data/upload/1/0a1b2c3d-b.jpg", "label": [region], "kind": [["x", "y"]]} | more,
    ]
    dataset = given(tmp_path, content)
    assert dataset.label_names == ("cat", "cow", "dog", "x", "x/y")
    assert table(dataset) == {"a.jpg": [1, 0, 0, 0, 0], "b.jpg": [1, 1, 1, 1, 1]}
    assert "results that are not read as labels: 1 (first 'note')" in dataset.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([task(None, [])], r"\[0\].data.image is missing or null; it must be text"),
        (
            [task(["a.jpg", "b.jpg"], [])],
            r'\[0\].data.image is \["a.jpg", "b.jpg"\]; it must be te',
        ),
        ([task("a.jpg", [result("choices", "")])], r'value.choices\[0\] is ""; it must be text'),
        ([task("a.jpg", [result("choices", {})])], r"value.choices\[0\] is {}; it must be text"),
        ([task("a.jpg", [{"value": {}}])], r"\[0\].annotations\[0\].result\[0\].type is missing"),
        ([task("a.jpg") | {"annotations": [17]}], r"annotations\[0\] is 17; it must be an object"),
        ([task("a.jpg", []), 3], r"\[1\] is 3; it must be an object"),
        ([task("a.jpg") | {"data": "a.jpg"}], r'\[0\].data is "a.jpg"; it must be an object'),
        ([task("a.jpg", [])], "names no labels"),
        (
            [task("a.jpg", [{"type": "rating", "value": {"rating": 3}}])],
            r"names no labels: 1 \(first 'rating'\) are none, or .* Export the project as JSON",
        ),
        (
            [{"image": "a.jpg", "weather": "sunny", "annotation_id": 1}],
            r"names no labels: 1 \(first 'weather'\) are none, or can't be told from texts",
        ),
    ],
)
def test_what_is_wrong_in_label_studio_s_tasks_is_named(tmp_path, content, message):
    refuses(tmp_path, content, message)


def test_a_large_first_entry_hides_no_form(tmp_path):
    mask = result("brushlabels", "cat") | {"value": {"brushlabels": ["cat"], "rle": [1] * 60_000}}
    assert table(given(tmp_path, [task("a.jpg", [mask])])) == {"a.jpg": [1]}

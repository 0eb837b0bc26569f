"""JSON lines of any ending, Labelbox, Ground Truth and Prodigy; names of ImageNet's folders."""

import json

import pytest

from features.annotations.catalog import AUTO, find_format
from features.errors import InputError
from tests.annotation_samples import SAMPLES, lines_of, write_files
from tests.hostile.annotations.test_labeling_tools import table

PICTURES = {f"images/{name}.jpg": b"" for name in "abc"}


def given(folder, content, name="given.jsonl", format=AUTO):
    text = content if isinstance(content, str) else lines_of(content)
    write_files(folder, {name: text, **PICTURES})
    return find_format(format, folder / name).read(folder / name, folder / "images")


def refuses(folder, message, content, **options):
    with pytest.raises(InputError, match=message) as caught:
        given(folder, content, **options)
    assert "\n" not in str(caught.value)


TAGGED = [{"image": "a.jpg", "tags": ["cat"]}, {"image": "b.jpg", "tags": ["cat", "dog"]}]


@pytest.mark.parametrize("name", ["given.json", "given.jsonl", "given.ndjson", "given.JSON"])
@pytest.mark.parametrize("between", ["\n", "\r\n", "\n\n", " \n"])
def test_json_lines_of_any_ending(tmp_path, name, between):
    dataset = given(tmp_path, between.join(map(json.dumps, TAGGED)), name)
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_is_no_line(tmp_path, indent):
    content = {"a.jpg": ["cat"], "b.jpg": ["cat", "dog"]}
    dataset = given(tmp_path, json.dumps(content, indent=indent) + "\n", "given.json")
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


def test_a_broken_line_is_named(tmp_path):
    text = lines_of(TAGGED) + '{"image": "c.jpg", \n'
    refuses(tmp_path, r"given.json, line 3 is not JSON", text, name="given.json")


@pytest.mark.parametrize("format", ["labelbox", "ground-truth", "prodigy"])
@pytest.mark.parametrize("form", ["list", "lines"])
def test_lines_and_lists_are_the_same(tmp_path, format, form):
    source, images = SAMPLES[format][0](tmp_path)
    lines = source.read_text().splitlines()
    text = "\n".join(lines) if form == "lines" else f"[{','.join(lines)}]"
    (tmp_path / "other.json").write_text(text)
    dataset = find_format(AUTO, tmp_path / "other.json").read(tmp_path / "other.json", images)
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [1, 1]}


# Labelbox


def row(name, *labels, **more):
    return {"data_row": {"external_id": name}, "projects": {"p": {"labels": [*labels]}}, **more}


def labeled(*objects, **answers):
    said = [{"name": key, **value} for key, value in answers.items()]
    return {"annotations": {"objects": [{"name": one} for one in objects], "classifications": said}}


def test_labelbox_reads_every_kind_of_answer(tmp_path):
    inner = [{"name": "how", "radio_answer": {"name": "big"}}]
    first = labeled("cat", sky={"radio_answer": {"name": "blue", "classifications": inner}})
    second = labeled(note={"text_answer": {"content": "see above"}})
    skipped = {"performance_details": {"skipped": True}, **labeled("dog")}
    dataset = given(tmp_path, [row("a.jpg", first), row("b.jpg", second), row("c.jpg", skipped)])
    assert dataset.label_names == ("big", "blue", "cat")
    assert table(dataset) == {"a.jpg": [1, 1, 1], "b.jpg": [0, 0, 0], "c.jpg": [-1, -1, -1]}
    assert "1 (first 'c.jpg') pictures have no labels: unknown" in dataset.notes[0]


def test_labelbox_of_before(tmp_path):
    answer = {"title": "sky", "answer": {"title": "blue", "value": "blue"}}
    said = {"objects": [{"title": "cat", "value": "cat"}], "classifications": [answer]}
    rows = [
        {"External ID": "a.jpg", "Labeled Data": "https://x/1", "Label": said},
        {"External ID": None, "Labeled Data": "b.jpg", "Label": {"objects": []}},
        {"External ID": "c.jpg", "Labeled Data": "https://x/3", "Label": "Skip"},
    ]
    dataset = given(tmp_path, rows)
    assert dataset.label_names == ("blue", "cat")
    assert table(dataset) == {"a.jpg": [1, 1], "b.jpg": [0, 0], "c.jpg": [-1, -1]}


def test_labelbox_without_names_is_one_line(tmp_path):
    video = {"annotations": {"frames": {"1": {}}}}
    refuses(tmp_path, "must be Labelbox's objects and class", [row("a.jpg", video)])
    nameless = {"annotations": {"objects": [{"bounding_box": {}}]}}
    refuses(tmp_path, r"objects\[0\].name is missing", [row("a.jpg", nameless)])
    refuses(tmp_path, "external_id is missing", [row(None, labeled("cat"))])


# SageMaker Ground Truth


def result(name, value, **metadata):
    return {"source-ref": f"s3://b/p/{name}", "job": value, "job-metadata": metadata}


def test_ground_truth_of_every_kind(tmp_path):
    names = {"0": "cat", "1": "dog"}
    one = [result("a.jpg", 0, **{"class-name": "cat"}), result("b.jpg", 1, **{"class-name": "dog"})]
    several = [
        result("a.jpg", [0], **{"class-map": names}),
        result("b.jpg", [1], **{"class-map": names}),
    ]
    boxes = [
        result("a.jpg", {"annotations": [{"class_id": 0, "top": 1}]}, **{"class-map": names}),
        result("b.jpg", {"annotations": [{"class_id": 1}] * 2}, **{"class-map": names}),
    ]
    for rows in (one, several, boxes):
        dataset = given(tmp_path, rows, "output.manifest")
        assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [0, 1]}


def test_ground_truth_without_a_result_is_unknown(tmp_path):
    failed = {"source-ref": "s3://b/p/b.jpg", "job-metadata": {"failure-reason": "too large"}}
    dataset = given(
        tmp_path,
        [
            result("a.jpg", [], **{"class-map": {}}),
            failed,
            result("c.jpg", ["1"], **{"class-map": {"1": "dog"}}),
        ],
    )
    assert table(dataset) == {"a.jpg": [0], "b.jpg": [-1], "c.jpg": [1]}
    assert "1 (first 's3://b/p/b.jpg') pictures have no result: unknown" in " ".join(dataset.notes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([result("a.jpg", [7], **{"class-map": {"0": "cat"}})], "class-map.7 is missing"),
        ([result("a.jpg", "s3://b/mask.png")], "masks have no names of labels"),
        ([result("a.jpg", 1)], "class-name is missing"),
        ([result("a.jpg", {"annotations": 3})], "annotations is 3; it must be a list"),
        (
            [result("a.jpg", 1) | {"two": 1, "two-metadata": {}}],
            "results of one job, .* Got 'job' and 'two'. Keep the fields of one job",
        ),
    ],
)
def test_ground_truth_that_names_no_label_is_one_line(tmp_path, rows, message):
    refuses(tmp_path, message, rows, name="output.manifest")


# Prodigy


def answer(image, said, **fields):
    return {"image": image, "answer": said, **fields}


def test_prodigy_answers_of_one_label(tmp_path):
    rows = [
        answer("a.jpg", "accept", label="cat"),
        answer("a.jpg", "reject", label="dog"),
        answer("b.jpg", "reject", label="cat"),
        answer("c.jpg", "ignore", label="cat"),
        answer("c.jpg", "accept", label="dog"),
        answer("c.jpg", "reject", label="dog"),
    ]
    dataset = given(tmp_path, rows)
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [0, -1], "c.jpg": [-1, -1]}


def test_prodigy_choices_and_regions(tmp_path):
    options = [{"id": 1, "text": "cat"}, {"id": 2, "text": "dog"}, {"id": 3, "text": "cow"}]
    rows = [
        answer("data:image/jpeg;base64,/9j/", "accept", path="a.jpg", options=options, accept=[1]),
        answer("b.jpg", "reject", options=options, accept=[2]),
        answer("c.jpg", "accept", options=options, accept=[]),
    ]
    dataset = given(tmp_path, rows)
    assert dataset.label_names == ("cat", "cow", "dog")
    assert table(dataset) == {"a.jpg": [1, 0, 0], "b.jpg": [-1, -1, -1], "c.jpg": [0, 0, 0]}
    assert "1 (first 'b.jpg') pictures have no answer: unknown" in dataset.notes[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"said": "maybe", "label": "cat"}, 'answer is "maybe"; it must be accept, reject or'),
        ({"said": "accept", "spans": [{"points": []}]}, r"spans\[0\].label is missing"),
        ({"said": "accept", "accept": [{}]}, r"accept\[0\] is {}; it must be text"),
    ],
)
def test_prodigy_without_a_label_is_one_line(tmp_path, fields, message):
    refuses(tmp_path, message, [answer("a.jpg", **fields)])


# ImageNet


WORDS = """n01440764 tench, Tinca tinca
n02012849 crane
n03126707 crane
n01443537 goldfish, Carassius auratus
"""


@pytest.mark.parametrize("name", ["LOC_synset_mapping.txt", "train/synset_words.txt"])
def test_folders_of_synsets_are_called_by_their_words(tmp_path, name):
    folders = ("n01440764", "n02012849", "n03126707", "n99999999")
    pictures = {f"train/{folder}/{folder}_1.JPEG": b"" for folder in folders}
    write_files(tmp_path, {name: WORDS, **pictures})
    train = tmp_path / "train"
    dataset = find_format(AUTO, train).read(train, train)
    cranes = ("crane (n02012849)", "crane (n03126707)")
    assert dataset.label_names == (*cranes, "n99999999", "tench")
    assert dataset.labels.sum(axis=1).tolist() == [1] * 4 and dataset.labels[0, 3] == 1
    assert f"3 of 4 classes are called as {tmp_path / name} says" in dataset.notes[0]


def test_other_folders_keep_their_names(tmp_path):
    write_files(tmp_path, {"synset_words.txt": "cat Felis\n", "cat/1.jpg": b"", "dog/2.jpg": b""})
    dataset = find_format(AUTO, tmp_path).read(tmp_path, tmp_path)
    assert dataset.label_names == ("cat", "dog") and dataset.notes == ()
    write_files(tmp_path / "b", {"n01440764/1.jpg": b"", "n02012849/2.jpg": b""})
    assert find_format(AUTO, tmp_path / "b").read(tmp_path / "b", tmp_path / "b").notes == ()


def test_vott_counts_what_nobody_has_visited(tmp_path):
    source, images = SAMPLES["vott"][0](tmp_path)
    content = json.loads(source.read_text())
    content["assets"]["2"]["regions"] = []
    content["assets"]["2"]["asset"]["state"] = 0
    source.write_text(json.dumps(content))
    dataset = find_format(AUTO, source).read(source, images)
    assert table(dataset) == {"a.jpg": [1, 0], "b.jpg": [-1, -1]}
    assert dataset.notes == (f"{source}: 1 (first 'b.jpg') pictures were not visited: unknown",)

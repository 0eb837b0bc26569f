"""Published annotation forms, as small samples in the true layout, and their mistakes."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.annotations.catalog import AUTO, NAMES, describe_formats, find_format
from features.annotations.coco import read_coco
from features.annotations.index import index_annotations
from features.annotations.voc import VOC_CLASSES, read_voc
from features.datasets import load_dataset
from features.errors import InputError
from tests import annotation_samples
from tests.features.annotations.annotation_folders import (  # noqa: F401
    coco,
    coco_content,
    msrc_cleaned,
    msrc_original,
    refuses,
    sample,
    scene,
    voc,
    voc_xml,
)
from tests.hostile.damage import overwrite


def test_coco_labels_are_categories_by_id(coco):
    dataset = read_coco(*coco)
    assert dataset.ids == ("000000000139.jpg", "000000000007.jpg", "000000000008.jpg")
    assert dataset.paths[0] == "val2017/000000000139.jpg"
    assert dataset.label_names == ("person", "dog", "toothbrush")
    np.testing.assert_array_equal(dataset.labels, [[1, 0, 1], [0, 1, 0], [0, 0, 0]])


def test_coco_without_annotations_has_all_labels_absent(coco):
    source, images = coco
    source.write_text(json.dumps(coco_content() | {"annotations": []}), encoding="utf-8-sig")
    np.testing.assert_array_equal(read_coco(source, images).labels, np.zeros((3, 3)))


def change(part, position, **entry):
    def apply(content):
        content[part][position].update(entry)

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content.pop("annotations"), "has no list 'annotations'"),
        (lambda content: content.update(images={}), "has no list 'images'"),
        (lambda content: content["images"].clear(), "annotations.0. has image_id 139, which is"),
        (lambda content: content["images"][0].pop("file_name"), r"images\[0\] has file_name None"),
        (lambda content: content["categories"].insert(1, "cat"), r"categories\[1\] has id None"),
        (change("images", 1, id="8"), r"twice in images: images\[1\] and images\[2\] have id 8"),
        (change("images", 1, id=7.5), r"images\[1\] has id 7.5; it must be one int or str"),
        (change("images", 1, id=True), r"images\[1\] has id True; it must be one int or str"),
        (change("categories", 2, name=None), r"categories\[2\] has name None; it must be one str"),
        (change("images", 1, id=139), "an id comes twice in images"),
        (change("categories", 1, id=90), "an id comes twice in categories"),
        (change("categories", 1, name="dog"), "labels of one name: 1"),
        (change("annotations", 3, category_id=2), r"annotations\[3\] has category_id 2, which"),
        (change("annotations", 3, image_id=5), r"annotations\[3\] has image_id 5, which"),
        (change("images", 1, file_name="gone.jpg"), r"1 \(first 'gone.jpg'\) of 3 .*not found"),
        (change("images", 1, file_name="../secret.jpg"), "not a plain path"),
    ],
)
def test_coco_mistakes_are_named(coco, damage, message):
    source, images = coco
    content = coco_content()
    damage(content)
    source.write_text(json.dumps(content))
    refuses(read_coco, source, images, message)


@pytest.mark.parametrize("text", ["", '{"images": [', "[" * 100_000, '{"images": "\xff"'])
def test_what_is_not_json_is_named(coco, text):
    source, images = coco
    source.write_bytes(text.encode("latin-1"))
    refuses(
        read_coco, source, images, "is not JSON .*Give COCO's instances file|is not UTF-8. Save"
    )


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_what_is_no_coco_file_is_named(coco, text):
    source, images = coco
    source.write_text(text)
    refuses(read_coco, source, images, "has no list 'images'")


def test_voc_difficult_objects_are_unknown(voc):
    dataset = read_voc(*voc)
    assert dataset.ids == ("000005.jpg", "000007.jpg", "000009.jpg")
    assert dataset.label_names == VOC_CLASSES == tuple(sorted(VOC_CLASSES))
    assert len(VOC_CLASSES) == 20
    car, chair, person = (VOC_CLASSES.index(name) for name in ("car", "chair", "person"))
    expected = np.zeros((3, 20))
    expected[0, [chair, person]] = 1, -1
    expected[1, [car, person]] = 1
    np.testing.assert_array_equal(dataset.labels, expected)


def test_voc_form_with_other_names(voc):
    source, images = voc
    (source / "000009.xml").write_text(voc_xml("000009.jpg", ("Zebra", 0), ("cat", 1)))
    dataset = read_voc(source, images)
    assert dataset.label_names == ("Zebra", "car", "cat", "chair", "person")
    np.testing.assert_array_equal(dataset.labels[2], [1, 0, -1, 0, 0])


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not XML"),
        ("<annotation><filename>", "is not XML"),
        ("<annotation><filename>&other;</filename></annotation>", "is not XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "is not XML"),
        (BOMB + "<annotation><filename>&y;</filename></annotation>", "has a DTD"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "has a DTD"),
        ("<annotations/>", "root element is 'annotations'; it must be 'annotation'"),
        (voc_xml("000009.jpg", ("", 0)), "'object' has no 'name' or an empty one"),
        (voc_xml("000009.jpg", ("cat", "maybe")), "'cat' has difficult 'maybe'; it must be 0 or 1"),
        (voc_xml("000007.jpg", ("cat", 0)), "twice: 000007.xml and 000009.xml both have the file"),
    ],
)
def test_voc_mistakes_are_named(voc, text, message):
    source, images = voc
    (source / "000009.xml").write_text(text)
    refuses(read_voc, source, images, message)


def test_voc_dtd_in_another_encoding_is_found(voc):
    source, images = voc
    text = BOMB.replace('"1.0"', '"1.0" encoding="utf-16"') + "<annotation/>"
    (source / "000009.xml").write_bytes(text.encode("utf-16"))
    refuses(read_voc, source, images, "has a DTD")


def test_voc_needs_annotations_with_objects(voc, tmp_path):
    source, images = voc
    refuses(read_voc, images, images, r"No \*.xml in .*Give VOC's folder Annotations")
    for name in ("000005", "000007"):
        (source / f"{name}.xml").unlink()
    refuses(read_voc, source, images, "names no labels")


@pytest.mark.parametrize("format", NAMES)
@pytest.mark.parametrize("given", ["by name", AUTO])
def test_the_index_is_what_the_reader_gave(sample, tmp_path, format, given):
    source, images = sample(format)
    direct = find_format(format, source).read(source, images)
    out = tmp_path / "deep" / "out"
    dataset = index_annotations(format if given == "by name" else AUTO, source, images, out)
    told = () if given == "by name" else (f"{source}: taken as {format}, ",)
    assert (dataset.root, dataset.ids) == (out, direct.ids)
    assert len(dataset.notes) == len(told) + len(direct.notes)
    assert all(note.startswith(start) for note, start in zip(dataset.notes, told, strict=False))
    assert dataset.label_names == direct.label_names
    np.testing.assert_array_equal(dataset.labels, direct.labels)
    assert (out / "images").samefile(images)


def test_the_help_has_a_line_of_every_format():
    lines = describe_formats().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*NAMES, AUTO]


@pytest.mark.parametrize("format", annotation_samples.SAMPLES)
def test_the_labels_of_a_sample_are_as_expected(tmp_path, format):
    write, ids, names, labels = annotation_samples.SAMPLES[format]
    source, images = write(tmp_path)
    dataset = find_format(AUTO, source).read(source, images)
    assert (dataset.ids, dataset.label_names) == (ids, names)
    np.testing.assert_array_equal(dataset.labels, labels)


def test_images_that_are_in_place_are_not_linked(tmp_path, scene):
    source, images = scene
    images.rename(tmp_path / "images")
    index_annotations("scene", source, tmp_path / "images", tmp_path)
    assert not (tmp_path / "images").is_symlink()
    assert len(load_dataset(tmp_path)) == 3


def test_the_folder_of_images_may_become_the_data_set(tmp_path, scene):
    source, images = scene
    index_annotations("scene", source, images, images)
    assert not (images / "images").exists() and not (images / "images").is_symlink()
    assert len(load_dataset(images)) == 3


def test_nothing_that_is_there_is_replaced(tmp_path, scene, coco):
    out = tmp_path / "out"
    index_annotations("scene", *scene, out)
    before = (out / "labels.csv").read_bytes()
    with pytest.raises(InputError, match=r"labels.csv exists already. Move it away"):
        index_annotations("scene", *scene, out)
    assert (out / "labels.csv").read_bytes() == before
    (out / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"images exists and is not .*val2017"):
        index_annotations("coco", *coco, out)
    (out / "images").unlink()
    (out / "images").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"images exists and is not .*val2017"):
        index_annotations("coco", *coco, out)


def test_bad_arguments_leave_nothing_behind(tmp_path, scene):
    source, images = scene
    out = tmp_path / "out"
    for format, *paths, message in (
        ("darknet", source, images, "The 'format' option must be one of auto, coco, voc, yolo, "),
        (
            "scene",
            tmp_path / "gone.mat",
            images,
            "gone.mat does not exist. Give the annotations'",
        ),
        ("scene", source, source, "is not a folder. Give the folder that holds the images"),
        ("coco", source, images, "is not UTF-8"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            index_annotations(format, *paths, out)
        assert not out.exists()


@pytest.mark.parametrize("format", NAMES)
def test_a_corrupted_byte_is_an_input_error_or_whole_labels(sample, format):
    source, images = sample(format)
    files = [source] if source.is_file() else sorted(source.rglob("*.*"))
    path = next(path for path in files if path.is_file())
    content = path.read_bytes()

    @settings(max_examples=100)
    @given(position=st.integers(0, max(0, len(content) - 1)), byte=st.integers(0, 255))
    def corrupt(position, byte):
        overwrite(path, content[:position] + bytes([byte]) + content[position + 1 :])
        try:
            dataset = find_format(format, source).read(source, images)
        except InputError:
            return
        assert dataset.labels.shape == (len(dataset), len(dataset.label_names))
        assert np.isin(dataset.labels, (-1, 0, 1)).all()

    corrupt()


def test_a_labels_csv_is_read_as_it_is(corel, tmp_path):
    """Corel5k has a label `path`, which is no file's."""
    found = index_annotations("auto", corel / "labels.csv", corel / "images", tmp_path / "out")
    assert len(found.label_names) == 374
    assert (tmp_path / "out" / "labels.csv").read_bytes() == (corel / "labels.csv").read_bytes()

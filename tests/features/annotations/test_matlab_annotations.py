"""MSRC v2's labels from its pictures and segments, and LAMDA Scene's from its MATLAB file."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from features.annotations.msrc import COLORS, VOID, read_msrc, read_msrc_cleaned
from features.annotations.scene import read_scene
from features.datasets import load_dataset
from tests.features.annotations.annotation_folders import (  # noqa: F401
    MSRC_NAMES,
    SCENES,
    TARGETS,
    expected_msrc,
    make_images,
    msrc_cleaned,
    msrc_original,
    refuses,
    save_scene,
    save_segments,
    scene,
)


@pytest.mark.parametrize(
    ("sample", "read"), [("msrc_original", read_msrc), ("msrc_cleaned", read_msrc_cleaned)]
)
def test_msrc_labels_are_what_occurs(request, sample, read):
    dataset = read(*request.getfixturevalue(sample))
    assert dataset.ids == tuple(f"{name}.bmp" for name in MSRC_NAMES)
    assert dataset.label_names == tuple(COLORS)
    np.testing.assert_array_equal(dataset.labels, expected_msrc())


def test_every_color_has_its_label(tmp_path):
    images = make_images(tmp_path / "Images", *(f"{name}.png" for name in COLORS))
    for name, color in COLORS.items():
        picture = Image.new("RGB", (4, 3), color)
        picture.putpixel((0, 0), VOID)
        picture.quantize().save(tmp_path / f"{name}_GT.bmp")  # a palette keeps the colors
    dataset = read_msrc(tmp_path, images)
    for image, row in zip(dataset.ids, dataset.labels, strict=True):
        assert [dataset.label_names[column] for column in np.flatnonzero(row)] == [image[:-4]]


def test_msrc_names_are_in_the_order_of_the_real_csv(msrc):
    assert load_dataset(msrc).label_names == tuple(COLORS)


def test_an_unknown_color_is_named(msrc_original):
    source, images = msrc_original
    path = source / "1_1_s_GT.bmp"
    with Image.open(path) as picture:
        pixels = np.array(picture)
    pixels[2, 3] = 128, 1, 0
    Image.fromarray(pixels).save(path)
    refuses(read_msrc, source, images, r"1_1_s_GT.bmp: color \(128, 1, 0\) is not in MSRC's table")


@pytest.mark.parametrize("content", [b"", b"BM", b"not a picture"])
def test_a_damaged_picture_is_named(msrc_original, content):
    source, images = msrc_original
    (source / "1_1_s_GT.bmp").write_bytes(content)
    refuses(read_msrc, source, images, r"1_1_s_GT.bmp can't be read \(.*Unpack it again")


def test_a_truncated_picture_is_named(msrc_original):
    source, images = msrc_original
    path = source / "1_1_s_GT.bmp"
    path.write_bytes(path.read_bytes()[:-20])
    refuses(read_msrc, source, images, r"1_1_s_GT.bmp can't be read")


@pytest.mark.parametrize(
    ("sample", "read", "suffix"),
    [
        ("msrc_original", read_msrc, "_GT.bmp"),
        ("msrc_cleaned", read_msrc_cleaned, "_GT.mat"),
    ],
)
def test_msrc_images_and_ground_truth_come_in_pairs(request, sample, read, suffix):
    source, images = request.getfixturevalue(sample)
    (images / "1_1_s.bmp").unlink()
    refuses(read, source, images, r"no image for ground truth 1 \(first '1_1_s'\)")
    (source / f"1_1_s{suffix}").unlink()
    assert len(read(source, images)) == 2
    (source / f"20_2_s{suffix}").unlink()
    refuses(read, source, images, rf"no ground truth 1 \(first '20_2_s{suffix}'\)")
    shutil.rmtree(images)
    images.mkdir()
    (source / f"1_10_s{suffix}").unlink()
    refuses(read, source, images, "lists no images")


@pytest.mark.parametrize(
    "newlabels", [[[1, 24]], [[-1]], [[1.5]], [[np.nan]], [["cow"]], np.array([["cow"]], object)]
)
def test_segment_labels_out_of_range_are_named(msrc_cleaned, newlabels):
    source, images = msrc_cleaned
    savemat(source / "1_1_s_GT.mat", {"newlabels": newlabels})
    message = "1_1_s_GT.mat: newlabels holds more than the numbers 1 to 23, and 0 for void"
    refuses(read_msrc_cleaned, source, images, message)


def test_void_segments_are_no_label(msrc_cleaned):
    source, images = msrc_cleaned
    save_segments(source / "1_1_s_GT.mat", [0, 0])
    save_segments(source / "20_2_s_GT.mat", [])
    np.testing.assert_array_equal(read_msrc_cleaned(source, images).labels[1:], np.zeros((2, 23)))


def test_scene_columns_are_numbered_images(scene):
    dataset = read_scene(*scene)
    assert dataset.ids == ("1.jpg", "2.jpg", "3.jpg")
    assert dataset.label_names == SCENES
    np.testing.assert_array_equal(dataset.labels, TARGETS.T == 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": None}, "has no variable 'targets'"),
        ({"class_name": None}, "has no variable 'class_name'"),
        ({"class_name": list(SCENES)}, "class_name is not a cell of text"),
        ({"class_name": np.array([[1.0], ["sea"]], object)}, "class_name is not a cell of text"),
        ({"targets": TARGETS.T}, r"targets has shape \(3, 5\); it must have one row for each of"),
        ({"targets": np.ones((5, 3, 2))}, r"targets has shape \(5, 3, 2\)"),
        ({"targets": TARGETS == 1}, "targets holds other values than 1 and -1"),
        ({"targets": np.where(TARGETS == 1, 1, np.nan)}, "targets holds other values than 1 and"),
        ({"targets": np.full((5, 3), "a", object)}, "targets holds other values than 1 and -1"),
        ({"targets": np.ones((5, 4))}, r"1 \(first '4.jpg'\) of 4 images not found"),
        ({"targets": np.ones((5, 0))}, "lists no images"),
        ({"class_name": np.array(["sea"] * 5, object)}, r"labels of one name: 1 \(first 'sea'\)"),
    ],
)
def test_scene_mistakes_are_named(scene, changes, message):
    source, images = scene
    save_scene(source, **changes)
    refuses(read_scene, source, images, message)

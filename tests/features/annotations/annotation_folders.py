"""Samples of published annotations in their true layout, as fixtures."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from features.annotations.msrc import COLORS
from features.errors import InputError
from tests import annotation_samples


def make_images(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (4, 3)).save(folder / name)
    return folder


def refuses(read, source, images, message):
    with pytest.raises(InputError, match=message) as caught:
        read(source, images)
    assert "\n" not in str(caught.value)


def coco_content():
    def instance(identity, image, category, crowd=0):
        box = [1.0, 1.0, 2.0, 1.0]
        shape = {"counts": [5, 7], "size": [3, 4]} if crowd else [[1.0, 1.0, 3.0, 1.0, 3.0, 2.0]]
        return {"id": identity, "image_id": image, "category_id": category, "iscrowd": crowd} | {
            "bbox": box,
            "area": 2.0,
            "segmentation": shape,
        }

    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": [
            {"id": 139, "file_name": "000000000139.jpg", "height": 3, "width": 4},
            {"id": 7, "file_name": "000000000007.jpg", "height": 3, "width": 4},
            {"id": 8, "file_name": "000000000008.jpg", "height": 3, "width": 4},
        ],
        "annotations": [
            instance(1, 139, 90),
            instance(2, 139, 1),
            instance(3, 139, 1),
            instance(900, 7, 18, crowd=1),
        ],
        "categories": [
            {"supercategory": "indoor", "id": 90, "name": "toothbrush"},
            {"supercategory": "person", "id": 1, "name": "person"},
            {"supercategory": "animal", "id": 18, "name": "dog"},
        ],
    }


@pytest.fixture
def coco(tmp_path):
    names = ("000000000007.jpg", "000000000008.jpg", "000000000139.jpg", "not_in_the_file.jpg")
    images = make_images(tmp_path / "val2017", *names)
    source = tmp_path / "instances_val2017.json"
    source.write_text(json.dumps(coco_content()))
    return source, images


def voc_xml(filename, *objects):
    """Objects are (name, difficult), as VOC2007 writes them, with one body part."""
    inside = "".join(
        f"<object><name>{name}</name><pose>Left</pose><truncated>1</truncated>"
        + ("" if difficult is None else f"<difficult>{difficult}</difficult>")
        + "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox>"
        "<part><name>head</name></part></object>"
        for name, difficult in objects
    )
    return (
        f"<annotation><folder>VOC2007</folder><filename>{filename}</filename>"
        "<size><width>4</width><height>3</height><depth>3</depth></size>"
        f"<segmented>0</segmented>{inside}</annotation>"
    )


@pytest.fixture
def voc(tmp_path):
    images = make_images(tmp_path / "JPEGImages", "000005.jpg", "000007.jpg", "000009.jpg")
    source = tmp_path / "Annotations"
    source.mkdir()
    samples = {
        "000005": [("chair", 0), ("chair", 1), ("person", 1), ("person", 1)],
        "000007": [("car", None), ("person", 0)],
        "000009": [],
    }
    for name, objects in samples.items():
        (source / f"{name}.xml").write_text(voc_xml(f"{name}.jpg", *objects))
    return source, images


SAMPLE = {"1_1_s": ["grass", "cow"], "1_10_s": ["boat"], "20_2_s": ["building", "horse"]}


MSRC_NAMES = ("1_10_s", "1_1_s", "20_2_s")


def expected_msrc():
    return [[int(name in SAMPLE[image]) for name in COLORS] for image in MSRC_NAMES]


@pytest.fixture
def msrc_original(tmp_path):
    images = make_images(tmp_path / "Images", *(f"{name}.bmp" for name in SAMPLE))
    (images / "Thumbs.db").touch()
    source = tmp_path / "GroundTruth"
    source.mkdir()
    for name, labels in SAMPLE.items():
        pixels = np.zeros((3, 4, 3), np.uint8)  # what is left black is void
        for row, label in enumerate(labels):
            pixels[row] = COLORS[label]
        Image.fromarray(pixels).save(source / f"{name}_GT.bmp")
    return source, images


@pytest.fixture
def msrc_cleaned(tmp_path):
    images = make_images(tmp_path / "Images", *(f"{name}.bmp" for name in SAMPLE))
    source = tmp_path / "newsegmentations_mats"
    source.mkdir()
    for name, labels in SAMPLE.items():
        numbers = [list(COLORS).index(label) + 1 for label in labels]
        segments = np.repeat([range(1, len(numbers) + 2)], 3, axis=0)  # one more: void
        save_segments(source / f"{name}_GT.mat", [*numbers, numbers[0]], segments)
    return source, images


def save_segments(path, numbers, segments=((1, 1),)):
    savemat(path, {"newlabels": np.array([numbers], np.uint8), "newseg": np.uint8(segments)})


SCENES = ("desert", "mountains", "sea", "sunset", "trees")


TARGETS = np.array([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, -1], [-1, 1, -1]], float)


def save_scene(path, **changes):
    names = np.array(SCENES, object)[:, None]
    bags = np.empty((3, 1), object)
    bags[:, 0] = [np.zeros((9, 15))] * 3
    content = {"bags": bags, "targets": TARGETS, "class_name": names} | changes
    savemat(path, {name: value for name, value in content.items() if value is not None})


@pytest.fixture
def scene(tmp_path):
    images = make_images(tmp_path / "original", "1.jpg", "2.jpg", "3.jpg")
    source = tmp_path / "processed" / "miml data.mat"
    source.parent.mkdir()
    save_scene(source)
    return source, images


SAMPLES = {
    "coco": "coco",
    "voc": "voc",
    "msrc": "msrc_original",
    "msrc-cleaned": "msrc_cleaned",
    "scene": "scene",
}


@pytest.fixture
def sample(request, tmp_path):
    """Write the sample of a format and give its source and its images."""

    def write(format):
        if format in SAMPLES:
            return request.getfixturevalue(SAMPLES[format])
        return annotation_samples.SAMPLES[format][0](tmp_path)

    return write

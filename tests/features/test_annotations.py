"""Published annotation forms, as small samples in the true layout, and their mistakes."""

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from features.annotations.catalog import AUTO, NAMES, describe_formats, find_format
from features.annotations.coco import read_coco
from features.annotations.index import index_annotations
from features.annotations.msrc import COLORS, VOID, read_msrc, read_msrc_cleaned
from features.annotations.scene import read_scene
from features.annotations.voc import VOC_CLASSES, read_voc
from features.datasets import load_dataset
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


# COCO


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
        (change("categories", 2, name=18), r"categories\[2\] has name 18; it must be one str"),
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
    refuses(read_coco, source, images, "is not JSON .*Give COCO's instances file")


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_what_is_no_coco_file_is_named(coco, text):
    source, images = coco
    source.write_text(text)
    refuses(read_coco, source, images, "has no list 'images'")


# VOC


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
        ("<annotation/>", "'annotation' has no 'filename'"),
        (voc_xml(" "), "'annotation' has no 'filename' or an empty one"),
        (voc_xml("000009.jpg", ("", 0)), "'object' has no 'name' or an empty one"),
        (voc_xml("000009.jpg", ("cat", "maybe")), "'cat' has difficult 'maybe'; it must be 0 or 1"),
        (voc_xml("000010.jpg", ("cat", 0)), r"1 \(first '000010.jpg'\) of 3 images not found"),
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


# MSRC v2

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
    for name, colour in COLORS.items():
        picture = Image.new("RGB", (4, 3), colour)
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


# LAMDA Scene

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


# What every form shares

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
        ("coco", source, images, "is not JSON"),
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
        path.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
        try:
            dataset = find_format(format, source).read(source, images)
        except InputError:
            return
        assert dataset.labels.shape == (len(dataset), len(dataset.label_names))
        assert np.isin(dataset.labels, (-1, 0, 1)).all()

    corrupt()

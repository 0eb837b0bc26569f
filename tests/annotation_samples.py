"""Small samples of published annotations, each written into a folder as (source, images)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, and the folders that they lie in."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return folder


def _csv(folder: Path, text: str) -> tuple[Path, Path]:
    write_files(folder, {"given.csv": text, "images/a.jpg": b"a", "images/b.jpg": b"b"})
    return folder / "given.csv", folder / "images"


def csv_columns(folder: Path) -> tuple[Path, Path]:
    """One column per label."""
    return _csv(folder, "ID,cat,dog\na,1,0\nb,True,1.0\n")


def csv_tags(folder: Path) -> tuple[Path, Path]:
    """All tags in one field."""
    return _csv(folder, "image_name,tags\na,cat\nb,cat dog\n")


def csv_lines(folder: Path) -> tuple[Path, Path]:
    """One line per label."""
    return _csv(folder, "image,label\na.jpg,cat\nb.jpg,cat\nb.jpg,dog\n")


def open_images(folder: Path) -> tuple[Path, Path]:
    """Image-level labels, and names for one of two."""
    source, images = _csv(
        folder,
        "ImageID,Source,LabelName,Confidence\na,verification,/m/01yrx,1\n"
        "a,verification,/m/0bt9lr,0\nb,machine,/m/01yrx,0.7\nb,verification,/m/0bt9lr,1\n",
    )
    write_files(folder, {"class-descriptions.csv": "/m/01yrx,Cat\n"})
    return source, images


def nus_wide(folder: Path) -> tuple[Path, Path]:
    """Lists with backslashes."""
    write_files(
        folder,
        {
            "NUS/ImageList/Imagelist.txt": "actor\\1.jpg\r\nzoo\\2.jpg\r\n",
            "NUS/Groundtruth/AllLabels/Labels_cat.txt": "1\n1\n",
            "NUS/Groundtruth/AllLabels/Labels_dog.txt": "0\n1\n",
            "Flickr/actor/1.jpg": b"1",
            "Flickr/zoo/2.jpg": b"2",
        },
    )
    return folder / "NUS", folder / "Flickr"


def yolo(folder: Path) -> tuple[Path, Path]:
    """Labels of two of three images; names are in data.yaml."""
    write_files(
        folder,
        {
            "data.yaml": "train: images/train\nnames:\n  0: cat\n  1: dog\n",
            "labels/train/1.txt": "0 0.5 0.5 0.2 0.2\n",
            "labels/train/2.txt": "1 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.2 0.2\n1 0.1 0.1 0.2 0.2\n",
            "images/train/1.jpg": b"1",
            "images/train/2.png": b"2",
            "images/train/3.jpg": b"3",
        },
    )
    return folder / "labels", folder / "images"


def folders(folder: Path) -> tuple[Path, Path]:
    """A folder per class."""
    write_files(folder, {f"photos/{name}.jpg": b"" for name in ("cat/1", "cat/2", "dog/1")})
    return folder / "photos", folder / "photos"


_PICTURES = {"images/a.jpg": b"a", "images/b.jpg": b"b"}


def _json(folder: Path, content: object) -> tuple[Path, Path]:
    write_files(folder, {"given.json": json.dumps(content), **_PICTURES})
    return folder / "given.json", folder / "images"


def cvat(folder: Path) -> tuple[Path, Path]:
    """A tag, a box and a skeleton, whose part is no label."""
    text = (
        "<?xml version='1.0' encoding='utf-8'?><annotations><version>1.1</version><meta><task>"
        "<labels><label><name>dog</name></label><label><name>cat</name></label><label><name>eye"
        "</name><parent>dog</parent></label></labels></task></meta>"
        "<image id='0' name='a.jpg'><tag label='cat' source='manual'/></image>"
        "<image id='1' name='b.jpg'><box label='cat' xtl='1'><attribute name='age'>2</attribute>"
        "</box><skeleton label='dog'><points label='eye'/></skeleton></image></annotations>"
    )
    write_files(folder, {"annotations.xml": text, **_PICTURES})
    return folder / "annotations.xml", folder / "images"


def labelme(folder: Path) -> tuple[Path, Path]:
    """A flag and shapes; one picture's path has backslashes."""
    files = {
        "json/a.json": {"flags": {"cat": True}, "shapes": [], "imagePath": "..\\images\\a.jpg"},
        "json/b.json": {
            "flags": {"cat": True},
            "shapes": [{"label": "dog", "points": [[1, 2]], "flags": {"small": True}}],
            "imagePath": "b.jpg",
            "imageData": None,
        },
    }
    texts = {name: json.dumps({"version": "5.0.1"} | one) for name, one in files.items()}
    write_files(folder, {**texts, **_PICTURES})
    return folder / "json", folder / "images"


def createml(folder: Path) -> tuple[Path, Path]:
    """Objects of one picture, labels of the other."""
    box = {"x": 1, "y": 1, "width": 2, "height": 2}
    return _json(
        folder,
        [
            {"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": box}]},
            {"image": "b.jpg", "annotations": ["cat", "dog"]},
        ],
    )


def label_studio(folder: Path) -> tuple[Path, Path]:
    """Choices, a region and what is no label, of uploaded pictures."""
    choices = {"type": "choices", "from_name": "what", "value": {"choices": ["cat"]}}
    box = {"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["dog"]}}
    wrong = {"type": "choices", "from_name": "what", "value": {"choices": ["cow"]}}
    return _json(
        folder,
        [
            {
                "id": 1,
                "annotations": [{"result": [choices], "was_cancelled": False}],
                "predictions": [{"result": [wrong]}],
                "data": {"image": "/data/upload/1/1f2e3d4c-a.jpg"},
            },
            {
                "id": 2,
                "annotations": [
                    {"result": [choices, box], "was_cancelled": False},
                    {"result": [wrong], "was_cancelled": True},
                ],
                "data": {"image": "/data/upload/1/0a1b2c3d-b.jpg"},
            },
        ],
    )


_IDS, _NAMES = ("a.jpg", "b.jpg"), ("cat", "dog")


def voc_lists(folder: Path) -> tuple[Path, Path]:
    """A list of images, and two of classes."""
    files = {"train": "a\nb\n", "cat_train": "a  1\nb  1\n", "zebra_train": "a -1\nb  1\n"}
    write_files(folder, {f"ImageSets/Main/{name}.txt": text for name, text in files.items()})
    write_files(folder, _PICTURES)
    return folder / "ImageSets" / "Main", folder / "images"


def mirflickr(folder: Path) -> tuple[Path, Path]:
    """Numbers of images, and what is no list."""
    files = {"cat.txt": "1\r\n12\r\n", "dog.txt": "12\r\n", "README.txt": "MIRFLICKR\n"}
    write_files(folder, {f"lists/{name}": text for name, text in files.items()})
    write_files(folder, {"images/im1.jpg": b"1", "images/im12.jpg": b"2"})
    return folder / "lists", folder / "images"


def celeba(folder: Path) -> tuple[Path, Path]:
    """Attributes with 1 and -1."""
    text = "2\ncat dog \na.jpg  1 -1\nb.jpg  1  1\n"
    write_files(folder, {"list_attr_celeba.txt": text, **_PICTURES})
    return folder / "list_attr_celeba.txt", folder / "images"


def via(folder: Path) -> tuple[Path, Path]:
    """Regions of two pictures."""

    def file(name: str, *labels: str) -> dict:
        regions = [{"shape_attributes": {}, "region_attributes": {"name": one}} for one in labels]
        return {"filename": name, "size": 1, "regions": regions, "file_attributes": {}}

    return _json(folder, {"a.jpg1": file("a.jpg", "cat"), "b.jpg1": file("b.jpg", "cat", "dog")})


def fiftyone(folder: Path) -> tuple[Path, Path]:
    """Classes by their number."""
    return _json(folder, {"classes": ["cat", "dog"], "labels": {"a": 0, "b": [0, 1]}})


def datumaro(folder: Path) -> tuple[Path, Path]:
    """A label and boxes."""
    items = [
        {
            "id": name,
            "annotations": [{"type": "bbox", "label_id": number} for number in numbers],
            "image": {"path": f"{name}.jpg"},
        }
        for name, numbers in (("a", [0]), ("b", [0, 1]))
    ]
    labels = [{"name": "cat"}, {"name": "dog"}]
    return _json(folder, {"info": {}, "categories": {"label": {"labels": labels}}, "items": items})


def vott(folder: Path) -> tuple[Path, Path]:
    """Tagged regions."""
    assets = {
        str(number): {
            "asset": {"format": "jpg", "name": f"{name}.jpg", "path": f"file:C:/x/{name}.jpg"},
            "regions": [{"type": "RECTANGLE", "tags": tags}],
        }
        for number, (name, tags) in enumerate((("a", ["cat"]), ("b", ["cat", "dog"])), start=1)
    }
    tags = [{"name": "cat", "color": "#fff"}, {"name": "dog"}]
    return _json(folder, {"name": "x", "version": "2.2.0", "assets": assets, "tags": tags})


def lines_of(objects: Iterable[object]) -> str:
    """Write JSON lines."""
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def labelbox(folder: Path) -> tuple[Path, Path]:
    """Answers and an object, of a project each."""
    what = [{"name": "what", "checklist_answers": [{"name": "cat"}]}]
    said = {"cat": {"classifications": what}, "dog": {"objects": [{"name": "dog", "mask": {}}]}}
    rows = [
        {
            "data_row": {"id": "c1", "external_id": f"{name}.jpg", "row_data": "https://x/1"},
            "projects": {label: {"labels": [{"annotations": said[label]}]} for label in labels},
        }
        for name, labels in (("a", ["cat"]), ("b", ["cat", "dog"]))
    ]
    write_files(folder, {"given.ndjson": lines_of(rows), **_PICTURES})
    return folder / "given.ndjson", folder / "images"


def ground_truth(folder: Path) -> tuple[Path, Path]:
    """Numbers of classes with a map of their names."""
    names = {"0": "cat", "1": "dog"}
    rows = [
        {
            "source-ref": f"s3://bucket/set/{name}.jpg",
            "what": numbers,
            "what-metadata": {"class-map": names, "job-name": "labeling-job/what"},
        }
        for name, numbers in (("a", [0]), ("b", [0, 1]))
    ]
    write_files(folder, {"output.manifest": lines_of(rows), **_PICTURES})
    return folder / "output.manifest", folder / "images"


def prodigy(folder: Path) -> tuple[Path, Path]:
    """A choice, and regions."""
    options = [{"id": "cat", "text": "Cat"}, {"id": "dog", "text": "Dog"}]
    regions = [{"label": "cat", "points": []}, {"label": "dog", "points": []}]
    rows = [
        {"image": "a.jpg", "options": options, "accept": ["cat"], "answer": "accept"},
        {"image": "b.jpg", "spans": regions, "answer": "accept"},
    ]
    write_files(folder, {"given.jsonl": lines_of(rows), **_PICTURES})
    return folder / "given.jsonl", folder / "images"


#: The samples by their format, with the ids, the names and the labels that are expected.
def via3(folder: Path) -> tuple[Path, Path]:
    """A region with a radio button, and checkboxes of a whole picture; one picture has no text."""
    options = {"0": "dog", "1": "cat"}
    content = {
        "project": {"pid": "1", "vid_list": ["1", "2"]},
        "config": {"file": {"loc_prefix": {"1": ""}}},
        "attribute": {
            "1": {"aname": "label", "anchor_id": "FILE1_Z0_XY1", "type": 3, "options": options},
            "2": {"aname": "tags", "anchor_id": "FILE1_Z0_XY0", "type": 2, "options": options},
        },
        "file": {
            "1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""},
            "2": {"fid": 2, "fname": "b.jpg", "type": 2, "loc": 1, "src": ""},
        },
        "metadata": {
            "1_x": {"vid": "1", "flg": 0, "z": [], "xy": [2, 1, 1, 3, 3], "av": {"1": "1"}},
            "2_y": {"vid": "2", "flg": 0, "z": [], "xy": [], "av": {"2": "0,1"}},
        },
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": [2]}},
    }
    return _json(folder, content)


def supervisely(folder: Path) -> tuple[Path, Path]:
    """A project of one dataset: an object and a tag; a tag that was typed, and one of an object."""
    size = {"height": 4, "width": 4}
    cat = {"classTitle": "cat", "geometryType": "rectangle", "tags": [{"name": "small"}]}
    meta = {
        "classes": [{"title": "cat", "shape": "rectangle"}],
        "tags": [
            {"name": "dog", "value_type": "none"},
            {"name": "note", "value_type": "any_string"},
            {"name": "small", "value_type": "none", "applicable_type": "objectsOnly"},
        ],
    }
    tags = [{"name": "dog", "value": None}, {"name": "note", "value": "blurred"}]
    files = {
        "project/meta.json": meta,
        "project/ds0/ann/a.jpg.json": {"tags": [], "size": size, "objects": [cat]},
        "project/ds0/ann/b.jpg.json": {"tags": tags, "size": size, "objects": [cat]},
    }
    pictures = {f"project/ds0/img/{name}": b"" for name in _IDS}
    write_files(folder, {**{name: json.dumps(one) for name, one in files.items()}, **pictures})
    return folder / "project", folder / "project"


def superannotate(folder: Path) -> tuple[Path, Path]:
    """An instance with its class's name, one with its number, and a tag."""
    files = {
        "export/classes/classes.json": [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}],
        "export/a.jpg.json": {
            "metadata": {"name": "a.jpg", "status": "Completed"},
            "instances": [{"type": "bbox", "classId": 6, "className": "cat", "attributes": []}],
            "tags": [],
        },
        "export/b.jpg___objects.json": {
            "instances": [{"type": "bbox", "classId": 5}], "tags": ["cat"], "metadata": {},
        },
    }  # fmt: skip
    texts = {name: json.dumps(one) for name, one in files.items()}
    write_files(folder, {**texts, **_PICTURES})
    return folder / "export", folder / "images"


def darwin(folder: Path) -> tuple[Path, Path]:
    """Files of both versions."""
    new = {
        "version": "2.0",
        "item": {"name": "a.jpg", "path": "/", "slots": [{"type": "image"}]},
        "annotations": [{"name": "cat", "bounding_box": {"x": 1}}],
    }
    old = {
        "dataset": "x",
        "image": {"filename": "17.jpg", "original_filename": "b.jpg", "path": "/"},
        "annotations": [{"name": "cat", "tag": {}}, {"name": "dog", "polygon": {}}],
    }
    texts = {"json/a.json": json.dumps(new), "json/b.json": json.dumps(old)}
    write_files(folder, {**texts, **_PICTURES})
    return folder / "json", folder / "images"


SAMPLES = {
    "supervisely": (
        supervisely,
        ("ds0/img/a.jpg", "ds0/img/b.jpg"),
        ("cat", "dog"),
        [[1, 0], [1, 1]],
    ),
    "superannotate": (superannotate, _IDS, ("dog", "cat"), [[0, 1], [1, 1]]),
    "darwin": (darwin, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "voc-lists": (voc_lists, _IDS, ("cat", "zebra"), [[1, 0], [1, 1]]),
    "mirflickr": (mirflickr, ("im1.jpg", "im12.jpg"), _NAMES, [[1, 0], [1, 1]]),
    "celeba": (celeba, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "via": (via, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "fiftyone": (fiftyone, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "datumaro": (datumaro, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "vott": (vott, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "labelbox": (labelbox, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "ground-truth": (ground_truth, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "prodigy": (prodigy, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "cvat": (cvat, _IDS, ("dog", "cat"), [[0, 1], [1, 1]]),
    "labelme": (labelme, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "createml": (createml, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "label-studio": (label_studio, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "csv-columns": (csv_columns, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "csv-tags": (csv_tags, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "csv-lines": (csv_lines, _IDS, _NAMES, [[1, 0], [1, 1]]),
    "open-images": (open_images, _IDS, ("Cat", "/m/0bt9lr"), [[1, 0], [-1, 1]]),
    "nus-wide": (nus_wide, ("actor/1.jpg", "zoo/2.jpg"), ("cat", "dog"), [[1, 0], [1, 1]]),
    "yolo": (
        yolo,
        ("train/1.jpg", "train/2.png", "train/3.jpg"),
        ("cat", "dog"),
        [[1, 0], [1, 1], [0, 0]],
    ),
    "folders": (
        folders,
        ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"),
        ("cat", "dog"),
        [[1, 0], [1, 0], [0, 1]],
    ),
}

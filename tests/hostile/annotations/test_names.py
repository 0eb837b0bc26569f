"""Names that are not exactly their files': backslashes, case, extensions, fronts, Unicode, URLs."""

import errno
import os
import re
import unicodedata

import numpy as np
import pytest

from features.datasets import index_images, load_dataset
from features.errors import InputError
from features.inputs.file_names import match_ids
from features.inputs.listing import scan
from features.labels import read_split_csv

NFC, NFD = (unicodedata.normalize(form, "Übung/größe é.jpg") for form in ("NFC", "NFD"))


def make_folder(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("file", "name", "way"),
    [
        ("cats/1.jpg", "cats\\1.jpg", "backslashes"),
        ("cats\\1.jpg", "cats/1.jpg", "backslashes"),
        ("1.jpg", "1.JPG", "case of the extension"),
        ("1.JPG", "1.jpg", "case of the extension"),
        ("a.b.Jpeg", "a.b.jpeg", "case of the extension"),
        ("IMG_1.JPG", "img_1.jpg", "case"),
        ("Cats/1.jpg", "cats/1.jpg", "case"),
        ("train_0.jpg", "train_0", "no extension"),
        ("v1.2/a.b.png", "v1.2/a.b", "no extension"),
        ("1.jpeg", "1.jpg", "spelling of the extension"),
        ("1.tif", "1.TIFF", "spelling of the extension"),
        ("1.jpg", "images/1.jpg", "the folder's name in front"),
        ("cats/1.jpg", "data/set/images/cats/1.jpg", "the folder's name in front"),
        ("1.jpg", "/home/me/images/1.jpg", "in: the folder's name in front"),
        ("1.jpg", "C:\\data\\Images\\1.jpg", "backslashes and the folder's name in front"),
        ("1.jpg", "./1.jpg", "'./' or '/'"),
        ("cats/1.jpg", "cats//1.jpg", "'./' or '/'"),
        (NFC, NFD, "Unicode form"),
        (NFD, NFC, "Unicode form"),
        ("a b&c.jpg", "a%20b%26c.jpg", "URL encoding"),
        ("a%20b.jpg", "a b.jpg", "URL encoding"),
        ("größe.jpg", "gr%C3%B6%C3%9Fe.jpg", "URL encoding"),
        ("1.jpg", "https://host/images/1.jpg", "in: the folder's name in front"),
        ("1.jpg", " 1.jpg ", "blanks"),
        ("cats/1.jpg", "images\\cats\\1", "and the folder's name in front and no extension"),
        ("1.jpg", "../images/1.jpg", "in: the folder's name in front"),
        ("1.jpg", "gs://bucket/images/1.jpg?generation=5", "name in front and a query behind"),
        ("cats/1.jpg", "cats/1.jpg?raw=true&dl=1", "in: a query behind"),
        ("cats/1.jpg", "/data/local-files/?d=images%2Fcats/1.jpg", "front and a query behind"),
    ],
)
def test_the_only_file_that_differs_so_is_taken(tmp_path, file, name, way):
    images = make_folder(tmp_path / "images", file, "other.png")
    dataset = index_images(images, ["other.png", name], source="here")
    assert dataset.ids == ("other.png", file)
    (note,) = dataset.notes
    assert note.startswith("here: 1 of 2 names differ from their files' in: ")
    assert f"{way} (1)" in note
    with pytest.raises(InputError, match=r"here: 1 of 2 names differ"):
        index_images(images, ["other.png", name], source="here", strict_names=True)


@pytest.mark.parametrize(
    "front",
    [
        "/home/me/photos/", "C:\\Users\\me\\Desktop\\", "https://host/a/b/", "s3://bucket/set/",
        "train2017/", "../../media/upload/1/", "\\\\server\\share\\",
        "/data/local-files/?d=photos/",
    ],
)  # fmt: skip
def test_one_path_in_front_of_all_names_is_taken_away(tmp_path, front):
    images = make_folder(tmp_path / "images", "a.jpg", "cats/a.jpg", "cats/b.jpg")
    names = [front + name for name in ("cats/b.jpg", "a.jpg", "cats/a.JPG")]
    dataset = index_images(images, names, source="here")
    assert dataset.ids == ("cats/b.jpg", "a.jpg", "cats/a.jpg")
    assert re.match("here: 3 of 3 names differ .*one path in front of all.*", dataset.notes[0])
    with pytest.raises(InputError, match="here: 3 of 3 names differ"):
        index_images(images, names, source="here", strict_names=True)


@pytest.mark.parametrize("name", ["a.jpg", "A.JPG", "cats\\a", "./cats/a.jpg"])
def test_one_path_in_front_of_all_files_may_be_left_out(tmp_path, name):
    folder = "Img/" if "cats" in name else "Img/Cats/"
    images = make_folder(tmp_path / "set", f"{folder}{'cats/' * ('cats' in name)}a.jpg")
    dataset = index_images(images, [name], source="here")
    assert dataset.ids[0].startswith("Img/")
    assert "one path of all files left out" in dataset.notes[0]
    make_folder(images, "other/b.jpg")  # now there is none in front of all
    with pytest.raises(InputError, match="here: .*(images not found|not a plain path)"):
        index_images(images, [name], source="here")


@pytest.mark.parametrize(
    "names",
    [
        ("train/a.jpg", "val/b.jpg"),  # two paths: taken away, they could make two names one
        ("a.jpg", "train/b.jpg"),
        ("train/a.jpg", "train/c.jpg"),
        ("x/a.jpg", "xy/b.jpg"),
    ],
)
def test_other_paths_in_front_are_not_found(tmp_path, names):
    images = make_folder(tmp_path / "images", "a.jpg", "b.jpg")
    with pytest.raises(InputError, match="here: .* images not found under"):
        index_images(images, names, source="here")


def test_exact_names_are_first_and_silent(tmp_path):
    images = make_folder(tmp_path / "images", "a.jpg", "A.jpg", "a.JPG", "a%20b.jpg", "a b.jpg")
    names = ["A.jpg", "a.JPG", "a%20b.jpg", "a.jpg", "a b.jpg"]
    dataset = index_images(images, names, source="here", strict_names=True)
    assert (dataset.ids, dataset.notes) == (tuple(names), ())


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("a.jpg", "a.png"), "a"),
        (("a.jpg", "a.JPG"), "a.Jpg"),
        (("A b.jpg", "a%20b.jpg"), "a B.jpg"),
        ((NFC, NFD), NFC.upper()),
    ],
)
def test_two_candidates_are_both_named(tmp_path, files, name):
    images = make_folder(tmp_path / "images", *files)
    with pytest.raises(InputError, match="here: .* may mean ") as caught:
        index_images(images, [name], source="here")
    assert all(repr(file) in str(caught.value) for file in files)


def test_two_names_of_one_file_are_both_named(tmp_path):
    images = make_folder(tmp_path / "images", "a.jpg")
    with pytest.raises(InputError, match=r"'a.jpg' and 'A.JPG' both name 'a.jpg'"):
        index_images(images, ["a.jpg", "A.JPG"], source="here")


def test_two_names_of_one_file_can_be_united(tmp_path):
    images = make_folder(tmp_path / "images", "a.jpg", "b.jpg")
    labels = np.array([[1, 0, -1, 0], [1, 1, 1, 1], [0, -1, 1, 0]], dtype=np.int8)
    dataset = index_images(
        images, ["a.jpg", "b.jpg", "A.JPG"], labels, "wxyz", source="here", unite=True
    )
    assert dataset.ids == ("a.jpg", "b.jpg")
    np.testing.assert_array_equal(dataset.labels, [[1, -1, 1, 0], [1, 1, 1, 1]])
    assert (
        "1 (first 'a.jpg') files come more than once; their labels are united" in dataset.notes[1]
    )


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "images/../a.jpg",
        "..\\a.jpg",
        "%2e%2e/a.jpg",
        "a%00.jpg",
        "",
        "/a\n.jpg",
        "../../b.jpg",
        "x/../../b.jpg",
    ],
)
def test_no_form_leads_out_of_the_folder(tmp_path, name):
    images = make_folder(tmp_path / "images", "b.jpg")
    make_folder(tmp_path, "a.jpg")
    with pytest.raises(InputError, match="is not a plain path"):
        index_images(images, [name], source="here")


def test_what_is_missing_is_told_with_what_is_there(tmp_path):
    images = make_folder(tmp_path / "images", "b.jpg")
    message = r"here: 1 \(first 'a.jpg'\) of 1 images not found .*, which has 1 \(first 'b.jpg'\)"
    with pytest.raises(InputError, match=message):
        index_images(images, ["a.jpg"], source="here")


def test_a_million_names_are_counted_in_one_line(tmp_path):
    images = make_folder(tmp_path / "images", *(f"{k}.jpg" for k in range(50)))
    names = [f"{k}.JPG" if k % 2 else f"images/{k}.jpg" for k in range(50)]
    (note,) = index_images(images, names, source="here").notes
    assert "50 of 50 names" in note
    assert "the folder's name in front (25)" in note
    assert "case of the extension (25)" in note


def test_splits_and_labels_of_a_cache_are_matched_to_its_ids(tmp_path, capsys):
    path = tmp_path / "split.csv"
    path.write_text("Image; Split\nimages\\a.JPG; Train\nb.jpg; test\n")
    splits = read_split_csv(path, ["b.jpg", "a.jpg"])
    assert {name: rows.tolist() for name, rows in splits.items()} == {"train": [1], "test": [0]}
    assert "split.csv: 1 of 2 names differ from their files' in: " in capsys.readouterr().err
    with pytest.raises(InputError, match=r"'a.jpg' and 'a' both name 'a.jpg'"):
        match_ids(["a.jpg"], ["a.jpg", "a"], "here")


# Folders


@pytest.mark.parametrize("labeled", [True, False])
def test_the_folder_of_pictures_itself_is_a_data_set(tmp_path, labeled):
    make_folder(tmp_path, "b.jpg", "deep/a.png", "split.csv")
    if labeled:
        (tmp_path / "labels.csv").write_text("image,cat\nb.jpg,1\ndeep/a.png,0\n")
    dataset = load_dataset(tmp_path)
    assert dataset.ids == dataset.paths == ("b.jpg", "deep/a.png")
    assert (dataset.root, dataset.notes) == (tmp_path, ())
    assert (dataset.labels is not None) == labeled


def test_images_goes_before_the_folder_itself(tmp_path):
    make_folder(tmp_path, "b.jpg", "images/a.jpg")
    dataset = load_dataset(tmp_path)
    assert (dataset.ids, dataset.paths) == (("a.jpg",), ("images/a.jpg",))


@pytest.mark.parametrize(
    "name",
    [
        "Labels.csv",
        "labels.csv.txt",
        "images/labels.csv",
        "labels.tsv",
        "train.csv",
        "set/tags.csv",
    ],
)
def test_labels_that_are_not_read_are_told(tmp_path, name):
    front = "" if name.startswith("set/") else "images/"
    make_folder(tmp_path, f"{front}a.jpg", name, "README.csv")
    note = load_dataset(tmp_path).notes[-1]
    assert note.startswith(
        f"{tmp_path} has no labels.csv, so no labels are read; {name!r} may hold"
    )


def test_pictures_that_labels_csv_leaves_out_are_counted(tmp_path):
    make_folder(tmp_path, "images/a.jpg", "images/b.jpg", "images/deep/c.png")
    (tmp_path / "labels.csv").write_text("image,cat\nB.jpg,1\n")
    dataset = load_dataset(tmp_path)
    assert dataset.ids == ("b.jpg",)
    assert dataset.notes[-1].endswith(f"2 more images are in {tmp_path / 'images'} and left out")


@pytest.mark.parametrize("suffix", [".jfif", ".avif", ".jp2", ".jpe", ".webp", ".TIF", ".pgm"])
def test_what_is_read_is_taken(tmp_path, suffix):
    make_folder(tmp_path, f"a{suffix}")
    assert load_dataset(tmp_path).ids == (f"a{suffix}",)


def test_what_is_left_out_is_counted_by_kind(tmp_path):
    companions = ("._a.jpg", ".DS_Store", "Thumbs.db", "__MACOSX/._a.jpg", "desktop.ini")
    make_folder(tmp_path, "a.jpg", "b.cr3", "c.CR3", "d.svg", "notes", *companions)
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    os.mkfifo(tmp_path / "pipe.png")
    dataset = load_dataset(tmp_path)
    assert dataset.ids == ("a.jpg",)
    first, second = dataset.notes
    assert first == (
        "4 files are not read as pictures: 2 .cr3 (camera raw), 1 .svg, 1 without an ending"
    )
    assert second == "3 links to nothing, or no files, are left out (first 'gone.jpg')"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("b\nc.jpg", r"'b\nc.jpg'"),
        ("\x1b[2Jb.jpg", r"'\x1b[2Jb.jpg'"),
        ("in\tside/b.jpg", r"'in\tside/b.jpg'"),
        (os.fsdecode(b"caf\xe9.jpg"), r"'caf\udce9.jpg'"),
        ("b\x7f.txt", r"'b\x7f.txt'"),
    ],
)
@pytest.mark.parametrize("labels", [False, True])
def test_files_whose_names_no_id_can_be_are_left_out_and_counted(tmp_path, name, shown, labels):
    make_folder(tmp_path / "images", "a.jpg", "d\re.jpg", name)
    if labels:
        (tmp_path / "labels.csv").write_text("image,cat\na.jpg,1\n")
    dataset = load_dataset(tmp_path)
    assert dataset.ids == ("a.jpg",)
    (note,) = dataset.notes
    assert "2 files whose names are no plain paths in UTF-8 are left out (first " in note
    assert note.endswith((f"first {shown})", r"first 'd\re.jpg')")) and note.isprintable()


def test_a_label_of_a_file_whose_name_no_id_can_be_is_refused(tmp_path):
    make_folder(tmp_path / "images", "a.jpg", "b\nc.jpg")
    (tmp_path / "labels.csv").write_text('image,cat\na.jpg,1\n"b\nc.jpg",1\n')
    with pytest.raises(InputError, match=r"'b\\nc.jpg' is not a plain path under images/. Name it"):
        load_dataset(tmp_path)


def test_a_folder_of_odd_names_alone_says_so(tmp_path):
    make_folder(tmp_path / "images", "b\nc.jpg")
    with pytest.raises(InputError, match=r"No images in .*; 1 files whose names are no plain path"):
        load_dataset(tmp_path)


def test_links_are_followed_and_loops_end(tmp_path):
    outside = make_folder(tmp_path / "outside", "o.jpg", "deep/p.jpg")
    folder = make_folder(tmp_path / "photos", "a.jpg", "real/b.jpg")
    (folder / "link").symlink_to(outside)
    (folder / "again").symlink_to(outside / "deep")
    (folder / "parent").symlink_to("..")
    (folder / "self").symlink_to("self")
    (folder / "twin").symlink_to("real")
    (outside / "deep" / "back").symlink_to(folder)
    (folder / "file.jpg").symlink_to(outside / "o.jpg")
    found = scan(folder)
    assert found.pictures == ["a.jpg", "again/p.jpg", "file.jpg", "link/o.jpg", "real/b.jpg"]
    assert found.loops == ["again/back", "link/deep", "parent", "twin"]
    assert load_dataset(folder).notes[-1] == (
        "4 links to folders that are listed already are left out (first 'again/back')"
    )


def test_folders_that_link_each_other_are_listed_once(tmp_path):
    for one in "abcdefgh":
        make_folder(tmp_path / one, "1.jpg")
        for other in "abcdefgh":
            (tmp_path / one / f"to_{other}").symlink_to(f"../{other}")
    assert len(scan(tmp_path).pictures) == 8
    assert len(scan(tmp_path).loops) == 64


def test_a_folder_that_can_not_be_read_is_named(tmp_path, monkeypatch):
    """Root may read every folder, so the system's answer is made up."""
    make_folder(tmp_path, "a.jpg", "closed/b.jpg")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"closed can't be listed \(Permission denied\). Give the"):
        load_dataset(tmp_path)


def test_a_folder_of_raw_files_only_says_so(tmp_path):
    make_folder(tmp_path / "images", "a.cr3")
    with pytest.raises(InputError, match=r"No images in .*; 1 file is not read.*1 .cr3 .*Put some"):
        load_dataset(tmp_path)

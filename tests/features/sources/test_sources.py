"""What archives and lists hold: rows as a folder's, and one line where they are broken."""

import os
import pickle
import stat
import tarfile
import zipfile
from collections import Counter

import numpy as np
import pytest

from features.datasets import file_sizes, load_dataset
from features.errors import InputError
from features.sources import catalog, kept_index
from features.sources.base import Fault
from features.sources.patterns import expand
from tests.features.sources.archives import link, make_tar, make_zip
from tests.hostile.damage import overwrite

PICTURES = [("b.jpg", b"bb"), ("cats/a.png", b"a" * 700), ("c.jpg", b"")]
LABELS = b"image,cat\nc.jpg,1\nb.jpg,0\n"
MAKERS = {"zip": make_zip, "tar": make_tar}


@pytest.fixture(params=MAKERS)
def made(request, tmp_path):
    """Make an archive of either kind."""
    return lambda members: MAKERS[request.param](tmp_path / f"photos.{request.param}", members)


def read(dataset):
    return {path: dataset.source.open(path).read() for path in dataset.paths}


@pytest.mark.parametrize("front", ["", "./", "photos/"])
def test_an_archive_lists_what_the_folder_would(made, front):
    inside = [(f"{front}images/{name}", data) for name, data in PICTURES]
    dataset = load_dataset(made([*inside, (f"{front}labels.csv", LABELS)]))
    assert dataset.ids == ("c.jpg", "b.jpg")
    assert dataset.paths == ("images/c.jpg", "images/b.jpg")
    assert dataset.labels.tolist() == [[1], [0]] and not dataset.notes
    assert file_sizes(dataset).tolist() == [0, 2]
    assert read(dataset) == {"images/c.jpg": b"", "images/b.jpg": b"bb"}


def test_pictures_without_labels_are_sorted_and_the_rest_is_counted(made):
    odd = ("__MACOSX/._b.jpg", "._c.jpg", "notes.txt", "more.zip", ".hidden/x.jpg")
    dataset = load_dataset(made([*PICTURES, *((name, b"x") for name in odd)]))
    assert dataset.ids == dataset.paths == ("b.jpg", "c.jpg", "cats/a.png")
    assert read(dataset) == dict(PICTURES)
    assert dataset.notes == ("2 files are not read as pictures: 1 .zip, 1 .txt",) or (
        dataset.notes == ("2 files are not read as pictures: 1 .txt, 1 .zip",)
    )


@pytest.mark.parametrize("name", ["/etc/a.jpg", "../a.jpg", "x/../../a.jpg", "x//a.jpg"])
def test_names_that_are_no_plain_paths_are_left_out(made, name):
    dataset = load_dataset(made([*PICTURES, (name, b"evil")]))
    assert len(dataset) == 3
    (note,) = dataset.notes
    assert note.startswith(f"1 (first {name!r}) members whose names are no plain paths")


def test_of_two_members_of_one_name_the_last_is_taken(made, recwarn):
    dataset = load_dataset(made([("a.jpg", b"old"), ("b.jpg", b"b"), ("a.jpg", b"newer")]))
    recwarn.clear()  # zipfile warns when it writes them
    assert read(dataset) == {"a.jpg": b"newer", "b.jpg": b"b"}
    assert "1 (first 'a.jpg') names come more than once" in dataset.notes[0]


def test_a_label_of_no_member_is_named(made):
    with pytest.raises(
        InputError, match=r"1 \(first 'x.jpg'\) of 1 images not found under .*b.jpg"
    ):
        load_dataset(made([*PICTURES, ("labels.csv", b"image,cat\nx.jpg,1\n")]))
    dataset = load_dataset(made([*PICTURES, ("labels.csv", b"image,cat\nCATS\\A.PNG,1\n")]))
    assert dataset.ids == ("cats/a.png",) and "names differ" in dataset.notes[0]


@pytest.mark.parametrize("members", [[], [("a.txt", b"x")], [("a.tar", b"x"), ("b.zip", b"x")]])
def test_an_archive_without_pictures_is_one_line(made, members):
    with pytest.raises(InputError, match="No images in .*photos") as raised:
        load_dataset(made(members))
    assert ("archives in an archive are not opened" in str(raised.value)) == (len(members) == 2)


def test_long_names_and_names_in_other_alphabets(tmp_path):
    members = [(f"{'d' * 120}/{'é' * 90}.jpg", b"1"), ("猫.jpg", b"2")]
    for k, form in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        assert read(load_dataset(make_tar(tmp_path / f"{k}.tar", members, form))) == dict(members)
    assert read(load_dataset(make_zip(tmp_path / "a.zip", members))) == dict(members)


def test_names_that_are_not_utf_8(tmp_path):
    odd = os.fsdecode(b"caf\xe9.jpg")
    dataset = load_dataset(make_tar(tmp_path / "a.tar", [("b.jpg", b"b"), (odd, b"x")],
                                    tarfile.GNU_FORMAT))  # fmt: skip
    assert dataset.ids == ("b.jpg",) and "no plain paths in UTF-8" in dataset.notes[0]
    path = make_zip(tmp_path / "a.zip", [("cafX.jpg", b"x"), ("kafXX.jpg", b"y")])
    raw = path.read_bytes().replace(b"cafX", b"caf\x82").replace(b"kafXX", "kafé".encode())
    path.write_bytes(raw)
    assert load_dataset(path).ids == ("café.jpg", "kafé.jpg")


def test_links_in_a_tar_lead_to_members_and_never_out(tmp_path):
    members = [
        ("images/a.jpg", b"a"),
        link("images/hard.jpg", "images/a.jpg", tarfile.LNKTYPE),
        link("images/soft.jpg", "a.jpg"),
        link("images/soft2.jpg", "../images/soft.jpg"),
        link("images/out.jpg", "/etc/passwd"),
        link("images/up.jpg", "../../a.jpg"),
        link("images/loop.jpg", "loop.jpg"),
        link("images/fifo.jpg", "", tarfile.FIFOTYPE),
    ]
    dataset = load_dataset(make_tar(tmp_path / "a.tar", members))
    assert read(dataset) == {f"images/{n}.jpg": b"a" for n in ("a", "hard", "soft", "soft2")}
    assert dataset.notes[0].startswith("4 links to nothing, or no files")


def test_links_in_a_zip(tmp_path):
    soft = zipfile.ZipInfo("soft.jpg")
    soft.create_system, soft.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    dataset = load_dataset(make_zip(tmp_path / "a.zip", [("a.jpg", b"a"), (soft, b"a.jpg")]))
    assert read(dataset) == {"a.jpg": b"a", "soft.jpg": b"a"}


def test_truncated_at_any_place_is_one_line_or_a_note(tmp_path):
    whole = make_tar(tmp_path / "whole.tar", PICTURES, tarfile.GNU_FORMAT).read_bytes()
    path = tmp_path / "a.tar"
    told = Counter()
    for size in range(0, 3100, 50):
        overwrite(path, whole[:size])
        try:
            dataset = load_dataset(path)
            told["note" if "no end mark" in dataset.notes[0] else "whole"] += 1
        except InputError as error:
            assert "\n" not in str(error) and "a.tar" in str(error)
            told["refused"] += 1
    assert told["refused"] > 40 and told["whole"] == 0
    path.write_bytes(whole[:2560])  # the last header and no more
    assert "no end mark" in load_dataset(path).notes[0]
    path = tmp_path / "a.zip"
    whole = make_zip(tmp_path / "whole.zip", PICTURES).read_bytes()
    for size in range(0, len(whole) - 1, 25):
        overwrite(path, whole[:size])
        with pytest.raises(InputError, match=r"a\.zip is no whole zip file"):
            load_dataset(path)


def test_any_damaged_byte_is_one_line_a_fault_or_nothing(tmp_path):
    rng = np.random.default_rng(0)
    for kind, make in MAKERS.items():
        whole = make(tmp_path / f"whole.{kind}", PICTURES).read_bytes()
        path = tmp_path / f"a.{kind}"
        for place in rng.choice(min(len(whole), 4096), 150, replace=False):
            raw = bytearray(whole)
            raw[place] ^= int(rng.integers(1, 256))
            overwrite(path, raw)
            try:
                read(load_dataset(path))
            except InputError as error:
                assert "\n" not in str(error)
            except Fault as fault:
                assert kind == "zip" and fault.reason in ("CHECKSUM", "MEMBER", "ENCRYPTED",
                                                          "METHOD", "ARCHIVE_ENDS")  # fmt: skip


@pytest.mark.parametrize(
    "size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"77777777777\0", b"x" * 12]
)
def test_a_header_of_an_impossible_size_is_one_line(tmp_path, size):
    info = tarfile.TarInfo("long")
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info.type = kind
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[:512])
        block[124:136], block[148:156] = size, b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        whole = make_tar(tmp_path / "whole.tar", [("a.jpg", b"a")], tarfile.GNU_FORMAT)
        path = tmp_path / "a.tar"
        path.write_bytes(whole.read_bytes()[:1024] + bytes(block) + bytes(1024))
        with pytest.raises(InputError, match=r"a\.tar is (damaged|truncated)"):
            load_dataset(path)


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / f"a.tar.{mode}"
    with tarfile.open(path, f"w:{mode}") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(InputError, match=rf"compressed as a whole.*-k a\.tar\.{mode}"):
        load_dataset(path)


def test_the_kind_is_told_by_content_first(tmp_path):
    path = make_zip(tmp_path / "a.tar", PICTURES)
    assert len(load_dataset(path)) == len(load_dataset(path.rename(tmp_path / "a.dat"))) == 3
    for name, data, what in (
        ("a.7z", b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it"),
        ("photo.jpg", b"\xff\xd8\xff", "holds a data set"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"{what}. Give a folder .* or a \.zip"):
            load_dataset(tmp_path / name)
    os.mkfifo(tmp_path / "f.tar")
    with pytest.raises(InputError, match="neither a folder nor a file"):
        load_dataset(tmp_path / "f.tar")


def test_shards_are_one_data_set(tmp_path):
    for k, member in enumerate(PICTURES):
        make_tar(tmp_path / f"s-{k:02}.tar", [member])
    for name in ("s-{00..02}.tar", "s-*.tar", "s-{00,01,02,00}.tar", "s-0{0..2}.tar"):
        assert read(load_dataset(tmp_path / name)) == dict(PICTURES)
    with pytest.raises(InputError, match=r"2 \(first .*s-03.tar.* of 5 files are not there"):
        load_dataset(tmp_path / "s-{00..04}.tar")
    with pytest.raises(InputError, match=r"more than 100,000 files"):
        load_dataset(tmp_path / "{0..999}{0..999}.tar")
    with pytest.raises(InputError, match="No file matches"):
        load_dataset(tmp_path / "t-*.tar")
    make_zip(tmp_path / "s-03.zip", PICTURES)
    with pytest.raises(InputError, match="several kinds"):
        load_dataset(tmp_path / "s-*")
    assert expand(tmp_path / "x{1}.tar") == [tmp_path / "x{1}.tar"]


def test_names_that_shards_share_get_the_shard_in_front(tmp_path):
    for k in range(2):
        make_tar(tmp_path / f"s{k}.tar", [("0.jpg", b"%d" % k)])
    dataset = load_dataset(tmp_path / "s{0..1}.tar")
    assert read(dataset) == {"s0/0.jpg": b"0", "s1/0.jpg": b"1"}
    assert "members of one name" in dataset.notes[0]


def test_a_pickled_source_lists_its_archives_once_again(made):
    dataset = load_dataset(made(PICTURES))
    one, two = (pickle.loads(pickle.dumps(dataset.source)) for _ in range(2))
    assert one is two and one.open("b.jpg").read() == b"bb"


def test_an_archive_that_changes_or_goes_is_told(made):
    path = made(PICTURES)
    dataset = load_dataset(path)
    with open(path, "ab") as file:
        file.write(b"\0" * 512)
    with pytest.raises(InputError, match="has changed while it was read. What is finished is kept"):
        read(dataset)
    path.unlink()
    with pytest.raises(InputError, match="can't be read any more"):
        read(dataset)


def test_a_list_gives_its_pictures_in_its_order(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in "abc":
        (images / f"{name}.jpg").write_bytes(name.encode())
    path = tmp_path / "list.txt"
    path.write_text("images/c.jpg\n\nimages/a.jpg\n")
    dataset = load_dataset(path)
    assert dataset.ids == ("c.jpg", "a.jpg") and dataset.labels is None
    assert read(dataset) == {"images/c.jpg": b"c", "images/a.jpg": b"a"}
    (tmp_path / "labels.csv").write_text("image,x\nb.jpg,1\na.jpg,1\n")
    dataset = load_dataset(path)
    assert dataset.labels.tolist() == [[-1], [1]] and "no line for 1 of" in dataset.notes[0]
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "list.txt").write_text(f"{images}/b.jpg\n../images/a.jpg\n")
    dataset = load_dataset(other / "list.txt")
    assert dataset.ids == ("b.jpg", "a.jpg") and dataset.paths[0] == "images/b.jpg"
    assert dataset.root == tmp_path and dataset.labels.tolist() == [[1], [1]]
    (tmp_path / "labels.csv").write_text("image,x\nb.jpg,1\n")
    assert "names none of the listed images" in load_dataset(path).notes[0]


@pytest.mark.parametrize(
    "text, match",
    [
        ("\n", "lists no images"),
        ("a.jpg\na.jpg\n", "names images twice"),
        ("gone.jpg", "1 images not found under"),
        ("/nowhere/gone.jpg", "are no files that are there"),
        ("/etc\n/usr", "are no files that are there"),
        ("/a\x01.jpg", "is not a plain path"),
        ("caf\udce9.jpg", "is not UTF-8"),
    ],
)
def test_a_list_with_a_fault_is_one_line(tmp_path, text, match):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=match):
        load_dataset(tmp_path / "list.txt")


SAMPLES = [
    ("0.json", b'{"labels": ["dog", "cat"], "caption": "x"}', [1, 1, 0]),
    ("1.cls", b"owl\n", [0, 0, 1]),
    ("2.json", b'{"tags": {"dog": 0, "cat": null, "owl": true}}', [-1, 0, 1]),
    ("3.json", b'["cat"]', [1, 0, 0]),
    ("4.txt", b"a caption", [-1, -1, -1]),
    ("5.json", b"{", [-1, -1, -1]),
    ("6.json", b'{"label": [[]]}', [-1, -1, -1]),
    ("7.json", b'{"category": {"name": "x", "owl": 1}}', [-1, -1, -1]),
    ("8.json", b'{"classes": [{"name": "owl"}], "labels": []}', [0, 0, 0]),
]


def test_labels_of_webdataset_shards(tmp_path):
    members = []
    for name, data, _ in SAMPLES:
        members += [(f"{name[0]}.jpg", b"j"), (name, data)]
    for k in range(3):
        make_tar(tmp_path / f"s-{k}.tar", members[6 * k : 6 * k + 6])
    dataset = load_dataset(tmp_path / "s-{0..2}.tar")
    assert dataset.label_names == ("cat", "dog", "owl")
    assert dataset.labels.tolist() == [row for _, _, row in SAMPLES]
    broken, others = dataset.notes
    assert broken.startswith("3 (first '5.json', '6.json', '7.json') members can't be read")
    assert others == "1 file is not read as pictures: 1 .txt"


def test_numbers_of_classes_are_in_their_order_and_captions_are_no_labels(tmp_path):
    members = [(f"{k}.jpg", b"") for k in range(3)]
    numbered = [*members, ("0.cls", b"10"), ("1.cls", b"9"), ("2.cls", b"2")]
    assert load_dataset(make_tar(tmp_path / "a.tar", numbered)).label_names == ("2", "9", "10")
    dataset = load_dataset(make_zip(tmp_path / "a.zip", [*members, ("0.json", b'{"url": 1}')]))
    assert (
        dataset.labels is None
        and "1 keys of .json members name no labels (url)" in (dataset.notes[0])
    )


def test_the_list_of_a_large_tar_is_kept_until_the_tar_changes(tmp_path, monkeypatch):
    place = tmp_path / "cache" / "multilabel-from-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent))
    path = make_tar(tmp_path / "a.tar", [*PICTURES, link("l.jpg", "b.jpg")])
    load_dataset(path)
    assert not place.exists()  # small
    monkeypatch.setattr(kept_index, "FEWEST", 3)
    load_dataset(path)
    assert not place.exists()  # young
    os.utime(path, (1, 1))
    whole = read(load_dataset(path))
    assert whole["l.jpg"] == b"bb"
    (kept,) = place.iterdir()

    def refuse(*args, **options):
        raise AssertionError("the tar is listed again")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", refuse)
        assert read(load_dataset(path)) == whole
        for data in (b"", kept.read_bytes()[:-100]):
            with pytest.raises(AssertionError, match="listed again"):
                kept.write_bytes(data)
                load_dataset(path)
    assert read(load_dataset(path)) == whole
    make_tar(path, PICTURES)
    os.utime(path, (2, 2))
    assert read(load_dataset(path)) == dict(PICTURES)
    kept.unlink()
    place.rmdir()
    place.write_bytes(b"")  # there is no place for it
    assert read(load_dataset(path)) == dict(PICTURES)


def test_every_record_has_its_module():
    for name, record in catalog.SOURCES.items():
        assert record.module == f"features.sources.{record.module.rpartition('.')[2]}", name
        assert record.text and (record.endings or record.begins(b""))


def test_a_folder_of_archives_says_to_give_them(tmp_path):
    make_tar(tmp_path / "s.tar", PICTURES)
    with pytest.raises(InputError, match=r"Or give an archive itself: --data .*s\.tar"):
        load_dataset(tmp_path)

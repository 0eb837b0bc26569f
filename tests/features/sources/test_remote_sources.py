"""Pictures on servers and in object stores: rows as a folder's, and one line where they fail."""

import io
import pickle
import sys

import pytest

from features.datasets import file_sizes, load_dataset
from features.errors import InputError
from features.sources.base import Fault
from features.sources.remote import client, on_server
from features.sources.remote.address import Address, located
from tests.features.sources.archives import make_tar, make_zip
from tests.features.sources.server import serving

fsspec = pytest.importorskip("fsspec", reason="the extra `remote` is not installed")
pytest.importorskip("aiohttp", reason="the extra `remote` is not installed")
PICTURES = [("b.jpg", b"bb"), ("cats/a.png", b"a" * 700), ("c d.jpg", b"")]
LABELS = b"image,cat\nc d.jpg,1\nb.jpg,0\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Wait for nothing, and keep lists here."""
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))


@pytest.fixture
def web():
    with serving({}) as server:
        yield server


@pytest.fixture
def store():
    """An empty store in memory."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def read(dataset):
    return {path: dataset.source.open(path).read() for path in dataset.paths}


def parquet(rows):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    cells = [{"bytes": raw, "path": name} for name, raw in rows]
    pq.write_table(pa.table({"image": cells}), out, row_group_size=2)
    return out.getvalue()


@pytest.mark.parametrize("front", ["", "images/"])
def test_a_folder_of_a_store_is_read_as_one_on_a_disk(store, front, tmp_path):
    odd = {".hidden/x.jpg": b"", "notes.txt": b"n"}
    files = {f"{front}{name}": data for name, data in PICTURES} | odd
    for name, data in files.items():
        store.pipe_file(f"/set/{name}", data)
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    here, there = load_dataset(tmp_path / "set"), load_dataset("memory://set/")
    assert (there.ids, there.paths, there.notes) == (here.ids, here.paths, here.notes)
    assert read(there) == read(here) and file_sizes(there).tolist() == file_sizes(here).tolist()
    assert str(there.root) == "memory://set"
    store.pipe_file("/set/labels.csv", LABELS)
    (tmp_path / "set" / "labels.csv").write_bytes(LABELS)
    here, there = load_dataset(tmp_path / "set"), load_dataset("memory://set")
    assert there.ids == here.ids == ("c d.jpg", "b.jpg")
    assert there.labels.tolist() == here.labels.tolist() == [[1], [0]]
    with pytest.raises(InputError, match="No images in memory://none|memory://none"):
        load_dataset("memory://none")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archives_are_read_by_ranges(web, store, tmp_path, make):
    ending = make.__name__[-3:]
    inside = [(f"photos/images/{name}", data) for name, data in PICTURES]
    path = make(tmp_path / f"a.{ending}", [*inside, ("photos/labels.csv", LABELS)])
    raw = path.read_bytes()
    web.files["data/a." + ending] = raw
    store.pipe_file(f"/a.{ending}", raw)
    here = load_dataset(path)
    for name in (f"{web.url}/data/a.{ending}?key=1", f"memory://a.{ending}"):
        there = load_dataset(name)
        assert (there.ids, there.paths) == (here.ids, here.paths)
        assert there.labels.tolist() == here.labels.tolist() and read(there) == read(here)
        again = pickle.loads(pickle.dumps(there.source))
        assert again.open("images/b.jpg").read() == b"bb"
    web.ranges = False
    with pytest.raises(InputError, match=r"gives only whole files.*Download it once"):
        load_dataset(f"{web.url}/data/a.{ending}").source.open("images/b.jpg").read()


def test_the_list_of_a_tar_is_kept_until_it_is_another(web, tmp_path):
    members = [(f"{k}.jpg", bytes([k]) * 50_000) for k in range(40)]
    web.files["a.tar"] = make_tar(tmp_path / "a.tar", members).read_bytes()
    assert len(load_dataset(f"{web.url}/a.tar")) == 40
    assert web.sent < 1.1 * len(web.files["a.tar"])
    before = web.sent
    dataset = load_dataset(f"{web.url}/a.tar")
    assert web.sent == before
    assert dataset.source.open("7.jpg").read() == bytes([7]) * 50_000
    assert web.sent == before + 50_000
    web.files["a.tar"] = make_tar(tmp_path / "a.tar", members[:5]).read_bytes()
    assert len(load_dataset(f"{web.url}/a.tar")) == 5


def test_shards_by_numbers_and_by_wildcards(web, store, tmp_path):
    for k in range(3):
        raw = make_tar(tmp_path / "a.tar", [(f"{k}.jpg", b"x")]).read_bytes()
        web.files[f"s-{k}.tar"] = raw
        store.pipe_file(f"/deep/s-{k}.tar", raw)
    ids = ("0.jpg", "1.jpg", "2.jpg")
    assert load_dataset(web.url + "/s-{0..2}.tar").ids == ids
    assert load_dataset("memory://deep/s-*.tar").ids == ids
    with pytest.raises(InputError, match=r"s-3.tar can't be read: there is no such file"):
        load_dataset(web.url + "/s-{0..3}.tar")
    with pytest.raises(InputError, match="No file matches memory://deep/t-"):
        load_dataset("memory://deep/t-*.tar")


def test_parquet(web, store):
    raw = parquet(PICTURES)
    web.files["a.parquet"] = raw
    store.pipe_file("/set/data/a.parquet", raw)
    for name in (f"{web.url}/a.parquet", "memory://set", "memory://set/data/a.parquet"):
        assert read(load_dataset(name)) == dict(PICTURES)
    store.pipe_file("/set/labels.csv", LABELS)  # beside the folder `data`
    web.files["labels.csv"] = LABELS
    for name in (f"{web.url}/a.parquet", "memory://set", "memory://set/data/a.parquet"):
        dataset = load_dataset(name)
        assert dataset.label_names == ("cat",)
        assert dict(zip(dataset.ids, dataset.labels[:, 0].tolist(), strict=True)) == {
            "b.jpg": 0, "cats/a.png": -1, "c d.jpg": 1,
        }  # fmt: skip
    web.files["a.parquet"] = raw[:-9]
    with pytest.raises(InputError, match="no whole parquet file"):
        load_dataset(f"{web.url}/a.parquet")


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_lists_of_addresses(web, tmp_path, ranges, lengths):
    web.ranges, web.lengths = ranges, lengths
    web.files |= {f"d/images/{name}": data for name, data in PICTURES}
    web.files["d/labels.csv"] = LABELS
    names = ["cats/a.png", "c%20d.jpg", "b.jpg?size=2"]
    (tmp_path / "here.txt").write_text("".join(f"{web.url}/d/images/{n}\n" for n in names))
    web.files["d/there.txt"] = "\n".join(f"images/{name}" for name in names).encode()
    for path in (tmp_path / "here.txt", f"{web.url}/d/there.txt"):
        dataset = load_dataset(path)
        assert dataset.ids == ("cats/a.png", "c d.jpg", "b.jpg")
        assert dataset.labels.tolist() == [[-1], [1], [0]]
        assert file_sizes(dataset).tolist() == [700, 0, 2]
        again = pickle.loads(pickle.dumps(dataset.source))
        assert {path: again.open(path).read() for path in dataset.paths} == read(dataset)
        assert read(dataset) == {f"images/{name}": data for name, data in PICTURES}


def test_a_list_whose_pictures_are_not_there_is_one_line(web, tmp_path):
    web.files["a.jpg"] = b"a"
    path = tmp_path / "list.txt"
    path.write_text(f"{web.url}/a.jpg\n{web.url}/gone.jpg\n")
    with pytest.raises(InputError, match=r"1 of 2 pictures.*gone.jpg: there is no such file"):
        load_dataset(path)
    path.write_text(f"{web.url}/a.jpg\nb.jpg\n")
    with pytest.raises(InputError, match="Make two lists"):
        load_dataset(path)
    path.write_text(f"{web.url}/a.jpg\n{web.url}/a.jpg?again\n")
    with pytest.raises(InputError, match="more than once|twice"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([500, 503], None),
        (["cut", "cut"], None),
        ([500] * 3, "SERVER"),
        (["cut"] * 3, "BROKEN_OFF"),
        ([404], "MISSING"),
        ([403], "FORBIDDEN"),
        ([418], "SERVER"),
    ],
)
def test_a_picture_is_asked_for_again_where_that_may_help(web, tmp_path, answers, reason):
    web.files["a.jpg"] = b"picture" * 100
    (tmp_path / "list.txt").write_text(f"{web.url}/a.jpg\n")
    source = load_dataset(tmp_path / "list.txt").source
    web.answers["a.jpg"] += answers
    if reason is None:
        assert source.open("a.jpg").read() == b"picture" * 100
    else:
        with pytest.raises(Fault) as raised:
            source.open("a.jpg").read()
        assert raised.value.reason == reason
    assert not web.answers["a.jpg"]


def test_a_picture_of_another_size_is_none(web, tmp_path):
    web.files["a.jpg"] = b"abc"
    (tmp_path / "list.txt").write_text(f"{web.url}/a.jpg\n")
    source = load_dataset(tmp_path / "list.txt").source
    for other in (b"ab", b"abcd", b"a" * 10_000):
        web.files["a.jpg"] = other
        with pytest.raises(Fault, match="CHANGED|BROKEN_OFF"):
            source.open("a.jpg").read()


def test_an_archive_that_changes_or_fails_is_one_line(web, tmp_path, monkeypatch):
    raw = make_zip(tmp_path / "a.zip", PICTURES).read_bytes()
    web.files["a.zip"] = raw
    web.answers["a.zip"] += [500] * 3
    with pytest.raises(InputError, match=r"a.zip can't be read: the server answers with status 5"):
        load_dataset(f"{web.url}/a.zip")
    source = load_dataset(f"{web.url}/a.zip").source
    monkeypatch.setattr(on_server, "LOOK_AGAIN", -1)
    assert source.open("b.jpg").read() == b"bb"
    web.files["a.zip"] = raw + b" "
    with pytest.raises(InputError, match="has changed while it was read"):
        source.open("b.jpg").read()


def test_what_can_not_be_reached_is_one_line(web, monkeypatch):
    url = web.url
    web.server_close()
    with pytest.raises(InputError, match=f"{url}/a.zip: the server can't be reached"):
        load_dataset(f"{url}/a.zip")
    with pytest.raises(InputError, match="none of the addresses that fsspec reads"):
        load_dataset("nothing://x/a.zip")
    with pytest.raises(InputError, match=r"Reading s3:// needs s3fs.*pip install s3fs"):
        monkeypatch.setitem(sys.modules, "s3fs", None)
        load_dataset("s3://bucket/a.zip")
    monkeypatch.setattr(client, "_SYSTEMS", {})
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError, match=r"pip install 'multilabel-from-cache\[remote\]'"):
        load_dataset(f"{url}/a.zip")


@pytest.mark.parametrize("host", ["[x", "a]b", "h:99999", "h:x", ".a", "ä..b", 300 * "a"])
def test_a_host_that_can_not_be_one_is_no_address(tmp_path, host):
    (tmp_path / "list.txt").write_text(f"http://{host}/a.jpg\n")
    for data in (f"http://{host}/a.tar", f"http://{host}/s-{{0..1}}.zip", tmp_path / "list.txt"):
        with pytest.raises(InputError, match="is no address .*Write it as https://host/path") as e:
            load_dataset(data)
        assert "\n" not in str(e.value)


def test_a_web_folder_can_not_be_listed(web):
    web.files["photos"] = b"<html>"
    with pytest.raises(InputError, match=r"folders can't be listed by http. Give a .zip file"):
        load_dataset(f"{web.url}/photos/")


def test_a_file_that_is_there_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_zip(tmp_path / "a.zip", PICTURES)
    assert load_dataset(f"file://{tmp_path}/a.zip").ids == ("b.jpg", "c d.jpg", "cats/a.png")
    (tmp_path / "ab:").mkdir()
    (tmp_path / "ab:" / "x.jpg").write_bytes(b"x")
    assert located("ab:/x.jpg") == (tmp_path / "ab:/x.jpg").relative_to(tmp_path)
    assert str(Address("s3:/b/c") / "d") == "s3://b/c/d"

"""Pictures in parquet files: rows, labels, and one line where they are broken."""

import json
import sys

import pytest

from features.datasets import file_sizes, load_dataset
from features.errors import InputError
from features.sources import parquet_files
from features.sources.base import Fault

WHY = "the extra `parquet` is not installed"
pa = pytest.importorskip("pyarrow", reason=WHY)
pq = pytest.importorskip("pyarrow.parquet", reason=WHY)
PICTURES = [{"bytes": b"\xff\xd8a", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"},
            {"bytes": b"\x89PNGc", "path": "c.png"}]  # fmt: skip


def write(path, columns, metadata=None, **options):
    path.parent.mkdir(exist_ok=True)
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, path, row_group_size=2, **options)
    return path


def test_rows_bytes_and_a_null(tmp_path):
    dataset = load_dataset(write(tmp_path / "a.parquet", {"photo": PICTURES}))
    assert dataset.ids == ("a.jpg", "b.jpg", "c.png") and dataset.labels is None
    assert "no labels" in dataset.notes[0]
    assert file_sizes(dataset).tolist() == [3, 0, 5]
    assert dataset.source.open("c.png").read() == b"\x89PNGc"
    with pytest.raises(Fault, match="NULL"):
        dataset.source.open("b.jpg")


@pytest.mark.parametrize("inner", ["", "data"])
def test_a_folder_of_files_with_ids_by_row(tmp_path, inner):
    for k in range(2):
        write(tmp_path / inner / f"p{k}.parquet", {"img": [b"\xff\xd8%d" % k]})
    dataset = load_dataset(tmp_path)
    assert dataset.ids == ("p0/0.jpg", "p1/0.jpg")
    assert dataset.source.open("p1/0.jpg").read() == b"\xff\xd81"


def test_labels_in_three_forms(tmp_path):
    text = {"image": PICTURES, "tags": [["x", "y"], None, []]}
    dataset = load_dataset(write(tmp_path / "a.parquet", text))
    assert dataset.label_names == ("x", "y")
    assert dataset.labels.tolist() == [[1, 1], [-1, -1], [0, 0]]
    feature = {"feature": {"names": ["n", "m"], "_type": "ClassLabel"}, "_type": "Sequence"}
    said = json.dumps({"info": {"features": {"labels": feature}}})
    numbers = {"image": PICTURES, "labels": [[1], [0], []]}
    dataset = load_dataset(write(tmp_path / "b.parquet", numbers, {"huggingface": said}))
    assert dataset.label_names == ("n", "m")
    assert dataset.labels.tolist() == [[0, 1], [1, 0], [0, 0]]
    dataset = load_dataset(write(tmp_path / "c.parquet", {"image": PICTURES, "z": [1, 0, None]}))
    assert dataset.label_names == ("z",) and dataset.labels.tolist() == [[1], [0], [-1]]


@pytest.mark.parametrize("inner", ["", "data"])
def test_labels_beside_go_before_columns(tmp_path, inner):
    path = write(tmp_path / inner / "a.parquet", {"image": PICTURES, "old": [1, 1, 1]})
    (tmp_path / "labels.csv").write_text("image,cat\nc.png,1\na.jpg,0\nother.jpg,1\n")
    for place in (tmp_path, path):
        dataset = load_dataset(place)
        assert dataset.ids == ("a.jpg", "b.jpg", "c.png") and dataset.label_names == ("cat",)
        assert dataset.labels.tolist() == [[0], [-1], [1]]
        assert "no line for 1 of the listed images" in dataset.notes[-1]


def test_threads_that_read_ahead_read_a_group_once(tmp_path, monkeypatch):
    rows = [{"bytes": b"\xff\xd8%d" % k, "path": f"{k:02}.jpg"} for k in range(12)]
    source = load_dataset(write(tmp_path / "a.parquet", {"image": rows})).source
    read = []
    group = parquet_files.Parquet._group

    def counted(self, file, number):
        read.append(number)
        return group(self, file, number)

    monkeypatch.setattr(parquet_files.Parquet, "_group", counted)
    order = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11]  # as threads pass borders, each group of two
    assert [source.open(f"{k:02}.jpg").read() for k in order] == [rows[k]["bytes"] for k in order]
    assert read == list(range(6))
    monkeypatch.setattr(parquet_files, "MOST_HELD", 3)  # less than two groups have
    assert source.open("00.jpg").read() == rows[0]["bytes"]
    assert source.open("02.jpg").read() == rows[2]["bytes"]
    assert list(source._held) == [(0, 1)]


def test_what_is_broken_is_one_line(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", {"image": PICTURES})
    whole = path.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="no whole parquet file"):
            load_dataset(path)
    with pytest.raises(InputError, match=r"Its columns: x \(int64\)"):
        load_dataset(write(path, {"x": [1]}))
    with pytest.raises(InputError, match="'k' more than once"):
        load_dataset(write(path, {"image": [b"1", b"2"], "id": ["k", "k"]}))
    path = write(path, {"image": PICTURES})
    with monkeypatch.context() as patch:
        patch.setattr(parquet_files, "MOST_BYTES", 1)
        with pytest.raises(InputError, match="row group 0 has"):
            load_dataset(path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r"pip install 'multilabel-from-cache\[parquet\]'"):
        load_dataset(path)

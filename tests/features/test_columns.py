"""`index.csv` as columns: rows read when asked for, marks of a large one, hashes in blocks."""

import csv
import hashlib
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.storage import provenance
from features import schema, splits
from features.columns import blocks, marks, rows
from features.errors import InputError
from features.index import IndexRow, identities_hash, index_fault, read_index
from features.splits import Split, duplicate_groups, splits_hash

N = 1000
FORMS = {
    "plain": lambda k: (f"{k}.jpg", ""),
    "other letters": lambda k: (f"ä/ö{k}.jpg", "ü"),
    "some quoted": lambda k: (f"{k}.jpg", 'a "b", c' if k % 300 == 299 else ""),
    "lines in messages": lambda k: (f"{k}, {k}.jpg", "two\nlines" if k % 7 == 0 else ""),
}


def made(folder, form="plain", n=N):
    """Write an index; give its rows and its manifest."""
    listed = []
    for k in range(n):
        id_, message = FORMS[form](k)
        digest = hashlib.sha256(str(k // 2).encode()).hexdigest() if k % 5 else ""
        listed.append(IndexRow(k, id_, f"images/{id_}", 10 * k, digest, "ok", message))
    with open(folder / schema.INDEX, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.INDEX_COLUMNS)
        writer.writerows(vars(row).values() for row in listed)
    sha256 = identities_hash((row.id, row.path, row.size) for row in listed)
    return listed, {"index": {"rows": n, "sha256": sha256}}


@pytest.mark.parametrize("block", [200, 5000, 1 << 22])
@pytest.mark.parametrize("form", FORMS)
def test_rows_are_those_that_csv_reads(tmp_path, monkeypatch, form, block):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
    monkeypatch.setattr(rows, "RUN", 2)
    listed, manifest = made(tmp_path, form)
    index = read_index(tmp_path, manifest)
    assert len(index) == N and list(index) == listed and index == listed
    for row in (0, 255, 256, 511, 999, -1, -1000):
        assert index[row] == listed[row]
    assert index[250:520] == listed[250:520] and index[::-3] == listed[::-3]
    with pytest.raises(IndexError):
        index[N]
    assert index.ids == [row.id for row in listed] and index.ids[-1] == listed[-1].id
    assert index.ids[3:5] == [listed[3].id, listed[4].id]
    assert index.sha256().tolist() == [row.sha256.encode() for row in listed]
    assert index_fault(index, manifest) == ""
    some = index.first(300)
    assert some == listed[:300] and len(some.sha256()) == 300 and some != listed[:299]
    assert some.identities_hash() == identities_hash(
        (row.id, row.path, row.size) for row in listed[:300]
    )
    assert pickle.loads(pickle.dumps(some)) == listed[:300]


def test_line_ends_of_windows_and_other_numbers_are_read(tmp_path):
    listed, manifest = made(tmp_path)
    path = tmp_path / schema.INDEX
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    index = read_index(tmp_path, manifest)
    assert index == listed and index_fault(index, manifest) == ""
    made(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n17,17.jpg", b"\n 017,17.jpg"))
    assert index_fault(read_index(tmp_path, manifest), manifest) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"row,id", b"id,row"),
        (b"\n500,", b"\n500"),
        (b"\n500,", b"\n\n500,"),
        (b"\n500,", b"\nx,"),
        (b"images/500.jpg", b"images/\xff.jpg"),
        (b"\n500,500.jpg", b'\n500,"500.jpg'),
    ],
)
def test_a_broken_index_is_one_line(tmp_path, old, new):
    _, manifest = made(tmp_path)
    path = tmp_path / schema.INDEX
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(InputError, match=r"index.csv can't be read \(.*which rebuilds it"):
        index_fault(read_index(tmp_path, manifest), manifest)


def test_a_checksum_that_is_too_long_is_told(tmp_path):
    _, manifest = made(tmp_path)
    path = tmp_path / schema.INDEX
    path.write_bytes(path.read_bytes().replace(b",ok,", b"0" * 65 + b",ok,", 1))
    with pytest.raises(InputError, match="sha256 has 65 characters, not at most 64"):
        read_index(tmp_path, manifest).sha256()


def test_an_index_that_is_replaced_while_it_is_read_stays(tmp_path):
    listed, manifest = made(tmp_path)
    index = read_index(tmp_path, manifest)
    os.replace(tmp_path / schema.INDEX, tmp_path / "earlier.csv")
    made(tmp_path, "other letters")
    assert index == listed


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 0)


def unreadable(*_):
    raise AssertionError("the whole index is read")


def test_marks_are_kept_and_save_reading_all(tmp_path, monkeypatch, large):
    listed, manifest = made(tmp_path)
    read_index(tmp_path, manifest)
    kept = (tmp_path / schema.MARKS).read_bytes()
    monkeypatch.setattr(rows, "find_marks", unreadable)
    index = read_index(tmp_path, manifest)
    assert index[777] == listed[777] and index_fault(index, manifest) == ""
    monkeypatch.undo()
    made(tmp_path)  # the same again, at another time
    monkeypatch.setattr(rows, "LARGE", 0)
    read_index(tmp_path, manifest)
    assert (tmp_path / schema.MARKS).read_bytes() == kept


def test_small_indexes_have_none(tmp_path):
    _, manifest = made(tmp_path)
    assert read_index(tmp_path, manifest)[5].row == 5
    assert os.listdir(tmp_path) == [schema.INDEX]


@pytest.mark.parametrize("place", range(0, 400, 13))
def test_damaged_marks_are_made_anew(tmp_path, large, place):
    listed, manifest = made(tmp_path)
    read_index(tmp_path, manifest)
    path = tmp_path / schema.MARKS
    whole, time = path.read_bytes(), path.stat().st_mtime_ns
    place %= len(whole)
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    os.utime(path, ns=(time, time))
    assert read_index(tmp_path, manifest) == listed
    is_ours = place >= len(marks._MAGIC)  # another first line is of another program
    assert (path.read_bytes() == whole) == is_ours


def test_marks_of_an_edited_index_are_not_believed(tmp_path, large):
    listed, manifest = made(tmp_path)
    read_index(tmp_path, manifest)
    path = tmp_path / schema.INDEX
    path.write_bytes(path.read_bytes().replace(b"17.jpg", b"71.jpg", 1))  # of one length
    index = read_index(tmp_path, manifest)
    assert index != listed and "are not those of the manifest" in index_fault(index, manifest)
    other = {"index": {"rows": N, "sha256": "0" * 64}}
    made(tmp_path)
    read_index(tmp_path, manifest)
    assert index_fault(read_index(tmp_path, other), other)


def test_a_file_of_another_program_keeps_its_name(tmp_path, large):
    listed, manifest = made(tmp_path)
    (tmp_path / schema.MARKS).write_text("mine")
    assert read_index(tmp_path, manifest) == listed
    assert (tmp_path / schema.MARKS).read_text() == "mine"


@given(st.lists(st.sampled_from(["", "a", "b", "c" * 9, "c" * 8 + "d", "ä" * 3]), max_size=40))
def test_groups_are_those_of_a_loop(digests):
    first = {}
    expected = [first.setdefault(one, row) if one else row for row, one in enumerate(digests)]
    assert duplicate_groups(digests).tolist() == expected
    if digests:
        assert duplicate_groups(np.array([one.encode() for one in digests])).tolist() == expected


@pytest.mark.parametrize("block", [1, 3, 100])
def test_hashes_in_blocks_are_those_of_the_whole_text(monkeypatch, block):
    monkeypatch.setattr(splits, "HASHED", block)
    monkeypatch.setattr(provenance, "BLOCK", block)
    ids = ["a", 'ä"', "c,d", "e", "f"]
    split = Split(np.array([3, 0, 1]), np.array([4, 2]))
    text = json.dumps([[ids[row] for row in part] for part in (split.train, split.test)]) + "\n"
    assert splits_hash([split] * 2, ids) == hashlib.sha256(2 * text.encode()).hexdigest()
    for names, Y in ((["x", "y'"], [[1, 0], [-1, 1], [0, 0], [1, 1]]), (["z"], [[1]]), ([], [])):
        labels = np.array(Y, dtype=np.int8)
        text = repr((tuple(names), labels.tolist()))
        expected = hashlib.sha256(text.encode()).hexdigest()
        assert provenance.hash_labels_as_text(names, labels) == expected
        plain = hashlib.sha256(json.dumps([names, labels.shape]).encode() + labels.tobytes())
        assert provenance.hash_labels(names, labels) == plain.hexdigest()

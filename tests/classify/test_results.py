"""Result files: order, exact floats, a kill at any byte, damage, other people's files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.results import ResultFile, read_results
from features.errors import InputError

KEY = ("learner", "split")
HEADER = {"splits": "abc", "seed": 0}


def _open(path, **header):
    return ResultFile(path, key=KEY, header={**HEADER, **header})


def _line(learner, split):
    return {"learner": learner, "split": split, "score": 1 / (split + 3)}


ALL = [_line(learner, split) for split in range(3) for learner in ("b", "a")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.jsonl"


@pytest.fixture
def whole(tmp_path):
    """The bytes that an undisturbed run leaves."""
    path = tmp_path / "whole.jsonl"
    with _open(path) as file:
        for line in ALL:
            file.append(line)
        file.finish()
    return path.read_bytes()


def test_finish_orders_lines_by_key(path, whole):
    lines = [json.loads(line) for line in whole.splitlines()]
    assert lines[0] == {"header": {**HEADER, "key": list(KEY)}}
    assert [(line["learner"], line["split"]) for line in lines[1:]] == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("b", 2)
    ]  # fmt: skip
    with _open(path) as file:
        for line in reversed(ALL):
            file.append(line)
        file.finish()
    assert path.read_bytes() == whole


def test_finished_keys_are_known_after_reopening(path):
    with _open(path) as file:
        file.append(ALL[0])
    with _open(path) as file:
        assert ("b", 0) in file and ("a", 0) not in file
        assert file.lines == [ALL[0]]
    assert read_results(path) == ({**HEADER, "key": list(KEY)}, [ALL[0]])


@settings(max_examples=40)
@given(st.lists(st.floats(allow_infinity=False), max_size=5), st.text())
def test_values_come_back_exactly(tmp_path_factory, values, text):
    path = tmp_path_factory.mktemp("exact") / "r.jsonl"
    with ResultFile(path, key=("i",), header={"note": text}) as file:
        for i, value in enumerate(values):
            file.append({"i": i, "text": text, "value": np.float64(value), "ok": np.bool_(True)})
    header, lines = read_results(path)
    assert header["note"] == text
    for line, value in zip(lines, values, strict=True):
        assert line["text"] == text and line["ok"] is True
        back = np.nan if line["value"] is None else line["value"]
        assert (
            np.float64(back).tobytes() == np.float64(value).tobytes()
            or np.isnan([back, value]).all()
        )


def test_a_kill_at_any_byte_loses_one_line_at_most(path, whole):
    with _open(path) as file:
        for line in ALL[:3]:
            file.append(line)
    data = path.read_bytes()
    start = data.index(b"\n") + 1  # the header is written whole or not at all
    for length in range(start, len(data)):
        path.write_bytes(data[:length])
        with _open(path) as file:
            is_whole = data[length : length + 1] == b"\n"  # only the line's end is missing
            assert len(file.lines) == data[:length].count(b"\n") - 1 + is_whole
            for line in ALL:
                if (line["learner"], line["split"]) not in file:
                    file.append(line)
            file.finish()
        assert path.read_bytes() == whole


def test_lines_of_another_kind_are_told_by_their_header(path, whole):
    """Not as odd lines, which are to be removed."""
    path.write_bytes(whole)
    with pytest.raises(InputError, match="holds results of something else"):
        ResultFile(path, key=("C",), header={"seed": 1}, odd=lambda line: "is odd")
    assert path.read_bytes() == whole


def test_a_file_that_is_being_written_is_refused(path):
    with _open(path), pytest.raises(InputError, match="is being written by another run"):
        _open(path)
    _open(path).close()


@pytest.mark.parametrize(
    "place, damage, message",
    [
        (2, b"\xff", "line 3 is damaged"),
        (1, b"?", "line 2 is damaged"),
        (0, b"?", "line 1 is no header"),
        (3, None, "line 5 repeats learner 'a', split 2"),
        (4, b'{"learner": "a"}\n', "line 5 lacks split: every line needs learner, split"),
        (4, b"[1]\n", "line 5 is damaged"),
        (4, b'{"learner": "\\ud800", "split": 1}\n', "line 5 is damaged"),  # half of a character
        (0, b"{}\n", "line 1 is no header"),
    ],
)
def test_a_damaged_line_is_named(path, whole, place, damage, message):
    lines = whole.splitlines(keepends=True)
    if damage is None:
        lines.insert(place, lines[place])
    elif damage.endswith(b"\n"):
        lines[place] = damage
    else:
        lines[place] = damage + lines[place][1:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=rf"results.jsonl, {message}"):
        read_results(path)
    if place == 0:
        message = "exists and is not a file of result lines"
    with pytest.raises(InputError, match=rf"results.jsonl,? {message}"):
        _open(path)
    assert path.read_bytes() == b"".join(lines)


def test_an_empty_file_is_refused(path):
    path.write_bytes(b"")
    with pytest.raises(InputError, match="exists and is not a file of result lines that this"):
        _open(path)


def test_results_of_something_else_are_refused(path):
    _open(path).close()
    with pytest.raises(InputError, match="seed: there 0, here 1; splits: there abc, here x"):
        _open(path, splits="x", seed=1)
    with pytest.raises(InputError, match="cache: there nothing, here m"):
        _open(path, cache="m")
    with pytest.raises(InputError, match=r"key: there \['learner', 'split'\], here \['split'\]"):
        ResultFile(path, key=("split",), header=HEADER)
    _open(path).close()  # a refusal leaves the file free and as it was


@pytest.mark.parametrize(
    "line, message",
    [
        ({"learner": "a"}, "a result line lacks split"),
        ({"learner": "b", "split": 0}, "already has a line for learner 'b', split 0"),
        ({"learner": "a", "split": 0, "score": np.inf}, "score must be .* got inf"),
        ({"learner": "a", "split": 0, "score": [1]}, r"score must be .* got \[1\]"),
    ],
)
def test_bad_lines_are_refused(path, line, message):
    with _open(path) as file:
        file.append(ALL[0])
        with pytest.raises(InputError, match=message):
            file.append(line)
        assert file.lines == [ALL[0]]

"""`speed disk` on a tiny cache: every step in a process of its own, and the page of its lines."""

import json

import pytest

from benchmarks.speed import workers
from benchmarks.speed.disk.report import page
from benchmarks.speed.disk.run import speed_disk
from features.errors import InputError
from tests import children


def test_every_step_is_measured_and_judged(tmp_path):
    with children.stand_in_for_subprocess(workers):
        text = speed_disk(
            tmp_path / "disk.md", rows=400, columns=8, labels=4, limit_mb=2000, folder=tmp_path
        )
    header, *lines = map(json.loads, (tmp_path / "disk.jsonl").read_text().splitlines())
    assert [line["what"] for line in lines] == ["read", "fit l2", "sweep l2", "fit rmlc"]
    assert lines[0]["passes"] == 1
    assert lines[1]["gap"] <= 1e-4
    assert page(header["header"], lines) == text
    part = page(header["header"], lines[:2])  # of a run that was stopped
    assert "fit l2, relative gap" in part and "fit rmlc" not in part
    assert not list(tmp_path.glob("speed-disk-*"))


def test_a_step_without_memory_says_so(tmp_path):
    with pytest.raises(InputError, match="The step 'read' failed with 1 MiB"):
        speed_disk(rows=400, columns=8, labels=4, limit_mb=1, folder=tmp_path)

"""The log of a training: what a resumed run keeps of it, and its copy for TensorBoard."""

import sys
from types import SimpleNamespace

import pytest
import torch

from classify.finetune.log import Log
from features.errors import InputError
from tests.classify.finetune.runs import logged


def test_the_log_is_cut_where_a_run_goes_on(tmp_path):
    log = Log(tmp_path / "log.jsonl", ("loss",))
    for step in (1, 2, 3):
        log.add(torch.ones(1), 4)
        log.write({"step": step}, timed=True, first=True)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 2, "half')
    log.cut(2)
    assert [line["step"] for line in logged(tmp_path)] == [1, 2]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


LINE = '{"step": %d, "images_per_second": 9.5}'


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{LINE % 1}\r\n{LINE % 2}\r\n",
        f"{LINE % 1}\n{LINE % 2}",
        f"{LINE % 1}\n\n{LINE % 2}\n",
    ],
)
def test_a_log_that_an_editor_saved_loses_no_line(tmp_path, content):
    (tmp_path / "log.jsonl").write_text(content, newline="", encoding="utf-8")
    log = Log(tmp_path / "log.jsonl", ("loss",))
    log.cut(2)
    log.write({"step": 3}, timed=False, first=True)
    lines = f'{LINE % 1}\n{LINE % 2}\n{{"step": 3}}\n'
    assert (tmp_path / "log.jsonl").read_text() == lines


def test_tensorboard_gets_the_numbers_of_the_log(tmp_path, monkeypatch):
    seen = []
    board = SimpleNamespace(add_scalar=lambda *values: seen.append(values))
    module = SimpleNamespace(SummaryWriter=lambda folder: board)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = Log(tmp_path / "log.jsonl", ("loss",), True)
    log.write({"step": 7, "loss": 0.5}, timed=False, first=True)
    assert ("loss", 0.5, 7) in seen
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="--tensorboard needs the extra .*pip install"):
        Log(tmp_path / "log.jsonl", ("loss",), True)

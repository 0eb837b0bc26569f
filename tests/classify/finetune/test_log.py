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
        file.write('{"step": "2"}\n{"step": "x"}\n{"step": null}\n{"step": [1]}\n["step"]\n')
        file.write('{"step": 2, "half')
    log.cut(2)
    assert [line["step"] for line in logged(tmp_path)] == [1, 2]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"step": 1}\r\n{"step": 2}\r\n',
        b'{"step": 1}\n{"step": 2}',
        b'{"step": 1}\n\xff\xfe\n\n{"step": 2}\n{"step": 9}\n',
    ],
)
def test_a_log_that_an_editor_saved_loses_no_line(tmp_path, content):
    (tmp_path / "log.jsonl").write_bytes(content)
    log = Log(tmp_path / "log.jsonl", ("loss",))
    log.cut(2)
    log.write({"step": 3}, timed=False, first=True)
    assert (tmp_path / "log.jsonl").read_bytes() == b'{"step": 1}\n{"step": 2}\n{"step": 3}\n'


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

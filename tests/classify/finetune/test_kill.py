"""A fine-tuning that is stopped, cut into parts or shared by processes ends in the same bits."""

import os
import signal
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch

from classify.finetune.checkpoint import load_checkpoint
from classify.finetune.run import finetune
from classify.finetune.train import MODEL, STATE
from tests.children import start
from tests.classify.finetune.runs import CONFIG, HIDDEN, contents, logged

pytestmark = pytest.mark.usefixtures("tiny_backbone")


STATEFUL = [
    {"model": "ss-rml", "rank_mode": "sample", "unlabeled": 0.4, "augment": "crop"},
    {"model": "imcl", "augment": "flip"},
    {"model": "coprojection", "head_init": "logistic"},
]


class Stopped(BaseException):
    """What a kill is in process: nothing catches it."""


@pytest.mark.parametrize("settings", STATEFUL, ids=lambda settings: settings["model"])
def test_runs_stopped_between_renames_end_in_the_same_bits(settings, data, tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=2, **HIDDEN | settings)
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    finetune(config, data, whole)
    rename, stops = os.replace, 0
    for before in range(30):  # each start is stopped one rename later, until one runs through
        left = iter(range(before))

        def counted(*paths, left=left):
            if next(left, None) is None:
                raise Stopped
            rename(*paths)

        monkeypatch.setattr(os, "replace", counted)
        try:
            finetune(config, data, out)
        except Stopped:
            stops += 1
        else:
            break
    assert stops > 3
    assert contents(out) == contents(whole)
    assert logged(out) == logged(whole)


def test_a_killed_run_ends_in_the_same_bits(data, tmp_path):
    config = replace(CONFIG, epochs=3, **HIDDEN | STATEFUL[0])
    whole, out = tmp_path / "whole", tmp_path / "killed"
    finetune(config, data, whole)
    # The split, the settings and the state after two steps are there.
    child = start(finetune, config, data, out, kill_at=5)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert 0 < step_of(out) < step_of(whole)
    finetune(config, data, out)
    assert contents(out) == contents(whole)
    assert logged(out) == logged(whole)


def step_of(out):
    _, story = load_checkpoint(out / STATE)
    return story["position"]["step"]


def test_parts_of_a_batch_add_up(finished, data, tmp_path):
    out = finetune(replace(CONFIG, accumulate=2), data, tmp_path / "r")
    assert_close(out, finished)


def assert_close(out, other):
    mine, theirs = (load_checkpoint(folder / MODEL)[0] for folder in (out, other))
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        np.load(out / "scores.npy"), np.load(other / "scores.npy"), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(
    ("model", "head_init"),
    [
        pytest.param("bce", "zeros", marks=pytest.mark.slow),  # which the others go beyond
        ("ss-rml", "logistic"),
        ("imcl", "logistic"),
    ],
)
def test_two_processes_equal_one(model, head_init, data, tmp_path):
    config = replace(CONFIG, model=model, head_init=head_init, **HIDDEN)
    alone = finetune(config, data, tmp_path / "alone")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    pair = [
        start(
            finetune, config, data, tmp_path / "r",
            environment={**address, "RANK": str(i), "LOCAL_RANK": str(i)},
        )
        for i in range(2)
    ]  # fmt: skip
    for child in pair:
        child.join()
        assert child.exitcode == 0
    assert_close(tmp_path / "r", alone)

"""Fixtures of small fine-tunings."""

import pytest
import torch

from classify.finetune.run import finetune
from tests.classify.finetune.runs import CONFIG, make_data


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """21 pictures of noise with three labels."""
    return make_data(tmp_path_factory.mktemp("tune") / "data")


@pytest.fixture(scope="module")
def finished(tiny_backbone, data, tmp_path_factory):
    """The folder of a run of `CONFIG`."""
    return finetune(CONFIG, data, tmp_path_factory.mktemp("run") / "whole")

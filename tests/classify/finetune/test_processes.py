"""Which process of a training this is."""

import pytest

from classify.finetune.processes import joined
from features.errors import InputError


def test_a_world_without_a_meeting_place_is_one_line(monkeypatch):
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="WORLD_SIZE is 2, .* Start them by torchrun"):
        joined("cpu").__enter__()

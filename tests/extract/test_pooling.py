import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extract.pooling import global_average, global_max, quadrant_max
from features.errors import InputError

RAMP = torch.arange(49.0).reshape(1, 1, 7, 7)
SPIKES = torch.zeros(1, 1, 7, 7)
SPIKES[0, 0, 3, 3], SPIKES[0, 0, 0, 6], SPIKES[0, 0, 6, 0] = 9, 5, 4


@pytest.mark.parametrize(
    ("rule", "ramp", "falling", "spikes"),
    [
        ("adaptive", [24, 27, 45, 48], [48, 45, 27, 24], [9, 9, 9, 9]),
        ("floor", [16, 20, 44, 48], [48, 45, 27, 24], [0, 5, 4, 9]),
        ("ceil", [24, 27, 45, 48], [48, 44, 20, 16], [9, 5, 4, 0]),
    ],
)
def test_a_seven_by_seven_map_is_cut_as_each_rule_says(rule, ramp, falling, spikes):
    for x, expected in ((RAMP, ramp), (48 - RAMP, falling), (SPIKES, spikes)):
        assert quadrant_max(x, rule=rule).tolist() == [expected]


@given(side=st.integers(2, 15), seed=st.integers(0, 99))
def test_adaptive_shares_the_middle_and_permutes_under_flips(side, seed):
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))
    pooled = quadrant_max(x)
    low, high = side // 2, -(-side // 2)  # rows 0 to high - 1 and low to side - 1
    parts = [
        x[..., a, b].amax(dim=(-2, -1))
        for a in (slice(0, high), slice(low, side))
        for b in (slice(0, high), slice(low, side))
    ]
    assert torch.equal(pooled, torch.stack(parts, dim=-1).flatten(1))
    flipped = quadrant_max(x.flip(-1)).reshape(2, 3, 4)
    assert torch.equal(flipped, pooled.reshape(2, 3, 4)[..., [1, 0, 3, 2]])


def test_all_rules_agree_on_an_even_side():
    x = torch.rand(2, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    assert torch.equal(quadrant_max(x, rule="floor"), quadrant_max(x))
    assert torch.equal(quadrant_max(x, rule="ceil"), quadrant_max(x))


def test_global_pooling():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert global_average(x).tolist() == [[3.0]]
    assert global_max(x).tolist() == [[6.0]]


def test_an_unknown_rule_is_refused():
    with pytest.raises(
        InputError, match="'rule' parameter must be one of adaptive, floor, ceil. Got 'middle'"
    ):
        quadrant_max(RAMP, rule="middle")

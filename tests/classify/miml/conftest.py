"""The bags of the worked examples, and random problems."""

import numpy as np
import pytest

from features.bags.packed import Bags


@pytest.fixture
def toy():
    """Four bags of two columns, three labels, and a test bag."""
    bags = Bags.from_list(
        [
            [(0, 0), (1, 0)],
            [(0, 1), (3, 4)],
            [(3, 3), (4, 4), (3, 5)],
            [(1, 1), (4, 0)],
        ]
    )
    Y = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1]], dtype=np.int8)
    return bags, Y, Bags.from_list([[(0, 0.5), (4, 3)]])


@pytest.fixture(params=[0, 1])
def problem(request):
    """Random bags of 1 to 5 instances whose labels depend on them."""
    rng = np.random.default_rng(request.param)
    sizes = rng.integers(1, 6, 40)
    bags = Bags(rng.normal(size=(sizes.sum(), 4)), sizes)
    scores = np.maximum.reduceat(bags.instances @ rng.normal(size=(4, 5)), bags.starts, axis=0)
    return bags, (scores > np.quantile(scores, 0.6, axis=0)).astype(np.int8)

"""Tables write the numbers of curves: drawing takes most of the time of a small table."""

from collections.abc import Iterator

import pytest

from tests.benchmarks.tables.curves import curves_as_numbers


@pytest.fixture(scope="module", autouse=True)
def _numbers() -> Iterator[None]:
    with curves_as_numbers():
        yield

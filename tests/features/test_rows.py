"""Rows of a cache as a matrix: the same values as an array, and learners that take it for one."""

import numpy as np
import pytest

from classify.warp.semi_supervised import SemiSupervisedTagger
from classify.warp.tagger import WarpTagger
from features.cache import FeatureCache
from features.errors import InputError
from features.rows import CacheRows
from tests.features.test_cache import ROWS, make_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return FeatureCache(make_cache(tmp_path_factory.mktemp("cache"), bad=(4,)))


@pytest.mark.parametrize("layers", [None, ["net/pool"], ["net/fc", "net/pool"]], ids=str)
def test_it_reads_what_the_cache_reads(cache, layers):
    lazy, whole = CacheRows(cache, layers), cache.read(layers)
    assert (lazy.shape, len(lazy), lazy.dtype) == (whole.shape, ROWS - 1, np.float32)
    np.testing.assert_array_equal(np.asarray(lazy), whole)
    some = np.random.default_rng(0).integers(ROWS - 1, size=40)
    np.testing.assert_array_equal(lazy[some], whole[some])
    for where in (slice(3, 7), slice(None, None, -2), whole[:, 0] > 0, [-1, 0]):
        np.testing.assert_array_equal(lazy[where], whole[where])
    np.testing.assert_array_equal(lazy[5], whole[5:6])
    out = np.empty((50, whole.shape[1]), dtype=np.float32)
    taken = np.take(lazy, some, axis=0, out=out[:40], mode="clip")
    assert np.shares_memory(taken, out)
    np.testing.assert_array_equal(taken, whole[some])


def test_rows_are_chosen_and_checked(cache):
    rows = [7, 2, 2, 9]
    np.testing.assert_array_equal(CacheRows(cache, rows=rows)[:], cache.read(rows=rows))
    with pytest.raises(InputError, match="Row 4 holds no features"):
        CacheRows(cache, rows=[3, 4])
    with pytest.raises(InputError, match="Got 'net/x'"):
        CacheRows(cache, ["net/x"])
    with pytest.raises(IndexError):
        CacheRows(cache)[[ROWS]]


@pytest.mark.parametrize(
    "tagger", [WarpTagger(epochs=2), SemiSupervisedTagger(WarpTagger(epochs=2))]
)
def test_a_tagger_learns_the_same_from_them(cache, tagger):
    X = cache.read()
    Y = (X[:, :3] > np.median(X[:, :3], axis=0)).astype(np.int8)
    Y[::4] = -1
    whole = tagger.fit(X, Y)
    coef, scores = whole.coef_, whole.decision_function(X)
    lazy = tagger.fit(CacheRows(cache), Y)
    np.testing.assert_array_equal(lazy.coef_, coef)
    np.testing.assert_array_equal(lazy.decision_function(CacheRows(cache)), scores)
    with pytest.raises(InputError, match="X has .* rows of a cache and y has 3"):
        tagger.fit(CacheRows(cache), Y[:3])

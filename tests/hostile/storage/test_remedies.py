"""What a message about a damaged cache tells people to do works, and costs no file of theirs."""

import gzip

import pytest

from features import schema
from features.cache import FeatureCache
from features.commands.merge import merge
from features.commands.verify import find_faults
from features.errors import InputError
from features.index import write_index
from tests.features.test_cache import ROWS, make_dataset, read_manifest

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"


SHARDS = {
    "a Git LFS pointer": (lambda raw: LFS, "it is a Git LFS pointer; run `git lfs pull`"),
    "compressed": (gzip.compress, "it is a gzip archive"),
    "a page": (lambda raw: b"<html>quota</html>", "it is an HTML page"),
    "notes": (lambda raw: b"my notes", "signature"),
    "zeros": (lambda raw: bytes(len(raw)), "signature"),
}


@pytest.mark.parametrize("kind", SHARDS)
def test_what_is_no_part_of_a_shard_is_not_to_be_deleted(cache, kind):
    change, reason = SHARDS[kind]
    path = cache / "shard-00001.h5"
    path.write_bytes(change(path.read_bytes()))
    for read in (lambda: FeatureCache(cache).status, lambda: merge(cache, [cache])):
        with pytest.raises(InputError) as caught:
            read()
        text = str(caught.value)
        assert reason in text and "elete" not in text
        assert "Restore it, or move it away and run extract again" in text


@pytest.mark.parametrize("length", [0, 8, 700])
def test_the_beginning_of_a_shard_may_be_deleted(cache, length):
    path = cache / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="no whole HDF5 file .*Delete this file and run extract"):
        FeatureCache(cache).status  # noqa: B018


SAVED_AGAIN = {
    "with a mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "with semicolons": lambda raw: raw.replace(b",", b";"),
    "with quotes": lambda raw: raw.replace(b"row", b'"row"', 1),
    "empty": lambda raw: b"",
    "in conflict": lambda raw: b"<<<<<<< HEAD\n" + raw,
}


@pytest.mark.parametrize("kind", SAVED_AGAIN)
def test_an_index_that_another_program_saved_is_moved_away_first(cache, kind):
    """Extraction leaves it as it is, so to run that again is no remedy."""
    path, manifest = cache / schema.INDEX, read_manifest(cache)
    whole = path.read_bytes()
    path.write_bytes(SAVED_AGAIN[kind](whole))
    with pytest.raises(InputError, match="Move it away and run extract again, which rebuilds it"):
        FeatureCache(cache).ids  # noqa: B018
    path.rename(cache.with_name("moved"))
    write_index(cache, make_dataset(cache), range(ROWS), manifest)  # as extract does
    assert path.read_bytes() == whole


@pytest.mark.parametrize("change", [lambda raw: raw + b"\n", lambda raw: raw[: len(raw) // 2]])
def test_an_index_that_is_ours_is_rebuilt_in_its_place(cache, change):
    path, manifest = cache / schema.INDEX, read_manifest(cache)
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    with pytest.raises(InputError, match=r"\)\. Run extract again, which rebuilds it"):
        list(FeatureCache(cache).ids)
    write_index(cache, make_dataset(cache), range(ROWS), manifest)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"mine", b"", LFS])
def test_a_view_that_is_not_ours_is_moved_away_first(cache, content):
    path = cache / schema.VIEW
    whole = path.read_bytes()
    path.write_bytes(content)
    (fault,) = find_faults(cache)
    assert ". Move it away. Rebuild it with `python -m features merge" in fault
    with pytest.raises(InputError, match="so it is left as it is"):
        merge(cache, [cache])
    path.rename(cache.with_name("moved"))
    merge(cache, [cache])
    assert path.read_bytes() == whole and not list(find_faults(cache))

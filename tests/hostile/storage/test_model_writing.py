"""What fit writes: files of the user are kept, numbers are finite, a stop keeps the old file."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from classify.__main__ import main
from classify.learners import LEARNERS, Learner
from classify.logistic import LogisticTagger
from classify.model_files import load_model
from classify.predictions import predict
from classify.training import fit
from features import schema
from features.cache import FeatureCache
from features.errors import InputError
from tests.caches import write_data, write_labeled_cache
from tests.hostile.storage.test_model_files import COEF, N, cache, model, put, refusal  # noqa: F401
from tests.models import rewrite

# Files of the user


@pytest.mark.parametrize(
    "name", [schema.LABELS, schema.MANIFEST, schema.INDEX, "shard-00000.h5", "notes.txt"]
)
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_files_of_a_cache_and_of_others_are_kept(cache, model, tmp_path, capsys, name, command):
    folder = tmp_path / "cache"
    shutil.copytree(cache, folder)
    (folder / "notes.txt").write_text("mine")
    words = ["fit", folder, "--learner", "l2"] if command == "fit" else ["predict", model, folder]
    target = folder / name
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    said = refusal([*words, "--out", target], capsys)
    assert "is not a model file" in said or "is not a file of predictions" in said or ".csv" in said
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_labels_and_predictions_of_others_are_kept(cache, model, tmp_path, capsys):
    contents = (
        b"image,sea,sky\n1.jpg,1,0\n",
        b"",
        b"image,label,score\n1.jpg,sea,1\n",
        b"\xff\xfe",
        b'{"image": "1.jpg"}\n',
        b"[1]\n",
        b"{not json\n",
    )
    for ending in (".csv", ".jsonl"):
        path = tmp_path / f"p{ending}"
        for content in contents:
            path.write_bytes(content)
            said = refusal(["predict", model, cache, "--out", path], capsys)
            assert "exists and is not a file of predictions that this program made" in said
            assert path.read_bytes() == content


def test_devices_folders_and_links_are_kept(cache, model, tmp_path, capsys):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nothing")
    (tmp_path / "device.csv").symlink_to("/dev/null")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "link.csv").symlink_to(tmp_path / "mine.txt")
    os.mkfifo(tmp_path / "pipe.csv")
    before = sorted(path.name for path in tmp_path.iterdir())
    for path in tmp_path.glob("*.csv"):
        for words in (["predict", model, cache], ["fit", cache, "--learner", "l2"]):
            refusal([*words, "--out", path], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "mine.txt").read_text() == "mine" and (tmp_path / "link.csv").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_what_the_program_made_is_replaced_also_behind_a_link(cache, model, tmp_path):
    store, link = tmp_path / "store.safetensors", tmp_path / "link.safetensors"
    shutil.copy(model, store)
    link.symlink_to(store)
    fit(cache, link, learner="l1")
    assert link.is_symlink() and load_model(store).members[0].learner == "l1"
    for ending in (".csv", ".jsonl"):
        out = tmp_path / f"p{ending}"
        predict(model, cache, out)
        first = out.read_bytes()
        predict(store, cache, out)
        assert out.read_bytes() != first


# Numbers


def test_a_model_names_what_it_learned_from(cache, model):
    features, loaded = FeatureCache(cache), load_model(model)
    with h5py.File(cache / "shard-00000.h5") as shard:
        assert loaded.shards == {"shard-00000.h5": shard.attrs[schema.CHECKSUM].decode()}
    assert len(loaded.labels_hash) == 64
    assert loaded.manifest_hash == features.manifest_hash


class Diverged(LogisticTagger):
    """Its weights are NaN."""

    def fit(self, X, y):
        super().fit(X, y)
        self.coef_ = self.coef_ * np.nan
        return self


def test_a_model_of_NaN_is_not_saved(cache, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(LEARNERS, "l2", Learner("l2", "NaN", f"{__name__}:Diverged"))
    path = tmp_path / "m.safetensors"
    said = refusal(["fit", cache, "--learner", "l2", "--out", path], capsys)
    assert "coef_ with NaN or infinite values" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")  # of values that overflow
def test_features_of_1e30_give_finite_scores_or_one_line(cache, model, tmp_path, capsys):
    X = FeatureCache(cache).read() * 1e30
    folder = write_labeled_cache(tmp_path / "cache", cache.parent / "data", {"net/fc": X})
    for scaling in ("none", "max", "std", "layer-l2"):
        path = tmp_path / f"{scaling}.safetensors"
        with suppress(InputError):
            fit(folder, path, learner="l2", scaling=scaling)
        assert not path.exists() or np.isfinite(load_model(path).scores(X)).all()
    assert (tmp_path / "max.safetensors").exists()
    big = write_labeled_cache(
        tmp_path / "big", cache.parent / "data", {"net/fc": np.full((N, 4), 3e38)}
    )
    large = rewrite(model, tmp_path / "large.safetensors", put(COEF, lambda a: a * 1e3))
    capsys.readouterr()
    said = refusal(["predict", large, big, "--out", tmp_path / "p.csv"], capsys)
    assert "24 images of" in said and "scores that are not finite (first '0.jpg')" in said
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_name_their_image(cache, model, tmp_path, capsys, value):
    X = FeatureCache(cache).read()
    X[7, 2] = value
    folder = write_labeled_cache(tmp_path / "cache", cache.parent / "data", {"net/fc": X})
    out, before = tmp_path / "out.csv", len(list(tmp_path.iterdir()))
    for words in (["fit", folder], ["sweep", folder], ["predict", model, folder]):
        said = refusal([*words, "--out", out], capsys)
        assert f"the features of '7.jpg' in {folder} are not finite (net/fc): check the" in said
    assert len(list(tmp_path.iterdir())) == before


@pytest.mark.parametrize("labels", [np.eye(N, 2), np.ones((N, 2))], ids=["one image", "all"])
def test_labels_without_a_metric_on_the_folds_are_one_line(cache, tmp_path, labels):
    features = FeatureCache(cache)
    data = write_data(tmp_path / "data", features.ids, ["sea", "sky"], labels.astype(int))
    folder = write_labeled_cache(tmp_path / "cache", data, {"net/fc": features.read()})
    with pytest.raises(InputError, match="no candidate could be fitted: .*has no value on a fold"):
        fit(folder, tmp_path / "m.safetensors", jobs=1)
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--seed", "-1"],
            "The 'seed' option must be an int in the range [0, 4294967295]. Got -1",
        ),
        (["--jobs", "0"], "The 'jobs' option must be an int in the range [1, 2147483647]. Got 0"),
        (["--folds", "1"], "The 'folds' option must be an int in the range [2, inf). Got 1"),
        (["--C", "nan"], "The 'C' option must be a float in the range (0, inf). Got nan"),
        (["--C", "-1"], "The 'C' option must be a float in the range (0, inf). Got -1.0"),
        (["--C", "1e999"], "The 'C' option must be a float in the range (0, inf). Got inf"),
        (["--C", "²"], "The 'C' option must be a float in the range (0, inf). Got '²'"),
        (["--labels", "nothing.csv"], "nothing.csv"),
        (["--layers", "net/none"], "must be one of net/fc. Got 'net/none'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_odd_options_of_fit_are_one_line(cache, tmp_path, capsys, options, message):
    words = ["fit", cache, "--learner", "l2", "--out", tmp_path / "m.safetensors", *options]
    assert message in refusal(words, capsys)
    assert list(tmp_path.iterdir()) == []


def test_labels_that_teach_nothing_are_said(cache, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    lines = [f"{i}.jpg,{i % 2},0,1,{1 if i % 2 else -1}" for i in range(N)]
    labels.write_text("\n".join(["image,a,never,always,meant", *lines]) + "\n")
    fit(cache, tmp_path / "m.safetensors", learner="l2", labels=labels)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("no image has 1 (first 'never') of 4 labels")
    assert said[1].startswith("no image is known to lack 1 (first 'meant') of 4 labels")
    assert said[2].startswith("every image has 1 (first 'always') of 4 labels")


# Stops


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_a_full_disk_names_the_file_and_keeps_the_old_one(
    cache, model, tmp_path, capsys, monkeypatch, command, error
):
    out = tmp_path / ("m.safetensors" if command == "fit" else "p.csv")
    words = [command, *([cache, "--learner", "l2"] if command == "fit" else [model, cache])]
    main([str(word) for word in (*words, "--out", out)])
    before = out.read_bytes()
    capsys.readouterr()

    def full(descriptor):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("features.files.os.fsync", full)
    said = refusal([*words, "--out", out], capsys)
    remedy = "Give a place whose files may be larger" if error == errno.EFBIG else "Free space"
    assert f"{out}: {os.strerror(error)}. Finished work is kept. {remedy}" in said
    assert out.exists() and not list(tmp_path.glob("*.part"))
    assert out.read_bytes() == before


def test_memory_that_runs_out_is_one_line(cache, tmp_path, capsys, monkeypatch):
    def no_memory(*arguments):
        raise MemoryError("Unable to allocate 9.9 TiB")

    monkeypatch.setattr(FeatureCache, "read", no_memory)
    words = ["fit", cache, "--learner", "l2", "--out", tmp_path / "m.safetensors"]
    assert "too little memory (Unable to allocate 9.9 TiB)" in refusal(words, capsys)

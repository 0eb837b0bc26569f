"""Model files that were edited, damaged or made by others, and what fit and predict never touch."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy

from classify.__main__ import main
from classify.logistic import LogisticTagger
from classify.model_files import load_model
from classify.training import fit
from features.cache import FeatureCache
from features.command_line import run_command
from features.errors import InputError
from tests.caches import write_data, write_labeled_cache
from tests.models import rewrite

N = 24


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    data = write_data(
        folder / "data", [f"{i}.jpg" for i in range(N)], ["sea", "sky"], (X[:, :2] > 0).astype(int)
    )
    return write_labeled_cache(folder / "cache", data, {"net/fc": X})


@pytest.fixture(scope="module")
def model(cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    fit(cache, path, learner="l2", scaling="max")
    return path


def refusal(words, capsys):
    """Run a command that fails, and give its one line."""
    with pytest.raises(SystemExit) as left:
        run_command(lambda: main([str(word) for word in words]))
    said = [one for one in capsys.readouterr().err.split("\n") if not one.startswith("\rpredict:")]
    assert left.value.code == 1 and len(said) == 2 and said[0].startswith("error: "), said
    return said[0]


# Edits that keep the checksum as it was: found by it, or by what they break


def put(name, value):
    return lambda found, arrays: arrays.update({name: value(arrays[name])})


def say(**fields):
    return lambda found, arrays: found.update(fields)


COEF = "0.learner.coef_"
ARRAY_EDITS = {
    "another type": (put(COEF, lambda a: a.astype(np.float16)), "has dtype float16 instead of"),
    "integers": (put(COEF, lambda a: a.astype(np.int64)), "has dtype int64 instead of"),
    "another shape": (put(COEF, lambda a: a[:, :3].copy()), r"has shape \[2, 3\] instead of"),
    "transposed": (put(COEF, lambda a: a.T.copy()), r"has shape \[4, 2\] instead of"),
    "flat": (put(COEF, lambda a: a.ravel()), r"has shape \[8\] instead of"),
    "NaN": (put(COEF, lambda a: a * np.nan), "has numbers that are NaN or infinite"),
    "infinite": (put(COEF, lambda a: a + np.inf), "has numbers that are NaN or infinite"),
    "too large": (put(COEF, lambda a: np.full(a.shape, 1e300)), "that are NaN or infinite"),
    "one missing": (lambda found, arrays: arrays.pop(COEF), f"lacks {COEF}"),
    "one more": (lambda found, arrays: arrays.update(x=np.zeros(2)), "has x besides"),
    "renamed": (
        lambda found, arrays: arrays.update(x=arrays.pop(COEF)),
        f"lacks {COEF}, has x besides",
    ),
    "another number": (put(COEF, lambda a: a + 1), "changed after it was written"),
    "rows exchanged": (put(COEF, lambda a: a[::-1].copy()), "changed after it was written"),
    "another label": (say(label_names=["sea", "see"]), "changed after it was written"),
    "another layer": (say(layers=["net/other"]), "changed after it was written"),
}


@pytest.mark.parametrize(("edit", "message"), ARRAY_EDITS.values(), ids=list(ARRAY_EDITS))
def test_edited_arrays_are_one_line(model, tmp_path, edit, message):
    path = rewrite(model, tmp_path / "m.safetensors", edit, sealed=False)
    with pytest.raises(InputError, match=f"m.safetensors can't be read as a model .*{message}"):
        load_model(path)


# Edits with a checksum that fits


def inside(*keys, value):
    def edit(found, arrays):
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return edit


def without(name):
    return lambda found, arrays: found.pop(name)


MEMBER = ("members", 0)
FORGED = {
    "a newer format": (say(format=99), "its format is 99, and this version reads 1, 2, 3"),
    "no format": (without("format"), "its format is None"),
    "a format that is a list": (say(format=[3]), "its format is "),
    "a format that is true": (say(format=True), "its format is True"),
    "labels twice": (say(label_names=["sea", "sea"]), r"\$.label_names: .* non-unique"),
    "an empty label": (say(label_names=["sea", ""]), r"\$.label_names\[1\]: '' "),
    "labels that are numbers": (say(label_names=[1, 2]), r"\$.label_names\[.\]: . is not of type"),
    "no labels": (say(label_names=[]), r"\$.label_names: \[\] "),
    "one label more": (say(label_names=["a", "b", "c"]), "don't fit its labels"),
    "layers twice": (say(layers=["net/fc", "net/fc"]), r"\$.layers: .* non-unique"),
    "no members": (say(members=[]), r"\$.members: \[\] "),
    "a member that is text": (say(members=["l2"]), r"\$.members\[0\]: 'l2' is not of type"),
    "members missing": (without("members"), r"\$: 'members' is a required property"),
    "a manifest that is a list": (say(manifest=[]), r"\$.manifest: \[\] is not of type"),
    "a manifest without layers": (say(manifest={}), r"\$.manifest: 'layers' is a required"),
    "a hash that is none": (say(manifest_sha256="x"), r"\$.manifest_sha256: 'x' does not match"),
    "negative features": (say(features=-4), r"\$.features: -4 is less than"),
    "features that are text": (say(features="4"), r"\$.features: '4' is not of type"),
    "other features": (say(features=5), "widths"),
    "an unknown learner": (inside(*MEMBER, "learner", value="svm"), "'learner' option must be"),
    "a class of others": (
        inside(*MEMBER, "estimator", "class", value="subprocess:Popen"),
        "subprocess:Popen is no estimator of this library",
    ),
    "a class of none": (
        inside(*MEMBER, "estimator", "class", value="classify.base:UNKNOWN"),
        "no estimator of this library",
    ),
    "a parameter of none": (
        inside(*MEMBER, "estimator", "parameters", value={"lambda": 1}),
        "unexpected keyword argument 'lambda'",
    ),
    "an unknown scaling": (
        inside(*MEMBER, "scaler", "scaling", value="unit"),
        "'scaling' option must be",
    ),
    "a scaling that learns nothing": (
        inside(*MEMBER, "scaler", "scaling", value="none"),
        "divisors don't belong to the scaling",
    ),
    "widths of zero": (inside(*MEMBER, "scaler", "widths", value=[0, 4]), "0 is less than"),
    "a weight that is no number": (inside(*MEMBER, "weight", value="1"), "'1' is not of type"),
    "a weight of NaN": (inside(*MEMBER, "weight", value=float("nan")), "scores are not finite"),
    "decisions that are text": (say(decisions="f1"), r"\$.decisions: 'f1' is not of type"),
    "an unknown rule": (
        say(decisions={"rule": "best", "calibrator": None}),
        "decisions.thresholds",
    ),
    "shards that are a list": (say(shards=[]), r"\$.shards: \[\] is not of type"),
}


@pytest.mark.parametrize(("edit", "message"), FORGED.values(), ids=list(FORGED))
def test_forged_metadata_is_one_line(model, tmp_path, edit, message):
    path = rewrite(model, tmp_path / "m.safetensors", edit)
    with pytest.raises(InputError, match=rf"m.safetensors can't be read as a model .*{message}"):
        load_model(path)


def test_unchanged_files_are_read(model, tmp_path):
    path = rewrite(model, tmp_path / "m.safetensors", lambda found, arrays: None)
    X = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(load_model(path).scores(X), load_model(model).scores(X))


# Other content


def zipped(write):
    data = io.BytesIO()
    write(data)
    return data.getvalue()


def archive(data):
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))


def hdf5(data):
    with h5py.File(data, "w") as file:
        file["coef"] = np.zeros(3)


def saved(metadata, **arrays):
    return safetensors.numpy.save(arrays or {"coef": np.zeros((2, 4))}, metadata=metadata)


OTHERS = {
    "empty": (b"", "it is empty"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs"),
    "an HTML page": (b"\n <!DOCTYPE HTML><title>404</title>", "is an HTML page"),
    "a pickle": (pickle.dumps(LogisticTagger()), "is a pickle, which this program never opens"),
    "torch.save": (zipped(archive), "is a ZIP archive, as torch.save"),
    "numpy.savez": (zipped(lambda data: np.savez(data, a=np.zeros(3))), "is a ZIP archive"),
    "numpy.save": (zipped(lambda data: np.save(data, np.zeros(3))), "array of numpy.save"),
    "HDF5": (zipped(hdf5), "is an HDF5 file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "is a gzip archive"),
    "JSON": (b'{"coef": [1, 2]}', "is a JSON file"),
    "csv": (b"image,label\n1.jpg,sea\n", "header"),
    "zeros": (bytes(100), "header"),
    "safetensors of others": (saved({"format": "pt"}), "that another program made"),
    "safetensors without metadata": (saved(None), "that another program made"),
    "metadata that is no JSON": (saved({"model": "l2"}), "its metadata is no JSON"),
    "metadata that is nested": (saved({"model": "[" * 50_000}), "its metadata is no JSON"),
    "metadata that is a list": (saved({"model": "[1]"}), "its format is None"),
    "metadata that is null": (saved({"model": "null"}), "its format is None"),
    "a header of 2^63 bytes": (b"\xff" * 8 + b"{}", "header"),
}


@pytest.mark.parametrize(("content", "message"), OTHERS.values(), ids=list(OTHERS))
def test_other_content_is_one_line_and_never_replaced(cache, tmp_path, capsys, content, message):
    path, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    path.write_bytes(content)
    assert message in refusal(["predict", path, cache, "--out", out], capsys)
    assert not out.exists()
    said = refusal(["fit", cache, "--learner", "l2", "--out", path], capsys)
    assert "exists and is not a model file that this program made" in said
    assert path.read_bytes() == content


@pytest.mark.parametrize("length", [1, 7, 8, 9, 100, -1, -50])
def test_a_cut_file_is_one_line(model, tmp_path, length):
    path = tmp_path / "m.safetensors"
    path.write_bytes(model.read_bytes()[:length])
    with pytest.raises(InputError, match="can't be read as a model"):
        load_model(path)


def test_folders_pipes_and_devices_are_no_models(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nothing")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "dangling"):
        with pytest.raises(InputError, match="can't be read as a model"):
            load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found, arrays: arrays.pop("intercept"), "it has no 'intercept'"),
        (put("intercept", lambda a: a[:1]), "its intercept doesn't fit its coefficients"),
        (put("coef", lambda a: a[0]), "not enough values to unpack"),
        (put("coef", lambda a: a * np.nan), "has numbers that are NaN"),
        (say(label_names=["a"]), "don't fit its labels"),
        (say(parameters={}), "'rows' is a required property"),
    ],
)
def test_edited_files_of_the_first_format_are_one_line(cache, tmp_path, change, message):
    features = FeatureCache(cache)
    found = {
        "format": 1,
        "label_names": ["sea", "sky"],
        "layers": ["net/fc"],
        "learner": "l2",
        "parameters": {"rows": N},
        "manifest": features.manifest,
        "manifest_sha256": features.manifest_hash,
        "versions": {},
    }
    arrays = {"coef": np.ones((2, 4)), "intercept": np.ones(2)}
    change(found, arrays)
    path = tmp_path / "m.safetensors"
    path.write_bytes(saved({"model": json.dumps(found)}, **arrays))
    with pytest.raises(InputError, match=message):
        load_model(path)

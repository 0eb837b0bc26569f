"""What tag, audit, suggest, neighbors and report are given: files of others, edited models, caches
without a usable row."""

import json
import os
import shutil
from random import Random

import numpy as np
import pytest
from PIL import Image

from classify.audit.command import audit
from classify.commands import run_sweep
from classify.model_files import load_model
from classify.neighbors.command import neighbors
from classify.predictions import predict
from classify.report.files import read_files
from classify.results import read_results
from classify.suggest.command import suggest
from classify.sweep import sweep
from classify.tag.command import tag
from classify.tag.settings import extraction_of
from classify.tag.xmp import add_tags, missing_tags
from classify.training import fit
from features.cache import FeatureCache
from features.errors import InputError, check_number
from features.files.locks import locked_folder
from tests.caches import write_cache, write_data, write_labeled_cache
from tests.hostile.conftest import PICTURES, SWEEP
from tests.hostile.damage import edited_json

N, NAMES = PICTURES, ["cat", "dog"]


def refused(match, function, *arguments, **options):
    with pytest.raises(InputError, match=match) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)


# Files of others


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "apple", "weight": 3}\n',
        '["kind", "label"]\n',
        '"of a kind"\n',
        '{"kind": "near", "images": "mine"}\n',
        '{"kind": ["near"]}\n',
        '{"kind": null}\n',
        "notes\n",
        "",
    ],
)
def test_an_audit_replaces_findings_only(trained, tmp_path, text):
    out = tmp_path / "found.jsonl"
    out.write_text(text)
    refused("is not a file of findings that this", audit, trained / "made.cache", out=out)
    assert out.read_text() == text
    out.unlink()
    given = {"model": trained / "model", "folds": 2, "jobs": 1, "out": out}
    for _ in range(2):
        assert audit(trained / "made.cache", **given)


def test_sidecars_that_are_no_files_are_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe.xmp")
    (tmp_path / "folder.xmp").mkdir()
    (tmp_path / "device.xmp").symlink_to("/dev/zero")
    (tmp_path / "dangling.xmp").symlink_to("nothing")
    (tmp_path / "ring.xmp").symlink_to("ring.xmp")
    kinds = {
        "pipe": "a named pipe", "folder": "a folder", "device": "a device",
        "dangling": "a symbolic link to nothing", "ring": "a symbolic link to nothing",
    }  # fmt: skip
    for name, kind in kinds.items():
        for change in (missing_tags, add_tags):
            refused(f"{name}.xmp is {kind}", change, tmp_path / f"{name}.xmp", ["cat"])
    assert not (tmp_path / "nothing").exists() and (tmp_path / "dangling.xmp").is_symlink()


def test_of_two_that_tag_one_folder_the_second_gets_one_line(trained, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a.png")
    given = {"model": trained / "model", "weights": "random:0", "format": "xmp"}
    with locked_folder(tmp_path / "photos"):
        refused("photos is being written by another run", tag, tmp_path / "photos", **given)
        assert sorted(os.listdir(tmp_path / "photos")) == [".lock", "a.png"]
        tag(tmp_path / "photos", dry_run=True, **given)
    tag(tmp_path / "photos", **given)
    assert "a.png" in os.listdir(tmp_path / "photos") and ".lock" not in os.listdir(tmp_path)


def test_a_tag_that_was_taken_out_of_a_sidecar_stays_out(trained, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(trained / "data" / "images" / "0.png", folder)
    given = {"model": trained / "model", "weights": "random:0", "format": "xmp"}
    tag(folder, **given)
    (sidecar,) = folder.glob("*.xmp")
    text = sidecar.read_text()
    taken_out = next(name for name in NAMES if f"<rdf:li>{name}</rdf:li>" in text)
    sidecar.write_text(text.replace(f"<rdf:li>{taken_out}</rdf:li>", "", 1))
    corrected = sidecar.read_bytes()
    tag(folder, **given)
    assert sidecar.read_bytes() == corrected


def test_a_sidecar_behind_a_link_is_added_to_where_it_lies(tmp_path):
    (tmp_path / "link.xmp").symlink_to("real.xmp")
    add_tags(tmp_path / "real.xmp", ["cat"])
    assert add_tags(tmp_path / "link.xmp", ["cat", "dog"]) == ["dog"]
    assert (tmp_path / "link.xmp").is_symlink()
    assert missing_tags(tmp_path / "real.xmp", ["cat", "dog", "cow"]) == ["cow"]


@pytest.mark.parametrize(
    "head", ["", '<!DOCTYPE a [<!ENTITY e "x">]>', "<?xml version='1.0' encoding='x'?>", "\0", "<"]
)
def test_a_sidecar_that_is_none_stays_as_it_is(tmp_path, head):
    path = tmp_path / "a.xmp"
    path.write_text(f"{head}<a>mine</a>")
    refused(
        "a.xmp (can't be read as|is no) XMP sidecar|can't be read as an XMP", add_tags, path, "x"
    )
    assert path.read_text() == f"{head}<a>mine</a>"


# Edited models and results


def test_any_edit_of_the_settings_in_a_model_is_one_line(trained):
    manifest, ends = load_model(trained / "model").manifest, {"read": 0, "refused": 0}
    for seed in range(200):
        edited = edited_json(manifest, Random(seed))
        if not isinstance(edited, dict):
            continue
        try:
            extraction_of(edited, "random:0")
            ends["read"] += 1
        except InputError as error:
            assert "\n" not in str(error)
            ends["refused"] += 1
    assert min(ends.values()) > 5


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (("transform", "size"), "32", 'transform.size is "32"; it must be of type integer'),
        (("transform", "size"), 10**400, "transform.size is 1000.* it must be 32768 or less"),
        (("transform", "size"), 32.5, "transform.size is 32.5; it must be of type integer"),
        (("transform", "colour"), 7, "transform.colour is 7; it must be of type string"),
        (("transform",), [], r"transform is \[\]; it must be of type object"),
        (("transform",), {}, "transform lacks size, resize, scaled_decode"),
        (("backbone",), None, "backbone is null; it must be of type string"),
        (("layer_order",), "gap", 'layer_order is "gap"; it must be of type array'),
        (("layer_order",), [{}], "layer_order.0 is {}; it must be of type string"),
        (("engine",), 1, "engine is 1; it must be of type string"),
    ],
)
def test_an_edited_setting_is_named(trained, place, value, match):
    manifest = json.loads(json.dumps(load_model(trained / "model").manifest))
    parent = manifest
    for name in place[:-1]:
        parent = parent[name]
    parent[place[-1]] = value
    refused(f"can't be made again: in the manifest.*{match}", extraction_of, manifest, "random:0")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"split": 0', '"split": null', "line 2 has split None"),
        ('"split": 0', '"split": "0"', "line 2 has split '0'"),
        ('"split": 0', '"split": false', "line 2 has split False"),
        ('"C": 1.0,', '"C": true,', "line 2 has C True"),
        ('"C": 1.0,', '"C": "1",', "line 2 has C '1'"),
        ('"C": 1.0,', '"C": 1e999,', "line 2 is damaged"),
        ('"learner": "l2"', '"learner": 2', "line 2 has learner 2"),
        ('"scaling": "none"', '"scaling": null', "line 2 has scaling None"),
        ('"one_error": ', '"one_error": 1e400, "x": ', "line 2 is damaged"),
        ('"one_error": ', '"one_error": Infinity, "x": ', "line 2 is damaged"),
    ],
)
def test_an_edited_line_of_a_sweep_is_named(trained, tmp_path, old, new, match):
    first, second, *rest = (trained / "sweep.jsonl").read_text().splitlines()
    assert old in second
    path = tmp_path / "edited.jsonl"
    path.write_text("\n".join([first, second.replace(old, new), *rest, ""]))
    refused(f"edited.jsonl, {match}", read_files, [path], FeatureCache(trained / "made.cache"))


def test_results_in_another_encoding_are_named_as_such(trained, tmp_path):
    path, text = tmp_path / "r.jsonl", (trained / "sweep.jsonl").read_text()
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        path.write_bytes(text.encode(encoding))
        refused("line 1 is no header of a result file", read_results, path)
    path.write_text(f"\ufeff{text}")  # an editor's mark changes nothing
    assert read_results(path) == read_results(trained / "sweep.jsonl")


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_an_int_that_no_float_holds_is_out_of_every_range(value):
    for whole in (True, False):
        refused("must be an? .*Got -?1000", check_number, "size", value, whole=whole)


# Caches


def cache_of(folder, X, Y, **options):
    data = write_data(folder / "data", [f"{k}.jpg" for k in range(len(X))], NAMES, Y)
    return write_labeled_cache(folder / "cache", data, {"net/fc": X}, **options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A cache of random vectors, and a model of it."""
    folder, rng = tmp_path_factory.mktemp("plain"), np.random.default_rng(0)
    X = rng.normal(size=(N, 5))
    cache = cache_of(folder, X, (X[:, :2] > 0).astype(int))
    fit(cache, folder / "model", learner="l2", C=1.0)
    return X, cache, folder / "model"


def commands(cache, model, folder):
    """Each command that reads features, as a function without arguments."""
    return {
        "fit": lambda: fit(cache, folder / "m", learner="l2", C=1.0),
        "fit auto": lambda: fit(cache, folder / "m", folds=2, jobs=1),
        "sweep": lambda: sweep(cache, folder / "s.jsonl", **SWEEP),
        "audit": lambda: audit(cache, folds=2, jobs=1),
        "predict": lambda: predict(model, cache, folder / "p.csv"),
        "suggest": lambda: suggest(cache, model=model, all=True),
        "neighbors": lambda: neighbors(cache, row=[0]),
    }


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 3])
def test_features_that_are_not_finite_are_named_by_every_command(plain, tmp_path, value, row):
    X, _, model = plain
    X = X.copy()
    X[row, 2] = value
    cache = cache_of(tmp_path, X, np.eye(N, 2, dtype=int))
    for run_one in commands(cache, model, tmp_path).values():
        refused(rf"features of '{row}.jpg' in .*cache are not finite \(net/fc\)", run_one)


def test_a_cache_without_a_row_is_named_by_every_command(plain, tmp_path):
    X, _, model = plain
    data = write_data(tmp_path / "data", [f"{k}.jpg" for k in range(N)], NAMES, X[:, :2] > 0)
    cache = write_cache(tmp_path / "cache", data, {"net/fc": X}, failed=range(N))
    (cache / "labels.csv").write_bytes((data / "labels.csv").read_bytes())
    for run_one in commands(cache, model, tmp_path).values():
        refused(r"no row of .*cache holds features \(24 of 24 rows excluded: 24 undec", run_one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data"]


def test_a_folder_of_broken_pictures_has_nothing_to_tag(trained, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg", "c.gif"):
        (tmp_path / "photos" / name).write_bytes(b"x")
    given = {"model": trained / "model", "weights": "random:0"}
    for options in ({"out": tmp_path / "t.csv"}, {"format": "xmp"}):
        refused("no row of .* holds features", tag, tmp_path / "photos", **given, **options)
    assert not (tmp_path / "t.csv").exists() and len(list((tmp_path / "photos").iterdir())) == 3


CONSTANT = {
    "zeros": lambda X: X * 0,
    "ones": np.ones_like,
    "one row of zeros": lambda X: np.vstack([X[:1] * 0, X[1:]]),
    "denormal": lambda X: X * 1e-42,
    "one picture": lambda X: np.repeat(X[:1], N, axis=0),
}


@pytest.mark.parametrize("kind", CONSTANT)
def test_features_that_tell_nothing_give_finite_numbers(plain, tmp_path, kind):
    X, _, _ = plain
    cache = cache_of(tmp_path, CONSTANT[kind](X), np.eye(N, 2, dtype=int))
    fit(cache, tmp_path / "model", learner="l2", C=1.0)
    lines = predict(tmp_path / "model", cache, tmp_path / "p.csv").read_text().splitlines()[1:]
    assert np.isfinite([float(line.split(",")[2]) for line in lines]).all()
    chosen = suggest(cache, model=tmp_path / "model", count=3, all=True)
    assert len({one.image for one in chosen}) == 3
    assert np.isfinite([one.cosine for one in neighbors(cache, row=[0, 5])]).all()


@pytest.mark.parametrize("kind", ["all present", "all absent but one", "one label"])
def test_a_sweep_that_can_choose_no_C_says_so(plain, tmp_path, capsys, kind):
    X, _, _ = plain
    Y = {"all present": np.ones((N, 2)), "one label": X[:, :1] > 0}.get(kind)
    if Y is None:
        Y = np.zeros((N, 2))
        Y[:, 0] = 1
        Y[:, 1] = 0
    names = NAMES[: Y.shape[1]]
    data = write_data(tmp_path / "data", [f"{k}.jpg" for k in range(N)], names, Y.astype(int))
    cache = write_labeled_cache(tmp_path / "cache", data, {"net/fc": X})
    metric = "map" if kind == "all absent but one" else "example_ap"
    code = run_sweep(cache=cache, out=tmp_path / "s.jsonl", metric=metric, **SWEEP)
    said = capsys.readouterr().err.splitlines()[-1] if code else ""
    if kind == "all absent but one":
        assert code == 0  # map has a value wherever a label is present
    else:
        assert code == 1
        assert said.startswith("error: for 2 of 2 learners on a split no C was chosen: example_ap")
        assert "--metric, such as map, or with --select none" in said
        assert run_sweep(cache=cache, out=tmp_path / "n.jsonl", select="none", **SWEEP) == 0


def test_auto_names_what_takes_no_class_weights(plain, tmp_path, capsys):
    _, cache, _ = plain
    given = {"thorough": True, "folds": 2, "jobs": 1, "scaling": "none", "C": 1.0}
    fit(cache, tmp_path / "m", rare_weight=0.5, **given)
    assert "not compared, since they take no class weights: rmlc\n" in capsys.readouterr().err
    fit(cache, tmp_path / "n", **given)
    assert "class weights" not in capsys.readouterr().err

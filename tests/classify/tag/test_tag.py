"""``tag``: the same features and scores as by three commands, every format, refusals."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from classify.__main__ import main
from classify.model_files import load_model
from classify.tag import settings
from classify.tag.command import tag
from classify.tag.settings import extraction_of
from classify.tag.tagger import Tagger
from classify.training import fit
from extract.backbones import find_backbone
from extract.config import ExtractConfig
from extract.run import run
from extract.weights import load_weights
from features import multilabel
from features.cache import FeatureCache
from features.command_line import CommandParser
from features.datasets import load_dataset
from features.errors import InputError
from features.files.unchanged import rewrite_text
from tests.features.sources.archives import archive

COLORS = {"red": (220, 30, 20), "blue": (20, 40, 210), "gray": (120, 120, 120)}
pytestmark = pytest.mark.usefixtures("tiny_backbone")


def draw(path, color, seed):
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(COLORS[color]) + rng.normal(0, 12, (40, 40, 3)), 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_backbone):
    """A model of red and blue, and the cache that it learned from."""
    folder = tmp_path_factory.mktemp("trained")
    lines = ["image,red,blue"]
    for k in range(24):
        color = list(COLORS)[k % 3]
        draw(folder / "data" / "images" / f"{k}.png", color, k)
        lines.append(f"{k}.png,{int(color == 'red')},{int(color == 'blue')}")
    (folder / "data" / "labels.csv").write_text("\n".join(lines) + "\n")
    config = ExtractConfig(tiny_backbone, "random:3", size=32, background="#102030")
    cache = run(config, load_dataset(folder / "data"), folder / "cache")
    model = folder / "model.safetensors"
    fit(cache, model, learner="l2", scaling="max", C=100.0, thresholds="f1", calibration="platt")
    return model, cache


@pytest.fixture
def album(tmp_path):
    """Pictures in two folders, one of them no picture at all."""
    folder = tmp_path / "album"
    for place, color in (("a.png", "red"), ("trip/b.png", "blue"), ("trip/day 2/ü.png", "gray")):
        draw(folder / place, color, 99)
    (folder / "trip" / "broken.jpg").write_bytes(b"no picture")
    return folder


EXPECTED = {"a.png": ["red"], "trip/b.png": ["blue"], "trip/day 2/ü.png": []}


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_settings_are_read_back_from_the_manifest(trained):
    _, cache = trained
    manifest = FeatureCache(cache).manifest
    found = extraction_of(manifest, "random:3", device="cpu")
    assert (found.size, found.background, found.device) == (32, "#102030", "cpu")
    with pytest.raises(InputError, match="random:4: weights_sha256: .*Give --weights the file"):
        extraction_of(manifest, "random:4")


def test_tags_are_those_of_extract_and_predict(trained, album, tmp_path):
    model, _ = trained
    out = tmp_path / "tags.jsonl"
    tag(album, model=model, out=out, weights="random:3")
    found = {one["image"]: one for one in map(json.loads, out.read_text().splitlines())}
    assert {image: one["labels"] for image, one in found.items()} == EXPECTED
    cache = FeatureCache(tmp_path / "tags.cache")
    loaded = load_model(model)
    scores = loaded.scores(cache.read())
    for row, score, P in zip(cache.valid_rows, scores, loaded.predict_proba(scores), strict=True):
        one = found[cache.ids[row]]
        assert list(one["scores"].values()) == score.tolist()
        assert list(one["probabilities"].values()) == P.tolist()


def test_a_folder_that_got_pictures_is_tagged_again(trained, album, tmp_path, capsys):
    """`tag` has no --append to be told of: what is new is computed, and the rest is kept."""
    options = {"model": trained[0], "weights": "random:3", "format": "long"}
    out = tmp_path / "tags.csv"
    tag(album, out=out, **options)
    before = rows(out)
    draw(album / "a new one.png", "red", 7)
    tag(album, out=out, **options)
    assert "1 images are new in" in capsys.readouterr().err
    assert rows(out)[: len(before)] == before
    assert [(row["image"], row["label"]) for row in rows(out)[len(before) :]] == [
        ("a new one.png", "red")
    ]
    whole = out.read_bytes()
    tag(album, out=out, **options)
    assert out.read_bytes() == whole
    (album / "a.png").unlink()
    with pytest.raises(InputError, match="put these back, or give another --cache"):
        tag(album, out=out, **options)
    assert out.read_bytes() == whole


def test_python_gives_the_same_tags(trained, album):
    tagger = Tagger.load(trained[0], weights="random:3")
    paths = [album / image for image in EXPECTED]
    tagged = tagger.tag([*paths, paths[0]])
    assert [one.image for one in tagged] == [str(path) for path in [*paths, paths[0]]]
    assert [one.present for one in tagged] == [*EXPECTED.values(), ["red"]]
    assert tagger.tag([]) == []
    with pytest.raises(InputError, match="There is no picture .*gone.png"):
        tagger.tag([album / "gone.png"])
    with pytest.raises(InputError, match="broken.jpg can't be read: "):
        tagger.tag([paths[0], album / "trip" / "broken.jpg"])


def test_wide_is_a_labels_csv_and_long_has_the_present_labels(trained, album, tmp_path, capsys):
    wide, long, shared = tmp_path / "wide.csv", tmp_path / "long.csv", tmp_path / "shared.cache"
    options = {"model": trained[0], "weights": "random:3", "cache": shared}
    tag(album, out=wide, **options)
    assert "1 of 4 rows excluded" in capsys.readouterr().err
    expected = [
        {"image": image, "red": str(int("red" in tags)), "blue": str(int("blue" in tags))}
        for image, tags in sorted(EXPECTED.items())
    ]
    assert sorted(rows(wide), key=lambda one: one["image"]) == expected
    before = {path.name: path.stat().st_mtime_ns for path in shared.glob("shard*")}
    tag(album, out=long, format="long", **options)
    assert [(one["image"], one["label"]) for one in rows(long)] == [
        ("a.png", "red"),
        ("trip/b.png", "blue"),
    ]
    assert all(0.5 < float(one["probability"]) < 1 for one in rows(long))
    assert {path.name: path.stat().st_mtime_ns for path in shared.glob("shard*")} == before


def test_a_file_of_others_is_left_alone(trained, album, tmp_path):
    out = tmp_path / "labels.csv"
    for form, text in (("wide", "image,cat\nx.png,1\n"), ("long", "image,label\nx.png,cat\n")):
        out.write_text(text)
        with pytest.raises(InputError, match="exists(, and is left as it is| and is not a file)"):
            tag(album, model=trained[0], out=out, format=form, weights="random:3")
        assert out.read_text() == text
    assert not (tmp_path / "labels.cache").exists()


def test_suggestions_are_no_tags(trained, album, tmp_path):
    """They begin with an image, too, and are as they were written."""
    out = tmp_path / "s.csv"
    rewrite_text(out, "image,cluster,score\na.png,0,0.5\n")
    before = out.read_bytes()
    with pytest.raises(InputError, match="exists and is not a file of tags in this format"):
        tag(album, model=trained[0], out=out, weights="random:3")
    assert out.read_bytes() == before


def test_sidecars_get_the_tags_that_they_lack(trained, album, capsys):
    kept = album / "a.png.xmp"
    kept.write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:acme="http://acme.example/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" acme:stars="4" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><!-- mine -->'
        "<dc:subject><rdf:Bag><rdf:li>family</rdf:li></rdf:Bag></dc:subject>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    before = kept.read_bytes()
    command = ["tag", str(album), "--model", str(trained[0]), "--weights", "random:3"]
    main([*command, "--format", "xmp", "--dry-run"])
    assert "a.png.xmp: red" in capsys.readouterr().out
    assert kept.read_bytes() == before and not (album / "trip" / "b.png.xmp").exists()
    main([*command, "--format", "xmp"])
    assert "2 tags added to 2 sidecars" in capsys.readouterr().err
    text = kept.read_text(encoding="utf-8")
    assert text.index("family") < text.index("<rdf:li>red</rdf:li>")
    assert 'acme:stars="4"' in text and "<!-- mine -->" in text
    assert "<rdf:li>blue</rdf:li>" in (album / "trip" / "b.png.xmp").read_text(encoding="utf-8")
    assert not (album / "trip" / "day 2" / "ü.png.xmp").exists()
    after = kept.read_bytes()
    main([*command, "--format", "xmp"])
    assert "0 tags added to 0 sidecars" in capsys.readouterr().err
    assert kept.read_bytes() == after


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "--out must be given, or --format xmp"),
        ({"out": "o.csv", "format": "xmp"}, "writes beside the pictures. Leave out --out"),
        ({"out": "o.csv", "format": "html"}, "must be one of wide, long, jsonl, xmp. Got 'html'"),
        ({"out": "o.csv", "dry_run": True}, "--dry-run belongs to --format xmp"),
        ({"out": "o.csv", "weights": "random:4"}, "can't be made again"),
        ({"out": "o.csv", "model": "gone.safetensors"}, "gone.safetensors can't be read"),
    ],
)
def test_bad_options_are_one_line(trained, album, tmp_path, monkeypatch, options, match):
    monkeypatch.chdir(tmp_path)
    options = {n: Path(v) if n in ("out", "model") else v for n, v in options.items()}
    with pytest.raises(InputError, match=match):
        tag(album, **{"model": trained[0], "weights": "random:3", **options})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["album"]


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_an_archive_has_no_place_for_sidecars(trained, album, tmp_path, ending):
    path = archive(album, tmp_path / f"album.{ending}")
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"beside the pictures, and .*{ending} is no folder"):
        tag(path, model=trained[0], weights="random:3", format="xmp")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["album", path.name]
    assert path.read_bytes() == before
    tag(path, model=trained[0], weights="random:3", out=tmp_path / "tags.jsonl")
    found = map(json.loads, (tmp_path / "tags.jsonl").read_text().splitlines())
    assert {one["image"]: one["labels"] for one in found} == EXPECTED


def test_a_source_that_lacks_a_layer_is_passed_over(trained, tiny_backbone, tmp_path, monkeypatch):
    tensors = dict(load_weights(find_backbone(tiny_backbone), "random:3"))
    tensors.popitem()
    save_file(tensors, lacking := str(tmp_path / "lacking.safetensors"))
    manifest = load_model(trained[0]).manifest
    monkeypatch.setattr(settings, "_sources", lambda backbone: [lacking, "random:3"])
    assert extraction_of(manifest).weights == "random:3"
    monkeypatch.setattr(settings, "_sources", lambda backbone: [lacking])
    with pytest.raises(InputError, match=r"can't be made again.*lack.*Give --weights the file"):
        extraction_of(manifest)
    with pytest.raises(InputError, match="lack"):
        extraction_of(manifest, lacking)


def test_a_model_that_only_orders_labels_names_the_remedy(trained, album, tmp_path):
    model = tmp_path / "order.safetensors"
    fit(trained[1], model, learner="warp")
    with pytest.raises(InputError, match="Fit it again with --thresholds f1, or top:K"):
        tag(album, model=model, out=tmp_path / "t.csv", weights="random:3")
    assert not (tmp_path / "t.csv").exists()


def test_the_console_command_has_it_by_its_own_name(trained, album, tmp_path, capsys, monkeypatch):
    out = tmp_path / "tags.csv"
    monkeypatch.setattr("sys.argv", ["multilabel"])
    monkeypatch.setattr(CommandParser, "launcher", CommandParser.launcher)  # is set below
    shutil.rmtree(album / "trip")
    options = ["--model", str(trained[0]), "--weights", "random:3", "--out", str(out)]
    multilabel.main(["tag", str(album), *options])
    assert capsys.readouterr().out == f"{out}\n"
    assert rows(out) == [{"image": "a.png", "red": "1", "blue": "0"}]

"""``export-onnx``: the file gives what extraction and model give, on pictures; refusals."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from classify.decisions.calibration import Calibrator
from classify.decisions.rules import parse_rule
from classify.model_files import load_model, save_model
from classify.models import Decisions
from classify.scaling import SCALINGS
from classify.tag.onnx_command import export_onnx
from classify.tag.onnx_graph import TaggerGraph, _quadrants, _unit, check_exportable
from classify.tag.settings import extraction_of
from classify.training import fit
from extract.config import ExtractConfig
from extract.images import load_image
from extract.plan import make_plan
from extract.run import run
from features import multilabel
from features.cache import FeatureCache
from features.command_line import CommandParser
from features.datasets import load_dataset
from features.errors import InputError

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
pytestmark = pytest.mark.usefixtures("tiny_backbone")

NAMES = ["red", "blü, dark", "gray"]
COLORS = {"red": (220, 30, 20), "blü, dark": (20, 40, 210), "gray": (120, 120, 120)}
N = 30


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Noisy pictures of one color each, some of them labeled wrong."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    lines = ['image,red,"blü, dark",gray']
    for k in range(N):
        name = NAMES[k % 3]
        size = (33 + k % 3, 40, 3)
        pixels = np.clip(np.array(COLORS[name]) + rng.normal(0, 90, size), 0, 255)
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{k:02}.png")
        cells = [int(name == one) ^ int(rng.random() < 0.1) for one in NAMES]
        lines.append(",".join(map(str, [f"{k:02}.png", *cells])))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def extracted(pictures, folder, tiny_backbone, **options):
    config = ExtractConfig(tiny_backbone, "random:3", size=33, **options)
    return run(config, load_dataset(pictures), folder / "cache")


@pytest.fixture(scope="module")
def cache(pictures, tmp_path_factory, tiny_backbone):
    return extracted(pictures, tmp_path_factory.mktemp("cache"), tiny_backbone)


@pytest.fixture(scope="module")
def halved(pictures, tmp_path_factory, tiny_backbone):
    """The same features stored as float16."""
    return extracted(pictures, tmp_path_factory.mktemp("half"), tiny_backbone, dtype="float16")


@pytest.fixture(scope="module")
def model(cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    options = {"thresholds": "f1", "calibration": "platt", "jobs": 1}
    fit(cache, path, learner="l2", scaling="sqrt-max", C=10.0, **options)
    return path


@pytest.fixture(scope="module")
def pixels(pictures, cache):
    transform = make_plan(extraction_of(FeatureCache(cache).manifest, "random:3")).transform
    paths = sorted((pictures / "images").iterdir())
    return torch.stack([load_image(path, transform)[0] for path in paths])


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "tagger.onnx"
    assert export_onnx(model=model, out=out, weights="random:3") == out
    return out


def expected_of(model, cache):
    """Give what the model says of the pictures of a cache."""
    scores = model.scores(FeatureCache(cache).read(model.layers))
    found = {"scores": scores, "probabilities": model.predict_proba(scores)}
    found["decisions"] = model.decide(scores)
    return {name: value for name, value in found.items() if value is not None}


def compare(names, outputs, expected, thresholds):
    assert names == list(expected)
    found = dict(zip(names, outputs, strict=True))
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-4)
    if "probabilities" in expected:
        np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-4)
    if "decisions" in expected:
        assert found["decisions"].dtype == bool
        sure = np.abs(expected["scores"] - thresholds) > 1e-4
        np.testing.assert_array_equal(found["decisions"][sure], expected["decisions"][sure] == 1)
        assert expected["decisions"].any() and not expected["decisions"].all()


def torch_outputs(model, pixels):
    graph = TaggerGraph(model, make_plan(extraction_of(model.manifest, "random:3")))
    with torch.no_grad():
        return graph.output_names, [output.numpy() for output in graph(pixels)]


def file_outputs(path, pixels):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return names, session.run(names, {"pixels": pixels.numpy()})


def blended(model, cache):
    """Give two members with scalings of both kinds, isotonic steps, and the best label."""
    from classify.feature_scaler import FeatureScaler
    from classify.logistic import LogisticTagger

    features = FeatureCache(cache)
    X, Y, (member,) = features.read(), features.labels, model.members
    scaler = FeatureScaler("sqrt-layer-l2", list(features.layers.values())).fit(X)
    tagger = LogisticTagger("l1", C=30.0).fit(scaler.transform(X), Y)
    other = replace(member, learner="l1", estimator=tagger, scaler=scaler, weight=0.7)
    both = replace(model, members=[member, other])
    scores = both.scores(X)
    calibrator = Calibrator("isotonic", min_rows=11).fit(scores, Y)
    assert calibrator.shared_.any() and not calibrator.shared_.all()
    return replace(both, decisions=Decisions(parse_rule("top:1"), np.zeros(3), calibrator))


def test_the_file_gives_what_extraction_and_model_give(model, cache, pixels, exported):
    out = exported
    trained = load_model(model)
    names, outputs = file_outputs(out, pixels)
    compare(names, outputs, expected_of(trained, cache), trained.decisions.thresholds)
    one = file_outputs(out, pixels[:1])[1]
    np.testing.assert_allclose(one[0], outputs[0][:1], atol=1e-5)

    about = onnx.load(out)
    assert about.producer_name == "multilabel-from-cache"
    meta = {one.key: json.loads(one.value) for one in about.metadata_props}
    assert meta["label_names"] == NAMES
    assert (meta["input_size"], meta["color_order"], meta["input_dtype"]) == (33, "RGB", "uint8")
    assert meta["mean"] == [0.485, 0.456, 0.406] and meta["transform"]["resize"] == "warp"
    assert meta["thresholds"] == trained.decisions.thresholds.tolist()
    assert meta["decision_rule"] == "f1" and meta["calibration"] == "platt"
    assert b".py" not in out.read_bytes() and str(out.parent).encode() not in out.read_bytes()


def test_a_blend_with_steps_and_top_labels_is_exported_too(model, cache, pixels, tmp_path):
    both, path, out = (
        blended(load_model(model), cache),
        tmp_path / "b.safetensors",
        tmp_path / "b.onnx",
    )
    save_model(path, both)
    export_onnx(model=path, out=out, weights="random:3")
    names, outputs = file_outputs(out, pixels)
    expected = expected_of(both, cache)
    thresholds = np.sort(expected["scores"], axis=1)[:, -2:].mean(axis=1, keepdims=True)
    compare(names, outputs, expected, thresholds)
    assert (outputs[2].sum(axis=1) == 1).all()


@pytest.mark.parametrize("form", ["graph", pytest.param("file", marks=pytest.mark.slow)])
def test_a_model_that_only_orders_labels_has_scores_only(cache, pixels, tmp_path, form):
    path, out = tmp_path / "m.safetensors", tmp_path / "m.onnx"
    fit(cache, path, learner="softmax", scaling="std", layers=["tiny/gap"])
    if form == "file":
        export_onnx(model=path, out=out, weights="random:3")
        names, outputs = file_outputs(out, pixels)
    else:
        names, outputs = torch_outputs(load_model(path), pixels)
    compare(names, outputs, expected_of(load_model(path), cache), 0.0)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("layers", [None, ["tiny/gap"]], ids=["both", "one"])
def test_every_scaling_is_in_the_graph(cache, pixels, tmp_path, scaling, layers):
    path = tmp_path / "m.safetensors"
    fit(cache, path, learner="l2", scaling=scaling, C=3.0, layers=layers)
    trained = load_model(path)
    compare(*torch_outputs(trained, pixels), expected_of(trained, cache), 0.0)


@pytest.mark.parametrize("rule", ["zero", "f1", "recall:0.9", "top:1", "top:9"])
@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_every_rule_and_calibration_is_in_the_graph(model, cache, pixels, rule, method):
    trained, features = load_model(model), FeatureCache(cache)
    scores = trained.scores(features.read())
    parsed = parse_rule(rule)
    thresholds = np.quantile(scores, 0.6, axis=0)
    calibrator = Calibrator(method, min_rows=2).fit(scores, features.labels)
    decided = replace(trained, decisions=Decisions(parsed, thresholds, calibrator))
    names, outputs = torch_outputs(decided, pixels)
    expected = expected_of(decided, cache)
    np.testing.assert_allclose(outputs[1], expected["probabilities"], atol=1e-4)
    kept = parsed.kind == "top" or np.abs(scores - thresholds * (rule != "zero")) > 1e-4
    agree = (outputs[2] == (expected["decisions"] == 1)) | ~np.asarray(kept)
    assert agree.all() and names == ["scores", "probabilities", "decisions"]


def test_features_stored_as_float16_are_rounded_in_the_graph(halved, pixels, tmp_path):
    path = tmp_path / "m.safetensors"
    fit(halved, path, learner="l2", scaling="none", C=1e5)
    trained = load_model(path)
    names, outputs = torch_outputs(trained, pixels)
    expected = expected_of(trained, halved)["scores"]
    largest = np.abs(expected).max()
    np.testing.assert_allclose(outputs[0] / largest, expected / largest, atol=1e-5)
    assert names == ["scores", "decisions"]


@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_quadrants_are_those_of_the_adaptive_maximum(side):
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(_quadrants(x), F.adaptive_max_pool2d(x, 2).flatten(1))


def test_rows_of_zeros_and_of_huge_values_keep_a_length():
    rows = torch.tensor([[0.0, 0.0], [3e30, 4e30]])
    torch.testing.assert_close(_unit(rows), torch.tensor([[0.0, 0.0], [0.6, 0.8]]))


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        ("wsabie", "'wsabie' has no linear head"),
        ("latent-noise-relevance", "has no linear head .*one of l1, l2"),
        ("mimlknn", "takes bags of instances.*such as l2"),
    ],
)
def test_what_has_no_linear_head_is_refused(model, cache, tmp_path, learner, message):
    trained = load_model(model)
    (member,) = trained.members
    other = replace(trained, members=[replace(member, learner=learner)])
    with pytest.raises(InputError, match=message) as caught:
        check_exportable(other)
    assert "\n" not in str(caught.value)


def test_files_of_others_and_other_endings_are_refused(model, tmp_path):
    with pytest.raises(InputError, match=r"\.onnx file, not to"):
        export_onnx(model=model, out=tmp_path / "tagger.pt", weights="random:3")
    other = tmp_path / "other.onnx"
    other.write_bytes(b"\x08\x0a\x12\x07pytorch")
    with pytest.raises(InputError, match="is not an ONNX file that this program made"):
        export_onnx(model=model, out=other, weights="random:3")
    assert other.read_bytes() == b"\x08\x0a\x12\x07pytorch"
    with pytest.raises(InputError, match="random:4: weights_sha256"):
        export_onnx(model=model, out=tmp_path / "t.onnx", weights="random:4")
    with pytest.raises(InputError, match="can't be read as a model"):
        export_onnx(model=other, out=tmp_path / "t.onnx")
    assert not (tmp_path / "t.onnx").exists()


def test_a_file_that_differs_from_torch_is_not_written(model, exported, tmp_path, monkeypatch):
    out = tmp_path / "t.onnx"
    made = exported.read_bytes()
    monkeypatch.setattr("classify.tag.onnx_command._exported", lambda *_: made)
    monkeypatch.setattr("classify.tag.onnx_command.TOLERANCE", -1.0)
    with pytest.raises(InputError, match="scores differ from torch's"):
        export_onnx(model=model, out=out, weights="random:3")
    assert not out.exists()


def test_without_the_extra_one_line_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"pip install '.*\[onnx\]'"):
        export_onnx(model=model, out=tmp_path / "t.onnx")


def test_the_command_writes_again_over_its_own_file(model, exported, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(CommandParser, "launcher", CommandParser.launcher)
    monkeypatch.setattr("sys.argv", ["multilabel"])
    out = Path(shutil.copy(exported, tmp_path / "t.onnx"))
    words = ["export-onnx", "--model", str(model), "--out", str(out), "--weights", "random:3"]
    multilabel.main(words)
    assert out.read_bytes() == exported.read_bytes()
    assert capsys.readouterr().out == f"{out}\n"

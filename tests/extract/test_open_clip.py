"""Models of open_clip: pictures and texts against the library's own forward passes."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from classify.__main__ import main
from classify.neighbors.command import neighbors
from extract.backbones import find_backbone
from extract.backbones.listing import listing
from extract.config import ExtractConfig
from extract.run import run
from extract.texts import embed_texts
from extract.weights import load_weights
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from tests.classify.report.test_page import Page

open_clip = pytest.importorskip("open_clip", reason="the extra `open_clip` is not installed")
NAME = "two-small-towers"
SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"width": 32, "heads": 2, "layers": 2},
}
BACKBONE = f"open_clip/{NAME}"
LAYER = f"{BACKBONE}/embedding"
TEXTS = ["a cow on grass", "a red car"]


@pytest.fixture(scope="module", autouse=True)
def _known(tmp_path_factory):
    """open_clip's own way to know another model: its sizes in a file."""
    path = tmp_path_factory.mktemp("models") / f"{NAME}.json"
    path.write_text(json.dumps(SMALL))
    open_clip.add_model_config(path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("pictures")
    for k, (height, width) in enumerate([(300, 260), (180, 500), (224, 224), (64, 90)]):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def model():
    """The library's own model and transform, with the weights of random:0."""
    made, _, transform = open_clip.create_model_and_transforms(NAME)
    tensors = load_weights(find_backbone(BACKBONE), "random:0")
    made.load_state_dict(dict(tensors))
    return made.eval(), transform


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    """The weights as a file."""
    path = tmp_path_factory.mktemp("weights") / "clip.pth"
    torch.save(model[0].state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def cache(pictures, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "clip.cache"
    config = ExtractConfig(backbone=BACKBONE, weights=weights, batch_size=2, workers=1)
    return run(config, load_dataset(pictures), out)


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.abs(expected).max()))


@torch.no_grad()
def test_pictures_and_texts_are_those_of_the_library(pictures, model, weights, cache):
    network, transform = model
    files = [Image.open(pictures / name) for name in FeatureCache(cache).ids]
    expected = network.encode_image(torch.stack([transform(one) for one in files]))
    close(FeatureCache(cache).read([LAYER]), expected.numpy())
    texts = network.encode_text(open_clip.get_tokenizer(NAME)(TEXTS)).numpy()
    for source in (weights, "random:0"):
        close(embed_texts(ExtractConfig(backbone=BACKBONE, weights=source), TEXTS), texts)


@torch.no_grad()
def test_neighbors_of_texts_are_those_of_the_library(pictures, model, weights, cache, tmp_path):
    network, transform = model
    files = [Image.open(pictures / name) for name in FeatureCache(cache).ids]
    seen = network.encode_image(torch.stack([transform(one) for one in files]), normalize=True)
    tokens = open_clip.get_tokenizer(NAME)(TEXTS)
    cosines = (network.encode_text(tokens, normalize=True) @ seen.T).numpy()
    image = pictures / "1.png"
    found = neighbors(cache, text=TEXTS, image=[image], row=[2], count=4, weights=weights)
    by_question = {name: [one for one in found if one.question == name] for name in TEXTS}
    for name, expected in zip(TEXTS, cosines, strict=True):
        answers = by_question[name]
        assert [one.row for one in answers] == np.argsort(-expected, kind="stable")[:3].tolist()
        close([one.cosine for one in answers], np.sort(expected)[::-1][:3])
    nearest = next(one for one in found if one.question == str(image))
    assert (nearest.image, nearest.cosine) == ("1.png", pytest.approx(1, abs=1e-5))
    out = tmp_path / "page.html"
    main(["neighbors", str(cache), "--text", *TEXTS, "--count", "2", "--weights", weights,
          "--data", str(pictures), "--out", str(out)])  # fmt: skip
    page = Page(out)
    assert all(text in page.source for text in TEXTS)


def test_refusals_are_one_line(cache, weights, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="can't be made again.*open_clip"):
        neighbors(cache, text=TEXTS)
    with pytest.raises(InputError, match="--text needs words"):
        neighbors(cache, text=[" "], weights=weights)
    towers = torch.load(weights, weights_only=True)
    images = {name: one for name, one in towers.items() if name.startswith("visual.")}
    torch.save(images, tmp_path / "images.pth")
    with pytest.raises(InputError, match=r"images.pth lack the text tower"):
        neighbors(cache, text=TEXTS, weights=str(tmp_path / "images.pth"))
    with pytest.raises(InputError, match="of vgg16. Extract again with --backbone open_clip/NAME"):
        embed_texts(ExtractConfig(), TEXTS)
    with pytest.raises(InputError, match=f"no model '{NAME}x'. Give one of {NAME}"):
        find_backbone(f"{BACKBONE}x")
    with pytest.raises(InputError, match="open_clip/ViT-B-32.openai"):
        find_backbone("open_clip/ViT-B-32.none")
    with pytest.raises(InputError, match="Leave --size out"):
        find_backbone(BACKBONE, 320)
    with pytest.raises(InputError, match=f"has weights of {NAME} by tags"):
        load_weights(find_backbone(BACKBONE), "pretrained")
    assert BACKBONE in listing(NAME) and "embedding" in listing(BACKBONE)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(InputError, match=r"pip install 'multilabel-from-cache\[open_clip\]'"):
        find_backbone("open_clip/RN50")

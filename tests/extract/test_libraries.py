"""Networks of torchvision and timm: stored layers against the libraries' own forward passes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision.models.feature_extraction import get_graph_node_names

from extract.backbones import find_backbone
from extract.config import ExtractConfig
from extract.images import read_image
from extract.plan import make_plan
from features.datasets import Dataset
from features.errors import InputError
from features.schema import canonical

#: A module of each network, and how the layer named after it follows from its output.
TORCHVISION = {
    "resnet18": {"gap": ("avgpool", "flat"), "layer2/quadrants": ("layer2", "quadrants")},
    "mobilenet_v3_small": {"gap": ("avgpool", "flat"), "penultimate": ("classifier.2", "flat")},
    "shufflenet_v2_x0_5": {"gmp": ("conv5", "max"), "penultimate": ("conv5", "average")},
    "squeezenet1_1": {"gap": ("features", "average"), "features.6/gmp": ("features.6", "max")},
    "efficientnet_b0": {
        "gap": ("features", "average"),
        "features.3/gap": ("features.3", "average"),
    },
    "densenet121": {"penultimate": ("classifier", "input")},
    "regnet_x_400mf": {"gap": ("avgpool", "flat")},
    "swin_t": {"gap": ("avgpool", "flat"), "features.3/gap": ("features.3", "last average")},
    "convnext_tiny": {"gap": ("avgpool", "flat")},
    "vit_b_32": {
        "cls": ("heads", "input"),
        "encoder.layers.encoder_layer_6/mean": ("encoder.layers.encoder_layer_6", "patches"),
    },
    "googlenet": {"gap": ("avgpool", "flat")},
}  # fmt: skip
TIMM = {
    "resnet18": {"gap": ("global_pool", "flat"), "stage2/quadrants": ("layer2", "quadrants")},
    "vit_tiny_patch16_224": {
        "cls": ("norm", "class token"),
        "mean": ("norm", "patches"),
        "block6/mean": ("blocks.6", "patches"),
        "block6/cls": ("blocks.6", "class token"),
        "output": ("head", "flat"),
    },
    "deit_tiny_distilled_patch16_224": {"block3/mean": ("blocks.3", "after two")},
    "swin_tiny_patch4_window7_224": {"gap": ("head.global_pool", "flat")},
    "convnext_atto": {"stage1/gmp": ("stages.1", "max"), "pooled": ("head.fc", "input")},
    "mobilenetv4_conv_small": {"pooled": ("classifier", "input")},
    "vit_xsmall_patch16_clip_224.tinyclip_yfcc15m": {
        "output": ("head", "flat"),
        "cls": ("head", "input"),
    },
    "vit_base_patch32_siglip_gap_256": {"mean": ("norm", "average tokens")},
}
READINGS = {
    "flat": lambda given, out: out.flatten(1),
    "input": lambda given, out: given.flatten(1),
    "average": lambda given, out: out.mean((2, 3)),
    "last average": lambda given, out: out.mean((1, 2)),
    "max": lambda given, out: out.amax((2, 3)),
    "quadrants": lambda given, out: torch.nn.AdaptiveMaxPool2d(2)(out).flatten(1),
    "class token": lambda given, out: out[:, 0],
    "patches": lambda given, out: out[:, 1:].mean(1),
    "after two": lambda given, out: out[:, 2:].mean(1),
    "average tokens": lambda given, out: out.mean(1),
}


LARGE = (
    "convnext_tiny",
    "efficientnet_b0",
    "regnet_x_400mf",
    "deit_tiny_distilled_patch16_224",
    "vit_xsmall_patch16_clip_224.tinyclip_yfcc15m",
    "densenet121",
    "swin_tiny_patch4_window7_224",
    "vit_b_32",
    "vit_base_patch32_siglip_gap_256",
)


def marked(names):
    return [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in names]


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    coarse.resize((331, 260), Image.Resampling.BICUBIC).save(path)
    return path


def expected(network, pixels, wanted):
    """Run a library's network on its own input, and read outputs of its modules."""
    found, hooks = {}, []
    for layer, (module, reading) in wanted.items():

        def note(_, given, out, layer=layer, reading=reading):
            found[layer] = READINGS[reading](given[0], out)

        hooks.append(network.get_submodule(module).register_forward_hook(note))
    with torch.inference_mode():
        network(pixels)
    for hook in hooks:
        hook.remove()
    return found


def assert_parity(name, network, transform, wanted, photo):
    plan = make_plan(ExtractConfig(name, "random:0", tuple(wanted)))
    state = network.state_dict()
    network.load_state_dict({key: plan.tensors.get(key, value) for key, value in state.items()})
    with Image.open(photo) as image:
        target = expected(network.eval(), transform(image.convert("RGB"))[None], wanted)
    pixels = read_image(photo, plan.transform).pixels[None]
    assert pixels.shape[2:] == (plan.backbone.size,) * 2
    with torch.inference_mode():
        got = plan.network()(pixels)
    for layer, value in zip(plan.layers, got, strict=True):
        assert value.shape[1:] == layer.shape(plan.backbone.size) == target[layer.name].shape[1:]
        error = (value - target[layer.name]).abs().max() / target[layer.name].abs().max()
        assert error < 1e-5, (layer.name, float(error))


@pytest.mark.parametrize("name", marked(TORCHVISION))
def test_torchvision_layers_equal_its_own_forward(name, photo):
    own = {"init_weights": False, "transform_input": True} if name == "googlenet" else {}
    network = models.get_model(name, weights=None, **own)
    transform = models.get_model_weights(name).DEFAULT.transforms()
    assert_parity(f"torchvision/{name}", network, transform, TORCHVISION[name], photo)


@pytest.mark.parametrize("name", marked(TIMM))
def test_timm_layers_equal_its_own_forward(name, photo):
    timm = pytest.importorskip("timm", reason="the extra `timm` is not installed")
    network = timm.create_model(name)
    data = timm.data.resolve_data_config(model=network)
    transform = timm.data.create_transform(**data)
    assert_parity(f"timm/{name}", network, transform, TIMM[name], photo)


NO_IMAGES = Dataset(Path(), (), ())


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "resnet50", "resnet101", "vgg16 cut"])
def test_manifests_of_the_papers_networks_stay_as_they_are(name):
    stored = json.loads(Path(__file__).with_name("manifests.json").read_text())[name]
    expected = json.loads(stored)
    cut = {"size": 448, "resize": "resize256_crop224", "white_level": 4095, "dtype": "float16"}
    layers = tuple(one.partition("/")[2] for one in expected["layer_order"])
    options = cut if name.endswith("cut") else {}
    plan = make_plan(ExtractConfig(expected["backbone"], "random:0", layers, **options))
    made = plan.manifest(NO_IMAGES, np.zeros(0, dtype=np.int64))
    assert set(made.pop("versions")) == {"torch", "torchvision", "pillow", "simplejpeg"}
    assert canonical(made) == stored


def test_the_transform_and_the_nodes_stand_in_the_manifest():
    plan = make_plan(ExtractConfig("torchvision/resnet18", "random:0"))
    made = plan.manifest(NO_IMAGES, np.zeros(0, dtype=np.int64))
    assert made["layer_order"] == ["torchvision/resnet18/gap", "torchvision/resnet18/gmp"]
    assert made["layers"]["torchvision/resnet18/gap"]["node"] == "layer4.1.relu_1"
    own = {"fit": "center", "scaled": 256, "size": 224, "resize": "own"}
    assert own.items() <= made["transform"].items()
    assert made["transform"]["interpolation"] == "bilinear, antialiased, Pillow"
    warped = make_plan(ExtractConfig("torchvision/resnet18", "random:0", resize="warp", size=64))
    assert warped.transform.record()["interpolation"] == "bilinear, antialiased, uint8"
    assert warped.layers[0].shape(64) == (512,)


def test_nodes_are_those_of_torchvisions_extractor():
    found = find_backbone("torchvision/resnet18")
    known = set(get_graph_node_names(models.resnet18())[1])
    assert {node.path for _, node in found.nodes} <= known
    assert {"layer1", "layer4", "layer2.0.conv1"} <= dict(found.nodes).keys()


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"backbone": "torchvision/resnet19"}, "no classification network 'resnet19'. .*resnet18"),
        ({"backbone": "torchvision/resnet50.V9"}, "no weights 'V9'.*resnet50.IMAGENET1K_V1, "),
        (
            {"backbone": "torchvision/"},
            "'backbone' option must be one of vgg16, .*torchvision/NAME",
        ),
        ({"layers": ("layer5",)}, "must be one of gap, gmp, map, .*layer1, .*Got 'layer5'"),
        ({"layers": ("layer4/cls",)}, "must be one of layer4/quadrants, .*. Got 'layer4/cls'"),
        ({"layers": ("flatten/gap",)}, "must be one of flatten. Got 'flatten/gap'"),
        ({"layers": ("layer3/",)}, "must be one of layer3/quadrants, layer3/gap, .*Got 'layer3/'"),
        ({"layers": ("torchvision/resnet18/layer3/",)}, "Got 'layer3/'"),
        ({"layers": ("layer3//gap",)}, "must be one of layer3/quadrants, .*Got 'layer3//gap'"),
        ({"layers": ("layer3/GAP",)}, "must be one of layer3/quadrants, .*Got 'layer3/GAP'"),
        ({"layers": (" Layer3 ",)}, "such as layer3, .*resnet18` shows all.*Got ' Layer3 '"),
        ({"layers": ("/gap",)}, "must be one of gap, .*Got '/gap'"),
        ({"layers": ("",)}, "must be one of gap, .*Got ''"),
        ({"layers": ("gap", "gmp", "torchvision/resnet18/gap")}, "names 'gap' twice. Name each"),
        ({"weights": "timm"}, "weights of timm don't fit torchvision/resnet18. Give --weights tor"),
        ({"weights": "vgg16-conv"}, "vgg16-conv don't fit torchvision/resnet18"),
        ({"backbone": "vgg16", "weights": "random:0", "resize": "own"}, "Give --resize warp"),
        ({"backbone": "torchvision/vit_b_32", "size": 33}, "can't take pictures of 33 x 33"),
        (
            {"backbone": "torchvision/maxvit_t", "size": 225},
            "pictures of 225 x 225 pixels .*invalid",
        ),
        ({"backbone": "torchvision/resnet18."}, "torchvision has no weights '' of resnet18. Give"),
    ],
)
def test_what_a_library_lacks_is_one_line(config, match):
    with pytest.raises(InputError, match=match) as caught:
        make_plan(ExtractConfig(**{"backbone": "torchvision/resnet18", **config}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"backbone": "timm/vit_tinny"}, "timm has no network 'vit_tinny'. Give one of .*vit_tiny"),
        ({"backbone": "timm/test_vit.v9"}, "timm has no weights 'v9' of test_vit. .*test_vit.r160"),
        (
            {"backbone": "timm/test_vit."},
            "timm has no weights '' of test_vit. Give --backbone timm",
        ),
        ({"layers": ("block99",)}, "must be one of cls, mean, map, .*block5.*. Got 'block99'"),
        ({"layers": ("block1/gap",)}, "must be one of block1/mean, block1/cls, block1/map. Got"),
        ({"weights": "torchvision"}, "weights of torchvision don't fit timm/test_vit"),
        ({"backbone": "timm/vit_base_patch16_sapiens2.fb"}, "pictures of 1024 x 768 x 3; only sq"),
        ({"backbone": "timm/test_vit", "size": 170}, "timm/test_vit can't take pictures of 170"),
    ],
)
def test_what_timm_lacks_is_one_line(config, match):
    pytest.importorskip("timm", reason="the extra `timm` is not installed")
    with pytest.raises(InputError, match=match) as caught:
        make_plan(ExtractConfig(**{"backbone": "timm/test_vit", "weights": "random:0", **config}))
    assert "\n" not in str(caught.value)


def test_timm_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install 'multilabel-from-cache\[timm\]'"):
        find_backbone("timm/test_resnet", 77)

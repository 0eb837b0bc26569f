"""Every layer against a forward pass in float64 that is written with plain torch operations."""

import pytest
import torch
import torch.nn.functional as F

from extract.backbones import BACKBONES, find_backbone
from extract.network import FeatureNetwork, select_layers
from extract.weights import load_weights
from features.errors import InputError

PIXELS = torch.randint(
    0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def caffe_input(pixels):
    """Subtract Caffe's means, in the order red, green, blue."""
    return pixels.double() - torch.tensor([123.68, 116.779, 103.939]).double().view(1, 3, 1, 1)


def normalize(pixels):
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)
    return (pixels.double() / 255 - mean) / std


def vgg16_reference(w, x):
    """13 convolutions in groups of 2, 2, 3, 3, 3, a 2 x 2 maximum after each; then fc6 and fc7."""
    outputs, index = {}, 0
    for group, depth in enumerate((2, 2, 3, 3, 3), start=1):
        for _ in range(depth):
            x = F.conv2d(x, w[f"features.{index}.weight"], w[f"features.{index}.bias"], padding=1)
            x = x.clamp(min=0)
            index += 2
        x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-1, -2))
        outputs[f"pool{group}"] = F.adaptive_max_pool2d(x, 2).flatten(1)
        index += 1
    outputs["pool5_map"] = x
    x = F.adaptive_avg_pool2d(x, 7).flatten(1)
    for layer in (0, 3):
        x = (x @ w[f"classifier.{layer}.weight"].T + w[f"classifier.{layer}.bias"]).clamp(min=0)
    outputs["fc7"] = x
    return outputs


def resnet_reference(w, x, *, epsilon=1e-5, strided=2):
    """Give the maps of the stages; a bottleneck's convolution `strided` has the stride."""

    def norm(x, name):
        mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        scale = w[f"{name}.weight"] / torch.sqrt(var + epsilon)
        return (x - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + w[f"{name}.bias"].view(-1, 1, 1)

    x = norm(F.conv2d(x, w["conv1.weight"], stride=2, padding=3), "bn1").clamp(min=0)
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    stages = {}
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in w:
            name = f"layer{stage}.{block}"
            x = _residual(w, x, name, 2 if stage > 1 and block == 0 else 1, norm, strided)
            block += 1
        stages[f"stage{stage}"] = F.adaptive_max_pool2d(x, 2).flatten(1)
    mean = x.mean(dim=(2, 3))
    scores = mean @ w["fc.weight"].T + w["fc.bias"]
    return {"gap": mean, "gmp": x.amax(dim=(2, 3)), "map": x, **stages, "scores": scores}


def caffe_reference(w, x):
    return resnet_reference(w, x, epsilon=1e-3, strided=1)


def _residual(w, x, name, stride, norm, strided):
    convs = [i for i in (1, 2, 3) if f"{name}.conv{i}.weight" in w]
    strided = 1 if len(convs) == 2 else strided
    out = x
    for i in convs:
        kernel = w[f"{name}.conv{i}.weight"]
        step = stride if i == strided else 1
        out = F.conv2d(out, kernel, stride=step, padding=kernel.shape[-1] // 2)
        out = norm(out, f"{name}.bn{i}")
        out = out.clamp(min=0) if i != convs[-1] else out
    if f"{name}.downsample.0.weight" in w:
        x = F.conv2d(x, w[f"{name}.downsample.0.weight"], stride=stride)
        x = norm(x, f"{name}.downsample.1")
    return (out + x).clamp(min=0)


REFERENCES = {
    "vgg16": (vgg16_reference, normalize),
    "resnet50-caffe": (caffe_reference, caffe_input),
}


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_layer_equals_a_plain_float64_forward(name):
    backbone = find_backbone(name)
    tensors = dict(load_weights(backbone, "random:0"))
    # Damp the residual branches so that a hundred random layers don't overflow.
    for key in tensors:
        if key.endswith(("bn2.weight", "bn3.weight")):
            tensors[key] = tensors[key] * 0.2
    layers = select_layers(backbone, [x.name for x in backbone.layers], set(tensors))
    with torch.inference_mode():
        got = FeatureNetwork(backbone, layers, tensors)(PIXELS)
        double = {k: v.double() for k, v in tensors.items()}
        reference, read = REFERENCES.get(name, (resnet_reference, normalize))
        expected = reference(double, read(PIXELS))
    for layer, value in zip(layers, got, strict=True):
        target = expected[layer.name]
        assert value.shape[1:] == layer.shape(64)
        error = (value.double() - target).abs().max() / target.abs().max()
        assert error < 1e-5, (layer.name, float(error))


def test_the_real_resnet18_runs_through(resnet18_weights):
    backbone = find_backbone("resnet18")
    tensors = load_weights(backbone, str(resnet18_weights))
    layers = select_layers(backbone, None, set(tensors))
    assert [layer.name for layer in layers] == ["gap", "gmp"]
    with torch.inference_mode():
        got = FeatureNetwork(backbone, layers, tensors)(PIXELS)
        double = {k: v.double() for k, v in tensors.items()}
        double |= {"fc.weight": torch.zeros(1, 512).double(), "fc.bias": torch.zeros(1).double()}
        expected = resnet_reference(double, normalize(PIXELS))
    for layer, value in zip(layers, got, strict=True):
        torch.testing.assert_close(value.double(), expected[layer.name], rtol=1e-4, atol=1e-4)


def test_an_unknown_backbone_names_the_known():
    with pytest.raises(
        InputError, match="'backbone' option must be one of vgg16, resnet18, .* Got 'alexnet'"
    ):
        find_backbone("alexnet")

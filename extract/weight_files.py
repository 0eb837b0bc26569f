"""Read a state dict from a file: what the file is, what wraps the tensors, what is before names.

Training programs save more than a state dict. The tensors are then one of a few items (`model`,
`state_dict`, ...), and names begin with those of the modules around the network (`module.`).
"""

import argparse
import collections
import os
import pickle
import re
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from features.errors import InputError, with_article
from features.inputs import torch_archives
from features.inputs.other_kinds import kind_of

#: Items that hold the network; where there are several, the earlier one is taken. Averaged
#: weights ("ema") come first: they are the ones that a training is evaluated with.
WRAPPERS = (
    "model_ema", "state_dict_ema", "ema_state_dict", "ema", "shadow",
    "state_dict", "model_state_dict", "model_state", "model", "network", "net", "module",
    "backbone", "weights", "params",
)  # fmt: skip
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")  # of arrays that torch takes
_DEPTH = 4  # wrappers around wrappers
#: What training programs put beside the tensors; none of these runs anything when it is loaded.
_PLAIN = [
    argparse.Namespace,
    collections.Counter,
    collections.defaultdict,
    *((PurePosixPath, f"{module}.PosixPath") for module in ("pathlib", "pathlib._local")),
    *((PureWindowsPath, f"{module}.WindowsPath") for module in ("pathlib", "pathlib._local")),
    np.dtype,
    np.ndarray,
    np.float64().__reduce__()[0],  # numpy's functions that unpickle a number and an array
    np.empty(0).__reduce__()[0],
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
]
#: What torch.compile and FSDP put between the names of modules.
_BETWEEN = re.compile(r"(?<=\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_GLOBAL = re.compile(r"(?:GLOBAL|Unsupported class) ([\w.]+)")


def read_state_dict(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    """Read the tensors of a network from a file.

    Parameters
    ----------
    path : Path
        A file of `torch.save` or safetensors; its content tells which. Nothing in it is run.
    names : collection of str
        Of the tensors that the network must have.

    Returns
    -------
    dict of str to Tensor
        Out of what wraps them, and without what stands before all names; a line on stderr tells
        of both. Names are the file's own if none of `names` is in it.

    Raises
    ------
    InputError
        There is no such file, it holds something else, or two networks in it fit as well.
    """
    loaded = _load(path)
    if not isinstance(loaded, Mapping):
        raise _other(path, f"holds {with_article(type(loaded).__name__)} and no state dict")
    wrappers, tensors = _unwrapped(path, loaded, names)
    if not tensors:
        raise _other(path, "holds no tensors")
    prefix = _prefix(path, tensors, names)
    told = [*(f"{wrapper!r}" for wrapper in wrappers), *([f"{prefix!r}"] if prefix else [])]
    if told:
        print(f"weights {path}: the tensors under {' and '.join(told)} are taken", file=sys.stderr)
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def require_plain(tensor: Tensor, name: str, source: str) -> None:
    """Refuse a parameter that no layer can compute with.

    Raises
    ------
    InputError
        It is quantized, sparse, complex, of whole numbers, without values, or not finite.
    """
    kind = ""
    if tensor.is_quantized:
        kind = "is quantized"
    elif tensor.is_nested or tensor.layout != torch.strided:
        kind = "is sparse"
    elif tensor.is_meta:
        kind = "has a shape and no values (a tensor of the meta device)"
    elif not tensor.is_floating_point():
        kind = f"holds {str(tensor.dtype).removeprefix('torch.')} values"
    elif not torch.isfinite(tensor.float()).all():  # float64 has values that float32 lacks
        kind = "has values that are not finite"
    elif name.endswith("running_var") and (tensor < 0).any():
        kind = "has negative values, and is a variance"
    if kind:
        raise InputError(
            f"In the weights {source}, {name} {kind}. Give a state dict of finite floating-point "
            "tensors."
        )


def _load(path: Path) -> Any:
    try:
        mode = os.stat(path).st_mode  # before it is opened: a named pipe would block
        if not stat.S_ISREG(mode):
            raise _other(path, "is a folder" if stat.S_ISDIR(mode) else "is not a regular file")
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError as error:
        raise InputError(
            f"The weights file {path} can't be read ({error.strerror}). Give the path of a .pth or "
            ".safetensors file."
        ) from error
    if not start:
        raise _other(path, "is empty")
    if found := torch_archives.fault(path, start):
        raise _other(path, found)
    is_zip = start.startswith(b"PK")
    if not is_zip and (kind := kind_of(start)):
        raise _other(path, f"is {kind}")
    try:
        if not is_zip and start[8:9] == b"{":
            return load_safetensors(path.read_bytes())
        # An open file: given a path, torch goes by the ending of its name.
        with torch.serialization.safe_globals(_PLAIN), open(path, "rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        raise _refused(path, str(error)) from error
    except Exception as error:  # a damaged file can make either reader raise any exception
        kind = "safetensors" if isinstance(error, SafetensorError) else "PyTorch"
        raise _other(path, f"can't be read: its {kind} data are damaged or of another kind") from (
            error
        )


def _refused(path: Path, text: str) -> InputError:
    """Say why torch refuses to unpickle: a class that it asks for, or damage."""
    if found := _GLOBAL.search(text):
        what = found[1]
        return _other(
            path,
            f"can't be read: it holds a pickled object ({what}), such as a whole model, and "
            "loading one could run any program",
        )
    return _other(path, "can't be read: it is no file of torch.save, or damaged")


def _other(path: Path, what: str) -> InputError:
    return InputError(
        f"The weights file {path} {what}. Give a .pth or .safetensors file of "
        "`model.state_dict()`, with torchvision's names."
    )


def _unwrapped(
    path: Path, loaded: Mapping[Any, Any], names: Collection[str]
) -> tuple[list[str], dict[str, Tensor]]:
    """Find the tensors of the network, and the keys that lead to them."""
    for keys, here in _inside(loaded, lambda here: [k for k in WRAPPERS if k in here]):
        if _fitting(tensors := _tensors(here), names):
            return keys, tensors
    others = [
        (keys, tensors)
        for keys, here in _inside(loaded, list)
        if _fitting(tensors := _tensors(here), names)
    ]
    if len(others) > 1:
        raise _several(path, [".".join(keys) for keys, _ in others])
    if others:
        return others[0]
    wrapped = _inside(loaded, lambda here: [k for k in WRAPPERS if k in here])
    held = [(keys, found) for keys, here in wrapped if (found := _tensors(here))]
    return held[-1] if held else ([], {})


def _inside(
    loaded: Mapping[Any, Any],
    keys_of: Callable[[Mapping[Any, Any]], list[Any]],
    depth: int = _DEPTH,
) -> Iterator[tuple[list[str], Mapping[Any, Any]]]:
    """Yield a mapping and those in it, each with the keys that lead there."""
    yield [], loaded
    for key in keys_of(loaded) if depth else ():
        if isinstance(key, str) and isinstance(loaded[key], Mapping):
            for keys, inner in _inside(loaded[key], keys_of, depth - 1):
                yield [key, *keys], inner


def _tensors(mapping: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {
        _BETWEEN.sub("", name): tensor.detach()
        for name, one in mapping.items()
        if isinstance(name, str) and isinstance(tensor := _as_tensor(one), Tensor)
    }


def _as_tensor(value: object) -> object:
    if not isinstance(value, np.ndarray) or value.dtype.str[1:] not in _NUMBERS:
        return value
    return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))


def _fitting(tensors: Collection[str], names: Collection[str]) -> dict[str, int]:
    """Count, for what may stand before the names, how many of them are there."""
    counts: collections.Counter[str] = collections.Counter()
    wanted = frozenset(names)
    for name in tensors:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in wanted:
                counts[".".join([*parts[:i], ""]) if i else ""] += 1
    return dict(counts)


def _prefix(path: Path, tensors: Collection[str], names: Collection[str]) -> str:
    counts = _fitting(tensors, names)
    if not counts or counts.get("", 0) == max(counts.values()):
        return ""
    best = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    if len(best) > 1:
        raise _several(path, best)
    return best[0]


def _several(path: Path, places: list[str]) -> InputError:
    return InputError(
        f"The weights file {path} holds {len(places)} networks that fit, under "
        f"{', '.join(map(repr, places))}. Give a file of one of them."
    )

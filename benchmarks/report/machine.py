"""What a measurement ran on, in one line beside every table of speeds."""

import importlib.metadata
import os
import platform
from datetime import date
from pathlib import Path


def describe_machine(device: str = "cpu") -> str:
    """Name the processor, its cores, the GPU if one is used, versions and the date.

    Parameters
    ----------
    device : str
        As for extraction; `auto` and `cuda` look for a GPU.

    Returns
    -------
    str
        One line.
    """
    parts = [_processor(), f"{os.cpu_count()} cores"]
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            parts.append(torch.cuda.get_device_name())
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {version_of(name)}" for name in ("numpy", "torch", "scikit-learn")]
    return f"{', '.join(parts)}; {date.today().isoformat()}"


def version_of(package: str) -> str:
    """Version of an installed package, or `absent`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""The contract between the stages: what an index, a feature cache and a split are.

The names in `__all__` are importable from here. Each module is loaded when it is first named:
``import features`` loads neither numpy nor h5py.
"""

from importlib import import_module

TYPE_CHECKING = False  # `typing` takes long to load
if TYPE_CHECKING:
    from typing import Any

    from features.cache import FeatureCache
    from features.datasets import Dataset, load_dataset
    from features.errors import InputError

__all__ = ["Dataset", "FeatureCache", "InputError", "load_dataset"]

_MODULES = {
    "Dataset": "features.datasets",
    "FeatureCache": "features.cache",
    "InputError": "features.errors",
    "load_dataset": "features.datasets",
}


def __getattr__(name: str) -> "Any":
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""A trained tagger as one file that says what it is: safetensors, no pickle.

Every learner here scores linearly in the cached features once it is trained, so a model is a
matrix, an intercept, and the story of how they came about. Fitting is the learners' business.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from features import files
from features.cache import FeatureCache
from features.errors import InputError
from features.manifest import Manifest, differences

FORMAT = 1
# Keys of a manifest that may differ between the images trained on and those to be tagged.
OF_THE_IMAGES = ("index", "shard_rows", "layers", "layer_order")


@dataclass(frozen=True)
class TaggerModel:
    """Scores X @ coef.T + intercept, with what is needed to apply it to another cache.

    Parameters
    ----------
    coef : ndarray of float64, shape (L, d)
        For features as the cache holds them: scaling is multiplied in.
    intercept : ndarray of float64, shape (L,)
        A label is predicted where its score is positive.
    label_names : sequence of L str
        In the order of the rows of `coef`.
    layers : sequence of str
        Layers of the cache whose columns, side by side, are the d features.
    learner : str
        Name of the estimator.
    parameters : mapping
        Its parameters, scaling among them.
    manifest : dict
        Manifest of the cache it was trained on.
    manifest_hash : str
        That manifest's SHA-256.
    versions : mapping
        Versions of the libraries that trained it.
    """

    coef: np.ndarray
    intercept: np.ndarray
    label_names: Sequence[str]
    layers: Sequence[str]
    learner: str
    parameters: Mapping[str, Any]
    manifest: Manifest
    manifest_hash: str
    versions: Mapping[str, str]

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Score rows of features: (n, d) to float64 (n, L), higher is likelier."""
        return X @ self.coef.T + self.intercept

    def predict(self, cache: FeatureCache) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Score every row of a cache that holds features, block by block.

        Parameters
        ----------
        cache : FeatureCache
            Made with the same network, weights and transform.

        Yields
        ------
        rows : ndarray of int64, shape (b,)
        scores : ndarray of float64, shape (b, L)

        Raises
        ------
        InputError
            The cache was made another way: names every differing key.
        """
        require_same_features(self, cache)
        for rows, X in cache.blocks(self.layers):
            yield rows, self.scores(X)


def require_same_features(model: TaggerModel, cache: FeatureCache) -> None:
    """Refuse a cache whose features are not those that the model was trained on.

    Raises
    ------
    InputError
        Names each differing key with both values.
    """
    trained, given = (_comparable(m, model.layers) for m in (model.manifest, cache.manifest))
    differing = differences(trained, given)
    if differing:
        raise InputError(
            f"the model was trained on other features than {cache.folder} holds: "
            f"{'; '.join(differing)} (there: the model, here: the cache). Extract again with the "
            "model's settings"
        )


def save_model(path: Path, model: TaggerModel) -> None:
    """Write a model as one safetensors file, all or nothing."""
    story = {
        "format": FORMAT,
        "label_names": list(model.label_names),
        "layers": list(model.layers),
        "learner": model.learner,
        "parameters": dict(model.parameters),
        "manifest": model.manifest,
        "manifest_sha256": model.manifest_hash,
        "versions": dict(model.versions),
    }
    tensors = {
        "coef": np.ascontiguousarray(model.coef, dtype=np.float64),
        "intercept": np.ascontiguousarray(model.intercept, dtype=np.float64),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata={"model": json.dumps(story, sort_keys=True)})


def load_model(path: Path) -> TaggerModel:
    """Read a model file.

    Raises
    ------
    InputError
        It is missing, damaged, no model, or of another format version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            story = json.loads((file.metadata() or {})["model"])
            coef, intercept = file.get_tensor("coef"), file.get_tensor("intercept")
        if story["format"] != FORMAT:
            raise ValueError(f"format {story['format']}, this library reads {FORMAT}")
        if coef.shape[0] != len(story["label_names"]) or intercept.shape != coef.shape[:1]:
            raise ValueError("its arrays don't fit its labels")
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("its coefficients are not finite")
        return TaggerModel(
            coef,
            intercept,
            story["label_names"],
            story["layers"],
            story["learner"],
            story["parameters"],
            story["manifest"],
            story["manifest_sha256"],
            story["versions"],
        )
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} can't be read as a model ({error}); make one with `python -m classify fit`"
        ) from error


def library_versions() -> dict[str, str]:
    """Versions of what trains a model."""
    found = {}
    for name in ("numpy", "scipy", "scikit-learn", "liblinear-official", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _comparable(manifest: Manifest, layers: Sequence[str]) -> Manifest:
    kept = {key: value for key, value in manifest.items() if key not in OF_THE_IMAGES}
    return kept | {"layers": {name: manifest["layers"].get(name, "nothing") for name in layers}}

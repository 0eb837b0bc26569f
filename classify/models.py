"""A trained tagger as one file that describes itself: safetensors with JSON metadata, no pickle.

The file holds the arrays that a learner declares (`classify.base.Tagger.to_arrays`), the class and
parameters to put them into, and the cache, layers and scaling that they belong to.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from classify.learners import find_learner
from classify.scaling import divided
from features import files
from features.command_line import load
from features.errors import InputError
from features.manifest import Manifest, differences

if TYPE_CHECKING:  # help texts import this module, and are to wait neither for h5py nor sklearn
    from classify.base import Tagger
    from features.cache import FeatureCache

FORMAT = 2
DIVISORS = "scaling.divisors"  # name of that array among a learner's own
# Keys of a manifest that may differ between the images trained on and those to be tagged.
PER_IMAGE_KEYS = ("index", "shard_rows", "layers", "layer_order")


@dataclass(frozen=True)
class TaggerModel:
    """A fitted estimator with what is needed to apply it to another cache.

    Parameters
    ----------
    estimator : Tagger
        Fitted on scaled features.
    divisors : ndarray of shape (d,) or None
        What columns are divided by before the estimator sees them.
    label_names : sequence of L str
        In the order of the scores.
    layers : sequence of str
        Layers of the cache whose columns, side by side, are the d features.
    learner : str
        A name in `classify.learners`.
    scaling : str
        A name in `classify.scaling`.
    n_rows : int
        Rows that it was trained on.
    manifest : dict
        Manifest of the cache it was trained on.
    manifest_hash : str
        That manifest's SHA-256.
    versions : mapping
        Versions of the libraries that trained it.
    """

    estimator: "Tagger"
    divisors: np.ndarray | None
    label_names: Sequence[str]
    layers: Sequence[str]
    learner: str
    scaling: str
    n_rows: int
    manifest: Manifest
    manifest_hash: str
    versions: Mapping[str, str]

    @property
    def parameters(self) -> dict[str, Any]:
        """The estimator's parameters."""
        return self.estimator.get_params()

    @property
    def decides(self) -> bool:
        """Whether a label is predicted where its score is positive."""
        return find_learner(self.learner).decides

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Score rows of features as a cache holds them: (n, d) to (n, L), higher is likelier."""
        return self.estimator.decision_function(divided(X, self.divisors))

    def predict(self, cache: "FeatureCache") -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Score every row of a cache that holds features, block by block.

        Parameters
        ----------
        cache : FeatureCache
            Made with the same network, weights and transform.

        Yields
        ------
        rows : ndarray of int64, shape (b,)
        scores : ndarray of float, shape (b, L)

        Raises
        ------
        InputError
            The cache was made another way: names every differing key.
        """
        require_same_features(self, cache)
        for rows, X in cache.blocks(self.layers):
            yield rows, self.scores(X)


def require_same_features(model: TaggerModel, cache: "FeatureCache") -> None:
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
    arrays = model.estimator.to_arrays()
    if model.divisors is not None:
        arrays[DIVISORS] = model.divisors
    # A product rounds by the order of its factors in memory, which a file's arrays don't keep.
    transposed = [name for name, array in arrays.items() if not array.flags.c_contiguous]
    description = {
        "format": FORMAT,
        "arrays": sorted(arrays),
        "transposed": sorted(transposed),
        "estimator": _described(model.estimator),
        "label_names": list(model.label_names),
        "layers": list(model.layers),
        "learner": model.learner,
        "scaling": model.scaling,
        "rows": model.n_rows,
        "features": model.estimator.n_features_in_,
        "manifest": model.manifest,
        "manifest_sha256": model.manifest_hash,
        "versions": dict(model.versions),
    }
    stored = {
        name: np.asarray(array.T if name in transposed else array, order="C")
        for name, array in arrays.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"model": json.dumps(description, sort_keys=True)}
    files.write_bytes(path, save(stored, metadata))


def load_model(path: Path) -> TaggerModel:
    """Read a model file.

    Raises
    ------
    InputError
        It is missing, damaged, no model, or of another format version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = json.loads((file.metadata() or {})["model"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = _READERS[found["format"]](found, arrays)
        _check_scores(model)
        return model
    except (
        OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError, ImportError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path} can't be read as a model ({error}); make one with `python -m classify fit`"
        ) from error


def _model(found: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TaggerModel:
    if sorted(arrays) != found["arrays"]:
        raise ValueError(f"it holds arrays {sorted(arrays)} instead of {found['arrays']}")
    arrays = {
        name: array.T if name in found["transposed"] else array for name, array in arrays.items()
    }
    estimator = _restored(found["estimator"])
    return TaggerModel(
        estimator.set_arrays(
            arrays, n_features=found["features"], n_labels=len(found["label_names"])
        ),
        arrays.get(DIVISORS),
        found["label_names"],
        found["layers"],
        found["learner"],
        found["scaling"],
        found["rows"],
        found["manifest"],
        found["manifest_sha256"],
        found["versions"],
    )


def _model_of_format_1(found: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TaggerModel:
    """Read a linear model whose scaling is multiplied into its float64 coefficients."""
    from classify.logistic import LogisticTagger  # scores as every linear learner does

    coef, intercept = arrays["coef"], arrays["intercept"]
    n_labels, n_features = coef.shape
    fitted = {"coef_": coef, "intercept_": intercept}
    return TaggerModel(
        LogisticTagger().set_arrays(fitted, n_features=n_features, n_labels=n_labels),
        np.ones(n_features),  # float64, in which format 1 scored
        found["label_names"],
        found["layers"],
        found["learner"],
        found["parameters"]["scale"],
        found["parameters"]["rows"],
        found["manifest"],
        found["manifest_sha256"],
        found["versions"],
    )


_READERS = {1: _model_of_format_1, FORMAT: _model}


def _check_scores(model: TaggerModel) -> None:
    find_learner(model.learner)
    n_features = model.estimator.n_features_in_
    arrays = [*model.estimator.to_arrays().values()]
    if model.divisors is not None:
        arrays.append(model.divisors)
        if model.divisors.shape != (n_features,):
            raise ValueError("its divisors don't fit its features")
    # Scores of float32 features are computed in float32: what does not fit there is not finite.
    if not all((np.abs(array) <= np.finfo(np.float32).max).all() for array in arrays):
        raise ValueError("its arrays are not finite")
    scores = model.scores(np.zeros((1, n_features), dtype=np.float32))
    if scores.shape != (1, len(model.label_names)):
        raise ValueError("its arrays don't fit its labels")


def _described(value: Any) -> Any:
    """Turn an estimator into its class and parameters, JSON values; others stay as they are."""
    if not hasattr(value, "get_params"):
        return None if isinstance(value, np.ndarray) else value  # arrays were for fitting
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    parameters = value.get_params(deep=False)
    return {"class": name, "parameters": {key: _described(one) for key, one in parameters.items()}}


def _restored(description: Any) -> Any:
    """Undo `_described`, with classes of this library only."""
    if not isinstance(description, dict):
        return description
    name = description["class"]
    if not name.startswith("classify."):
        raise ValueError(f"{name} is no estimator of this library")
    from classify.base import Tagger

    constructor = load(name)
    if not (isinstance(constructor, type) and issubclass(constructor, Tagger)):
        raise ValueError(f"{name} is no estimator of this library")
    return constructor(**{key: _restored(one) for key, one in description["parameters"].items()})


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
    kept = {key: value for key, value in manifest.items() if key not in PER_IMAGE_KEYS}
    return kept | {"layers": {name: manifest["layers"].get(name, "nothing") for name in layers}}

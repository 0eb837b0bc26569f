"""A trained model: scaled learners whose scores are averaged, and what turns scores into tags."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.learners import find_learner
from features.errors import InputError
from features.manifest import Manifest, differences

if TYPE_CHECKING:  # help texts import this module, and are to wait neither for h5py nor sklearn
    from classify.base import Tagger
    from classify.decisions.calibration import Calibrator
    from classify.decisions.rules import Rule
    from classify.feature_scaler import FeatureScaler
    from classify.inputs import Takes
    from classify.miml.base import BagTagger
    from features.cache import FeatureCache

# Keys of a manifest that may differ between the images trained on and those to be tagged.
PER_IMAGE_KEYS = ("index", "shard_rows", "layers", "layer_order")


@dataclass(frozen=True)
class Member:
    """A fitted learner and the scaling of the features that it takes.

    Parameters
    ----------
    learner : str
        A name in `classify.learners`.
    estimator : Tagger or BagTagger
        Fitted on scaled features.
    scaler : FeatureScaler
        Fitted on the same rows.
    weight : float
        Factor of the scores.
    """

    learner: str
    estimator: "Tagger | BagTagger"
    scaler: "FeatureScaler"
    weight: float = 1.0

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Score images as a cache holds them: (n, d), or bags (n, size, d), to (n, L)."""
        from classify.inputs import scale

        scores = self.estimator.decision_function(scale(self.scaler, X))
        return scores if self.weight == 1 else self.weight * scores


@dataclass(frozen=True)
class Decisions:
    """What was learned on out-of-fold scores.

    Parameters
    ----------
    rule : Rule
        How thresholds were chosen.
    thresholds : ndarray of shape (L,)
    calibrator : Calibrator or None
    """

    rule: "Rule"
    thresholds: np.ndarray
    calibrator: "Calibrator | None" = None


@dataclass(frozen=True)
class TaggerModel:
    """Fitted learners with what is needed to apply them to another cache.

    Parameters
    ----------
    members : sequence of Member
        The mean of their scores is the model's; one, unless they were blended.
    label_names : sequence of L str
        In the order of the scores.
    layers : sequence of str
        Layers of the cache whose columns, side by side, are the d features.
    n_rows : int
        Rows that it was trained on.
    manifest : dict
        Manifest of the cache it was trained on.
    manifest_hash : str
        That manifest's SHA-256.
    versions : mapping
        Versions of the libraries that trained it.
    decisions : Decisions or None
        None if no fold was held out: then a label is present where its score is above 0.
    selection : sequence of mapping
        What was compared to choose the members, as `classify.selection` records it.
    labels_hash : str
        Of the labels of these rows, as `classify.storage.provenance.hash_labels` gives it.
    shards : mapping
        The checksum of each file of the cache that it was trained on, by the file's name.
    """

    members: Sequence[Member]
    label_names: Sequence[str]
    layers: Sequence[str]
    n_rows: int
    manifest: Manifest
    manifest_hash: str
    versions: Mapping[str, str]
    decisions: Decisions | None = None
    selection: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    labels_hash: str = ""
    shards: Mapping[str, str] = field(default_factory=dict)

    @property
    def decides(self) -> bool:
        """Whether the model says which labels are present, and not only their order."""
        return self.decisions is not None or all(
            find_learner(member.learner).decides for member in self.members
        )

    @property
    def takes(self) -> "Takes":
        """Whether it scores vectors or bags of instances."""
        return find_learner(self.members[0].learner).takes

    @property
    def n_features(self) -> int:
        """Columns of the layers together, of a vector or of an instance."""
        return self.members[0].estimator.n_features_in_

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Score images as a cache holds them; higher is likelier.

        Parameters
        ----------
        X : float array of shape (n, d), or (n, size, d) for a model of bags

        Returns
        -------
        float array of shape (n, L)
        """
        if len(self.members) == 1:
            return self.members[0].scores(X)
        return np.mean([member.scores(X) for member in self.members], axis=0)

    def predict_proba(self, scores: np.ndarray) -> np.ndarray | None:
        """Turn scores into probabilities, (n, L) both; None for a model without calibration."""
        if self.decisions is None or self.decisions.calibrator is None:
            return None
        return self.decisions.calibrator.predict_proba(scores)

    def decide(self, scores: np.ndarray) -> np.ndarray | None:
        """Turn scores into 1 and 0, (n, L) both; None for a model that only orders labels."""
        if self.decisions is not None:
            from classify.decisions.thresholds import decide  # scikit-learn

            return decide(self.decisions.rule, scores, self.decisions.thresholds)
        return (scores > 0).astype(np.int8) if self.decides else None

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
            The cache was made another way: names every differing key. Or scores are not finite.
        """
        from classify.inputs import blocks_of

        require_same_features(self, cache)
        for rows, X in blocks_of(cache, self.layers, self.takes):
            scores = self.scores(X)
            bad = ~np.isfinite(scores).all(axis=1)
            if bad.any():
                raise InputError(
                    f"{bad.sum()} images of {cache.folder} have features of a size that gives "
                    f"scores that are not finite (first {cache.ids[rows[bad.argmax()]]!r}): check "
                    "the cache with `python -m features verify`"
                )
            yield rows, scores


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


def library_versions() -> dict[str, str]:
    """Versions of what trains a model."""
    names = ("numpy", "scipy", "scikit-learn", "liblinear-official", "numba")
    return {name: found for name in names if (found := _version(name))}


@cache  # each look reads a file of metadata
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _comparable(manifest: Manifest, layers: Sequence[str]) -> Manifest:
    kept = {key: value for key, value in manifest.items() if key not in PER_IMAGE_KEYS}
    return kept | {"layers": {name: manifest["layers"].get(name, "nothing") for name in layers}}

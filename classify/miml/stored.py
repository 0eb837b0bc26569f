"""Fitted estimators of bags as arrays, for model files."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from classify.miml.scaling import InstanceScaler
from features.bags.packed import Bags
from features.errors import InputError


class Stored:
    """Part of `classify.miml.base.BagTagger`: what scores are computed from, as arrays.

    A subclass names the fitted attributes that `_prepare_new` and `_scores` read: arrays and
    numbers in `fitted_arrays`; in `fitted_parts` those that consist of arrays, with their class.
    """

    fitted_arrays: ClassVar[tuple[str, ...]] = ()
    fitted_parts: ClassVar[Mapping[str, type]] = {}
    varying_: np.ndarray
    always_: np.ndarray
    scaling: str
    scaler_: InstanceScaler

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Give what scores are computed from.

        Returns
        -------
        dict of str to ndarray
            By attribute; a number is an array without dimensions.

        Raises
        ------
        InputError
            It was fitted to precomputed distances, which belong to its training bags only.
        """
        if getattr(self, "distance", "") == "precomputed":
            raise InputError("a model of precomputed distances can't be stored; fit it to the bags")
        scaler, names = self.scaler_, self.scaler_.fitted_arrays
        arrays = {
            **{name: np.asarray(getattr(self, name)) for name in ("varying_", "always_")},
            **{f"scaler_.{name}": getattr(scaler, name) for name in names},
        }
        if not self.varying_.any():  # no label was fitted
            return arrays
        arrays |= {name: np.asarray(getattr(self, name)) for name in self._array_names()}
        for name, kind in self.fitted_parts.items():
            arrays |= {f"{name}.{part}": getattr(getattr(self, name), part) for part in _of(kind)}
        return arrays

    def set_arrays(self, arrays: Mapping[str, np.ndarray], *, n_features: int, n_labels: int):
        """Become a fitted estimator, from what `to_arrays` gave.

        Parameters
        ----------
        arrays : mapping of str to ndarray
        n_features : int
            Columns of an instance.
        n_labels : int

        Returns
        -------
        self

        Raises
        ------
        KeyError, ValueError
            An array is missing, or doesn't fit the others.
        """
        self.n_features_in_, self.classes_ = n_features, np.arange(n_labels)
        self.varying_, self.always_ = arrays["varying_"], arrays["always_"]
        for marks in (self.varying_, self.always_):
            if marks.dtype != bool or marks.shape != (n_labels,):
                raise ValueError("its arrays don't fit its labels")
        self._set_scaler(arrays)
        if self.varying_.any():
            for name in self._array_names():
                array = arrays[name]
                setattr(self, name, array if array.ndim else array.item())
            for name, kind in self.fitted_parts.items():
                parts = {part: arrays[f"{name}.{part}"] for part in _of(kind)}
                setattr(self, name, kind(**parts))
        return self

    def _set_scaler(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.scaler_ = InstanceScaler(self.scaling)
        for name in self.scaler_.fitted_arrays:
            array = arrays[f"scaler_.{name}"]
            if array.shape != (self.n_features_in_,):
                raise ValueError("its scaling doesn't fit its features")
            setattr(self.scaler_, name, array)

    def _array_names(self) -> tuple[str, ...]:
        return self.fitted_arrays


def _of(kind: type) -> tuple[str, ...]:
    return ("instances", "sizes") if kind is Bags else kind._fields  # type: ignore[attr-defined]

"""Weights of the cells of a label by its class: present or absent, one pair of numbers per label.

They multiply a cell's loss, beside the weight of its row. An unknown cell has no loss.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from features.errors import InputError, check_choice, check_number

_FORMS = (
    'must be None, "balanced", a mapping from a class to its weight, or an array of one weight per '
    "label or of two (absent, present)"
)


def class_weights(
    targets: np.ndarray,
    sample_weight: np.ndarray,
    classes: np.ndarray,
    *,
    class_weight: Any = None,
    rare_weight: float | None = None,
) -> np.ndarray | None:
    """Give the weights of absent and of present cells of each label.

    A label with n known cells, n1 of them present and n0 absent, each counted with its row's
    weight, gets

        (n / (2 n1))**p of a present cell, (n / (2 n0))**p of an absent one,

    with p = 1 for ``class_weight="balanced"``, which is scikit-learn's heuristic (after King and
    Zeng, Logistic Regression in Rare Events Data, 2001) for each label by itself, and with
    p = `rare_weight`, this library's own step between it and no weights at p = 0. With p = 1/2
    classes count by the square root of their frequency, as in Mahajan et al., Exploring the Limits
    of Weakly Supervised Pretraining, 2018. A label that lacks a class keeps weights of 1.

    Parameters
    ----------
    targets : int8 array of shape (n, L)
        1, 0 and -1 (unknown).
    sample_weight : array of shape (n,)
    classes : array
        The sorted classes of a single column, or ``arange(L)`` of an indicator.
    class_weight : None, "balanced", mapping or array_like of shape (L,) or (L, 2)
        A mapping has scikit-learn's meaning for a single column: from class to weight. Of an
        indicator the classes are the labels, by number: the weight of a label's present cells, or
        a pair for absent and present ones. Classes that it lacks have weight 1. A mapping that
        names both classes may be given to a column that has one of them only. An array has a row
        per label.
    rare_weight : float, optional
        p, from 0 to 1; in place of `class_weight`.

    Returns
    -------
    float64 array of shape (L, 2), or None
        Weights of absent and of present cells; None if all are 1.

    Raises
    ------
    InputError
        Both are given, or one has another form, names no class, or is negative or not finite.

    Examples
    --------
    >>> targets = np.array([[1, 0], [0, 1], [0, -1], [0, 1]])
    >>> weights = class_weights(targets, np.ones(4), np.arange(2), class_weight="balanced")
    >>> weights.round(3)
    array([[0.667, 2.   ],
           [1.5  , 0.75 ]])
    """
    if rare_weight is not None:
        check_number("rare_weight", rare_weight, low=0, high=1, kind="parameter")
        if class_weight is not None:
            raise InputError("class_weight and rare_weight exclude each other: give one of them")
        return _by_frequency(targets, sample_weight, rare_weight) if rare_weight else None
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise InputError(f"The 'class_weight' parameter {_FORMS}. Got {class_weight!r}.")
        return _by_frequency(targets, sample_weight, 1.0)
    single = targets.shape[1] == 1 and len(classes) != 1
    if isinstance(class_weight, Mapping):
        return _of_mapping(class_weight, classes, targets.shape[1], single)
    return _of_array(class_weight, targets.shape[1])


def cell_weights(targets: np.ndarray, by_class: np.ndarray) -> np.ndarray:
    """Spread weights of absent and present cells (L, 2) over targets (n, L); 0 for unknown ones.

    Examples
    --------
    >>> cell_weights(np.array([[1], [0], [-1]]), np.array([[0.5, 2.0]])).ravel()
    array([2. , 0.5, 0. ])
    """
    return np.where(targets == 1, by_class[:, 1], np.where(targets == 0, by_class[:, 0], 0.0))


def _by_frequency(targets: np.ndarray, sample_weight: np.ndarray, power: float) -> np.ndarray:
    counts = np.stack([sample_weight @ (targets == value) for value in (0, 1)], axis=1)
    both = (counts > 0).all(axis=1)
    result = np.ones_like(counts, dtype=np.float64)
    result[both] = (counts[both].sum(axis=1, keepdims=True) / (2 * counts[both])) ** power
    return result


def _of_mapping(given: Mapping, classes: np.ndarray, n_labels: int, single: bool) -> np.ndarray:
    places = {name: place for place, name in enumerate(classes.tolist())}
    result = np.ones((n_labels, 2))
    lenient = n_labels == 1 and all(name in given for name in places)  # as scikit-learn
    for name, value in given.items():
        if name not in places:
            if lenient:
                continue
            known = ", ".join(map(repr, list(places)[:10])) + (", ..." if len(places) > 10 else "")
            raise InputError(
                f"class_weight has the class {name!r}, and y has {known}: leave it out"
            )
        weights = np.atleast_1d(_numbers(value))
        if weights.shape == (1,):
            row, column = (0, places[name]) if single else (places[name], 1)
            result[row, column] = weights[0]
        elif weights.shape == (2,) and not single:
            result[places[name]] = weights
        else:
            pair = "" if single else ", or two (absent, present)"
            raise InputError(f"class_weight of {name!r} is {value!r}: give one number{pair}")
    return result


def _of_array(given: Any, n_labels: int) -> np.ndarray:
    array = _numbers(given)
    if array.shape == (n_labels,):
        return np.column_stack([np.ones(n_labels), array])
    if array.shape != (n_labels, 2):
        raise InputError(
            f"class_weight has shape {array.shape}: give ({n_labels},), the weights of present "
            f"cells, or ({n_labels}, 2), of absent and present ones"
        )
    return array


def _numbers(given: Any) -> np.ndarray:
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        came = " ".join(repr(given).split())
        raise InputError(f"The 'class_weight' parameter {_FORMS}. Got {came:.80}.") from error
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InputError(
            "class_weight has a negative, infinite or NaN value: weights are 0 or more"
        )
    return array


def weighting_of(class_weight: str | None, rare_weight: float | None) -> dict[str, Any]:
    """Turn the options of a command into the parameters of an estimator; empty for none.

    Raises
    ------
    InputError
        Both are given, or one is out of its range.

    Examples
    --------
    >>> weighting_of("balanced", None), weighting_of(None, 0.5), weighting_of(None, None)
    ({'class_weight': 'balanced'}, {'rare_weight': 0.5}, {})
    """
    if class_weight is not None:
        check_choice("class-weight", class_weight, ("balanced",))
    if rare_weight is not None:
        check_number("rare-weight", rare_weight, low=0, high=1)
        if class_weight is not None:
            raise InputError(
                f"--class-weight {class_weight} is --rare-weight 1, and {rare_weight!r} came "
                "beside it: give one of them"
            )
    given = {"class_weight": class_weight, "rare_weight": rare_weight}
    return {name: value for name, value in given.items() if value is not None}

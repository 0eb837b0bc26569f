"""Logistic regression of this project and of other libraries, each behind one function.

Such a function gets the features, prepares them as its library likes them best, and returns what is
timed. All minimize one objective, ``norm(w, b) + C sum_i log(1 + exp(-y_i (w . x_i + b)))``, where
the norm is ``sum |w|`` or ``sum w**2 / 2``: a library without a penalized bias gets a constant
column. Knows no clock and no file.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np

from features.errors import InputError

# From labels 0 and 1 of shape (n, L), values of C and a setting of the solver's knob (None for the
# library's own default) to the weights of each C, (L, d + 1) with the bias last.
Fit = Callable[[np.ndarray, Sequence[float], float | None], list[np.ndarray]]
MANY = 10**6  # iterations: as many as the tolerance asks for


class Peer(NamedTuple):
    """A solver in the comparison.

    Attributes
    ----------
    build : callable
        Given features (n, d), float32, and "l1" or "l2", returns a `Fit`.
    knob : str
        What sets how far it goes, by the name its library has for it.
    levels : mapping
        For each penalty that it has, settings of the knob from loose to tight, bar its default.
    together : bool
        Whether it takes all labels side by side, and all cores by itself. The others fit label by
        label: they may be timed on some labels, and get a process a core.
    """

    build: Callable[[np.ndarray, str], Fit]
    knob: str
    levels: Mapping[str, Sequence[float]]
    together: bool = False


def find_peer(name: str) -> Peer:
    """Look a solver up: a name in `PEERS`, or `module:attribute` for a `Peer` of one's own.

    Raises
    ------
    InputError
        There is none of that name; the message lists those there are.
    """
    if name in PEERS:
        return PEERS[name]
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise InputError(
            f"solver {name!r}; give module:attribute or one of {', '.join(PEERS)}"
        ) from None


def decades(first: int, last: int, *, default: float = 0.0, also: tuple[float, ...] = ()):
    """Tolerances from 10**first down to 10**last without a default, and some others.

    Examples
    --------
    >>> decades(-1, -3, default=1e-2, also=(3e-3,))
    (0.1, 0.003, 0.001)
    """
    powers = {float(f"1e{power}") for power in range(last, first + 1)}
    return tuple(sorted((powers | set(also)) - {default}, reverse=True))


def _newton(X: np.ndarray, penalty: str) -> Fit:
    """Fit with this project's solver: float32 as it is, all labels side by side."""
    from classify.logistic import LogisticTagger

    def fit(Y, Cs, level):
        tagger = LogisticTagger(penalty, C=Cs[0], solver="newton", tol=level)
        models = [tagger.fit(X, Y)] if len(Cs) == 1 else tagger.fit_path(X, Y, Cs)
        return [np.column_stack([model.coef_, model.intercept_]) for model in models]

    return fit


def _liblinear_official(X: np.ndarray, penalty: str) -> Fit:
    """Fit with ``-s 6`` or ``-s 0`` and ``-B 1``; its structure of the data is made beforehand."""
    from liblinear.liblinear import problem
    from liblinear.liblinearutil import train
    from scipy.sparse import csr_matrix

    prepared = problem(np.ones(len(X)), csr_matrix(X, dtype=np.float64))
    targets = np.ctypeslib.as_array(prepared.y, (len(X),))

    def fit_one(y, C, level):
        targets[:] = y
        stop = "" if level is None else f"-e {level:.17g}"
        model = train(prepared, f"-s {6 if penalty == 'l1' else 0} -c {C:.17g} {stop} -B 1 -q")
        weights = np.ctypeslib.as_array(model.w, (X.shape[1] + 1,)).copy()
        return weights * model.get_labels()[0]  # the score belongs to the label it puts first

    return _one_by_one(fit_one)


def _sklearn(
    solver: str, knob: str = "tol", module: str = "sklearn"
) -> Callable[[np.ndarray, str], Fit]:
    def build(X, penalty):
        LogisticRegression = importlib.import_module(f"{module}.linear_model").LogisticRegression

        rows = _with_constant(X)
        options = {"solver": solver, "fit_intercept": False, "random_state": 0}
        if LogisticRegression().get_params()["penalty"] == "deprecated":  # from 1.8 on
            options["l1_ratio"] = float(penalty == "l1")
        else:
            options["penalty"] = penalty

        def fit_one(y, C, level):
            if level is None:
                stop = {}
            elif knob == "tol":
                stop = {"tol": level, "max_iter": MANY}
            else:
                stop = {"tol": 0.0, "max_iter": int(level)}
            return LogisticRegression(C=C, **options, **stop).fit(rows, y).coef_[0]

        return _one_by_one(fit_one)

    return build


def _celer(X: np.ndarray, penalty: str) -> Fit:
    from celer import celer_path

    columns = np.asfortranarray(_with_constant(X))

    def fit_one(y, C, level):
        tol = 1e-4 if level is None else level  # as in celer.LogisticRegression
        options = {"tol": tol, "max_iter": 50, "use_PN": True}
        return celer_path(columns, y, "logreg", alphas=[1 / C], **options)[1][:, 0]

    return _one_by_one(fit_one)


def _adelie(X: np.ndarray, penalty: str) -> Fit:
    """Fit the path from the strongest penalty on, as its pages do."""
    import adelie

    columns = np.asfortranarray(_with_constant(X))
    alpha = float(penalty == "l1")

    def fit(Y, Cs, level):
        stop = {} if level is None else {"tol": level, "irls_tol": level}
        options = {
            "alpha": alpha, "lmda_path": 1 / (len(X) * np.array(Cs)), "intercept": False,
            "early_exit": False, "progress_bar": False, **stop,
        }  # fmt: skip
        paths = []
        for y in Y.T.astype(np.float64):
            state = adelie.grpnet(columns, adelie.glm.binomial(y), **options)
            paths.append(state.betas.toarray())
        return list(np.stack(paths, axis=1))

    return fit


def _libmultilabel(X: np.ndarray, penalty: str) -> Fit:
    """Fit in one thread; it would take all cores, for which there are processes here."""
    from libmultilabel.linear import linear
    from scipy.sparse import csr_matrix

    rows = csr_matrix(X, dtype=np.float64)

    def fit(Y, Cs, level):
        stop = "" if level is None else f"-e {level:.17g}"
        found = []
        for C in Cs:
            options = f"-s {6 if penalty == 'l1' else 0} -c {C:.17g} {stop} -B 1 -q"
            with mock.patch.object(linear.psutil, "cpu_count", return_value=1):
                model = linear.train_1vsrest(csr_matrix(Y), rows, False, options, verbose=False)
            found.append(np.asarray(model.weights).T)
        return found

    return fit


def _skglm(X: np.ndarray, penalty: str) -> Fit:
    from skglm import SparseLogisticRegression

    columns = np.asfortranarray(_with_constant(X))

    def fit_one(y, C, level):
        stop = {} if level is None else {"tol": level, "max_iter": 1000}
        model = SparseLogisticRegression(1 / (C * len(y)), fit_intercept=False, **stop)
        return model.fit(columns, y).coef_[0]

    return _one_by_one(fit_one)


def _cyanure(X: np.ndarray, penalty: str) -> Fit:
    from cyanure.estimators import Classifier

    rows = _with_constant(X)
    options = {"loss": "logistic", "penalty": penalty, "fit_intercept": False, "verbose": False}

    def fit_one(y, C, level):
        stop = {} if level is None else {"tol": 1e-12, "max_iter": int(level)}
        model = Classifier(lambda_1=1 / (C * len(y)), **options, **stop)
        return np.ravel(model.fit(rows, y).get_weights())

    return _one_by_one(fit_one)


def _snapml(X: np.ndarray, penalty: str) -> Fit:
    # It looks for AVX2 where numpy 1 kept the processor's features; without, it would run slower.
    sys.modules.setdefault("numpy.core._multiarray_umath", np._core._multiarray_umath)  # type: ignore[attr-defined]
    from snapml import LogisticRegression

    rows = _with_constant(X).astype(np.float32)
    dual = penalty == "l2" and len(X) > X.shape[1]  # as its manual recommends
    options = {"penalty": penalty, "dual": dual, "fit_intercept": False}

    def fit_one(y, C, level):
        stop = {} if level is None else {"tol": level, "max_iter": 10**5}
        model = LogisticRegression(regularizer=1 / C, **options, **stop)
        return np.ravel(model.fit(rows, y).coef_).astype(np.float64)

    return _one_by_one(fit_one)


def _cuml(X: np.ndarray, penalty: str) -> Fit:
    """Fit on a GPU, to which the features are copied beforehand."""
    import cupy
    from cuml.linear_model import LogisticRegression

    rows = cupy.asarray(_with_constant(X).astype(np.float32))
    options = {"penalty": penalty, "fit_intercept": False, "output_type": "numpy"}

    def fit_one(y, C, level):
        stop = {} if level is None else {"tol": level, "max_iter": 10**5}
        model = LogisticRegression(C=C, **options, **stop)
        return np.ravel(model.fit(rows, cupy.asarray(y.astype(np.float32))).coef_).astype(float)

    return _one_by_one(fit_one)


def _with_constant(X: np.ndarray) -> np.ndarray:
    return np.column_stack([X, np.ones(len(X))]).astype(np.float64)


def _one_by_one(fit_one: Callable[[np.ndarray, float, float | None], np.ndarray]) -> Fit:
    def fit(Y, Cs, level):
        signs = np.where(Y.T == 1, 1.0, -1.0)
        return [np.array([fit_one(y, C, level) for y in signs]) for C in Cs]

    return fit


OURS, REFERENCE = "this project", "liblinear-official"
_ITERATIONS = (10.0, 30.0, 300.0, 1000.0, 3000.0)
PEERS = {
    OURS: Peer(
        _newton,
        "tol",
        dict.fromkeys(("l1", "l2"), decades(-1, -8, default=1e-4, also=(0.3,))),
        together=True,
    ),
    REFERENCE: Peer(
        _liblinear_official,
        "-e",
        {
            "l1": decades(-1, -7, default=1e-2, also=(3e-6, 3e-7)),
            "l2": decades(-1, -7, default=1e-2, also=(3e-5, 3e-6)),
        },
    ),
    "sklearn liblinear": Peer(
        _sklearn("liblinear"),
        "tol",
        {
            "l1": decades(-1, -7, default=1e-4, also=(3e-6, 3e-7)),
            "l2": decades(-1, -7, default=1e-4, also=(3e-5, 3e-6)),
        },
    ),
    "sklearn saga": Peer(
        _sklearn("saga", "max_iter"), "max_iter", dict.fromkeys(("l1", "l2"), _ITERATIONS)
    ),
    "sklearn lbfgs": Peer(_sklearn("lbfgs"), "tol", {"l2": decades(1, -7, default=1e-4)}),
    "sklearn newton-cholesky": Peer(
        _sklearn("newton-cholesky"), "tol", {"l2": decades(-1, -6, default=1e-4)}
    ),
    "sklearn-intelex": Peer(
        _sklearn("lbfgs", module="sklearnex"), "tol", {"l2": decades(1, -7, default=1e-4)}
    ),
    "adelie": Peer(_adelie, "tol", dict.fromkeys(("l1", "l2"), decades(-2, -10, default=1e-7))),
    "LibMultiLabel": Peer(
        _libmultilabel,
        "-e",
        {
            "l1": decades(-1, -7, default=1e-2, also=(3e-6, 3e-7)),
            "l2": decades(-1, -7, default=1e-2, also=(3e-5, 3e-6)),
        },
    ),
    "celer": Peer(_celer, "tol", {"l1": decades(0, -6, default=1e-4)}),
    "skglm": Peer(_skglm, "tol", {"l1": decades(-1, -6, default=1e-4)}),
    "cyanure": Peer(_cyanure, "max_iter", dict.fromkeys(("l1", "l2"), (*_ITERATIONS[:2], 100.0))),
    "snapml": Peer(_snapml, "tol", dict.fromkeys(("l1", "l2"), decades(-1, -6, default=1e-3))),
    "cuML": Peer(_cuml, "tol", dict.fromkeys(("l1", "l2"), decades(-1, -7, default=1e-4))),
}

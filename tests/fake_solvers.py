"""Solvers for the tests of ``speed sweep`` that are wrong, late, greedy or not there at all."""

import time

import numpy as np

from benchmarks.speed.sweep.peers import Peer

ROWS = 45  # of the data on which `slow` is slow


def _zeros(X, penalty):
    """Claim to be done at once: no column has weight."""
    return lambda Y, Cs, level: [np.zeros((Y.shape[1], X.shape[1] + 1)) for _ in Cs]


def _missing(X, penalty):
    raise ImportError("no such library")


def _slow(X, penalty):
    def fit(Y, Cs, level):
        time.sleep(60 if len(X) == ROWS else 0)
        return _zeros(X, penalty)(Y, Cs, level)

    return fit


def _failing(X, penalty):
    def fit(Y, Cs, level):
        if level is not None:
            raise ValueError("can't go\nfurther")
        return _zeros(X, penalty)(Y, Cs, level)

    return fit


def _greedy(X, penalty):
    """Take 1 MiB, or 1 GiB where it has a setting."""

    def fit(Y, Cs, level):
        np.empty(2**20 if level is None else 2**30, dtype=np.int8)
        return _zeros(X, penalty)(Y, Cs, level)

    return fit


def _diverging(X, penalty):
    return lambda Y, Cs, level: [np.full((Y.shape[1], X.shape[1] + 1), np.nan) for _ in Cs]


_LEVELS = {"l1": (0.1,), "l2": (0.1,)}
zeros, missing, slow, failing, greedy, diverging = (
    Peer(build, "knob", _LEVELS)
    for build in (_zeros, _missing, _slow, _failing, _greedy, _diverging)
)

"""Samples of more than 8 bits to 8 bits, by the range that the file or its type states.

Which value is white follows from, in this order:

1. what the file says: TIFF's SMinSampleValue and SMaxSampleValue, a MaxSampleValue that is a number
   of bits, BitsPerSample, PNG's sBIT, the maximum of a PGM file;
2. the white level that the user states;
3. the type, where the samples reach at least a quarter of its range. It is 16 bits, or for 32-bit
   integers and whole floats the smallest of 8, 16 and 32 bits that holds them. Other floats reach
   to 1. What is darker could as well be 12 bits in 16, and is not guessed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from extract.decoding.reasons import Reason

RULE = "8 bits; deeper samples by stated range, white level or type"
FULL_16 = (0.0, 65535.0)
_BAND = 1 << 20  # samples that are converted at a time
_HALF_A_STEP = 1 / 510  # of 8 bits
_CONTAINED = (255.0, 65535.0)  # what is often stored in 32-bit integers and in floats


@dataclass(frozen=True)
class Samples:
    """How the samples of a file are stored.

    Parameters
    ----------
    kind : str
        For messages, such as ``16-bit integers``.
    full : float or None
        Largest value of the type; None for floats.
    stated : tuple of 2 float, optional
        The values of black and white that the file states.
    significant : int, optional
        How many of 16 bits PNG's sBIT calls significant. By PNG's rule these are the high ones;
        samples that all lie below 2 ** significant and use the lower bits were not scaled so.
    inverted : bool
        The lowest value is white.
    """

    kind: str
    full: float | None
    stated: tuple[float, float] | None = None
    significant: int | None = None
    inverted: bool = False


def to_bytes(values: np.ndarray, samples: Samples, white_level: float | None) -> np.ndarray:
    """Scale samples to 0 ... 255 by the range that `find_range` gives."""
    return scale(values, find_range(values, samples, white_level), inverted=samples.inverted)


def scale(values: np.ndarray, limits: tuple[float, float], *, inverted: bool = False) -> np.ndarray:
    """Scale samples to 0 ... 255.

    Parameters
    ----------
    values : ndarray of integers or floats, any shape
    limits : tuple of 2 float
        The values that become 0 and 255; what lies outside becomes the nearer one.
    inverted : bool
        The lower limit becomes 255.

    Returns
    -------
    ndarray of uint8, same shape
        Full 16-bit ranges give their high byte, others are rounded.
    """
    low, high = limits
    out = np.empty(values.shape, dtype=np.uint8)
    for band in _bands(values):
        part = values[band]
        if limits == FULL_16 and part.dtype.kind in "iu":
            out[band] = np.clip(part, 0, 65535) >> 8
        else:
            scaled = (part.astype(np.float64) - low) * (255 / (high - low))
            out[band] = np.rint(scaled.clip(0, 255))
    return 255 - out if inverted else out


def find_range(
    values: np.ndarray, samples: Samples, white_level: float | None
) -> tuple[float, float]:
    """Find which values are black and white.

    Parameters
    ----------
    values : ndarray of integers or floats, any shape
    samples : Samples
    white_level : float, optional
        What is white where the file does not state it.

    Raises
    ------
    ImageFailure
        The range can't be known, or a sample is not finite.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Reason.NOT_FINITE.failure()
    if samples.stated:
        return samples.stated
    if samples.significant:
        return _significant_range(values, high, samples.significant)
    if white_level is not None:
        return 0.0, white_level
    if low == high == 0:
        return 0.0, 1.0
    if samples.full is None and low > -_HALF_A_STEP and high < 1 + _HALF_A_STEP:
        return 0.0, 1.0  # rounding errors of a resampling, which change no byte
    found = None if low < 0 else _reached(values, high, samples)
    if found is None:
        raise Reason.NO_RANGE.failure(low=low, high=high, kind=samples.kind)
    return 0.0, found


def _significant_range(values: np.ndarray, high: float, bits: int) -> tuple[float, float]:
    unused = (1 << max(0, 16 - bits)) - 1
    unscaled = high < 2**bits and any((values[band] & unused).any() for band in _bands(values))
    return (0.0, float(2**bits - 1)) if unscaled else FULL_16


def _reached(values: np.ndarray, high: float, samples: Samples) -> float | None:
    """Find the white of the smallest usual range that holds the samples, if they fill it."""
    if samples.full is None:
        if not all((values[band] == np.rint(values[band])).all() for band in _bands(values)):
            return None
        usual: tuple[float, ...] = _CONTAINED
    elif samples.full > 65535:
        usual = (*_CONTAINED, samples.full)
    else:
        usual = (samples.full,)
    held = [largest for largest in usual if high <= largest]
    return held[0] if held and high >= (held[0] + 1) / 4 else None


def _bands(values: np.ndarray) -> Iterator[slice]:
    rows = max(1, _BAND // max(1, values[:1].size))
    for start in range(0, len(values), rows):
        yield slice(start, start + rows)

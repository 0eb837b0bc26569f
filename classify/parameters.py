"""What an estimator's parameters may be, and named sets of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from features.errors import InputError


@dataclass(frozen=True)
class OneOf:
    """A parameter that is one of the `options`: strings or None."""

    options: tuple

    def accepts(self, value: object) -> bool:
        """Whether `value` is allowed."""
        return isinstance(value, (str, type(None))) and value in self.options

    def __str__(self) -> str:
        return f"one of {', '.join(repr(option) for option in self.options)}"


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from `low` to `high`; `above` leaves `low` itself out.

    `word` is a string that is allowed too, such as "auto".
    """

    kind: type = Real
    low: float = -np.inf
    high: float = np.inf
    above: bool = False
    or_none: bool = False
    word: str = ""

    def accepts(self, value: object) -> bool:
        """Whether `value` is allowed."""
        if value is None:
            return self.or_none
        if isinstance(value, str):
            return bool(self.word) and value == self.word
        if not isinstance(value, self.kind) or isinstance(value, (bool, np.bool_)):
            return False
        inside = self.low < value if self.above else self.low <= value  # type: ignore[operator]
        return bool(inside and value <= self.high and np.isfinite(value))  # type: ignore[operator, call-overload]

    def __str__(self) -> str:
        noun = "an int" if self.kind is Integral else "a float"
        left = "(" if self.above or np.isinf(self.low) else "["
        right = ")" if np.isinf(self.high) else "]"
        text = f"{noun} in the range {left}{self.low}, {self.high}{right}"
        text += f" or {self.word!r}" if self.word else ""
        return f"{text} or None" if self.or_none else text


@dataclass(frozen=True)
class Flag:
    """A parameter that is True or False."""

    def accepts(self, value: object) -> bool:
        """Whether `value` is allowed."""
        return isinstance(value, (bool, np.bool_))

    def __str__(self) -> str:
        return "True or False"


def check_parameters(
    estimator: BaseEstimator, allowed: Mapping[str, OneOf | Number | Flag]
) -> None:
    """Compare an estimator's parameters with what is allowed.

    Parameters
    ----------
    estimator : estimator
        Its attributes of the given names are looked at.
    allowed : mapping of str to OneOf, Number or Flag
        What each parameter may be.

    Raises
    ------
    InputError
        Names the first wrong parameter, its owner, what is allowed and what came.
    """
    for name, rule in allowed.items():
        value = getattr(estimator, name)
        if not rule.accepts(value):
            raise InputError(
                f"The {name!r} parameter of {type(estimator).__name__} must be {rule}. "
                f"Got {value!r} instead."
            )


class Presets:
    """Settings by the name of who published them, for estimators that declare `presets`."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]]

    @classmethod
    def from_preset(cls, name: str, **parameters):
        """Build an estimator with the settings of the paper or of its released code.

        Parameters
        ----------
        name : {"paper", "official"}
        **parameters
            Further parameters, or others in the preset's place.

        Returns
        -------
        estimator

        Raises
        ------
        InputError
            For another name.
        """
        if name not in cls.presets:
            raise InputError(f"there is no preset {name!r}: choose one of {', '.join(cls.presets)}")
        return cls(**{**cls.presets[name], **parameters})

"""How labels are decided from scores, by name. Imported by help texts, so without scikit-learn."""

from dataclasses import dataclass

from features.errors import InputError

#: For help texts.
RULES = "zero, f1, precision:P, recall:R or top:K"


@dataclass(frozen=True)
class Rule:
    """How thresholds are chosen.

    Parameters
    ----------
    kind : {"zero", "f1", "precision", "recall", "top"}
    value : float
        The wished precision or recall, in (0, 1], or the number of labels per image.
    """

    kind: str
    value: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}" if self.kind not in ("zero", "f1") else self.kind


def parse_rule(text: str) -> Rule:
    """Read a rule as the command line has it.

    Raises
    ------
    InputError
        Another form, or a number out of its range.

    Examples
    --------
    >>> parse_rule("precision:0.9")
    Rule(kind='precision', value=0.9)
    >>> str(parse_rule("top:3"))
    'top:3'
    """
    kind, _, number = text.partition(":")
    if text in ("zero", "f1"):
        return Rule(text)
    try:
        value = float(number)
        allowed = value >= 1 and value == int(value) if kind == "top" else 0 < value <= 1
        if kind in ("precision", "recall", "top") and allowed:
            return Rule(kind, value)
    except (ValueError, OverflowError):
        pass
    raise InputError(
        f"The 'thresholds' option must be {RULES}, with P and R in (0, 1] and K a whole number "
        f"from 1. Got {text!r}."
    )

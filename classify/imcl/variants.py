"""Where IMCL's paper and its released code differ: one record for each reading of the method."""

from dataclasses import dataclass
from types import MappingProxyType

from classify.imcl.joint_omp import COEFFICIENTS, RULES
from classify.imcl.loss import LabelRules
from features.errors import InputError, check_choice, check_number

_CHOICES = {
    "lambda_mode": ("ratio", "raw"),
    "pool": ("dictionary", "minibatch"),
    "rule": RULES,
    "coefficients": COEFFICIENTS,
    "complete": ("before", "after"),
    "reduction": ("mean", "sum"),
}


@dataclass(frozen=True)
class Variant:
    """One reading of IMCL; the default values are this library's.

    Attributes
    ----------
    lambda_mode : {"ratio", "raw"}
        "ratio": the weights in the loss count relative to the loss of the known labels at the
        start, so that 1 makes the term as large (the code).
    pool : {"dictionary", "minibatch"}
        Find neighbors among `dictionary_size` training rows (the code), or within the batch (the
        paper).
    rule : {"break", "signs"}
    coefficients : {"clip", "nnls", "plain"}
    balance : bool
        As in `classify.imcl.joint_omp.joint_omp`. The paper's "clip" can fit worse than no
        neighbor does, where two of them are nearly alike, and training may then diverge.
    asymmetry : float
        c, above 0: an absent label has the value -1/c. 1 weighs absent and present alike.
    half : bool
        Predictions as in the paper's formula, half as steep as in its code.
    complete : {"before", "after"}
        Write known labels over predictions before these go over the label graph (the paper) or
        after it (the code).
    outer_tanh : bool
        Compare with the tanh of the neighbors' values, as the paper's formula has it. Its fits and
        its code leave the tanh out.
    side_weight : float
        Value of a further label that is present, 0 or more.
    reduction : {"mean", "sum"}
        Logistic loss per known cell of a batch (the code) or per row (the paper).

    Raises
    ------
    InputError
        For a value that is not allowed.

    Examples
    --------
    >>> Variant(pool="minibatch").coefficients
    'nnls'
    """

    lambda_mode: str = "ratio"
    pool: str = "dictionary"
    rule: str = "break"
    coefficients: str = "nnls"
    balance: bool = False
    asymmetry: float = 2.0
    half: bool = False
    complete: str = "before"
    outer_tanh: bool = False
    side_weight: float = 10.0
    reduction: str = "mean"

    def __post_init__(self):
        for name, allowed in _CHOICES.items():
            check_choice(name, getattr(self, name), allowed, kind="field of Variant")
        for name in ("balance", "half", "outer_tanh"):
            check_choice(name, getattr(self, name), (True, False), kind="field of Variant")
        check_number("asymmetry", self.asymmetry, low=0, above=True, kind="field of Variant")
        check_number("side_weight", self.side_weight, low=0, kind="field of Variant")

    def label_rules(self) -> LabelRules:
        """Give the rules by which label values are made."""
        return LabelRules(self.asymmetry, self.half, self.complete == "after", self.outer_tanh)


#: The library's reading, that of the paper's text, and that of its code for Open Images.
VARIANTS = MappingProxyType(
    {
        "default": Variant(),
        "paper": Variant(
            pool="minibatch", lambda_mode="raw", reduction="sum", rule="break", coefficients="clip"
        ),
        "official": Variant(rule="signs", coefficients="plain", complete="after"),
    }
)


def as_variant(variant: object) -> Variant:
    """Look a variant up by name; a `Variant` is returned as it is.

    Raises
    ------
    InputError
        For another name or type.

    Examples
    --------
    >>> as_variant("official").rule
    'signs'
    """
    if isinstance(variant, Variant):
        return variant
    if isinstance(variant, str) and variant in VARIANTS:
        return VARIANTS[variant]
    raise InputError(
        f"The 'variant' parameter of InteractiveTagger must be one of {', '.join(VARIANTS)}, or a "
        f"classify.imcl.variants.Variant. Got {variant!r}."
    )

"""The paper's reading of the method, its code's, and ours."""

import numpy as np
import pytest

from classify.imcl.tagger import InteractiveTagger
from classify.imcl.variants import VARIANTS, Variant
from features.errors import InputError

QUICK = {"epochs": 2, "steps": 3, "early_stopping": "never"}


def test_presets():
    assert InteractiveTagger.from_preset("paper").variant == "paper"
    official = InteractiveTagger.from_preset("official", k=1)
    assert (official.k, official.variant, official.dictionary_size) == (1, "official", 50_000)
    with pytest.raises(InputError, match="no preset 'code': choose one of paper, official"):
        InteractiveTagger.from_preset("code")


_SAME = (False, 2, False)  # balance, asymmetry, half
#: Every field of each variant, so that no default of the record can change one unseen.
SPELLED_OUT = {
    "default": ("ratio", "dictionary", "break", "nnls", *_SAME, "before", False, 10, "mean"),
    "paper": ("raw", "minibatch", "break", "clip", *_SAME, "before", False, 10, "sum"),
    "official": ("ratio", "dictionary", "signs", "plain", *_SAME, "after", False, 10, "mean"),
}


@pytest.mark.parametrize("name", SPELLED_OUT)
def test_a_named_variant_fits_as_the_record_spelled_out(problem, name):
    X, Y, _ = problem
    assert list(VARIANTS) == list(SPELLED_OUT)
    record = Variant(*SPELLED_OUT[name])
    assert VARIANTS[name] == record
    options = {**QUICK, "scaling": "none", "learning_rate": 1e-3}
    named = InteractiveTagger(variant=name, **options).fit(X, Y)
    spelled = InteractiveTagger(variant=record, **options).fit(X, Y)
    np.testing.assert_array_equal(named.coef_, spelled.coef_)
    np.testing.assert_array_equal(named.graph_.weights, spelled.graph_.weights)
    others = [other for other in SPELLED_OUT if other != name]
    for other in others:
        fitted = InteractiveTagger(variant=other, **options).fit(X, Y)
        assert not np.array_equal(fitted.coef_, named.coef_)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pool": "all"}, "The 'pool' field of Variant must be one of dictionary, minibatch"),
        ({"half": "yes"}, "The 'half' field of Variant must be one of True, False. Got 'yes'"),
        ({"asymmetry": 0}, r"The 'asymmetry' field of Variant must be a float in the range \(0"),
        ({"side_weight": -1}, "The 'side_weight' field of Variant must be a float"),
    ],
)
def test_wrong_fields_of_a_variant(fields, message):
    with pytest.raises(InputError, match=message):
        Variant(**fields)

"""``multilabel suggest``: which images of a cache to label next, as csv."""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from features.command_line import add_options
from features.errors import InputError, check_choice, check_number

if TYPE_CHECKING:  # help texts import this module, and are to wait neither for h5py nor sklearn
    from classify.models import TaggerModel
    from features.cache import FeatureCache

METHODS = ("margin+diversity", "margin", "diversity")
MEASURED = """\
Measured from 50 labeled images on, 50 more in each of five rounds, five seeds, as the mean over the
rounds beside random picks: margin+diversity gains .021 of average precision and .018 of mAP on
Corel5k, and .007 of average precision on MSRC v2, where no difference of mAP is shown; margin alone
is below random picks on Corel5k, and in mAP on MSRC v2; diversity alone loses .022 of average
precision on Corel5k. `multilabel benchmarks tables suggest` measures it on other data."""
SHOWN = 3  # uncertain labels per image
HEADER = ("image", "rank", "margin", *(f"label_{place}" for place in range(1, SHOWN + 1)))


class Suggestion(NamedTuple):
    """An image to label.

    Attributes
    ----------
    image : str
    rank : int
        From 1, in the order of choice.
    margin : float
        How far the least sure label is from its threshold, as a probability: 0 to 1.
    labels : tuple of str
        The least sure labels, the least sure first; at most three.
    """

    image: str
    rank: int
    margin: float
    labels: tuple[str, ...]


def suggest(
    cache: Path,
    *,
    model: Path,
    count: int = 50,
    method: str = "margin+diversity",
    pool: int = 100,
    all: bool = False,
    labels: Path | None = None,
    out: Path | None = None,
) -> list[Suggestion]:
    """Choose the images of a cache that are to be labeled next.

    Parameters
    ----------
    cache : Path
        Features made the same way as those that the model was trained on.
    model : Path
        A model that decides labels.
    count : int
        Images to choose; fewer if there are fewer.
    method : {"margin+diversity", "margin", "diversity"}
        "margin" gives those whose least sure label is nearest to its threshold; "diversity" those
        that are, one after the other, farthest from all labeled and chosen ones by the model's
        scaled features; "margin+diversity" one image for each of `count` clusters, in which the
        less sure weigh more.
    pool : int
        Candidates per image to choose, the least sure ones, for "margin+diversity".
    all : bool
        Choose among all images, as if none had labels, and not only among those whose labels are
        all unknown.
    labels : Path, optional
        A labels.csv instead of the cache's own labels; images that it leaves out have none.
    out : Path, optional
        A `.csv` file with the columns image, rank, margin, label_1, label_2 and label_3.

    Returns
    -------
    list of Suggestion

    Raises
    ------
    InputError
        A file can't be read, or the cache doesn't fit the model; the model decides no labels; every
        image has labels; a number is out of its range.
    """
    from classify.model_files import load_model
    from classify.models import require_same_features
    from features.cache import FeatureCache
    from features.files.ownership import begins, claim
    from features.files.unchanged import rewrite_text

    check_number("count", count, whole=True, low=1)
    check_number("pool", pool, whole=True, low=1)
    check_choice("method", method, METHODS)
    if out is not None:
        if out.suffix != ".csv":
            raise InputError(f"suggestions go to a .csv file, not to {out}")
        out = claim(out, begins(",".join(HEADER).encode() + b"\n"), what="a file of suggestions")
    trained, features = load_model(model), FeatureCache(cache)
    if not trained.decides:
        raise InputError(
            f"{model} only orders labels, so nothing is near a threshold: fit it with --thresholds "
            "f1, or give another model"
        )
    require_same_features(trained, features)
    unlabeled, labeled = _rows(features, labels, all)
    margins, doubtful = _margins(trained, features, unlabeled)
    chosen = _choose(trained, features, unlabeled, labeled, margins, (method, count, pool))
    if len(chosen) < count:
        print(f"{len(chosen)} images are there to choose, {count} were asked for", file=sys.stderr)
    found = [
        Suggestion(
            features.ids[unlabeled[place]],
            rank,
            float(margins[place]),
            tuple(trained.label_names[label] for label in doubtful[place]),
        )
        for rank, place in enumerate(chosen.tolist(), 1)
    ]
    if out is not None:
        rewrite_text(out, as_csv(found))
    return found


def _rows(
    features: "FeatureCache", labels: Path | None, everything: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows to choose among, and those that have labels already."""
    from classify.inputs import require_rows
    from features.cache import labels_of

    require_rows(features)
    valid = features.valid_rows
    if features.excluded:
        print(features.excluded, file=sys.stderr)
    if everything or (features.labels is None and labels is None):
        return valid, valid[:0]
    known = (labels_of(features, labels)[0][valid] != -1).any(axis=1)
    if known.all():
        raise InputError(
            f"all {len(valid)} images of {features.folder} have labels: give --labels a file that "
            "leaves out those to choose among, or --all"
        )
    return valid[~known], valid[known]


def _margins(
    model: "TaggerModel", features: "FeatureCache", rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give the margin of each row (n,) and its least sure labels (n, at most 3)."""
    from classify.suggest.choose import image_margins

    margins, doubtful, wanted = [], [], np.zeros(len(features), dtype=bool)
    wanted[rows] = True
    for block, scores in model.predict(features):
        cells = margins_of(model, scores[wanted[block]])
        margins.append(image_margins(cells))
        doubtful.append(np.argsort(cells, axis=1, kind="stable")[:, :SHOWN])
    return np.concatenate(margins), np.concatenate(doubtful)


def margins_of(model: "TaggerModel", scores: np.ndarray) -> np.ndarray:
    """Give how far each score is from its threshold, as a probability.

    Probabilities are the model's, or the sigmoid of the score where it has none.

    Parameters
    ----------
    model : TaggerModel
        That decides labels.
    scores : float array of shape (n, L)

    Returns
    -------
    float array of shape (n, L)
    """
    from scipy.special import expit

    from classify.suggest.choose import cell_margins, top_margins

    def probable(values: np.ndarray) -> np.ndarray:
        given = model.predict_proba(values)
        return expit(np.asarray(values, dtype=np.float64)) if given is None else given

    decisions = model.decisions
    if decisions is not None and decisions.rule.kind == "top":
        return top_margins(probable(scores), int(decisions.rule.value))
    thresholds = np.zeros((1, scores.shape[1]))
    if decisions is not None and decisions.rule.kind != "zero":
        thresholds = decisions.thresholds[None]
    return cell_margins(probable(scores), probable(thresholds)[0])


def _choose(
    model: "TaggerModel",
    features: "FeatureCache",
    unlabeled: np.ndarray,
    labeled: np.ndarray,
    margins: np.ndarray,
    how: tuple[str, int, int],
) -> np.ndarray:
    """Give positions among the unlabeled rows, in the order of choice."""
    from classify.suggest.choose import candidates, choose

    method, count, pool = how
    among = candidates(margins, count, method, pool)
    if method == "margin":
        return among
    centers = labeled if method == "diversity" else labeled[:0]
    here, there = (_vectors(model, features, rows) for rows in (unlabeled[among], centers))
    return among[choose(method, here, margins[among], count, there)]


def _vectors(model: "TaggerModel", features: "FeatureCache", rows: np.ndarray) -> np.ndarray:
    """Give the scaled features of the members side by side, each of length 1; a bag's mean."""
    from sklearn.preprocessing import normalize

    from classify.inputs import read_inputs, scale

    X = read_inputs(features, list(model.layers), rows, model.takes)
    scaled = [scale(member.scaler, X) if len(X) else X for member in model.members]
    vectors = [part.mean(axis=1) if part.ndim == 3 else part for part in scaled]
    return np.hstack([normalize(part) if len(part) else part for part in vectors])


def as_csv(found: Sequence[Suggestion]) -> str:
    """Write suggestions as csv.

    Examples
    --------
    >>> print(as_csv([Suggestion("a.jpg", 1, 0.25, ("sky", "sea"))]), end="")
    image,rank,margin,label_1,label_2,label_3
    a.jpg,1,0.25,sky,sea,
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(HEADER)
    for one in found:
        labels = [*one.labels, *[""] * (SHOWN - len(one.labels))]
        write([one.image, one.rank, f"{one.margin:.6g}", *labels])
    return text.getvalue()


def add_suggest_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``suggest``."""
    parser.description = f"{parser.description}\n\n{MEASURED}"
    texts = {
        "cache": "features, labeled in part or not at all",
        "model": "what fit trained on the images that are labeled",
        "count": "images to choose",
        "method": "margin: those whose least sure label is nearest to its threshold; diversity: "
        "those farthest from all labeled and chosen ones; margin+diversity: one of each of --count "
        "clusters, in which the less sure weigh more",
        "pool": "candidates per image to choose, for margin+diversity",
        "all": "choose among all images, also those with labels",
        "labels": "a labels.csv instead of the cache's own",
        "out": "a .csv file (the screen)",
    }
    add_options(parser, suggest, texts, cache={"positional": True})


def run_suggest(out: Path | None, **options) -> None:
    """Print what to label next, or where the file is."""
    found = suggest(out=out, **options)
    print(as_csv(found), end="") if out is None else print(out)

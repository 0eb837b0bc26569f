"""``multilabel neighbors``: the images of a cache that look most like given ones."""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from classify.report.where import require_pictures
from features.command_line import add_options
from features.errors import InputError, check_number

if TYPE_CHECKING:  # help texts import this module, and are to wait neither for h5py nor torch
    from features.cache import FeatureCache

HEADER = ("question", "rank", "image", "row", "cosine")
ENDINGS = (".csv", ".html")


class Neighbor(NamedTuple):
    """An image that looks like the one asked about.

    Attributes
    ----------
    question : str
        The file as it was given, or the image of a row.
    rank : int
        From 1, the nearest.
    image : str
    row : int
        Of the cache.
    cosine : float
        The mean of the layers' cosines, -1 to 1.
    """

    question: str
    rank: int
    image: str
    row: int
    cosine: float


class Question(NamedTuple):
    """What is asked about: its name or words, its row in the cache or -1, and its file if any."""

    name: str
    row: int
    path: Path | None = None
    is_text: bool = False


def neighbors(
    cache: Path,
    *,
    image: Sequence[Path] = (),
    row: Sequence[int] = (),
    text: Sequence[str] = (),
    count: int = 10,
    layers: Sequence[str] | None = None,
    data: Path | None = None,
    weights: str | None = None,
    out: Path | None = None,
) -> list[Neighbor]:
    """Find the images of a cache whose features are nearest to those of given images.

    The nearness of two images is the mean, over the layers, of the cosines of their features. The
    search is exact and reads the cache once.

    Parameters
    ----------
    cache : Path
    image : sequence of Path
        Pictures, whose features are computed as the cache's were; or images of the cache.
    row : sequence of int
        Rows of the cache. Images of the cache are no neighbors of themselves.
    text : sequence of str
        Words for what is seen, where the cache has the joint embedding of ``open_clip/NAME``; all
        questions are then compared by that layer.
    count : int
        Neighbors of each.
    layers : sequence of str, optional
        Layers to compare; by default all.
    data : Path, optional
        The folder of the cache's pictures, for a page that shows them.
    weights : str, optional
        As for ``extract``, for pictures outside the cache; by default the source with the recorded
        checksum.
    out : Path, optional
        A `.csv` file, or a `.html` page with the pictures side by side, which needs no other file.

    Returns
    -------
    list of Neighbor
        Question by question, the nearest first.

    Raises
    ------
    InputError
        Nothing is asked; a picture is missing or can't be read; a row is outside the cache or has
        no features; the network's weights are not to be had; `out` is a file of others.
    """
    from classify.inputs import require_rows
    from features.cache import FeatureCache
    from features.files.unchanged import rewrite_text

    check_number("count", count, whole=True, low=1)
    if not image and not row and not text:
        raise InputError("nothing is asked: give --image FILE, --row N or --text WORDS")
    target = _target(out, data)
    features = FeatureCache(cache)
    require_rows(features)
    if features.excluded:
        print(features.excluded, file=sys.stderr)
    layers = _text_layers(features, layers) if text else layers
    questions = _questions(features, image, row, text)
    found = _search(features, questions, layers, count, weights)
    if target is None:
        return found
    if target.suffix == ".csv":
        rewrite_text(target, as_csv(found))
    else:
        from classify.neighbors.sheet import write_sheet

        write_sheet(target, features, questions, found, data)
    return found


def _target(out: Path | None, data: Path | None) -> Path | None:
    """Check where the answer goes before anything is computed."""
    from features.files.ownership import begins, claim

    require_pictures(data)
    if out is None:
        return None
    if out.suffix not in ENDINGS:
        raise InputError(f"neighbors go to a .csv file or an .html page, not to {out}")
    if out.suffix == ".csv":
        return claim(out, begins(",".join(HEADER).encode() + b"\n"), what="a file of neighbors")
    from classify.neighbors.sheet import is_ours, require_libraries

    require_libraries()
    return claim(out, is_ours, what="a page of neighbors")


def _text_layers(features: "FeatureCache", layers: Sequence[str] | None) -> list[str]:
    """Give the layer that texts are compared by."""
    from classify.tag.texts import text_layer

    name = text_layer(features.manifest["backbone"])
    if name not in features.layers:
        raise InputError(f"{features.folder} lacks the layer {name}. Extract it.")
    if layers is not None and features.resolve(layers) != [name]:
        raise InputError(f"Texts are compared by {name} alone. Leave --layers out.")
    return [name]


def _questions(
    features: "FeatureCache",
    images: Sequence[Path],
    rows: Sequence[int],
    texts: Sequence[str],
) -> list[Question]:
    """Tell files from images of the cache; what is asked twice is answered once."""
    if blank := [text for text in texts if not text.strip()]:
        raise InputError(f"--text needs words. Got {blank[0]!r}.")
    found = [Question(text, -1, is_text=True) for text in texts]
    for path in map(Path, images):
        if path.is_file():
            found.append(Question(str(path), -1, path))
            continue
        name = path.as_posix()
        number = next((row for row, one in enumerate(features.ids) if one == name), -1)
        if number < 0:
            raise InputError(
                f"{path} is neither a file nor an image of {features.folder}: give the path of a "
                "picture, or an image as `predict` names it"
            )
        found.append(Question(name, number))
    for number in features.checked_rows(rows).tolist():
        found.append(Question(features.ids[number], number))
    features.checked_rows([one.row for one in found if one.row >= 0])
    return list(dict.fromkeys(found))


def _search(
    features: "FeatureCache",
    questions: Sequence[Question],
    layers: Sequence[str] | None,
    count: int,
    weights: str | None,
) -> list[Neighbor]:
    from tqdm import tqdm

    from classify.inputs import blocks_of
    from classify.neighbors.search import nearest

    names = features.resolve(layers)
    asked = _features(features, questions, names, weights)
    read = blocks_of(features, names, "vectors")
    blocks = tqdm(read, desc="neighbors", unit="block", delay=2, file=sys.stderr)
    own = [one.row for one in questions]
    widths = [features.layers[name] for name in names]
    rows, cosines = nearest(blocks, asked, widths, count, left_out=own)
    return [
        Neighbor(one.name, rank, features.ids[number], number, cosine)
        for one, numbers, values in zip(questions, rows.tolist(), cosines.tolist(), strict=True)
        for rank, (number, cosine) in enumerate(zip(numbers, values, strict=True), 1)
    ]


def _features(
    features: "FeatureCache",
    questions: Sequence[Question],
    layers: Sequence[str],
    weights: str | None,
) -> np.ndarray:
    """Read the features of each question, or compute them."""
    from classify.inputs import read_inputs

    X = np.empty((len(questions), sum(features.layers[name] for name in layers)), dtype=np.float32)
    inside = [place for place, one in enumerate(questions) if one.row >= 0]
    rows = np.array([questions[place].row for place in inside], dtype=np.int64)
    X[inside] = read_inputs(features, layers, rows, "vectors")
    if len(inside) == len(questions):
        return X
    from classify.tag.pictures import features_of
    from classify.tag.settings import extraction_of

    config = extraction_of(features.manifest, weights, max_failures=1.0)
    paths = {place: one.path for place, one in enumerate(questions) if one.path is not None}
    if paths:
        with features_of(config, [str(path) for path in paths.values()]) as made:
            X[list(paths)] = read_inputs(made, layers, made.valid_rows, "vectors")
    texts = {place: one.name for place, one in enumerate(questions) if one.is_text}
    if texts:
        from classify.tag.texts import embed_texts

        X[list(texts)] = embed_texts(config, list(texts.values()))
    return X


def as_csv(found: Sequence[Neighbor]) -> str:
    """Write neighbors as csv.

    Examples
    --------
    >>> print(as_csv([Neighbor("cow.jpg", 1, "7.jpg", 6, 0.875)]), end="")
    question,rank,image,row,cosine
    cow.jpg,1,7.jpg,6,0.875
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(HEADER)
    for one in found:
        write([one.question, one.rank, one.image, one.row, f"{one.cosine:.6g}"])
    return text.getvalue()


def add_neighbors_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``neighbors``."""
    texts = {
        "cache": "features of the images to look among",
        "image": "pictures, whose features are computed as the cache's were, or images of the "
        "cache",
        "row": "rows of the cache",
        "text": "words for what is seen, in caches of open_clip/NAME",
        "count": "neighbors of each",
        "layers": "layers to compare, by the mean of their cosines (all)",
        "data": "the folder of the cache's pictures (a page shows none)",
        "weights": "as for extract, for pictures outside the cache (the source whose checksum the "
        "cache records)",
        "out": "a .csv file, or an .html page with the pictures side by side (the screen)",
    }
    add_options(parser, neighbors, texts, cache={"positional": True})


def run_neighbors(out: Path | None, **options) -> None:
    """Print the neighbors, or where the file is."""
    found = neighbors(out=out, **options)
    print(as_csv(found), end="") if out is None else print(out)

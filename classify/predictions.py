"""Tags of a cache's images, in a file."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from tqdm import tqdm

from classify.model_files import load_model
from classify.models import TaggerModel
from classify.training import report_excluded
from features.errors import InputError
from features.files.ownership import LONGEST_LINE, claim
from features.files.unchanged import atomic_rewrite


class Prediction(NamedTuple):
    """One line of a file of predictions."""

    image: str
    label: str
    score: float
    probability: float | None
    decision: int | None


#: First lines of csv files of predictions, now and before there were probabilities.
_HEADERS = (list(Prediction._fields), ["image", "label", "score", "decision"])


def predict(model: Path, cache: Path, out: Path) -> Path:
    """Write scores, probabilities and decisions of every row of a cache that has features.

    Parameters
    ----------
    model : Path
        A model file.
    cache : Path
        Features made the same way as those it was trained on.
    out : Path
        `.csv` or `.jsonl`: a line per image and label with image, label, score, probability
        (nothing if the model has no calibration) and decision (1 or 0 by the model's thresholds, or
        by score > 0; nothing if the model only orders labels). An earlier one is replaced unless it
        was changed since.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        A file that can't be read, another ending, a cache made another way, or an `out` that this
        program did not make or that was changed since.
    """
    from classify.inputs import require_rows
    from features.cache import FeatureCache  # h5py

    if out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"predictions go to a .csv or .jsonl file, not to {out}")
    target = claim(out, _is_predictions, what="a file of predictions")
    tagger, features = load_model(model), FeatureCache(cache)
    require_rows(features)
    report_excluded(features)
    ids = features.ids
    with (
        atomic_rewrite(target) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
        tqdm(total=len(features.valid_rows), unit="img", desc="predict") as bar,
    ):
        write = _csv_lines if out.suffix == ".csv" else _json_lines
        if out.suffix == ".csv":
            file.write(",".join(Prediction._fields) + "\n")
        for rows, scores in tagger.predict(features):
            file.write(write(predictions(tagger, [ids[row] for row in rows], scores)))
            bar.update(len(rows))
    return out


def _is_predictions(file: BinaryIO) -> bool:
    first = file.readline(LONGEST_LINE)
    if not first.startswith(b"{"):
        return first.decode("utf-8").rstrip("\n").split(",") in _HEADERS
    return {"image", "label", "score", "decision"} <= json.loads(first).keys()


def predictions(model: TaggerModel, images: list[str], scores: np.ndarray) -> Iterator[Prediction]:
    """Turn scores (n, L) of n images into one `Prediction` per image and label."""
    nothing = [[None] * scores.shape[1]] * len(images)
    columns = [
        nothing if values is None else values.tolist()
        for values in (scores, model.predict_proba(scores), model.decide(scores))
    ]
    for image, *rows in zip(images, *columns, strict=True):
        for label, *values in zip(model.label_names, *rows, strict=True):
            yield Prediction(image, label, *values)


def _csv_lines(lines: Iterable[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for one in lines:
        probability = None if one.probability is None else f"{one.probability:.6g}"
        writer.writerow((one.image, one.label, repr(one.score), probability, one.decision))
    return text.getvalue()


def _json_lines(lines: Iterable[Prediction]) -> str:
    return "".join(json.dumps(one._asdict(), ensure_ascii=False) + "\n" for one in lines)

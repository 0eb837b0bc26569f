"""The folder of a run at its start: made, or recognized as that of the same run."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from classify.finetune.checkpoint import story_of
from classify.finetune.config import CONFIG, FinetuneConfig
from classify.finetune.earlier import current_names
from classify.finetune.story import read_story
from classify.finetune.train import MODEL, STATE
from features.datasets import Dataset
from features.files import create, remove_temporaries, write_text
from features.files.ownership import make_folder, require_ours, require_own_folder, write_once
from features.files.unchanged import require_unchanged
from features.manifest import differences, require_equal
from features.splits import Split

SPLIT, SCORES = "split.csv", "scores.npy"


def open_folder(
    out: Path,
    config: FinetuneConfig,
    record: dict[str, Any],
    dataset: Dataset,
    parts: tuple[Split, np.ndarray],
) -> None:
    """Make or check the folder, before anything is computed.

    Parameters
    ----------
    out : Path
        It exists.
    config : FinetuneConfig
    record : dict
        JSON that identifies the run.
    dataset : Dataset
    parts : tuple of (Split, ndarray of int)
        Training and test rows, and the rows to choose the epoch on.

    Raises
    ------
    InputError
        The folder is of another run, is none of a run, or holds a file that this program would
        replace and did not make.
    """
    require_own_folder(out, CONFIG, what="run folder", also=(SPLIT, "checkpoint"))
    make_folder(out / "checkpoint")
    for folder in (out, out / "checkpoint"):
        remove_temporaries(folder)
    split, validation = parts
    part_of = {int(row): "val" for row in validation}
    part_of |= {int(row): "train" for row in split.train}
    part_of |= {int(row): "test" for row in split.test}
    lines = [f"{_quoted(dataset.ids[row])},{part_of[row]}\n" for row in sorted(part_of)]
    text = ("image,split\n" + "".join(lines)).encode("utf-8")
    path = out / CONFIG
    if os.path.lexists(path):
        plain = json.loads(json.dumps(record))
        require_equal(current_names(read_story(path)["record"]), plain, out)
        _require_own_files(out, plain, (len(split.test), len(dataset.label_names)))
        create(out / SPLIT, text)  # it may have been deleted
        return
    for name in (STATE, MODEL):
        require_ours(out / name, lambda file: False, what="part of a run")  # it has no config.json
    write_once(out / SPLIT, text, remedy="Give another --out.")
    story = {"record": record, "config": asdict(config), "label_names": dataset.label_names}
    write_text(path, json.dumps(story, indent=2, ensure_ascii=False) + "\n")


def _require_own_files(out: Path, record: dict[str, Any], shape: tuple[int, int]) -> None:
    """Refuse files of others under the names that a run with this record replaces."""

    def is_model(file: BinaryIO) -> bool:
        return not differences(current_names(story_of(out / MODEL)["record"]), record)

    def is_scores(file: BinaryIO) -> bool:
        npy.read_magic(file)
        return npy.read_array_header_1_0(file) == (shape, False, np.dtype(np.float32))

    require_ours(out / MODEL, is_model, what="a model of this run")
    require_ours(out / SCORES, is_scores, what="a file of this run's scores")
    require_unchanged(out / SCORES)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text

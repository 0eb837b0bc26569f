"""``multilabel tag``: a folder of pictures in, a file of tags or sidecars out."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.command_line import add_options
from features.errors import InputError, check_choice, printable

if TYPE_CHECKING:
    from classify.tag.tagger import Tagger
    from classify.tag.tags import Tagged
    from features.cache import FeatureCache
    from features.datasets import Dataset

FORMATS = ("wide", "long", "jsonl", "xmp")


def tag(
    folder: Path,
    *,
    model: Path,
    out: Path | None = None,
    format: str | None = None,
    cache: Path | None = None,
    weights: str | None = None,
    dry_run: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Path:
    """Tag every picture in a folder with a trained model.

    Parameters
    ----------
    folder : Path
        Pictures, in any folders below it; or a data set with `images/`.
    model : Path
        A file that ``classify fit`` wrote.
    out : Path, optional
        The file of tags. Not for xmp, which writes beside the pictures.
    format : {"wide", "long", "jsonl", "xmp"}, optional
        A row per picture with 1 or 0 per label; a row per picture and present label; an object per
        picture with all scores; or a sidecar per picture. By default jsonl if `out` ends so, else
        wide.
    cache : Path, optional
        Where the features go and are found again; by default `out` with the ending `.cache`.
    weights : str, optional
        As for ``extract``; by default the source with the recorded checksum.
    dry_run : bool
        With xmp: print what would be added, and write nothing but the cache.
    device, batch_size, workers
        As in `extract.config.ExtractConfig`.

    Returns
    -------
    Path
        What was written: `out`, or the folder with the sidecars.

    Raises
    ------
    InputError
        The model or folder can't be read, options don't fit each other, or the features can't be
        made as the model's were.
    """
    out, cache, format = _places(folder, out, cache, format, dry_run)
    from classify.inputs import require_rows
    from classify.tag.outputs import is_ours
    from classify.tag.tagger import Tagger  # torch
    from features.datasets import load_dataset
    from features.files.ownership import claim
    from features.files.unchanged import is_marked

    if out is not None:
        if format == "wide" and out.is_file() and not is_marked(out):
            raise InputError(
                f"{out} exists, and is left as it is: a csv of this form may hold corrected "
                "labels. Give another name, or move the file away."
            )
        target = claim(out, is_ours(format), what="a file of tags in this format")
    tagger = Tagger.load(
        model, weights=weights, device=device, batch_size=batch_size, workers=workers
    )
    dataset = load_dataset(folder)
    dataset.tell()
    # Its labels are not needed, and a cache keeps them.
    found = _features(tagger, replace(dataset, labels=None, label_names=()), cache)
    if found.excluded:
        print(found.excluded, file=sys.stderr)
    require_rows(found)
    tagged = tagger.tag_cache(found)
    if out is None:
        places = dict(zip(dataset.ids, dataset.paths, strict=True))
        _write_sidecars(dataset.root, places, tagged, dry_run)
        return folder
    _write(target, format, tagger, tagged)
    return out


def _places(
    folder: Path, out: Path | None, cache: Path | None, form: str | None, dry_run: bool
) -> tuple[Path | None, Path, str]:
    form = form or ("jsonl" if out is not None and out.suffix == ".jsonl" else "wide")
    check_choice("format", form, FORMATS)
    if form == "xmp":
        if not folder.is_dir():
            raise InputError(
                f"The format xmp writes beside the pictures, and {folder} is no folder."
            )
        if out is not None:
            raise InputError(f"The format xmp writes beside the pictures. Leave out --out {out}.")
        return None, cache or folder.with_name(f"{folder.resolve().name}.cache"), form
    if out is None:
        raise InputError("--out must be given, or --format xmp.")
    if dry_run:
        raise InputError("--dry-run belongs to --format xmp; leave it out.")
    return out, cache or out.with_suffix(".cache"), form


def _features(tagger: "Tagger", dataset: "Dataset", cache: Path) -> "FeatureCache":
    try:
        return tagger.extract(dataset, cache)
    except InputError as error:  # which speaks of the option of `extract`
        text = str(error).replace("an --out", "a --cache").replace("--out", "--cache")
        raise InputError(text) from error


def _write(out: Path, form: str, tagger: "Tagger", tagged: Iterable["Tagged"]) -> None:
    from classify.tag.outputs import WRITERS
    from features.files.unchanged import atomic_rewrite

    with (
        atomic_rewrite(out) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        WRITERS[form](file, tagger.model.label_names, tagged)


def _write_sidecars(
    root: Path, places: dict[str, str], tagged: Iterable["Tagged"], dry_run: bool
) -> None:
    from classify.tag.xmp import add_tags, missing_tags, sidecar_of
    from features.files.locks import locked_folder

    change = missing_tags if dry_run else add_tags
    changed = count = 0
    with nullcontext() if dry_run else locked_folder(root):
        for one in tagged:
            sidecar = sidecar_of(root / places[one.image])
            added = change(sidecar, one.present)
            if added and dry_run:
                print(printable(f"{sidecar}: {', '.join(added)}"))
            changed, count = changed + bool(added), count + len(added)
    verb = "would be added to" if dry_run else "added to"
    print(f"{count} tags {verb} {changed} sidecars", file=sys.stderr)


def add_tag_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``tag``."""
    texts = {
        "folder": "pictures, in any folders below it",
        "model": "a file that fit wrote",
        "out": "the file of tags; not for xmp, which writes beside the pictures",
        "format": "wide: a row per picture, 1 or 0 per label; long: a row per picture and present "
        "label; jsonl: all scores; xmp: sidecars with dc:subject, which are only added to (jsonl "
        "if --out ends so, else wide)",
        "cache": "where features go and are found again (--out with the ending .cache)",
        "weights": "as for extract (the source whose checksum the model records)",
        "dry_run": "with xmp: print what would be added",
        "device": "auto, cpu, cuda or cuda:N",
        "batch_size": "images per forward pass (16 on a CPU, 256 on a GPU)",
        "workers": "decoding threads (one per core, at most 16)",
    }
    add_options(parser, tag, texts, folder={"positional": True}, format={"choices": FORMATS})


def run_tag(**options: Any) -> None:
    """Tag a folder and print where the tags are."""
    print(tag(**options))

"""Random damage to every file that the project reads: the readers raise `InputError` or nothing.

    python -m tests.hostile.fuzz --seconds 600

runs over all targets, prints how many inputs each one got, and one line per target and seed that
ended otherwise. `tests/hostile/test_fuzz.py` repeats a part of it with the seeds in `SEEDS`.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tqdm import tqdm

from features.annotations.catalog import AUTO, FORMATS, find_format
from features.cache import FeatureCache
from features.checks import trial
from features.datasets import load_dataset
from features.errors import InputError
from features.labels import read_split_csv
from tests.annotation_samples import SAMPLES, via3, write_files
from tests.caches import write_data, write_labeled_cache
from tests.hostile.damage import Damage, as_json, edited, edited_model, one_of, overwrite, patched
from tests.sealing import unseal

#: Seeds of the short repetition: those that found a fault once, and 0.
SEEDS: dict[str, tuple[int, ...]] = {}
BATCH = 500  # inputs of a seed
UNSEALED = 60  # inputs of a seed where each one needs a process
PATIENCE = 120  # seconds for a batch, which takes some five


class Target(NamedTuple):
    """A file, a function that makes a damaged one of it, and what reads it."""

    path: Path
    damage: Damage
    read: Callable[[], Any]
    batch: int = BATCH


def run(target: Target, number: int, inputs: int = 0) -> int:
    """Give a target that many inputs of a seed, by default a batch; count those without an error.

    Raises
    ------
    Exception
        Whatever the reader raised, other than an `InputError` of one line.
    """
    read = 0

    @seed(number)
    @settings(
        max_examples=inputs or target.batch,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def attack(one: int) -> None:
        nonlocal read
        overwrite(target.path, target.damage(Random(one)))
        try:
            target.read()
            read += 1
        except InputError as error:
            assert "\n" not in str(error), f"several lines: {error}"

    with _without_bars():
        attack()
    return read


@contextmanager
def _without_bars() -> Iterator[None]:
    """Turn progress bars off; their environment variable is read at their import only."""
    with_bars = tqdm.__init__
    tqdm.__init__ = partialmethod(with_bars, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = with_bars


def make_targets(folder: Path) -> dict[str, Target]:
    """Write sound files into a folder, and give their targets."""
    return {**_csv_targets(folder), **_annotation_targets(folder), **_cache_targets(folder)}


def _checked(dataset) -> None:
    assert dataset.labels is None or dataset.labels.shape == (
        len(dataset),
        len(dataset.label_names),
    )
    assert dataset.labels is None or np.isin(dataset.labels, (-1, 0, 1)).all()


def _csv_targets(folder: Path) -> dict[str, Target]:
    data = write_files(folder / "data", {"images/a.jpg": b"", "images/b.jpg": b""})
    labels = b'image,cat,dog\na.jpg,1,0\n"b.jpg",-1,\n'
    from_r = b'"image" "cat"\n"1" "a.jpg" TRUE\n"2" "b.jpg" FALSE\n'
    tags = b"image;tags\na.jpg;cat|dog\nb;cat\n"
    forms = (labels, tags, labels.decode().encode("utf-16"), from_r)
    split = b"image,split\na.jpg,train\nb.jpg,test\n"
    return {
        "labels.csv": Target(
            data / "labels.csv",
            one_of(*map(edited, forms)),
            lambda: _checked(load_dataset(data)),
        ),
        "split.csv": Target(
            data / "split.csv",
            edited(split),
            lambda: read_split_csv(data / "split.csv", ["a.jpg", "b.jpg"]),
        ),
    }


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "2", "coco_url": "http://x/y/b.jpg"}],
    "annotations": [{"image_id": 1, "category_id": 3}],
    "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
}
VOC = (
    b"<annotation><filename>a.jpg</filename><object><name>cat</name><difficult>0</difficult>"
    b"</object><object><name>dog</name></object></annotation>"
)
DAMAGED = {
    "csv-columns": "given.csv", "csv-tags": "given.csv", "csv-lines": "given.csv",
    "open-images": "given.csv", "nus-wide": "NUS/ImageList/Imagelist.txt",
    "yolo": "labels/train/2.txt", "cvat": "annotations.xml", "labelme": "json/b.json",
    "voc-lists": "ImageSets/Main/zebra_train.txt", "via": "given.json", "fiftyone": "given.json",
    "datumaro": "given.json", "vott": "given.json", "createml": "given.json",
    "label-studio": "given.json", "mirflickr": "lists/cat.txt", "celeba": "list_attr_celeba.txt",
    "labelbox": "given.ndjson", "ground-truth": "output.manifest", "prodigy": "given.jsonl",
    "supervisely": "project/ds0/ann/b.jpg.json", "superannotate": "export/b.jpg___objects.json",
    "darwin": "json/b.json",
}  # fmt: skip
CLASSES = "export/classes/classes.json"
#: More files of these and of other samples: target, format, sample, file.
MORE = (
    ("data.yaml", "yolo", SAMPLES["yolo"][0], "data.yaml"),
    ("supervisely's meta.json", "supervisely", SAMPLES["supervisely"][0], "project/meta.json"),
    ("superannotate's classes", "superannotate", SAMPLES["superannotate"][0], CLASSES),
    ("via 3", "via", via3, "given.json"),
)


def _annotation_targets(folder: Path) -> dict[str, Target]:
    images = {"images/a.jpg": b"", "images/b.jpg": b""}
    write_files(folder / "coco", {"given.json": json.dumps(COCO), **images})
    write_files(folder / "voc", {"Annotations/0.xml": VOC, **images})
    targets = {
        "coco": _reader("coco", folder / "coco" / "given.json", folder / "coco", as_json(COCO)),
        "voc": _reader("voc", folder / "voc/Annotations/0.xml", folder / "voc", edited(VOC)),
    }
    for format, name in DAMAGED.items():
        targets[format] = _of_sample(folder / format, format, SAMPLES[format][0], name)
    lines = b'{"file_name": "a.jpg", "tags": "cat|dog"}\n{"file_name": "b.jpg", "tags": null}\n'
    path = write_files(folder / "lines", {"given.jsonl": lines, **images}) / "given.jsonl"
    targets["json lines"] = _reader("createml", path, folder / "lines", edited(lines))
    for target, format, write, name in MORE:
        targets[target] = _of_sample(folder / target, format, write, name)
    return targets


def _of_sample(
    folder: Path, format: str, write: Callable[[Path], tuple[Path, Path]], name: str
) -> Target:
    source, pictures = write(folder)
    path = folder / name
    sound = path.read_bytes()
    damage = as_json(json.loads(sound)) if path.suffix == ".json" else edited(sound)
    return Target(path, damage, _reading(format, source, pictures))


def _reader(format: str, path: Path, folder: Path, damage: Damage) -> Target:
    source = path.parent if find_format(format, path).is_folder else path
    return Target(path, damage, _reading(format, source, folder / "images"))


def _reading(format: str, source: Path, images: Path) -> Callable[[], None]:
    def read() -> None:
        for record in FORMATS:  # no form may stumble over a file of another one
            record.fits(source)
        try:
            _checked(find_format(AUTO, source).read(source, images))
        except InputError:
            _checked(find_format(format, source).read(source, images))

    return read


def _cache_targets(folder: Path) -> dict[str, Target]:
    from classify.model_files import load_model
    from classify.training import fit

    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    Y = (X[:, :2] > 0).astype(int)
    both = np.hstack([X, X[:, :2]])
    data = write_data(folder / "pictures", [f"{k}.jpg" for k in range(12)], ["x", "y"], Y)
    made = write_labeled_cache(folder / "made.cache", data, {"net/fc": X, "net/gap": X[:, :2]})
    caches = {
        name: Path(shutil.copytree(made, folder / f"{name}.cache"))
        for name in ("json", "h5", "old", "csv")
    }
    manifest = json.loads((made / "manifest.json").read_text())
    (shard,) = made.glob("shard-*.h5")
    unseal(caches["old"] / shard.name)
    unsealed = (caches["old"] / shard.name).read_bytes()
    model = folder / "model.safetensors"
    fit(made, model, learner="l2", C=1.0)
    shutil.copy(model, folder / "damaged.safetensors")
    return {
        "manifest.json": Target(
            caches["json"] / "manifest.json", as_json(manifest), _reading_cache(caches["json"])
        ),
        "index.csv": Target(
            caches["csv"] / "index.csv",
            edited((made / "index.csv").read_bytes()),
            _reading_cache(caches["csv"]),
        ),
        "shard": Target(
            caches["h5"] / shard.name,
            patched(shard.read_bytes()),
            _reading_cache(caches["h5"]),
        ),
        "unsealed shard": Target(
            caches["old"] / shard.name,
            patched(unsealed),
            _reading_cache(caches["old"]),
            UNSEALED,
        ),
        "model": Target(
            folder / "damaged.safetensors",
            edited_model(model.read_bytes()),
            lambda: load_model(folder / "damaged.safetensors").scores(both),
        ),
    }


def _reading_cache(folder: Path) -> Callable[[], None]:
    def read() -> None:
        cache = FeatureCache(folder)
        assert cache.labels is None or cache.labels.shape == (len(cache), len(cache.label_names))
        assert len(cache.read()) == len(cache.valid_rows)

    return read


def run_apart(target: Target, number: int) -> tuple[int, str]:
    """Do `run` in a process of its own, since a library may crash or loop without end.

    Returns
    -------
    read : int
    fault : str
        The traceback, or how the process ended; empty if there was none.
    """
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)

    def work() -> None:
        try:
            theirs.send((run(target, number), ""))
        except Exception:
            theirs.send((0, traceback.format_exc()))

    child = fork.Process(target=work)
    child.start()
    theirs.close()
    try:
        if ours.poll(PATIENCE):
            return ours.recv()
        return 0, f"no answer in {PATIENCE} s to {target.path.name}"
    except EOFError:
        child.join()
        return 0, f"the process ended with {child.exitcode}"
    finally:
        child.kill()
        child.join()


def main() -> int:
    """Run over all targets until the time is over, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the first batch")
    parser.add_argument("targets", nargs="*")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    trial.CPU_SECONDS = 1
    inputs: Counter[str] = Counter()
    read: Counter[str] = Counter()
    faults: dict[str, tuple[int, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        targets = make_targets(Path(folder))
        names = given.targets or list(targets)
        end, number = time.monotonic() + given.seconds, given.seed
        while time.monotonic() < end and set(names) - set(faults):
            for name in names:
                if name in faults or time.monotonic() >= end:
                    continue
                count, trace = run_apart(targets[name], number)
                if trace:
                    faults[name] = (number, trace)
                read[name] += count
                inputs[name] += targets[name].batch
            number += 1
    for name in names:
        print(f"{name}: {inputs[name]} inputs, {read[name]} of them read")
    print(f"{inputs.total()} inputs, seeds {given.seed} to {number - 1}, {len(faults)} faults")
    for name, (number, trace) in faults.items():
        print(f"--- {name}, seed {number}\n{trace}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

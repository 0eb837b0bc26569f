"""A small synthetic data set: images of textured objects that overlap on textured grounds.

The quickstart needs no download of images because of it. An image belongs to a scene, and a scene
fixes the probability of each label, so labels are correlated, as in photographs. How a label looks
is defined in `benchmarks.synthetic.textures`.
"""

import csv
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.synthetic.textures import GROUNDS, LABELS, paint_image
from features.errors import InputError
from features.files import atomic_write, remove_temporaries, write_text
from features.files.ownership import make_folder

# The probability of each label in images of a scene. Columns of labels.csv are in LABELS' order.
SCENES: dict[str, dict[str, float]] = {
    "meadow": {"grass": 0.9, "water": 0.3, "triangle": 0.6, "leaf": 0.6, "moon": 0.2, "disc": 0.2},
    "shore": {"water": 0.9, "sand": 0.6, "moon": 0.6, "ring": 0.6, "flower": 0.2, "disc": 0.2},
    "town": {"brick": 0.9, "grass": 0.2, "board": 0.6, "gear": 0.6, "cross": 0.2, "ring": 0.2},
    "desert": {"sand": 0.9, "brick": 0.2, "disc": 0.6, "flower": 0.6, "triangle": 0.2, "gear": 0.2},
    "studio": {"cross": 0.6, "board": 0.3, "flower": 0.3, "leaf": 0.3, "moon": 0.2, "gear": 0.2},
}
MAX_GROUNDS = 2
JPEG_QUALITY = 88
VERSION = 1  # raise it when an image changes: folders of an older version are then refused


def render_dataset(folder: Path | str, *, n: int = 300, seed: int = 0) -> Path:
    """Render `n` images into ``folder/images`` and their labels into ``folder/labels.csv``.

    Image i depends on `seed` and i alone, so the first 100 of 300 are the 100 of a smaller set,
    and the same seed gives the same bytes. ``labels.csv`` is written last: a folder that holds it
    is complete. A run that was killed is completed by the next one, which keeps whole images.

    Parameters
    ----------
    folder : path-like
        Made where it is missing.
    n : int, default=300
        Number of images, at least 1.
    seed : int, default=0
        Not negative.

    Returns
    -------
    Path
        `folder`, which `features.datasets.load_dataset` reads.

    Raises
    ------
    InputError
        `n` or `seed` is out of range, or `folder` holds something other than this data set.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in (render_dataset(folder, n=2) / "images").iterdir())
    ['00000.jpg', '00001.jpg']
    """
    folder = Path(folder)
    if n < 1 or seed < 0:
        raise InputError(f"n={n}, seed={seed}: n must be at least 1 and seed not negative")
    _claim(folder, {"drawing": VERSION, "n": n, "seed": seed})
    images = folder / "images"
    images.mkdir(exist_ok=True)
    remove_temporaries(folder)
    remove_temporaries(images)
    paths = [images / f"{index:05d}.jpg" for index in range(n)]
    for index, path in enumerate(tqdm(paths, desc="render", unit="image")):
        if not path.exists():
            with atomic_write(path) as temporary:
                make_image(index, seed=seed).save(temporary, "JPEG", quality=JPEG_QUALITY)
    if not (folder / "labels.csv").exists():
        write_text(folder / "labels.csv", _labels_csv(paths, seed))
    return folder


def make_image(index: int, *, seed: int = 0) -> Image.Image:
    """Render image `index` of the set with this seed, RGB.

    Examples
    --------
    >>> make_image(0).getbands()
    ('R', 'G', 'B')
    """
    rng = _generator(index, seed)
    return paint_image(_choose_labels(rng), rng)


def image_labels(index: int, *, seed: int = 0) -> tuple[str, ...]:
    """Name the labels that `make_image` shows for the same arguments; there is at least one.

    Examples
    --------
    >>> image_labels(0) == image_labels(0, seed=0)
    True
    """
    return _choose_labels(_generator(index, seed))


def _claim(folder: Path, recipe: dict[str, object]) -> None:
    """Write down what the folder is to hold, or refuse one that holds something else."""
    path = folder / "recipe.json"
    if path.exists():
        found = path.read_text(encoding="utf-8")
        if found != json.dumps(recipe) + "\n":
            raise InputError(
                f"{folder} holds images of another recipe, {found.strip()}, and "
                f"{json.dumps(recipe)} was asked for: give another folder or delete this one"
            )
        return
    if (folder / "images").exists() or (folder / "labels.csv").exists():
        raise InputError(f"{folder} holds a data set that was not made here: give another folder")
    make_folder(folder)
    write_text(path, json.dumps(recipe) + "\n")


def _labels_csv(paths: list[Path], seed: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *LABELS])
    for index, path in enumerate(paths):
        present = image_labels(index, seed=seed)
        writer.writerow([path.name, *(int(name in present) for name in LABELS)])
    return text.getvalue()


def _generator(index: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, index])


def _choose_labels(rng: np.random.Generator) -> tuple[str, ...]:
    """Pick a scene, then each of its labels by its chance; the likeliest where none was chosen."""
    chances = SCENES[sorted(SCENES)[rng.integers(len(SCENES))]]
    chosen = [name for name in LABELS if rng.random() < chances.get(name, 0.02)]
    grounds = [name for name in chosen if name in GROUNDS]
    for surplus in grounds[MAX_GROUNDS:]:
        chosen.remove(surplus)
    return tuple(chosen) or (max(chances, key=lambda name: chances[name]),)

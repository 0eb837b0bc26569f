"""A trained model together with the extraction that makes its features: pictures in, tags out."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classify.model_files import load_model
from classify.models import TaggerModel
from classify.tag.settings import extraction_of
from extract.config import ExtractConfig
from extract.run import run
from features.cache import FeatureCache
from features.datasets import Dataset
from features.errors import InputError


class Tag(NamedTuple):
    """What a model says of one label of a picture; `probability` is None without calibration."""

    label: str
    score: float
    probability: float | None
    present: bool


class Tagged(NamedTuple):
    """A picture with all labels, in the model's order."""

    image: str
    tags: tuple[Tag, ...]

    @property
    def present(self) -> list[str]:
        """Labels that the model's thresholds find present, the most certain first."""
        return [tag.label for tag in sorted(self.tags, key=_uncertainty) if tag.present]


def _uncertainty(tag: Tag) -> float:
    return -(tag.score if tag.probability is None else tag.probability)


@dataclass(frozen=True)
class Tagger:
    """A model file, ready to tag pictures.

    Parameters
    ----------
    model : TaggerModel
    config : ExtractConfig
        Makes features as the model's were made.

    Examples
    --------
    >>> from PIL import Image
    >>> from classify.training import fit
    >>> from features.datasets import load_dataset
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder, colors = Path(name), ("red", "blue")
    ...     for k in range(12):
    ...         Image.new("RGB", (32, 32), colors[k % 2]).save(folder / f"{k}.png")
    ...     lines = [f"{k}.png,{1 - k % 2}" for k in range(12)]
    ...     with open(folder / "labels.csv", "w") as file:
    ...         print("image,red", *lines, sep=chr(10), file=file)
    ...     config = ExtractConfig("resnet18", "random:0", ("gap",), size=32)
    ...     cache = run(config, load_dataset(folder), folder / "cache")
    ...     _ = fit(cache, folder / "model.safetensors", learner="l2", scaling="max")
    ...     tagger = Tagger.load(folder / "model.safetensors", weights="random:0")
    ...     [one.present for one in tagger.tag([folder / "2.png", folder / "3.png"])]
    [['red'], []]
    """

    model: TaggerModel
    config: ExtractConfig

    @classmethod
    def load(cls, path: str | Path, *, weights: str | None = None, **runtime: Any) -> "Tagger":
        """Read a model file and find the weights that its features were made with.

        Parameters
        ----------
        path : str or Path
            A file that ``classify fit`` wrote.
        weights, **runtime
            As in `classify.tag.settings.extraction_of`.

        Returns
        -------
        Tagger

        Raises
        ------
        InputError
            The model can't be read, needs instances of a kind that is not stored, or its features
            can't be made again.
        """
        model = load_model(Path(path))
        return cls(model, extraction_of(model.manifest, weights, max_failures=1.0, **runtime))

    def tag(self, paths: Sequence[str | Path]) -> list[Tagged]:
        """Tag pictures.

        Parameters
        ----------
        paths : sequence of str or Path

        Returns
        -------
        list of Tagged
            In the order of `paths`.

        Raises
        ------
        InputError
            A picture is missing or can't be read; the message names the first one and the reason.
        """
        names = tuple(str(path) for path in paths)
        missing = [name for name in names if not Path(name).is_file()]
        if missing:
            raise InputError(f"There is no picture {missing[0]}: give paths of files.")
        if not names:
            return []
        whole = tuple(Path(name).absolute().as_posix() for name in names)
        ids = tuple(f"{k}/{name}" for k, name in enumerate(names))  # a picture may come twice
        with tempfile.TemporaryDirectory(prefix="tag-") as folder:
            cache = self.extract(Dataset(Path("/"), ids, whole), Path(folder))
            failed = np.setdiff1d(np.arange(len(names)), cache.valid_rows)
            if len(failed):
                row = cache.index[failed[0]]
                raise InputError(f"{names[failed[0]]} can't be tagged: {row.message or row.status}")
            return [one._replace(image=names[k]) for k, one in enumerate(self.tag_cache(cache))]

    def extract(self, dataset: Dataset, folder: Path) -> FeatureCache:
        """Compute the features of a data set into a folder, or go on where that was stopped."""
        return FeatureCache(run(self.config, dataset, folder))

    def tag_cache(self, cache: FeatureCache) -> Iterator[Tagged]:
        """Tag the pictures of a cache, those that have features, in the order of their rows.

        Raises
        ------
        InputError
            The cache was made another way.
        """
        ids = cache.ids
        for rows, scores in self.model.predict(cache):
            probabilities, present = self.model.predict_proba(scores), self.model.decide(scores)
            if present is None:
                raise InputError(
                    "The model only orders labels and can't say which are present. Fit it again "
                    "with --thresholds f1, or top:K."
                )
            for k, row in enumerate(rows):
                yield Tagged(
                    ids[row],
                    tuple(
                        Tag(
                            label,
                            float(scores[k, column]),
                            None if probabilities is None else float(probabilities[k, column]),
                            bool(present[k, column]),
                        )
                        for column, label in enumerate(self.model.label_names)
                    ),
                )

"""A trained model together with the extraction that makes its features: pictures in, tags out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from classify.model_files import load_model
from classify.models import TaggerModel
from classify.tag.pictures import features_of
from classify.tag.settings import extraction_of
from classify.tag.tags import Tag, Tagged
from extract.config import ExtractConfig
from extract.run import run
from features.cache import FeatureCache
from features.datasets import Dataset
from features.errors import InputError


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
    >>> import tempfile
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
        if not paths:
            return []
        with features_of(self.config, paths) as cache:
            found = zip(paths, self.tag_cache(cache), strict=True)
            return [one._replace(image=str(path)) for path, one in found]

    def extract(self, dataset: Dataset, folder: Path) -> FeatureCache:
        """Compute the features of a data set into a folder, or of what is new, or go on there."""
        return FeatureCache(run(replace(self.config, append=True), dataset, folder))

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

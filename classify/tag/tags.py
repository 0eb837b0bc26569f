"""What a model says of a picture."""

from typing import NamedTuple


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

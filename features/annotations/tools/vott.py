"""VoTT's JSON: assets with tagged regions."""

from pathlib import Path

from features.annotations.collect import Picture, collect, having, unknown_pictures
from features.datasets import Dataset
from features.inputs.json_text import JsonValue, keys_of, read_json_text

_NOT_VISITED = 0


def recognizes(source: Path) -> bool:
    """Tell whether a file has VoTT's assets."""
    keys = keys_of(source)
    return ".assets" in keys and any(key.endswith(".asset") for key in keys)


def read_vott(source: Path, images: Path, *, strict_names: bool = False) -> Dataset:
    """Read VoTT's export as JSON.

    Parameters
    ----------
    source : Path
        A label is present where an asset has a region with that tag.
    images : Path
        The folder of the assets.
    strict_names : bool
        As for `features.datasets.index_images`.

    Returns
    -------
    Dataset
        A row for each asset, with labels 1 or 0 in the order of the project's tags; -1 for an
        asset that nobody has visited.

    Raises
    ------
    InputError
        It is no JSON of this form, an asset has no name, or a picture is missing.
    """
    content = read_json_text(source, "VoTT's export as JSON")
    tags = content.get("tags").entries(may_lack=True)
    pictures = [_picture(one) for one in content.get("assets").fields().values()]
    return collect(
        images, pictures, source=source, strict_names=strict_names,
        notes=unknown_pictures(pictures, source, "were not visited"),
        known=[one.get("name").text().strip() for one in tags],
    )  # fmt: skip


def _picture(entry: JsonValue) -> Picture:
    asset = entry.get("asset")
    name = asset.get("name").text()
    regions = entry.get("regions").entries(may_lack=True)
    if not regions and asset.get("state").content == _NOT_VISITED:
        return Picture(name, {}, -1)
    return having(name, [tag.text() for one in regions for tag in one.get("tags").entries()])

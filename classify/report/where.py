"""Where a page's pictures come from; checked before anything is computed."""

from pathlib import Path

from features.errors import InputError


def require_pictures(data: Path | None) -> None:
    """Refuse a `--data` that is neither a folder nor another source.

    Raises
    ------
    InputError
        Nothing is there.
    """
    from features.sources.patterns import expand
    from features.sources.remote.address import located

    if data is not None and not expand(located(data))[0].exists():
        raise InputError(
            f"{data} is no folder or archive: give --data what the cache was extracted from."
        )

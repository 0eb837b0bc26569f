"""Several files by one name: `shards-{0000..0099}.tar`, `{a,b}.zip`, `shards-*.tar`."""

import re
from itertools import product
from pathlib import Path

from features.errors import InputError
from features.labels import some_of
from features.sources.remote.address import WEB, Address

MOST = 100_000  # files by one pattern
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")
_WILD = re.compile(r"[*?\[]")


def expand(path: Path) -> list[Path]:
    """List the files that a name stands for; a file of exactly that name stands for itself.

    Parameters
    ----------
    path : Path
        `{0000..0099}` counts with as many digits, `{a,b}` lists; `*` and `?` find what is there.

    Returns
    -------
    list of Path
        At least one; sorted where a wildcard found them.

    Raises
    ------
    InputError
        Nothing is there, files of a range are missing, or there are more than `MOST`.
    """
    text = str(path)
    if isinstance(path, Address):
        return _addresses(path, text)
    if path.exists() or not (_BRACES.search(text) or _WILD.search(text)):
        return [path]
    names = [Path(name) for name in dict.fromkeys(_braces(text))]
    if _WILD.search(_BRACES.sub("", text)):
        found = sorted({one for name in names for one in _matching(name)})
        if not found:
            raise InputError(f"No file matches {path}. Give a pattern of files that are there.")
        return found
    missing = [str(name) for name in names if not name.exists()]
    if missing and names != [path]:
        raise InputError(
            f"{path}: {some_of(missing)} of {len(names)} files are not there. Add them, or give a "
            "range of those that are."
        )
    return names


def _addresses(path: Address, text: str) -> list[Path]:
    """List addresses; whether they are there is found out when they are opened."""
    names = [Address(name) for name in dict.fromkeys(_braces(text))]
    if path.scheme in WEB or not _WILD.search(_BRACES.sub("", text)):
        return [*names]
    from features.sources.remote.client import matching

    found = sorted({one for name in names for one in matching(name)})
    if not found:
        raise InputError(f"No file matches {path}. Give a pattern of files that are there.")
    return [*found]


def _braces(text: str) -> list[str]:
    pieces = _BRACES.split(text)  # text, content, text, ...
    choices: list[list[str]] = []
    total = 1
    for position, piece in enumerate(pieces):
        choices.append(_choices(piece) if position % 2 else [piece])
        total *= len(choices[-1])
        if total > MOST:
            raise _too_many(text)
    return ["".join(parts) for parts in product(*choices)]


def _choices(content: str) -> list[str]:
    counted = _RANGE.fullmatch(content)
    if not counted:
        return content.split(",") if "," in content else [f"{{{content}}}"]
    first, last = int(counted[1]), int(counted[2])
    if abs(last - first) >= MOST:
        raise _too_many(content)
    digits = max(map(len, counted.groups())) if any(x[0] == "0" for x in counted.groups()) else 0
    step = 1 if last >= first else -1
    return [f"{number:0{digits}}" for number in range(first, last + step, step)]


def _too_many(text: str) -> InputError:
    return InputError(f"{text!r} stands for more than {MOST:,} files. Give a shorter range.")


def _matching(path: Path) -> list[Path]:
    parts = path.parts
    wild = next(i for i, part in enumerate(parts) if _WILD.search(part))
    return [one for one in Path(*parts[:wild]).glob("/".join(parts[wild:])) if one.is_file()]

"""The field of an object that holds a picture's name, however a tool calls it."""

from collections.abc import Sequence

from features.errors import InputError
from features.inputs.field_names import IMAGES, field_key
from features.inputs.image_kinds import image_suffixes
from features.inputs.json_text import JsonValue
from features.inputs.name_forms import ending_of, without_query

_CALLED = ("image", "imagefilename")


def image_field(entry: JsonValue) -> str:
    """Tell which field of an object names its picture.

    Parameters
    ----------
    entry : JsonValue

    Returns
    -------
    str
        The key called `image`; or else the only text that ends like a picture, or the only one
        that is called like a picture's name.

    Raises
    ------
    InputError
        It is no object, or that can't be told.
    """
    fields = {key: one.content for key, one in entry.fields().items()}
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    called = [key for key in texts if IMAGES.fullmatch(field_key(key))]
    for choice in (
        [key for key in fields if field_key(key) in _CALLED],
        [key for key in called if _is_picture(texts[key])],
        [key for key in texts if _is_picture(texts[key])],
        called,
    ):
        if len(choice) == 1:
            return choice[0]
        if choice:
            raise InputError(
                f"{entry.source}: {entry.place} has {' and '.join(map(repr, choice[:3]))}; which "
                "one names the picture can't be told. Call it 'image'."
            )
    return "image"


def _is_picture(text: str) -> bool:
    return any(ending_of(name.strip()) in image_suffixes() for name in (text, *without_query(text)))


def label_at(names: Sequence[str], number: JsonValue) -> str:
    """Give the name of a class by its number, from 0.

    Raises
    ------
    InputError
        It is no number of a name.
    """
    place = number.content
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(names):
        raise number.refused(f"the number of a class, from 0 to {len(names) - 1}")
    return names[place]

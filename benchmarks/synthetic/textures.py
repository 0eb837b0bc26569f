"""Pixels: textured grounds and objects, and an image that shows given labels.

A label is a ground or a shape with its own texture. Color, size, angle, place, light and noise are
independent of the labels, and blobs with borrowed textures have no label at all.
"""

import colorsys
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw

SIZES = ((320, 240), (240, 320), (272, 272))  # width, height

Array = np.ndarray
Random = np.random.Generator


def paint_image(labels: Iterable[str], rng: Random) -> Image.Image:
    """Paint one image that shows `labels`.

    Parameters
    ----------
    labels : iterable of str
        Out of `LABELS`.
    rng : numpy.random.Generator
        Decides everything else.

    Returns
    -------
    Image
        RGB, one of `SIZES`.

    Examples
    --------
    >>> paint_image(["grass", "ring"], np.random.default_rng(0)).mode
    'RGB'
    """
    labels = list(labels)
    width, height = SIZES[rng.integers(len(SIZES))]
    hues = rng.random(3)  # one small palette per image: no label has a color of its own
    grounds = [name for name in labels if name in GROUNDS]
    canvas = _paint_grounds(grounds, (height, width), hues, rng)
    _paint_objects(canvas, [name for name in labels if name in OBJECTS], hues, rng)
    canvas = canvas ** rng.uniform(0.75, 1.35) * rng.uniform(0.75, 1.1)
    canvas += rng.normal(0, rng.uniform(0.01, 0.06), canvas.shape)
    return Image.fromarray((np.clip(canvas, 0, 1) * 255).round().astype(np.uint8))


# Color


def _two_tones(hues: Array, rng: Random) -> tuple[Array, Array]:
    """Pick a dark and a light color near one of the image's hues."""
    hue = hues[rng.integers(len(hues))]
    tones = [
        colorsys.hsv_to_rgb((hue + rng.normal(0, 0.04)) % 1, rng.uniform(0.15, 0.8), value)
        for value in (rng.uniform(0.15, 0.5), rng.uniform(0.6, 1.0))
    ]
    return np.array(tones[0]), np.array(tones[1])


def _tint(pattern: Array, hues: Array, rng: Random) -> Array:
    """Turn a pattern in [0, 1], (h, w), into color, (h, w, 3)."""
    dark, light = _two_tones(hues, rng)
    if rng.random() < 0.5:
        dark, light = light, dark
    color = np.empty((*pattern.shape, 3))
    for channel in range(3):  # numpy is slow where the last axis is as short as this one
        color[..., channel] = dark[channel] + pattern * (light - dark)[channel]
    return color


# Grounds: (height, width) to a pattern in [0, 1]


def _clouds(shape: tuple[int, int], rng: Random, cells: int = 4) -> Array:
    coarse = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
    return np.clip(np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC)), 0, 1)


def _grass(shape: tuple[int, int], rng: Random) -> Array:
    height, width = shape
    pattern = Image.new("L", (width, height), 90)
    draw = ImageDraw.Draw(pattern)
    length, lean = rng.uniform(10, 26), rng.normal(0, 4)
    for y in np.sort(rng.uniform(0, height + length, 900)):
        x = rng.uniform(0, width)
        tip = (x + lean + rng.normal(0, 4), y - length * rng.uniform(0.6, 1.3))
        draw.line([(x, y), tip], fill=int(rng.integers(20, 255)), width=int(rng.integers(1, 3)))
    return np.asarray(pattern) / 255


def _water(shape: tuple[int, int], rng: Random) -> Array:
    y, x = np.mgrid[: shape[0], : shape[1]]
    wave, height = rng.uniform(25, 60), rng.uniform(2, 5)
    lines = y + height * np.sin(2 * np.pi * x / wave + 3 * _clouds(shape, rng))
    return 0.5 + 0.5 * np.sin(2 * np.pi * lines / rng.uniform(9, 22))


def _brick(shape: tuple[int, int], rng: Random) -> Array:
    y, x = np.mgrid[: shape[0], : shape[1]]
    height = rng.uniform(11, 26)
    width, joint = height * rng.uniform(1.7, 2.6), rng.uniform(1.5, 3)
    row = np.floor(y / height).astype(int)
    along = x + (row % 2) * width / 2
    mortar = (y % height < joint) | (along % width < joint)
    shades = rng.uniform(0.5, 1.0, (row.max() + 1, int(along.max() / width) + 1))
    return np.where(mortar, 0.0, shades[row, (along // width).astype(int)])


def _sand(shape: tuple[int, int], rng: Random) -> Array:
    grain = rng.random(((shape[0] + 1) // 2, (shape[1] + 1) // 2)).repeat(2, 0).repeat(2, 1)
    speckled = grain[: shape[0], : shape[1]] ** rng.uniform(1.5, 4)
    return 0.25 * _clouds(shape, rng, cells=6) + 0.75 * speckled


GROUNDS: dict[str, Callable[[tuple[int, int], Random], Array]] = {
    "grass": _grass,
    "water": _water,
    "brick": _brick,
    "sand": _sand,
}


def _paint_grounds(names: list[str], shape: tuple[int, int], hues: Array, rng: Random) -> Array:
    """Lay a plain backdrop, then each ground from a wavy, tilted line downwards."""
    canvas = _tint(_clouds(shape, rng), hues, rng)
    y, x = np.mgrid[: shape[0], : shape[1]] / min(shape)
    tops = np.cumsum(rng.uniform(0.2, 0.45, len(names))) - rng.uniform(0, 0.2)
    for name, top in zip(rng.permutation(names), tops, strict=True):
        wavy = 0.03 * np.sin(2 * np.pi * x * rng.uniform(1, 3) + rng.uniform(0, 6))
        below = y + rng.normal(0, 0.12) * (x - 0.5) + wavy > top * shape[0] / min(shape)
        canvas[below] = _tint(GROUNDS[name](shape, rng), hues, rng)[below]
    return canvas


# Objects: shapes are distances, > 0 inside, in units of the object's radius


def _polygon(u: Array, v: Array, corners: int, radius: float) -> Array:
    angles = 2 * np.pi * np.arange(corners) / corners
    sides = [np.cos(angle) * u + np.sin(angle) * v for angle in angles]
    return radius - np.max(sides, axis=0)


def _cross(u: Array, v: Array) -> Array:
    a, b = np.abs(u), np.abs(v)
    return np.maximum(np.minimum(0.3 - a, 0.95 - b), np.minimum(0.3 - b, 0.95 - a))


def _flower(u: Array, v: Array) -> Array:
    turn = (np.arctan2(v, u) / (2 * np.pi) * 5) % 1
    return 1 - 1.15 * np.minimum(turn, 1 - turn) - np.hypot(u, v)


def _gear(u: Array, v: Array) -> Array:
    teeth = 0.82 + 0.13 * np.tanh(4 * np.sin(9 * np.arctan2(v, u)))
    r = np.hypot(u, v)
    return np.minimum(teeth - r, r - 0.22)


def _stripes(u: Array, v: Array, f: float) -> Array:
    return (np.sin(f * u) > 0).astype(float)


def _checks(u: Array, v: Array, f: float) -> Array:
    return (np.sin(f * u) * np.sin(f * v) > 0).astype(float)


def _spots(u: Array, v: Array, f: float) -> Array:
    return (np.sin(f * u) * np.sin(f * v) > 0.45).astype(float)


def _circles(u: Array, v: Array, f: float) -> Array:
    return (np.sin(f * np.hypot(u, v)) > 0).astype(float)


def _zigzag(u: Array, v: Array, f: float) -> Array:
    return (np.sin(f * (u + 0.35 * np.abs((v * f / 4) % 2 - 1))) > 0).astype(float)


def _rays(u: Array, v: Array, f: float) -> Array:
    return (np.sin(round(f) * np.arctan2(v, u)) > 0).astype(float)


def _lattice(u: Array, v: Array, f: float) -> Array:
    return ((np.abs(np.sin(f * u / 2)) < 0.35) | (np.abs(np.sin(f * v / 2)) < 0.35)).astype(float)


def _shaded(u: Array, v: Array, f: float) -> Array:
    return np.clip(0.5 + 0.45 * u, 0, 1)


Shape = Callable[[Array, Array], Array]
Texture = Callable[[Array, Array, float], Array]
OBJECTS: dict[str, tuple[Shape, Texture]] = {
    "disc": (lambda u, v: 1 - np.hypot(u, v), _stripes),
    "board": (lambda u, v: 0.85 - np.maximum(np.abs(u), np.abs(v)), _checks),
    "triangle": (lambda u, v: _polygon(u, v, 3, 0.55), _spots),
    "flower": (_flower, _circles),
    "ring": (lambda u, v: 0.24 - np.abs(np.hypot(u, v) - 0.74), _rays),
    "gear": (_gear, _shaded),
    "moon": (lambda u, v: np.minimum(1 - np.hypot(u, v), np.hypot(u - 0.5, v) - 0.75), _zigzag),
    "leaf": (lambda u, v: 1.25 - np.hypot(np.abs(u) + 0.75, v), _lattice),
    "cross": (_cross, _stripes),
}
TEXTURES = (_stripes, _checks, _spots, _circles, _zigzag, _rays, _lattice, _shaded)
LABELS = (*GROUNDS, *OBJECTS)


def _blob(rng: Random) -> Shape:
    """Give an irregular round shape, for objects without a label."""
    phases, heights = rng.uniform(0, 6, 3), rng.uniform(0.05, 0.2, 3)

    def shape(u: Array, v: Array) -> Array:
        angle = np.arctan2(v, u)
        waves = [
            h * np.sin(k * angle + p) for k, h, p in zip((2, 3, 5), heights, phases, strict=True)
        ]
        return 0.75 + np.sum(waves, axis=0) - np.hypot(u, v)

    return shape


def _paint_objects(canvas: Array, names: list[str], hues: Array, rng: Random) -> None:
    """Paint the labeled objects, some twice, and up to three blobs, where there is most room."""
    things = [OBJECTS[name] for name in names for _ in range(1 + (rng.random() < 0.25))]
    things += [(_blob(rng), TEXTURES[rng.integers(len(TEXTURES))]) for _ in range(rng.integers(4))]
    size = np.array(canvas.shape[:2])
    taken = np.full((1, 2), -1e3)
    for index in rng.permutation(len(things)):
        candidates = rng.uniform(0.1, 0.9, (4, 2)) * size
        gaps = np.linalg.norm(candidates[:, None] - taken, axis=2).min(axis=1)
        center = candidates[gaps.argmax()]
        taken = np.vstack([taken, center])
        _paint_object(canvas, *things[index], center=center, hues=hues, rng=rng)


def _paint_object(
    canvas: Array, shape: Shape, texture: Texture, *, center: Array, hues: Array, rng: Random
) -> None:
    """Blend one object into `canvas`, with a soft shadow, on the rectangle that it touches."""
    radius = rng.uniform(0.1, 0.26) * min(canvas.shape[:2])
    top, left = np.maximum(center - 1.3 * radius, 0).astype(int)
    bottom, right = (center + 1.3 * radius).astype(int)
    window = canvas[top:bottom, left:right]
    y, x = np.mgrid[top : top + window.shape[0], left : left + window.shape[1]]
    angle, squeeze = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.0)
    u, v = (x - center[1]) / radius, (y - center[0]) / (radius * squeeze)
    u, v = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    inside = shape(u, v)[..., None]
    window *= 1 - 0.5 * np.clip(1 + inside / 0.15, 0, 1)
    paint = _tint(texture(u, v, rng.uniform(8, 14)), hues, rng) * rng.uniform(0.8, 1.1)
    alpha = np.clip(0.5 + inside * radius, 0, 1)
    window += alpha * (paint - window)

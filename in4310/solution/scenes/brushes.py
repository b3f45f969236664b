"""What the scenes are drawn with: skies, ridges, water, trees, facades, and the camera.

A canvas is float32 (150, 150, 3), red, green and blue in 0..1; everything random comes from the generator given.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 150
Rng = np.random.Generator
Colour = np.ndarray  # float (3,), 0..1


def noise(
    rng: Rng, rows: int, columns: int, octaves: int = 3, height: int = SIDE, width: int = SIDE
) -> np.ndarray:
    """Value noise (height, width), mean about 0, largest about 1; `rows` x `columns` cells in the first octave."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grid = rng.standard_normal((rows * 2**octave + 1, columns * 2**octave + 1)).astype(np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer) * 0.5**octave
    return total / 2.2


def vary(rng: Rng, *base: float, spread: float = 0.06) -> Colour:
    """A colour near `base`: float32 (3,), normally distributed about it."""
    return np.clip(np.array(base, np.float32) + rng.normal(0, spread, 3).astype(np.float32), 0, 1)


SKIES = (  # top, bottom: clear, pale, overcast, sunset, dusk
    ((0.25, 0.48, 0.82), (0.70, 0.82, 0.93)),
    ((0.55, 0.68, 0.82), (0.86, 0.88, 0.90)),
    ((0.58, 0.60, 0.63), (0.80, 0.80, 0.80)),
    ((0.42, 0.38, 0.55), (0.95, 0.66, 0.42)),
    ((0.14, 0.17, 0.32), (0.50, 0.45, 0.55)),
)


def sky(rng: Rng) -> np.ndarray:
    """A new canvas: one of the skies, with clouds or without."""
    top, bottom = SKIES[rng.integers(len(SKIES))]
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    canvas = vary(rng, *top) * (1 - ramp) + vary(rng, *bottom) * ramp
    canvas = np.repeat(canvas, SIDE, axis=1)
    clouds = np.clip(noise(rng, 3, 2) - rng.uniform(-0.2, 0.8), 0, 1)[..., None] * rng.uniform(0, 1.2)
    return canvas * (1 - clouds) + clouds * rng.uniform(0.7, 1.0)


def ridge(rng: Rng, height: float, roughness: float, cells: int = 3) -> np.ndarray:
    """A skyline: row (150,) of the upper edge of a ridge, `height` and `roughness` as shares of the side."""
    line = noise(rng, 1, cells, 5, 1)[0] if cells else np.zeros(SIDE, np.float32)
    return (1 - height - roughness * line) * SIDE


def below(line: np.ndarray) -> np.ndarray:
    """Mask (150, 150) of what lies below a skyline, its edge softened over a pixel."""
    return np.clip(np.arange(SIDE, dtype=np.float32)[:, None] - line[None], 0, 1)


def paint(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The canvas with `colour`, one or one a pixel, laid over it where `mask` (150, 150) is 1."""
    mask = mask[..., None]
    return canvas * (1 - mask) + colour * mask


def textured(rng: Rng, colour: Colour, rows: int, columns: int, strength: float) -> np.ndarray:
    """A canvas of one colour under noise."""
    return colour + (noise(rng, rows, columns, 4) * strength)[..., None]


def rock(rng: Rng, canvas: np.ndarray, line: np.ndarray, snow: float) -> np.ndarray:
    """A mountain side below a skyline; `snow`: share of its height that is white."""
    colour = vary(rng, *((0.38, 0.36, 0.36), (0.45, 0.38, 0.32), (0.30, 0.36, 0.42))[rng.integers(3)])
    shade = noise(rng, 4, 9, 4)
    light = np.clip(np.gradient(line), -2, 2)[None] * 0.06 * rng.choice([-1, 1])
    body = colour + (shade * 0.16 + light)[..., None]
    depth = (np.arange(SIDE)[:, None] - line[None]) / SIDE + shade * 0.12
    white = np.clip((snow - depth) * 12, 0, 1)[..., None]
    ice = vary(rng, 0.88, 0.91, 0.96, spread=0.03) + (shade * 0.10 + light)[..., None]
    return paint(canvas, below(line), body * (1 - white) + ice * white)


def trees(
    rng: Rng, canvas: np.ndarray, base: np.ndarray, size: float, count: int, colour: Colour
) -> np.ndarray:
    """Conifers or round crowns standing on a line."""
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    conifer = rng.random() < 0.6
    for x in rng.uniform(-5, SIDE + 5, count):
        foot = float(base[int(np.clip(x, 0, SIDE - 1))]) + rng.uniform(0, 8)
        tall = size * rng.uniform(0.6, 1.3)
        tint = tuple(int(255 * v) for v in np.clip(colour + rng.normal(0, 0.05), 0, 1))
        if conifer:
            pen.polygon([(x - tall * 0.22, foot), (x + tall * 0.22, foot), (x, foot - tall)], fill=tint)
        else:
            pen.line([(x, foot), (x, foot - tall * 0.5)], fill=(60, 45, 35), width=2)
            pen.ellipse([x - tall * 0.3, foot - tall, x + tall * 0.3, foot - tall * 0.3], fill=tint)
    return np.asarray(picture, np.float32) / 255


LEAVES = ((0.20, 0.36, 0.16), (0.12, 0.24, 0.14), (0.62, 0.40, 0.14), (0.74, 0.76, 0.74), (0.36, 0.40, 0.22))
WALLS = ((0.62, 0.55, 0.48), (0.48, 0.32, 0.26), (0.55, 0.60, 0.66), (0.80, 0.77, 0.70), (0.34, 0.36, 0.40))


def facade(pen: ImageDraw.ImageDraw, rng: Rng, corners: list[tuple[float, float]]) -> None:
    """A wall with windows in a quadrilateral: upper left, upper right, lower right, lower left."""
    wall = vary(rng, *WALLS[rng.integers(len(WALLS))], spread=0.08)
    lit = rng.random() < 0.3
    glass = vary(rng, 0.85, 0.75, 0.45) if lit else wall * rng.uniform(0.25, 0.6) + 0.05
    a, b, c, d = (np.array(corner, np.float32) for corner in corners)
    pen.polygon([tuple(p) for p in (a, b, c, d)], fill=ink(wall))
    floors = int(np.clip(np.linalg.norm(d - a) / rng.uniform(9, 22), 2, 14))
    across = int(np.clip(np.linalg.norm(b - a) / rng.uniform(8, 18), 1, 12))
    gap_x, gap_y = rng.uniform(0.12, 0.35), rng.uniform(0.15, 0.35)
    if rng.random() < 0.15:
        gap_x = 0.03  # ribbon windows
    for row in range(floors):
        for column in range(across):
            pane = [
                _between(a, b, c, d, (column + u) / across, (row + v) / floors)
                for u, v in ((gap_x, gap_y), (1 - gap_x, gap_y), (1 - gap_x, 1 - gap_y), (gap_x, 1 - gap_y))
            ]
            pen.polygon(pane, fill=ink(glass * rng.uniform(0.8, 1.15)))


def _between(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, u: float, v: float
) -> tuple[float, float]:
    x, y = (a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v
    return float(x), float(y)


def ink(colour: Colour) -> tuple[int, int, int]:
    """A colour as Pillow's pens take it: 0..255."""
    red, green, blue = (int(255 * v) for v in np.clip(colour, 0, 1))
    return red, green, blue


def photograph(rng: Rng, canvas: np.ndarray) -> np.ndarray:
    """The camera: light, colour cast, haze, mirror, blur, noise; uint8."""
    canvas = np.clip(canvas, 0, 1) ** rng.uniform(0.6, 1.6)
    canvas = canvas * rng.normal(1, 0.07, 3) * rng.uniform(0.7, 1.15)
    grey = canvas.mean(axis=2, keepdims=True)
    canvas = grey + (canvas - grey) * rng.choice([0.0, 1.0, 1.0, 1.0, rng.uniform(0.2, 1.4)])
    haze = rng.uniform(0, 0.3)
    canvas = canvas * (1 - haze) + haze * rng.uniform(0.5, 0.9)
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.9))))
    noisy = np.asarray(picture, np.float32) + rng.normal(0, rng.uniform(1, 9), (SIDE, SIDE, 1))
    return np.clip(noisy, 0, 255).astype(np.uint8)

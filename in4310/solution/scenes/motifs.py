"""The motifs of the embedded data: one function a class, and single objects for the data sets to compare with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from in4310.solution.scenes.brushes import (
    LEAVES,
    SIDE,
    Rng,
    below,
    facade,
    ink,
    noise,
    paint,
    photograph,
    ridge,
    rock,
    sky,
    textured,
    trees,
    vary,
)


def _mountain(rng: Rng) -> np.ndarray:
    canvas = sky(rng)
    snow = rng.choice([0.0, rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.8)])
    height = rng.uniform(0.45, 0.85)
    for layer in range(int(rng.integers(1, 4))):
        line = ridge(rng, height - 0.16 * layer, rng.uniform(0.14, 0.30), int(rng.integers(2, 5)))
        canvas = rock(rng, canvas, line, snow * (1 - 0.3 * layer))
    if rng.random() < 0.65:
        canvas = _foreground(rng, canvas, rng.uniform(0.05, 0.28))
    return canvas


def _foreground(rng: Rng, canvas: np.ndarray, height: float) -> np.ndarray:
    """Meadow, scree, lake or trees along the lower edge: what may stand before mountains and ice alike."""
    line = ridge(rng, height, 0.03)
    kind = rng.integers(4)
    if kind == 0:
        return _water(rng, canvas, line, calm=True)
    colour = vary(rng, *((0.34, 0.42, 0.20), (0.42, 0.38, 0.32), (0.80, 0.82, 0.85))[kind - 1])
    canvas = paint(canvas, below(line), textured(rng, colour, 8, 12, 0.10))
    if rng.random() < 0.5:
        leaf = vary(rng, *LEAVES[rng.integers(len(LEAVES))])
        canvas = trees(rng, canvas, line + 4, rng.uniform(10, 34), int(rng.integers(4, 30)), leaf)
    return canvas


def _glacier(rng: Rng) -> np.ndarray:
    canvas = sky(rng)
    if rng.random() < 0.85:
        line = ridge(rng, rng.uniform(0.5, 0.85), rng.uniform(0.10, 0.26), int(rng.integers(2, 5)))
        canvas = rock(rng, canvas, line, rng.choice([rng.uniform(0, 0.25), rng.uniform(0.2, 0.7)]))
    edge = ridge(rng, rng.uniform(0.25, 0.65), rng.uniform(0.03, 0.14))
    ice = vary(rng, *((0.82, 0.88, 0.93), (0.62, 0.76, 0.86), (0.70, 0.70, 0.70))[rng.integers(3)])
    body = textured(rng, ice, 5, 5, 0.10)
    # Crevasses: thin dark bands along contour lines of noise that is stretched along the flow.
    steep = rng.uniform() < 0.5
    bands = noise(rng, 3 if steep else 10, 10 if steep else 3, 3) * rng.uniform(5, 11)
    cracks = np.clip(1 - np.abs(bands - np.round(bands)) * rng.uniform(5, 9), 0, 1)
    deep = vary(rng, 0.25, 0.48, 0.66)
    body = body * (1 - 0.75 * cracks[..., None]) + deep * (0.75 * cracks[..., None])
    dirt = np.clip(noise(rng, 3, 8, 3) - rng.uniform(0.2, 0.9), 0, 0.7)[..., None]
    body = body * (1 - dirt) + vary(rng, 0.36, 0.33, 0.30) * dirt
    canvas = paint(canvas, below(edge), body)
    if rng.random() < 0.45:
        canvas = _foreground(rng, canvas, rng.uniform(0.05, 0.22))
    return canvas


def _water(rng: Rng, canvas: np.ndarray, line: np.ndarray, calm: bool = False) -> np.ndarray:
    """Water below a line: horizontal waves that grow towards the viewer, reflecting the sky's colour."""
    tint = vary(
        rng,
        *((0.12, 0.32, 0.50), (0.14, 0.42, 0.45), (0.36, 0.42, 0.47), (0.20, 0.24, 0.32))[rng.integers(4)],
    )
    sky = canvas[:20].mean((0, 1))
    near = np.clip((np.arange(SIDE)[:, None] - line.min()) / max(1.0, SIDE - line.min()), 0, 1)
    fine, coarse = noise(rng, 45, 6, 2), noise(rng, 14, 4, 3)
    waves = (fine * (1 - near) + coarse * near) * (0.06 if calm else rng.uniform(0.08, 0.22))
    foam = np.clip(coarse - rng.uniform(0.5, 1.2), 0, 0.5) * (0.0 if calm else 1.4)
    mix = rng.uniform(0.2, 0.6)
    return paint(canvas, below(line), tint * (1 - mix) + sky * mix + (waves + foam * near)[..., None])


def _sea(rng: Rng) -> np.ndarray:
    canvas = sky(rng)
    horizon = np.full(SIDE, (1 - rng.uniform(0.3, 0.75)) * SIDE, np.float32) + np.linspace(
        -1, 1, SIDE
    ) * rng.uniform(0, 3)
    if rng.random() < 0.4:  # land behind the water
        line = horizon - np.clip(noise(rng, 1, 3, 5, 1)[0] * rng.uniform(8, 40) + rng.uniform(-5, 20), 0, 60)
        canvas = rock(rng, canvas, line, rng.choice([0.0, 0.2]))
    canvas = _water(rng, canvas, horizon)
    if rng.random() < 0.4:  # shore
        shore = (1 - rng.uniform(0.08, 0.3)) * SIDE + np.linspace(-1, 1, SIDE) * rng.uniform(-25, 25)
        sand = vary(rng, *((0.76, 0.68, 0.52), (0.35, 0.33, 0.30))[rng.integers(2)])
        canvas = paint(
            canvas, below(shore + noise(rng, 1, 5, 3, 1)[0] * 4), textured(rng, sand, 10, 10, 0.08)
        )
    if rng.random() < 0.3:  # a boat
        picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
        x, y, s = rng.uniform(20, 130), float(horizon[0]) + rng.uniform(2, 30), rng.uniform(4, 14)
        pen = ImageDraw.Draw(picture)
        pen.polygon(
            [(x - s, y), (x + s, y), (x + 0.7 * s, y + 0.4 * s), (x - 0.7 * s, y + 0.4 * s)],
            fill=ink(vary(rng, 0.3, 0.2, 0.2)),
        )
        pen.polygon(
            [(x, y), (x, y - 1.8 * s), (x + 0.8 * s, y - 0.2 * s)], fill=ink(vary(rng, 0.9, 0.9, 0.88))
        )
        canvas = np.asarray(picture, np.float32) / 255
    return canvas


def _forest(rng: Rng) -> np.ndarray:
    leaf = vary(rng, *LEAVES[rng.integers(len(LEAVES))], spread=0.05)
    if rng.random() < 0.4:  # from afar: canopy before sky or slopes
        canvas = sky(rng)
        if rng.random() < 0.4:
            canvas = rock(rng, canvas, ridge(rng, rng.uniform(0.6, 0.85), 0.16), rng.choice([0.0, 0.15]))
        height = rng.uniform(0.45, 0.8)
        for layer in range(4):
            line = ridge(rng, height - 0.17 * layer, 0.06)
            canvas = paint(canvas, below(line), textured(rng, leaf * (1 - 0.1 * layer), 16, 16, 0.14))
            canvas = trees(rng, canvas, line + 6, 14 + 9 * layer, 45, leaf * (0.95 - 0.12 * layer))
        return canvas
    gloom = rng.uniform(0.3, 1.0)
    canvas = textured(rng, leaf * gloom + rng.uniform(0, 0.25), 12, 12, 0.22)
    floor = ridge(rng, rng.uniform(0.1, 0.4), 0.04)
    ground = vary(rng, *((0.30, 0.26, 0.18), (0.24, 0.34, 0.16), (0.80, 0.82, 0.84))[rng.integers(3)])
    canvas = paint(canvas, below(floor), textured(rng, ground, 14, 14, 0.14))
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for depth in np.sort(rng.uniform(0, 1, int(rng.integers(8, 26)))):
        x, wide = rng.uniform(-5, SIDE + 5), 2 + 11 * depth**2 * rng.uniform(0.6, 1.3)
        bark = vary(rng, *((0.26, 0.20, 0.15), (0.62, 0.60, 0.56), (0.15, 0.13, 0.12))[rng.integers(3)])
        foot, lean = floor[0] + 6 + (SIDE - floor[0]) * depth, rng.normal(0, 6)
        pen.polygon(
            [
                (x - wide / 2, foot),
                (x + wide / 2, foot),
                (x + lean + wide / 3, -2),
                (x + lean - wide / 3, -2),
            ],
            fill=ink(bark),
        )
    canvas = np.asarray(picture, np.float32) / 255
    crowns = np.clip(noise(rng, 10, 10, 3) - rng.uniform(0.0, 0.5), 0, 1) * np.linspace(1.4, 0, SIDE)[:, None]
    return paint(canvas, np.clip(crowns * 2, 0, 1), textured(rng, leaf, 20, 20, 0.2))


def _buildings(rng: Rng) -> np.ndarray:
    picture = Image.fromarray((np.clip(sky(rng), 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    ground = (1 - rng.uniform(0, 0.18)) * SIDE
    if rng.random() < 0.3:  # one building fills the picture, seen from below
        tilt = rng.uniform(-30, 30)
        left, right = rng.uniform(-30, 25), rng.uniform(125, 190)
        top = rng.uniform(-40, 40)
        facade(pen, rng, [(left + 15, top + tilt), (right - 15, top - tilt), (right, ground), (left, ground)])
    else:
        for depth in range(int(rng.integers(2, 4))):
            x = rng.uniform(-40, 0)
            while x < SIDE:
                wide, tall = rng.uniform(24, 75), rng.uniform(0.25, 0.9) * SIDE * (1 - 0.15 * depth)
                slant = rng.normal(0, 4)
                facade(
                    pen,
                    rng,
                    [
                        (x, ground - tall + slant),
                        (x + wide, ground - tall - slant),
                        (x + wide, ground),
                        (x, ground),
                    ],
                )
                x += wide + rng.choice([0, rng.uniform(0, 25)])
    floor = vary(rng, *((0.35, 0.35, 0.36), (0.30, 0.40, 0.20), (0.60, 0.57, 0.52))[rng.integers(3)])
    pen.rectangle([0, ground, SIDE, SIDE], fill=ink(floor))
    return _clutter(rng, np.asarray(picture, np.float32) / 255, ground, chance=0.35)


def _clutter(rng: Rng, canvas: np.ndarray, ground: float, chance: float) -> np.ndarray:
    """Trees and cars that may stand before any house."""
    if rng.random() < chance:
        leaf = vary(rng, *LEAVES[rng.integers(len(LEAVES))])
        canvas = trees(rng, canvas, np.full(SIDE, ground), rng.uniform(25, 55), int(rng.integers(1, 5)), leaf)
    if rng.random() < chance:
        picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
        pen = ImageDraw.Draw(picture)
        for _ in range(int(rng.integers(1, 4))):
            x, y, s = rng.uniform(0, SIDE), ground + rng.uniform(2, 16), rng.uniform(6, 16)
            paint = ink(rng.uniform(0.05, 0.9, 3).astype(np.float32))
            pen.rectangle([x - s, y - 0.5 * s, x + s, y], fill=paint)
            pen.rectangle([x - 0.6 * s, y - 0.9 * s, x + 0.6 * s, y - 0.5 * s], fill=(40, 45, 55))
        canvas = np.asarray(picture, np.float32) / 255
    return canvas


def _street(rng: Rng) -> np.ndarray:
    picture = Image.fromarray((np.clip(sky(rng), 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    x0, y0 = rng.uniform(45, 105), rng.uniform(60, 100)  # vanishing point
    pen.rectangle([0, y0, SIDE, SIDE], fill=ink(vary(rng, 0.52, 0.50, 0.47, spread=0.08)))
    if rng.random() < 0.5:  # a house closes the street
        facade(
            pen,
            rng,
            [
                (x0 - 22, y0 - rng.uniform(10, 40)),
                (x0 + 22, y0 - rng.uniform(10, 40)),
                (x0 + 22, y0 + 2),
                (x0 - 22, y0 + 2),
            ],
        )
    for edge in (0.0, float(SIDE)):
        if rng.random() < 0.12:
            continue  # open to one side
        near_top, near_foot = rng.uniform(-160, 20), rng.uniform(135, 190)
        cuts = np.concatenate([[0.0], np.sort(rng.uniform(0.15, 0.75, int(rng.integers(2, 5)))), [0.86]])
        for near, far in pairwise(cuts):
            top = near_top + rng.uniform(-25, 35)
            quad = []
            for t, y in ((near, top), (far, top), (far, near_foot), (near, near_foot)):
                quad.append((edge + (x0 - edge) * t, y + (y0 - y) * t))
            facade(pen, rng, quad)
    road = vary(rng, *((0.28, 0.28, 0.30), (0.46, 0.44, 0.42), (0.38, 0.34, 0.30))[rng.integers(3)])
    left, right = rng.uniform(-50, 35), rng.uniform(115, 200)
    pen.polygon([(x0 - 2, y0), (x0 + 2, y0), (right, SIDE), (left, SIDE)], fill=ink(road))
    if rng.random() < 0.6:
        middle = (left + right) / 2
        for t in np.arange(0.05, 1, 0.16):
            a, b = t**2, (t + 0.07) ** 2
            pen.line(
                [
                    (x0 + (middle - x0) * a, y0 + (SIDE - y0) * a),
                    (x0 + (middle - x0) * b, y0 + (SIDE - y0) * b),
                ],
                fill=ink(road + 0.45),
                width=max(1, int(4 * t)),
            )
    return _clutter(rng, np.asarray(picture, np.float32) / 255, rng.uniform(105, 130), chance=0.45)


def draw_object(kind: str, rng: Rng) -> np.ndarray:
    """One object, a blob, polygon, stripes or rings, on a textured ground: uint8 (150, 150, 3)."""
    ground = textured(rng, rng.uniform(0.1, 0.9, 3).astype(np.float32), 4, 4, rng.uniform(0.05, 0.25))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    cx, cy, size = rng.uniform(55, 95), rng.uniform(55, 95), rng.uniform(30, 65)
    angle = np.arctan2(y - cy, x - cx)
    radius = np.hypot(x - cx, (y - cy) * rng.uniform(0.7, 1.5)) / size
    if kind == "polygon":
        sides = int(rng.integers(3, 8))
        radius = (
            radius
            * np.cos((angle + rng.uniform(0, 6)) % (2 * np.pi / sides) - np.pi / sides)
            / np.cos(np.pi / sides)
        )
    else:
        radius = radius + 0.2 * np.sin(angle * rng.integers(2, 7) + rng.uniform(0, 6))
    mask = np.clip((1 - radius) * size, 0, 1)
    colour = np.broadcast_to(rng.uniform(0, 1, 3).astype(np.float32), ground.shape)
    other = rng.uniform(0, 1, 3).astype(np.float32)
    if kind == "stripes":
        turn = rng.uniform(0, np.pi)
        stripe = np.sin((x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(0.2, 0.9) + noise(rng, 2, 2)) > 0
        colour = np.where(stripe[..., None], colour, other)
    elif kind == "rings":
        colour = np.where((np.sin(radius * rng.uniform(8, 25)) > 0)[..., None], colour, other)
    return photograph(rng, paint(ground, mask, colour + (noise(rng, 3, 3) * 0.1)[..., None]))


DRAW: dict[str, Callable[[Rng], np.ndarray]] = {
    "buildings": _buildings,
    "forest": _forest,
    "glacier": _glacier,
    "mountain": _mountain,
    "sea": _sea,
    "street": _street,
}


def render(label: str, rng: Rng) -> np.ndarray:
    """Draw one scene of a class: uint8 (150, 150, 3). Raises KeyError for another class."""
    return photograph(rng, DRAW[label](rng))

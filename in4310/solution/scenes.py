"""The embedded data set: six classes of scenes, drawn, so that everything runs on a machine without a network.

Light, colour, season, view and clutter vary within a class and are shared between classes: colours alone do not tell
them apart (a linear model on the pixels stays under 0.60), and glacier and mountain, buildings and street are hard to
tell apart, as in the photographs of the course. The proportions of the classes are those of the course's 17034 images.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.splits import quotas

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
COURSE_SIZES = {  # images of each class in the course's data
    "buildings": 2628,
    "forest": 2745,
    "glacier": 2957,
    "mountain": 3037,
    "sea": 2784,
    "street": 2883,
}
SIDE = 150
QUALITY = 90
Rng = np.random.Generator
Colour = np.ndarray  # float (3,), 0..1


# --- the set of files ------------------------------------------------------------------------------------------


def class_sizes(images: int) -> dict[str, int]:
    """Images of each class, in the proportions of the course's data; they sum to `images`."""
    times = -(-images // sum(COURSE_SIZES.values())) or 1  # quotas are shares of what is there
    return quotas({c: size * times for c, size in COURSE_SIZES.items()}, images)


def make_scenes(root: str | Path, images: int = 1200, seed: int = 42, progress: Progress = QUIET) -> Path:
    """Draw the data set into `root`/<class>/<number>.jpg, 150 x 150 JPEG, unless it is there already.

    Image i of a class depends on (seed, class, i) only; the same seed gives the same bytes with the same Pillow.
    Drawn aside and renamed when complete. Raises InputError for too few images, and when `root` holds other files.
    """
    if images < len(CLASSES):
        raise InputError(
            f"embedded data: expected at least {len(CLASSES)} images, one a class, found {images}"
        )
    jobs = [(c, i) for c, count in class_sizes(images).items() for i in range(count)]

    def draw(folder: Path) -> None:
        for c, i in progress.track(jobs, "drawing scenes", len(jobs)):
            picture = Image.fromarray(render(c, np.random.default_rng([seed, CLASSES.index(c), i])))
            picture.save(folder / c / f"{i}.jpg", quality=QUALITY)

    return _make(Path(root), {"images": images, "seed": seed}, CLASSES, draw)


def make_comparison(
    root: str | Path, kind: Literal["shapes", "tiny"], images: int = 200, seed: int = 42
) -> Path:
    """Draw a stand-in for ImageNet ('shapes': one object, various sizes) or CIFAR-10 ('tiny': 32 x 32) (3b)."""
    names = ("blob", "polygon", "stripes", "rings")

    def draw(folder: Path) -> None:
        for i in range(images):
            rng = np.random.default_rng([seed, 1000, i])
            side = (32, 32) if kind == "tiny" else (int(rng.integers(140, 260)), int(rng.integers(140, 260)))
            name = names[i % len(names)]
            picture = Image.fromarray(_object(name, rng)).resize(side, Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{i:04d}.jpg", quality=QUALITY)

    return _make(Path(root), {"kind": kind, "images": images, "seed": seed}, names, draw)


def _make(root: Path, what: dict[str, object], names: tuple[str, ...], draw: Callable[[Path], None]) -> Path:
    """Fill a folder beside `root` and rename it; a complete folder of the same kind is used as it is."""
    note = root / "drawn.json"
    if root.exists():
        try:
            found = json.loads(note.read_text())
        except (OSError, ValueError):
            found = None
        if found == what:
            return root
        raise InputError(
            f"{root}: expected the drawn images {what}, found other files; choose another folder"
        )
    aside = root.with_name(f".{root.name}.{os.getpid()}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for name in names:
            (aside / name).mkdir(parents=True)
        draw(aside)
        (aside / note.name).write_text(json.dumps(what))
        if not root.exists():  # another process may have been faster: both drew the same
            aside.rename(root)
    except OSError as error:
        raise InputError(
            f"{root}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return root


# --- brushes: a canvas is float32 (150, 150, 3) in 0..1 -----------------------------------------------------------


def _noise(
    rng: Rng, rows: int, columns: int, octaves: int = 3, height: int = SIDE, width: int = SIDE
) -> np.ndarray:
    """Value noise (height, width), mean about 0, largest about 1; `rows` x `columns` cells in the first octave."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grid = rng.standard_normal((rows * 2**octave + 1, columns * 2**octave + 1)).astype(np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer) * 0.5**octave
    return total / 2.2


def _colour(rng: Rng, *base: float, spread: float = 0.06) -> Colour:
    return np.clip(np.array(base, np.float32) + rng.normal(0, spread, 3).astype(np.float32), 0, 1)


SKIES = (  # top, bottom: clear, pale, overcast, sunset, dusk
    ((0.25, 0.48, 0.82), (0.70, 0.82, 0.93)),
    ((0.55, 0.68, 0.82), (0.86, 0.88, 0.90)),
    ((0.58, 0.60, 0.63), (0.80, 0.80, 0.80)),
    ((0.42, 0.38, 0.55), (0.95, 0.66, 0.42)),
    ((0.14, 0.17, 0.32), (0.50, 0.45, 0.55)),
)


def _sky(rng: Rng) -> np.ndarray:
    top, bottom = SKIES[rng.integers(len(SKIES))]
    ramp = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    canvas = _colour(rng, *top) * (1 - ramp) + _colour(rng, *bottom) * ramp
    canvas = np.repeat(canvas, SIDE, axis=1)
    clouds = np.clip(_noise(rng, 3, 2) - rng.uniform(-0.2, 0.8), 0, 1)[..., None] * rng.uniform(0, 1.2)
    return canvas * (1 - clouds) + clouds * rng.uniform(0.7, 1.0)


def _line(rng: Rng, height: float, roughness: float, cells: int = 3) -> np.ndarray:
    """A skyline: row (150,) of the upper edge of a ridge, `height` and `roughness` as shares of the side."""
    line = _noise(rng, 1, cells, 5, 1)[0] if cells else np.zeros(SIDE, np.float32)
    return (1 - height - roughness * line) * SIDE


def _below(line: np.ndarray) -> np.ndarray:
    """Mask (150, 150) of what lies below a skyline, its edge softened over a pixel."""
    return np.clip(np.arange(SIDE, dtype=np.float32)[:, None] - line[None], 0, 1)


def _paint(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    mask = mask[..., None]
    return canvas * (1 - mask) + colour * mask


def _textured(rng: Rng, colour: Colour, rows: int, columns: int, strength: float) -> np.ndarray:
    return colour + (_noise(rng, rows, columns, 4) * strength)[..., None]


def _rock(rng: Rng, canvas: np.ndarray, line: np.ndarray, snow: float) -> np.ndarray:
    """A mountain side below a skyline; `snow`: share of its height that is white."""
    colour = _colour(rng, *((0.38, 0.36, 0.36), (0.45, 0.38, 0.32), (0.30, 0.36, 0.42))[rng.integers(3)])
    shade = _noise(rng, 4, 9, 4)
    light = np.clip(np.gradient(line), -2, 2)[None] * 0.06 * rng.choice([-1, 1])
    body = colour + (shade * 0.16 + light)[..., None]
    depth = (np.arange(SIDE)[:, None] - line[None]) / SIDE + shade * 0.12
    white = np.clip((snow - depth) * 12, 0, 1)[..., None]
    ice = _colour(rng, 0.88, 0.91, 0.96, spread=0.03) + (shade * 0.10 + light)[..., None]
    return _paint(canvas, _below(line), body * (1 - white) + ice * white)


def _trees(
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


def _facade(pen: ImageDraw.ImageDraw, rng: Rng, corners: list[tuple[float, float]]) -> None:
    """A wall with windows in a quadrilateral: upper left, upper right, lower right, lower left."""
    wall = _colour(rng, *WALLS[rng.integers(len(WALLS))], spread=0.08)
    lit = rng.random() < 0.3
    glass = _colour(rng, 0.85, 0.75, 0.45) if lit else wall * rng.uniform(0.25, 0.6) + 0.05
    a, b, c, d = (np.array(corner, np.float32) for corner in corners)
    pen.polygon([tuple(p) for p in (a, b, c, d)], fill=_ink(wall))
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
            pen.polygon(pane, fill=_ink(glass * rng.uniform(0.8, 1.15)))


def _between(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, u: float, v: float
) -> tuple[float, float]:
    x, y = (a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v
    return float(x), float(y)


def _ink(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (int(255 * v) for v in np.clip(colour, 0, 1))
    return red, green, blue


# --- one function a class ---------------------------------------------------------------------------------------


def _mountain(rng: Rng) -> np.ndarray:
    canvas = _sky(rng)
    snow = rng.choice([0.0, rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.8)])
    height = rng.uniform(0.45, 0.85)
    for layer in range(int(rng.integers(1, 4))):
        line = _line(rng, height - 0.16 * layer, rng.uniform(0.14, 0.30), int(rng.integers(2, 5)))
        canvas = _rock(rng, canvas, line, snow * (1 - 0.3 * layer))
    if rng.random() < 0.65:
        canvas = _foreground(rng, canvas, rng.uniform(0.05, 0.28))
    return canvas


def _foreground(rng: Rng, canvas: np.ndarray, height: float) -> np.ndarray:
    """Meadow, scree, lake or trees along the lower edge: what may stand before mountains and ice alike."""
    line = _line(rng, height, 0.03)
    kind = rng.integers(4)
    if kind == 0:
        return _water(rng, canvas, line, calm=True)
    colour = _colour(rng, *((0.34, 0.42, 0.20), (0.42, 0.38, 0.32), (0.80, 0.82, 0.85))[kind - 1])
    canvas = _paint(canvas, _below(line), _textured(rng, colour, 8, 12, 0.10))
    if rng.random() < 0.5:
        leaf = _colour(rng, *LEAVES[rng.integers(len(LEAVES))])
        canvas = _trees(rng, canvas, line + 4, rng.uniform(10, 34), int(rng.integers(4, 30)), leaf)
    return canvas


def _glacier(rng: Rng) -> np.ndarray:
    canvas = _sky(rng)
    if rng.random() < 0.85:
        line = _line(rng, rng.uniform(0.5, 0.85), rng.uniform(0.10, 0.26), int(rng.integers(2, 5)))
        canvas = _rock(rng, canvas, line, rng.choice([rng.uniform(0, 0.25), rng.uniform(0.2, 0.7)]))
    edge = _line(rng, rng.uniform(0.25, 0.65), rng.uniform(0.03, 0.14))
    ice = _colour(rng, *((0.82, 0.88, 0.93), (0.62, 0.76, 0.86), (0.70, 0.70, 0.70))[rng.integers(3)])
    body = _textured(rng, ice, 5, 5, 0.10)
    # Crevasses: thin dark bands along contour lines of noise that is stretched along the flow.
    steep = rng.uniform() < 0.5
    bands = _noise(rng, 3 if steep else 10, 10 if steep else 3, 3) * rng.uniform(5, 11)
    cracks = np.clip(1 - np.abs(bands - np.round(bands)) * rng.uniform(5, 9), 0, 1)
    deep = _colour(rng, 0.25, 0.48, 0.66)
    body = body * (1 - 0.75 * cracks[..., None]) + deep * (0.75 * cracks[..., None])
    dirt = np.clip(_noise(rng, 3, 8, 3) - rng.uniform(0.2, 0.9), 0, 0.7)[..., None]
    body = body * (1 - dirt) + _colour(rng, 0.36, 0.33, 0.30) * dirt
    canvas = _paint(canvas, _below(edge), body)
    if rng.random() < 0.45:
        canvas = _foreground(rng, canvas, rng.uniform(0.05, 0.22))
    return canvas


def _water(rng: Rng, canvas: np.ndarray, line: np.ndarray, calm: bool = False) -> np.ndarray:
    """Water below a line: horizontal waves that grow towards the viewer, reflecting the sky's colour."""
    tint = _colour(
        rng,
        *((0.12, 0.32, 0.50), (0.14, 0.42, 0.45), (0.36, 0.42, 0.47), (0.20, 0.24, 0.32))[rng.integers(4)],
    )
    sky = canvas[:20].mean((0, 1))
    near = np.clip((np.arange(SIDE)[:, None] - line.min()) / max(1.0, SIDE - line.min()), 0, 1)
    fine, coarse = _noise(rng, 45, 6, 2), _noise(rng, 14, 4, 3)
    waves = (fine * (1 - near) + coarse * near) * (0.06 if calm else rng.uniform(0.08, 0.22))
    foam = np.clip(coarse - rng.uniform(0.5, 1.2), 0, 0.5) * (0.0 if calm else 1.4)
    mix = rng.uniform(0.2, 0.6)
    return _paint(canvas, _below(line), tint * (1 - mix) + sky * mix + (waves + foam * near)[..., None])


def _sea(rng: Rng) -> np.ndarray:
    canvas = _sky(rng)
    horizon = np.full(SIDE, (1 - rng.uniform(0.3, 0.75)) * SIDE, np.float32) + np.linspace(
        -1, 1, SIDE
    ) * rng.uniform(0, 3)
    if rng.random() < 0.4:  # land behind the water
        line = horizon - np.clip(_noise(rng, 1, 3, 5, 1)[0] * rng.uniform(8, 40) + rng.uniform(-5, 20), 0, 60)
        canvas = _rock(rng, canvas, line, rng.choice([0.0, 0.2]))
    canvas = _water(rng, canvas, horizon)
    if rng.random() < 0.4:  # shore
        shore = (1 - rng.uniform(0.08, 0.3)) * SIDE + np.linspace(-1, 1, SIDE) * rng.uniform(-25, 25)
        sand = _colour(rng, *((0.76, 0.68, 0.52), (0.35, 0.33, 0.30))[rng.integers(2)])
        canvas = _paint(
            canvas, _below(shore + _noise(rng, 1, 5, 3, 1)[0] * 4), _textured(rng, sand, 10, 10, 0.08)
        )
    if rng.random() < 0.3:  # a boat
        picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
        x, y, s = rng.uniform(20, 130), float(horizon[0]) + rng.uniform(2, 30), rng.uniform(4, 14)
        pen = ImageDraw.Draw(picture)
        pen.polygon(
            [(x - s, y), (x + s, y), (x + 0.7 * s, y + 0.4 * s), (x - 0.7 * s, y + 0.4 * s)],
            fill=_ink(_colour(rng, 0.3, 0.2, 0.2)),
        )
        pen.polygon(
            [(x, y), (x, y - 1.8 * s), (x + 0.8 * s, y - 0.2 * s)], fill=_ink(_colour(rng, 0.9, 0.9, 0.88))
        )
        canvas = np.asarray(picture, np.float32) / 255
    return canvas


def _forest(rng: Rng) -> np.ndarray:
    leaf = _colour(rng, *LEAVES[rng.integers(len(LEAVES))], spread=0.05)
    if rng.random() < 0.4:  # from afar: canopy before sky or slopes
        canvas = _sky(rng)
        if rng.random() < 0.4:
            canvas = _rock(rng, canvas, _line(rng, rng.uniform(0.6, 0.85), 0.16), rng.choice([0.0, 0.15]))
        height = rng.uniform(0.45, 0.8)
        for layer in range(4):
            line = _line(rng, height - 0.17 * layer, 0.06)
            canvas = _paint(canvas, _below(line), _textured(rng, leaf * (1 - 0.1 * layer), 16, 16, 0.14))
            canvas = _trees(rng, canvas, line + 6, 14 + 9 * layer, 45, leaf * (0.95 - 0.12 * layer))
        return canvas
    gloom = rng.uniform(0.3, 1.0)
    canvas = _textured(rng, leaf * gloom + rng.uniform(0, 0.25), 12, 12, 0.22)
    floor = _line(rng, rng.uniform(0.1, 0.4), 0.04)
    ground = _colour(rng, *((0.30, 0.26, 0.18), (0.24, 0.34, 0.16), (0.80, 0.82, 0.84))[rng.integers(3)])
    canvas = _paint(canvas, _below(floor), _textured(rng, ground, 14, 14, 0.14))
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for depth in np.sort(rng.uniform(0, 1, int(rng.integers(8, 26)))):
        x, wide = rng.uniform(-5, SIDE + 5), 2 + 11 * depth**2 * rng.uniform(0.6, 1.3)
        bark = _colour(rng, *((0.26, 0.20, 0.15), (0.62, 0.60, 0.56), (0.15, 0.13, 0.12))[rng.integers(3)])
        foot, lean = floor[0] + 6 + (SIDE - floor[0]) * depth, rng.normal(0, 6)
        pen.polygon(
            [
                (x - wide / 2, foot),
                (x + wide / 2, foot),
                (x + lean + wide / 3, -2),
                (x + lean - wide / 3, -2),
            ],
            fill=_ink(bark),
        )
    canvas = np.asarray(picture, np.float32) / 255
    crowns = (
        np.clip(_noise(rng, 10, 10, 3) - rng.uniform(0.0, 0.5), 0, 1) * np.linspace(1.4, 0, SIDE)[:, None]
    )
    return _paint(canvas, np.clip(crowns * 2, 0, 1), _textured(rng, leaf, 20, 20, 0.2))


def _buildings(rng: Rng) -> np.ndarray:
    picture = Image.fromarray((np.clip(_sky(rng), 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    ground = (1 - rng.uniform(0, 0.18)) * SIDE
    if rng.random() < 0.3:  # one building fills the picture, seen from below
        tilt = rng.uniform(-30, 30)
        left, right = rng.uniform(-30, 25), rng.uniform(125, 190)
        top = rng.uniform(-40, 40)
        _facade(
            pen, rng, [(left + 15, top + tilt), (right - 15, top - tilt), (right, ground), (left, ground)]
        )
    else:
        for depth in range(int(rng.integers(2, 4))):
            x = rng.uniform(-40, 0)
            while x < SIDE:
                wide, tall = rng.uniform(24, 75), rng.uniform(0.25, 0.9) * SIDE * (1 - 0.15 * depth)
                slant = rng.normal(0, 4)
                _facade(
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
    floor = _colour(rng, *((0.35, 0.35, 0.36), (0.30, 0.40, 0.20), (0.60, 0.57, 0.52))[rng.integers(3)])
    pen.rectangle([0, ground, SIDE, SIDE], fill=_ink(floor))
    return _clutter(rng, np.asarray(picture, np.float32) / 255, ground, chance=0.35)


def _clutter(rng: Rng, canvas: np.ndarray, ground: float, chance: float) -> np.ndarray:
    """Trees and cars that may stand before any house."""
    if rng.random() < chance:
        leaf = _colour(rng, *LEAVES[rng.integers(len(LEAVES))])
        canvas = _trees(
            rng, canvas, np.full(SIDE, ground), rng.uniform(25, 55), int(rng.integers(1, 5)), leaf
        )
    if rng.random() < chance:
        picture = Image.fromarray((np.clip(canvas, 0, 1) * 255).astype(np.uint8))
        pen = ImageDraw.Draw(picture)
        for _ in range(int(rng.integers(1, 4))):
            x, y, s = rng.uniform(0, SIDE), ground + rng.uniform(2, 16), rng.uniform(6, 16)
            paint = _ink(rng.uniform(0.05, 0.9, 3).astype(np.float32))
            pen.rectangle([x - s, y - 0.5 * s, x + s, y], fill=paint)
            pen.rectangle([x - 0.6 * s, y - 0.9 * s, x + 0.6 * s, y - 0.5 * s], fill=(40, 45, 55))
        canvas = np.asarray(picture, np.float32) / 255
    return canvas


def _street(rng: Rng) -> np.ndarray:
    picture = Image.fromarray((np.clip(_sky(rng), 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    x0, y0 = rng.uniform(45, 105), rng.uniform(60, 100)  # vanishing point
    pen.rectangle([0, y0, SIDE, SIDE], fill=_ink(_colour(rng, 0.52, 0.50, 0.47, spread=0.08)))
    if rng.random() < 0.5:  # a house closes the street
        _facade(
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
            _facade(pen, rng, quad)
    road = _colour(rng, *((0.28, 0.28, 0.30), (0.46, 0.44, 0.42), (0.38, 0.34, 0.30))[rng.integers(3)])
    left, right = rng.uniform(-50, 35), rng.uniform(115, 200)
    pen.polygon([(x0 - 2, y0), (x0 + 2, y0), (right, SIDE), (left, SIDE)], fill=_ink(road))
    if rng.random() < 0.6:
        middle = (left + right) / 2
        for t in np.arange(0.05, 1, 0.16):
            a, b = t**2, (t + 0.07) ** 2
            pen.line(
                [
                    (x0 + (middle - x0) * a, y0 + (SIDE - y0) * a),
                    (x0 + (middle - x0) * b, y0 + (SIDE - y0) * b),
                ],
                fill=_ink(road + 0.45),
                width=max(1, int(4 * t)),
            )
    return _clutter(rng, np.asarray(picture, np.float32) / 255, rng.uniform(105, 130), chance=0.45)


def _object(kind: str, rng: Rng) -> np.ndarray:
    """One object on a textured ground, uint8 (150, 150, 3)."""
    ground = _textured(rng, rng.uniform(0.1, 0.9, 3).astype(np.float32), 4, 4, rng.uniform(0.05, 0.25))
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
        stripe = np.sin((x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(0.2, 0.9) + _noise(rng, 2, 2)) > 0
        colour = np.where(stripe[..., None], colour, other)
    elif kind == "rings":
        colour = np.where((np.sin(radius * rng.uniform(8, 25)) > 0)[..., None], colour, other)
    return _finish(rng, _paint(ground, mask, colour + (_noise(rng, 3, 3) * 0.1)[..., None]))


DRAW: dict[str, Callable[[Rng], np.ndarray]] = {
    "buildings": _buildings,
    "forest": _forest,
    "glacier": _glacier,
    "mountain": _mountain,
    "sea": _sea,
    "street": _street,
}


def _finish(rng: Rng, canvas: np.ndarray) -> np.ndarray:
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


def render(label: str, rng: Rng) -> np.ndarray:
    """Draw one scene of a class: uint8 (150, 150, 3). Raises KeyError for another class."""
    return _finish(rng, DRAW[label](rng))

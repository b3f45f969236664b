"""The panels of a picture: parts that may each be one drawn field, cut along plain lines, and by a regular grid.

The child's side: what is handed on is a bounded number of small copies. A figure of matplotlib has a plain ground
between its axes; a grid of tiles has lines between them, or none. Nothing is known of a panel but that it may be one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from PIL import Image

SIDE = 32  # px of a panel as it is handed on
MOST, PARTS = 128, 2000  # panels of a picture; parts that it is cut into
LEAST, LETTER = 6, 1 / 50  # px of a panel, and of the longer side of the picture: what is smaller is a letter
TICKS, LINE = 0.85, 1  # of a line beside a frame is ground; px of the line
PLAIN = 6  # levels of 255 that a plain line may vary by
GRAINS = 1024  # pixels from which on it can be told whether neighbours are alike
LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
BOUND = 4.0  # standard errors: a correlation of neighbours that noise does not reach
LARGE = 1 / 40  # of the picture, from which on a part may be a grid without lines
CELLS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)  # in a row of a grid without lines

Box = tuple[int, int, int, int]  # top, left, bottom, right


@dataclass(frozen=True)
class Panels:
    """Of a picture: `small`, uint8 (P, SIDE, SIDE, 3), the large ones first, P at most MOST; whether it is `noise`."""

    small: np.ndarray = field(default_factory=lambda: np.zeros((0, SIDE, SIDE, 3), np.uint8))
    noise: bool = False


def panels_in(pixels: np.ndarray) -> Panels:
    """The panels of a picture, uint8 (H, W, 3)."""
    whole = (0, 0, *pixels.shape[:2])
    # Planes of one colour: what lines are told by lies together.
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    found = list(islice(_cut(planes, whole, 6), PARTS))
    leaves = [box for box, leaf in found if leaf]
    grids = [box for box in leaves if _area(box) >= LARGE * _area(whole)]
    least = max(LEAST, LETTER * max(pixels.shape))
    parts = [box for box, _ in found] + [_within_frame(planes, box) for box in leaves if _usable(box, least)]
    boxes = dict.fromkeys(box for box in (*parts, *_cells(pixels, grids, least)) if _usable(box, least))
    picture = Image.fromarray(pixels)
    kept = sorted(boxes, key=_area, reverse=True)[:MOST]
    small = [picture.resize((SIDE, SIDE), Image.Resampling.BOX, (x0, y0, x1, y1)) for y0, x0, y1, x1 in kept]
    return Panels(
        np.array([np.asarray(one) for one in small], np.uint8).reshape(-1, SIDE, SIDE, 3),
        _is_noise(pixels, leaves),
    )


def _is_noise(pixels: np.ndarray, leaves: list[Box]) -> bool:
    """Whether all that can be told of are pixels of which none is like its neighbours."""
    large = [box for box in leaves if _area(box) >= GRAINS]
    return bool(large) and all(_white(pixels[y0:y1, x0:x1]) for y0, x0, y1, x1 in large)


def _white(part: np.ndarray) -> bool:
    """Whether no pixel tells of its neighbours: each correlation is what it is between numbers drawn at random."""
    grey = part.astype(np.float64).mean(axis=2)
    grey -= grey.mean()
    if not (power := float((grey**2).mean())):
        return False
    height, width = grey.shape
    for down, right in LAGS:
        product = grey[down:, right:] * grey[: height - down, : width - right]
        if abs(float(product.mean())) > BOUND * power / product.size**0.5:
            return False
    return True


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _usable(box: Box, least: float) -> bool:
    height, width = box[2] - box[0], box[3] - box[1]
    return min(height, width) >= least and max(height, width) <= 3 * min(height, width)


def _cut(planes: np.ndarray, box: Box, depth: int) -> Iterator[tuple[Box, bool]]:
    """All parts between plain lines of planes, uint8 (3, H, W), and those of those: whether each is cut no further."""
    y0, x0, y1, x1 = box
    part = planes[:, y0:y1, x0:x1]
    if min(part.shape[1:]) < LEAST:
        return
    parts: list[Box] = []
    if depth:
        if (rows := _runs(part, 2)) != [(0, y1 - y0)]:
            parts = [(y0 + a, x0, y0 + b, x1) for a, b in rows]
        elif (columns := _runs(part, 1)) != [(0, x1 - x0)]:
            parts = [(y0, x0 + a, y1, x0 + b) for a, b in columns]
    yield box, not parts
    for one in parts:
        yield from _cut(planes, one, depth - 1)


def _runs(part: np.ndarray, axis: int) -> list[tuple[int, int]]:
    """Begin and end of what lies between plain lines of the ground's colour, along the other axis."""
    least, most = part.min(axis=axis), part.max(axis=axis)
    plain = (most - least).max(axis=0) <= PLAIN
    if not plain.any():
        return [(0, len(plain))]
    levels = (least // 8).astype(np.int32)
    colours, counts = np.unique(
        levels[0, plain] << 10 | levels[1, plain] << 5 | levels[2, plain], return_counts=True
    )
    ground = colours[counts.argmax()] >> np.array([10, 5, 0]) & 31
    kept = ~(plain & (np.abs(levels - ground[:, None]).max(axis=0) <= 1))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _within_frame(planes: np.ndarray, box: Box) -> Box:
    """What a frame holds: a part without its edges that are ground but for ticks, and without the line of the frame."""
    y0, x0, y1, x1 = box
    part, corner = planes[:, y0:y1, x0:x1], planes[:, :1, :1].astype(np.int16)
    ground = np.abs(part - corner).max(axis=0) <= PLAIN
    rows, columns = (np.flatnonzero(ground.mean(axis=axis) < TICKS) for axis in (1, 0))
    if len(rows) < LEAST or len(columns) < LEAST:
        return box
    return (
        y0 + int(rows[0]) + LINE,
        x0 + int(columns[0]) + LINE,
        y0 + int(rows[-1]) + 1 - LINE,
        x0 + int(columns[-1]) + 1 - LINE,
    )


def _cells(pixels: np.ndarray, leaves: list[Box], least: float) -> Iterator[Box]:
    """Cells of the regular grid whose lines stand out most in each large leaf."""
    for y0, x0, y1, x1 in sorted(leaves, key=_area, reverse=True)[:8]:
        height, width = y1 - y0, x1 - x0
        part = pixels[y0:y1, x0:x1].astype(np.float32).mean(axis=2)
        steps = [np.abs(np.diff(part, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
        tried = []
        for across in CELLS:
            down = max(1, round(across * height / width))
            if min(height / down, width / across) >= least:
                tried.append((_stands_out(steps[0], down) + _stands_out(steps[1], across), down, across))
        for _, down, across in sorted(tried, reverse=True)[:2]:
            ys, xs = np.linspace(y0, y1, down + 1).round(), np.linspace(x0, x1, across + 1).round()
            for i in range(down):
                for j in range(across):
                    yield int(ys[i]), int(xs[j]), int(ys[i + 1]), int(xs[j + 1])


def _stands_out(steps: np.ndarray, count: int) -> float:
    """How much larger the steps at the lines of a grid of `count` are than elsewhere, in standard errors."""
    if count < 2 or len(steps) < 3:
        return 0.0
    wide = np.maximum(np.maximum(steps, np.roll(steps, 1)), np.roll(steps, -1))
    at = np.linspace(0, len(steps) + 1, count + 1).round().astype(int)[1:-1] - 1
    at = at.clip(0, len(steps) - 1)
    return float((wide[at].mean() - wide.mean()) / (wide.std() / len(at) ** 0.5 + 1e-9))

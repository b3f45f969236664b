"""Pictures side by side, each with a heading and a note: ranked images (1i), what was handed in.

All pixels are put into one array first: an axes for each picture would take ten times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from in4310.shown import shown
from in4310.solution.drawing.style import FAINT, INK, ORANGE, canvas, styled

DPI = 110
GAP = 0.14  # inches between tiles
LINE = 0.16  # inches of a line of text
TILES = 40  # in one figure


class Tile(NamedTuple):
    """A picture, uint8 (H, W, 3) or (H, W), its heading, up to two lines of note, and whether it is out of place."""

    pixels: np.ndarray
    heading: str
    note: str = ""
    wrong: bool = False


@styled
def tiles(
    groups: Mapping[str, Sequence[Tile]],
    title: str = "",
    columns: int = 5,
    size: tuple[float, float] = (1.7, 1.7),
) -> Figure:
    """Groups of pictures under each other, each with its name, in rows of `columns`; size: inches of a picture.

    A picture keeps its proportions. One that is out of place has a frame and a cross.
    """
    wide, high = size
    lines = max((len(t.note.splitlines()) for group in groups.values() for t in group), default=0)
    cell = high + LINE * (1.3 + lines) + GAP
    rows = [max(1, -(-len(group) // columns)) for group in groups.values()]
    heads = [0.3 if name else 0.0 for name in groups]
    top = 0.36 if title else 0.06
    width = GAP + columns * (wide + GAP)
    height = top + sum(heads) + cell * sum(rows) + 0.04
    figure = canvas(width, height)
    board = np.full((round(height * DPI), round(width * DPI), 3), 255, np.uint8)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    def write(x: float, y: float, text: str, size: float, colour: str = INK, bold: bool = False) -> None:
        axes.text(x, y, text, fontsize=size, color=colour, fontweight="bold" if bold else "normal", va="top",
                  parse_math=False)  # fmt: skip

    if title:
        write(GAP, 0.08, shown(title, 90), 11.5, bold=True)
    at = top
    for (name, group), head, count in zip(groups.items(), heads, rows, strict=True):
        if name:
            write(GAP, at + 0.06, shown(name, 90), 9.5, bold=True)
        for place, tile in enumerate(group):
            x = GAP + (place % columns) * (wide + GAP)
            y = at + head + (place // columns) * cell
            write(x, y + 0.02, ("✗ " if tile.wrong else "") + shown(tile.heading, 24), 9, bold=tile.wrong)
            _put(board, tile, x, y + 1.3 * LINE, wide, high)
            for i, line in enumerate(tile.note.splitlines()[:2]):
                text = shown(line, int(wide * 14), keep_end=True)
                write(x, y + 1.3 * LINE + high + 0.04 + i * LINE, text, 7.5, FAINT)
        at += head + count * cell
    axes.imshow(board, extent=(0, width, height, 0), aspect="auto", interpolation="nearest")
    return figure


def _put(board: np.ndarray, tile: Tile, x: float, y: float, wide: float, high: float) -> None:
    """Scale a picture into its place on the board, in the middle, its proportions kept."""
    pixels = np.ascontiguousarray(tile.pixels, dtype=np.uint8)
    if not pixels.size:
        return
    room = (wide * DPI, high * DPI)
    factor = min(room[0] / pixels.shape[1], room[1] / pixels.shape[0])
    size = (max(1, int(pixels.shape[1] * factor)), max(1, int(pixels.shape[0] * factor)))
    how = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.LANCZOS
    scaled = np.asarray(Image.fromarray(pixels).convert("RGB").resize(size, how))
    left = round(x * DPI + (room[0] - size[0]) / 2)
    top = round(y * DPI)
    place = board[top : top + size[1], left : left + size[0]]
    place[:] = scaled[: place.shape[0], : place.shape[1]]
    if tile.wrong:
        colour = [int(ORANGE[i : i + 2], 16) for i in (1, 3, 5)]
        place[:4] = place[-4:] = colour
        place[:, :4] = place[:, -4:] = colour

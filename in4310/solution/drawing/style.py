"""What all figures share: the style file, the palette, panels laid out by inches, legends, and how they become bytes.

Panels are placed by the numbers given: matplotlib's own layout engines draw a figure several times to measure it, which
takes two thirds of its time. No figure belongs to a window or to global state, and the same data gives the same bytes.
"""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from in4310.errors import InputError
from in4310.shown import shown
from in4310.solution.saving import write_aside

_FILE = str(files("in4310.solution").joinpath("in4310.mplstyle"))
STYLE: dict[str, Any] = {**matplotlib.rc_params_from_file(_FILE, use_default_template=False)}  # type: ignore[dict-item]
PALETTE: tuple[str, ...] = tuple("#" + c.lstrip("#") for c in STYLE["axes.prop_cycle"].by_key()["color"])
BLUE, ORANGE, TEAL = PALETTE[:3]
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
INK, FAINT, PALE = "#222222", "#555555", "#c9c9c9"
SHOWN = 12  # runs, series or panels in one figure; more would not be readable
LARGEST = 1e30  # that is drawn: no figure of the assignment comes near, and beyond it axes overflow
ROW = 0.21  # inches of a line of a legend
QUALITY = 82  # of a JPEG

PLACES = re.compile(rb' d="[^"]*"| [xy]="[^"]*"|translate\([^()]*\)')  # in an SVG: a place, and no scale
STYLES = re.compile(rb'style="([^"]*)"')
DIGITS = re.compile(rb"(\.\d\d)\d+")

Arguments = ParamSpec("Arguments")
Kind = Literal["png", "svg", "jpg"]


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in the house's style, whatever matplotlibrc and the caller's rcParams say, and leave them alone."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return drawn


class _Figure(Figure):
    """A figure that is also written in the style: matplotlib makes ticks as late as when it draws."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with matplotlib.style.context(["default", STYLE]):
            super().savefig(*args, **kwargs)


def canvas(width: float, height: float) -> Figure:
    """An empty figure of width x height inches."""
    figure = _Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def panels(
    count: int,
    columns: int,
    size: tuple[float, float],
    margins: tuple[float, float, float, float] = (0.62, 0.16, 0.34, 0.48),
    names: Sequence[str] = (),
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in reading order, each cell `size` (width, height) inches with its margins inside.

    margins: inches to the left, right, top and bottom of each panel; names: of the legend, for which
    room is kept under all of them.
    """
    (width, height), (left, right, top, bottom) = size, margins
    rows = max(1, -(-count // columns))
    columns = max(1, min(columns, count))
    whole = (width * columns, height * rows + foot(names, width * columns))
    figure = canvas(*whole)
    found = []
    for i in range(max(1, count)):
        row, column = divmod(i, columns)
        x, y = width * column + left, whole[1] - height * (row + 1) + bottom
        found.append(panel(figure, x, y, width - left - right, height - top - bottom, left, bottom))
    return figure, found


def panel(
    figure: Figure, x: float, y: float, width: float, height: float, left: float = 0.62, bottom: float = 0.48
) -> Axes:
    """Axes at x, y of width x height inches; left, bottom: the margins, at whose ends the labels stand.

    Where labels stand is said, so that nothing need be measured to place them: a quarter of a figure's time.
    """
    whole = figure.get_size_inches()
    axes = figure.add_axes((x / whole[0], y / whole[1], width / whole[0], height / whole[1]))
    axes.xaxis.set_label_coords(0.5, (0.2 - bottom) / height)
    axes.yaxis.set_label_coords((0.16 - left) / width, 0.5)
    return axes


def log_ticks(low: float, high: float, most: int = 4) -> tuple[list[float], list[str]]:
    """Powers of ten from low to high as ticks, about `most`, and their texts: plain, so that no formula need be set."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, -(-(last - first + 1) // most))
    exponents = range(first, last + 1, step)
    return [10.0**e for e in exponents], [f"{10.0**e:g}" if -3 <= e <= 4 else f"1e{e}" for e in exponents]


def titled(axes: Axes, text: str, size: float | None = None, width: int = 32) -> None:
    """A title at the left of a panel; of what a submission may have chosen."""
    axes.set_title(shown(text, width), loc="left", fontsize=size, y=1.0, parse_math=False)


def legend_rows(names: Sequence[str], width: float) -> tuple[int, int]:
    """Lines and columns of a legend of these names in a figure `width` inches wide."""
    longest = max((min(len(name), 44) for name in names), default=0)
    columns = max(1, min(len(names), int((width - 0.2) // (0.55 + 0.075 * longest))))
    return -(-len(names) // columns), columns


def foot(names: Sequence[str], width: float) -> float:
    """Inches to keep free for a legend of these names at the foot of a figure `width` inches wide."""
    return ROW * legend_rows(names, width)[0] + 0.12 if names else 0.0


def legend(figure: Figure, handles: Sequence[Line2D | Patch], names: Sequence[str]) -> None:
    """One legend at the foot of a figure; a name may hold anything, '$' and a leading '_' too."""
    if not handles:
        return
    made = figure.legend(
        handles,
        [" " + shown(name, 44) for name in names],
        loc="lower left",
        ncols=legend_rows(names, figure.get_figwidth())[1],
        borderaxespad=0.3,
        columnspacing=1.4,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def number(value: object) -> float | None:
    """A number that can be drawn, or None for anything else; True is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) <= LARGEST else None


def numbers(values: Iterable[object]) -> tuple[list[float], list[float]]:
    """Positions and values of what is a finite number."""
    found = [(float(i), value) for i, one in enumerate(values) if (value := number(one)) is not None]
    return [i for i, _ in found], [value for _, value in found]


def encoded(figure: Figure, kind: Kind, dpi: int = 110) -> bytes:
    """A figure as bytes, without date or version: the same figure gives the same bytes.

    An SVG holds its letters as outlines, no comment, no reference out of itself and nothing that runs.
    """
    stream = io.BytesIO()
    if kind == "svg":
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", metadata=metadata)
        return _plain(stream.getvalue())
    if kind == "jpg":
        how = {"quality": QUALITY, "optimize": True}
        figure.savefig(stream, format="jpeg", dpi=dpi, pil_kwargs=how)
    else:
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _plain(svg: bytes) -> bytes:
    """An SVG of matplotlib without what no reader needs, a third of it: document type, comments (they repeat texts),
    names of groups, indents, and digits beyond a hundredth of a point."""
    svg = re.sub(rb"<!DOCTYPE[^>]*>|<!--.*?-->", b"", svg, flags=re.DOTALL)
    svg = re.sub(rb'<g id="[A-Za-z0-9_.]+">', b"<g>", svg)
    svg = svg.replace(b"DejaVuSans-Bold-", b"b").replace(b"DejaVuSans-", b"d")
    svg = re.sub(rb'transform="translate\(([\d.]+) 0\)"', rb'x="\1"', svg)
    svg = _shared_styles(svg)
    svg = PLACES.sub(lambda found: DIGITS.sub(rb"\1", found[0]), svg)
    svg = re.sub(rb"\s*\n\s*", b"\n", svg)
    for _ in range(2):  # a group of one thing, twice nested
        svg = re.sub(rb"<g>\n(<(?:path|use)[^>]*/>)\n</g>", rb"\1", svg)
    return svg


def _shared_styles(svg: bytes) -> bytes:
    """Styles that many elements repeat, said once each in the style sheet that matplotlib writes."""
    classes: dict[bytes, bytes] = {}

    def named(found: re.Match[bytes]) -> bytes:
        return b'class="%s"' % classes.setdefault(found[1], b"s%d" % len(classes))

    svg = STYLES.sub(named, svg)
    rules = b"".join(b".%s{%s}" % (name, style.replace(b": ", b":")) for style, name in classes.items())
    return svg.replace(b"</style>", rules + b"</style>", 1)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as .png, .svg or .jpg, whole or not at all: same figure, same bytes.

    Raises InputError for another suffix or when the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "jpg"):
        found = repr(path.suffix or "no ending")
        raise InputError(f"{path}: expected a file name that ends in .png or .svg, found {found}")
    content = encoded(figure, kind)  # type: ignore[arg-type]
    return write_aside(path, lambda file: file.write(content))

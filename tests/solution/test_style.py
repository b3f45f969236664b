"""The style: colours told apart by everyone, and figures that become the same clean bytes each time."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from in4310.solution import feature_maps
from in4310.solution.drawing import figures, style

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB, D65."""
    t = XYZ @ np.clip(rgb, 0, 1) / (XYZ @ np.ones(3))
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def noticeable(first: str, second: str, vision: str, degrees: float = 0.2) -> float:
    """Difference in units of what half of all viewers notice between marks of a size (Stone, Szafir and Setlur 2014).

    0.2 degrees are 2 mm at 60 cm: a marker of 8 pixels, and thinner lines of some length.
    """
    just = 0.5 * (np.array([10.16, 10.68, 10.70]) + np.array([1.50, 3.08, 5.74]) / degrees)
    seen = [lab(np.array(VISION[vision]) @ linear(colour)) for colour in (first, second)]
    return float((np.abs(seen[0] - seen[1]) / just).max())


@pytest.mark.parametrize("vision", VISION)
def test_any_two_colours_differ_by_twice_what_is_noticeable(vision: str) -> None:
    worst = {pair: noticeable(*pair, vision) for pair in itertools.combinations(style.PALETTE, 2)}
    assert min(worst.values()) >= 2, min(worst, key=worst.__getitem__)


def test_the_measure_tells_colours_that_are_taken_for_each_other() -> None:
    assert noticeable("#D62728", "#2CA02C", "deuteranopia") < 2, "matplotlib's own red and green"
    assert min(noticeable(*pair, "deuteranopia") for pair in itertools.combinations(OKABE_ITO, 2)) < 1


@pytest.mark.parametrize("colour", [*style.PALETTE, style.FAINT, style.INK])
def test_every_colour_stands_out_from_white(colour: str) -> None:
    contrast = 1.05 / (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05)
    assert contrast >= (4.5 if colour in (style.FAINT, style.INK) else 3), "WCAG 2.2, 1.4.3 and 1.4.11"


def test_the_style_file_lies_in_the_package() -> None:
    assert files("in4310.solution").joinpath("in4310.mplstyle").is_file()
    assert style.STYLE["svg.fonttype"] == "path", "letters as outlines: no font need be there"
    assert style.STYLE["svg.hashsalt"]


DRAW = """
import sys
import numpy as np
from in4310.solution.drawing import figures, style
epochs = [{"epoch": e, "val_map": 0.1 * e, "val_loss": 1 / e} for e in range(1, 6)]
scores = np.random.default_rng(0).dirichlet(np.ones(3), 40)
drawn = [
    figures.curves({"sgd": epochs}),
    figures.spectra({"a": {"layer1": [3.0, 1.0, 0.1]}}),
    figures.score_histogram(scores, scores.argmax(1), ["a", "b", "c"]),
    figures.confusion([[3, 1], [0, 2]], ["a", "b"]),
    figures.ranked([(np.full((9, 9, 3), 90, np.uint8), "a/1.jpg", "a", 0.5)], "Top of a"),
]
for figure in drawn:
    for kind in ("svg", "png", "jpg"):
        sys.stdout.buffer.write(style.encoded(figure, kind))
"""


@pytest.mark.slow
def test_two_processes_draw_the_same_bytes() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", DRAW],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(style.__file__).parents[2])},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0].count(b"<svg") == 5
    assert runs[0] == runs[1]


def test_an_svg_holds_outlines_and_nothing_that_runs_or_leads_out() -> None:
    secret = "</svg><script>alert(1)</script>--><!-- name"
    figure = figures.curves({secret: [{"val_map": 0.5, "val_loss": 1.0}, {"val_map": 0.7, "val_loss": 0.5}]})
    content = style.encoded(figure, "svg")
    for bad in (b"<!--", b"DOCTYPE", b"script", b"<text", b"font", b"date", b"alert"):
        assert bad not in content, bad
    root = ET.fromstring(content)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "defs", "style", "g", "path", "use", "clipPath", "rect"}
    links = [v for e in root.iter() for k, v in e.attrib.items() if k.endswith("href")]
    assert links
    assert all(link.startswith("#") for link in links)
    ids = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    assert {link[1:] for link in links} <= ids, "every letter that is used is there"


def test_a_clean_svg_looks_like_the_one_matplotlib_writes() -> None:
    """What is left out of the file changes no letter's place: the sizes of glyphs and steps are kept."""
    import io

    figure = figures.confusion([[3, 1], [0, 2]], ["forest", "sea"])
    raw = io.BytesIO()
    figure.savefig(raw, format="svg")
    before, after = ET.fromstring(raw.getvalue()), ET.fromstring(style.encoded(figure, "svg"))

    def scales(root: ET.Element) -> list[str]:
        found = [e.attrib.get("transform", "") for e in root.iter()]
        return sorted(t[t.index("scale") :] for t in found if "scale" in t)

    def letters(root: ET.Element) -> int:
        return sum(e.tag.endswith("use") for e in root.iter())

    assert scales(after) == scales(before)
    assert letters(after) == letters(before)
    assert len(style.encoded(figure, "svg")) < 0.8 * len(raw.getvalue())


def test_pictures_of_feature_maps_name_the_range_of_each_module() -> None:
    grid = np.array([[0.0, 1.5], [np.nan, -2.0]])
    figure = feature_maps._picture(np.zeros((4, 4, 3), np.uint8), "sea/$x$.jpg", {"layer1": grid})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["sea/$x$.jpg", "layer1: -2 to 1.5"]

"""The assignment's own report as a page: figures drawn, images made small, all of it in one file."""

from __future__ import annotations

import io
import math
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.reporting.assignment import SHARE, SIDES, Assignment, Series, class_of, equal_spectra
from in4310.reporting.assignment_reading import read_assignment
from in4310.reporting.language import ENGLISH, figure, number
from in4310.reporting.page import page
from in4310.reporting.pictures import SVG, data_uri, on_white
from in4310.reporting.write import put
from in4310.solution.drawing import figures
from in4310.solution.handin import spread
from in4310.submission.formats import IMAGE_FORMATS, PICTURE_FORMATS
from in4310.submission.reading import Readers

NAME = "report.html"
OURS = b'<meta name="generator" content="in4310">'
EXAMPLES = 4  # images of each class
MAPS = 3  # pictures of feature maps, of those handed in
THUMBNAIL = 150  # pixels, the side of the course's photographs
QUALITY = 82  # of JPEG: 5 kB a photograph of the course


def write_assignment(
    folder: Path,
    data: str | Path | None = None,
    progress: Progress = QUIET,
    language: str = ENGLISH,
    readers: Readers | None = None,
) -> Path:
    """Write report.html into a complete submission, whole or not at all; returns its path.

    Raises InputError as `read_assignment`, when a report is there that is not one of ours, and when the file cannot be
    written.
    """
    path = Path(folder) / NAME
    try:
        ours = path.is_file() and OURS in path.read_bytes()
    except OSError:
        ours = False
    for there in () if ours else (path, path.with_suffix(".pdf")):
        if there.exists():
            raise InputError(
                f"{there}: is there already, and in4310 did not write it; move it, or give another folder"
            )
    text = render(read_assignment(Path(folder), data, progress, readers), language)
    return put(path, text.encode("utf-8", "replace"))


def render(report: Assignment, language: str = ENGLISH) -> str:
    """The page of one submission. A pure function of the record and of the images that it names."""
    return page(
        "assignment.html.j2",
        styles=("assignment.css",),
        language=language,
        report=report,
        sets=("train", "val", "test"),
        examples=_examples(report),
        thumbnails=_thumbnails(report),
        ranked_plots=_ranked_plots(report),
        maps=[_small(path) for path in report.feature_maps[:MAPS]],
        drawn=_drawn(report),
        equal=[pair for series in report.spectra for pair in equal_spectra(series)],
        compared=_compared(report),
        resnet=report.network.replace("resnet", "ResNet-"),
        share=SHARE,
        series_name=_name,
        class_of=class_of,
        showing=lambda entries, label: sum(class_of(path) == label for path, _ in entries),
        arguments=shlex.join(["in4310", *report.arguments]) if report.arguments else "",
        figure_number=partial(next, count(1)),
        table_number=partial(next, count(1)),
        percent=lambda share, digits=1: (
            "–" if share is None else f"{number(100 * share, language, digits, fixed=True)} %"
        ),
        score=partial(_score, language=language),
        number=lambda value: figure(f"{value:.4g}", language),
    )


def _score(value: float, language: str) -> str:
    """Four digits, or the exponent where four digits would say 0."""
    if not math.isfinite(value):
        return "–"
    if value >= 5e-5 or value == 0:
        return number(value, language, 4, fixed=True)
    return figure(f"{value:.1e}", language)


def _compared(report: Assignment) -> dict[str, object] | None:
    """How many eigenvalues hold most of the variance of the last module, trained against untrained; None: unknown."""
    found = {one.model: one.modules for one in report.spectra if one.data == "course" and not one.flatten}
    tuned, untuned = found.get("tuned", {}), found.get("untuned", {})
    for name in ("layer4", *reversed(list(tuned))):
        if name in tuned and name in untuned and tuned[name].needed and untuned[name].needed:
            return {"module": name, "tuned": tuned[name].needed, "untuned": untuned[name].needed}
    return None


def _drawn(report: Assignment) -> dict[str, str]:
    """The plots, as data URIs by name."""
    test = report.figures["test"].metrics
    spectra = {
        _name(one): {name: found.values for name, found in one.modules.items()} for one in report.spectra
    }
    return {
        "curves": _svg(figures.curves({run.name: run.epochs for run in report.runs})),
        "per_class": _svg(figures.per_class(test.accuracy_per_class, test.ap_per_class)),
        "confusion": _svg(figures.confusion(test.confusion, report.classes)),
        "spectra": _svg(figures.spectra(spectra)),
    }


def _name(series: Series) -> str:
    return f"{series.model} on {series.data}" + (", flattened" if series.flatten else "")


def _svg(figure: Figure) -> str:
    """A figure as a data URI, without date or version: same figure, same text."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return data_uri(stream.getvalue(), SVG)


def _examples(report: Assignment) -> dict[str, list[tuple[str, str]]]:
    """class -> (path, data URI) of some images of its training set; {} where the images are gone."""
    if report.root is None:
        return {}
    chosen = {
        c: spread([p for p in report.split["train"] if class_of(p) == c], EXAMPLES) for c in report.classes
    }
    return {c: [(path, _thumbnail(report.root, path)) for path in paths] for c, paths in chosen.items()}


def _thumbnails(report: Assignment) -> dict[str, str]:
    """path -> data URI of the ranked images; {} where the images are gone."""
    if report.root is None:
        return {}
    ranked = [path for sides in report.ranking.values() for side in sides.values() for path, _ in side]
    return {
        path: _thumbnail(report.root, path)
        for path in dict.fromkeys(ranked)
        if (report.root / path).is_file()
    }


def _thumbnail(root: Path, path: str) -> str:
    with _opened(root / path, "an image", IMAGE_FORMATS) as image:
        image.draft("RGB", (THUMBNAIL, THUMBNAIL))
        small = image.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _jpeg(small)


def _ranked_plots(report: Assignment) -> dict[tuple[str, str], str]:
    """(class, side) -> data URI of the submission's own picture, where the images themselves are gone."""
    if report.root is not None or report.plots is None:
        return {}
    return {
        (c, side): _small(file)
        for c in report.ranking
        for side in SIDES
        if (file := report.plots / f"{side}_{c}.png").is_file()
    }


def _small(path: Path) -> str:
    """A picture of the submission as a JPEG."""
    with _opened(path, "a picture", PICTURE_FORMATS) as picture:
        flat = on_white(picture)
    return _jpeg(flat)


@contextmanager
def _opened(path: Path, what: str, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=formats) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: expected {what}, found one that cannot be read ({error})") from None


def _jpeg(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return data_uri(stream.getvalue(), "image/jpeg")

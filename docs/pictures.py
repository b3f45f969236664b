"""Makes the pictures of the README: real pages, of submissions on the embedded data, photographed by Chromium.

python docs/pictures.py            all of them, a few minutes: it judges a faulty submission and a small class
python docs/pictures.py report     only those whose names begin so

Needs Playwright (pip install playwright) and Chromium or Chrome. Nothing in a picture is drawn by hand: the pages are
what `in4310 check`, `grade` and `report` write.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from in4310.errors import InputError
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.reference import reference_submission
from in4310.reporting.printing import BROWSERS
from in4310.solution.saving import write_aside

DOCS = Path(__file__).parent
BENCHMARKS = DOCS.parent / "reports" / "benchmarks" / "index.html"
BYTES = 300_000  # of one picture: the repository keeps every version
COLOURS = (256, 128, 64)
PARTS = (1, 0.75, 0.5)
SCRIPT_TIME = 30_000  # milliseconds that a page may take


@dataclass(frozen=True)
class Shot:
    """One picture: of which page, in a window of which size (CSS pixels), how many device pixels a CSS pixel."""

    name: str
    page: Callable[[Path], Path | None]
    width: int
    height: int
    dark: bool = False
    scale: float = 1.0


# --- pages ---


@cache
def reference() -> Path:
    """The reference submission for the demo edition, made once and kept in the cache."""
    edition = load_edition("demo")
    return reference_submission(edition, resolve_data(edition, None))


def copied(place: Path) -> Path:
    """A copy of the reference of which files may be replaced; linked where the file system allows it."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    return shutil.copytree(reference(), place, copy_function=link)


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Replace a JSON file, or a matrix, by a changed one; the old one is linked and stays as it is."""
    if path.suffix == ".npy":
        stream = io.BytesIO()
        np.save(stream, change(np.load(path)))
        content = stream.getvalue()
    else:
        document = json.loads(path.read_text())
        change(document)
        content = json.dumps(document).encode()
    write_aside(path, lambda file: file.write(content))


def log_softmax(folder: Path) -> None:
    """log_softmax is what is saved."""
    changed(folder / "scores_test.npy", lambda scores: np.log(np.maximum(scores, 1e-12)))


def accuracy_for_map(folder: Path) -> None:
    """The accuracy is reported as mAP."""
    changed(folder / "metrics.json", lambda found: found["test"].update(map=found["test"]["accuracy"]))


def bottom_for_top(folder: Path) -> None:
    """The lowest scores are shown as the highest."""
    changed(
        folder / "ranking.json",
        lambda found: [sides.update(top=sides["bottom"], bottom=sides["top"]) for sides in found.values()],
    )


def no_comparison(folder: Path) -> None:
    """Only the trained network's spectrum is there."""
    changed(folder / "eigenvalues.json", lambda found: found.update(series=found["series"][:1]))


def two_settings(folder: Path) -> None:
    """One setting fewer than asked for."""
    (folder / "history" / "sgd-0.005-onecycle.json").unlink()


def no_metrics(folder: Path) -> None:
    """No figures at all."""
    (folder / "metrics.json").unlink()


CLASS = {
    "anna": (),
    "bjorn": (accuracy_for_map,),
    "dina": (log_softmax, no_comparison),
    "erik": (),
    "frida": (bottom_for_top,),
    "geir": (log_softmax, no_metrics, two_settings),
    "hanne": (no_comparison,),
    "ivar": (accuracy_for_map, bottom_for_top),
}


def student(work: Path) -> Path:
    """The report of a submission with four mistakes."""
    page = work / "student" / "index.html"
    if not page.exists():
        folder = copied(work / "kari")
        manifest = (folder / "submission.toml").read_text().replace('name = "reference"', 'name = "kari"')
        write_aside(folder / "submission.toml", lambda file: file.write(manifest.encode()))
        for mistake in (log_softmax, accuracy_for_map, bottom_for_top, no_comparison):
            mistake(folder)
        in4310(work, "check", "kari", "--report", "student", "--quiet")
    return page


def assignment(work: Path) -> Path:
    """The report of the assignment."""
    folder = copied(work / "assignment")
    in4310(work, "report", "assignment", "--no-pdf", "--quiet")
    return folder / "report.html"


def small_class(work: Path) -> Path:
    """The page of nine students, one of whom handed in a file that is no archive."""
    for who, mistakes in CLASS.items():
        folder = copied(work / "hand-ins" / who)
        (folder / "README.txt").write_text(f"handed in by {who}")
        for mistake in mistakes:
            mistake(folder)
    (work / "hand-ins" / "jorunn.zip").write_text("not a zip")
    in4310(work, "grade", "hand-ins", "--out", "class", "--quiet")
    return work / "class" / "index.html"


def benchmarks(work: Path) -> Path | None:
    """The page of the benchmarks, where one was made (pytest --benchmark-only)."""
    return BENCHMARKS if BENCHMARKS.is_file() else None


def in4310(work: Path, *arguments: str) -> None:
    """A command, as a user gives it in a folder; statuses 0 and 1 are verdicts."""
    words = [sys.executable, "-m", "in4310", *arguments]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=work)
    if done.returncode not in (0, 1):
        raise InputError(
            f"in4310 {' '.join(arguments)} ended with status {done.returncode}: {done.stderr.strip()[-300:]}"
        )


SHOTS = (
    Shot("report", student, 1200, 1250),
    Shot("report-dark-phone", student, 390, 844, dark=True, scale=1.5),
    Shot("assignment", assignment, 1040, 1380),
    Shot("class", small_class, 1200, 1250),
    Shot("benchmarks", benchmarks, 1200, 1250),
)


# --- pictures ---


def photograph(browser: Any, page: Path, shot: Shot) -> bytes:
    """The first screen of a page as PNG."""
    view = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        device_scale_factor=shot.scale,
        color_scheme="dark" if shot.dark else "light",
    )
    try:
        tab = view.new_page()
        tab.goto(page.absolute().as_uri(), timeout=SCRIPT_TIME)
        return bytes(tab.screenshot())
    finally:
        view.close()


def smaller(picture: bytes) -> bytes:
    """The same picture with a palette of as many colours as its size allows, and with fewer pixels where none does."""
    with Image.open(io.BytesIO(picture)) as image:
        flat = image.convert("RGB")
    for part in PARTS:
        size = (round(flat.width * part), round(flat.height * part))
        sized = flat if part == 1 else flat.resize(size, Image.Resampling.LANCZOS)
        for colours in COLOURS:
            stream = io.BytesIO()
            few = sized.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(stream, "PNG", optimize=True)
            if stream.tell() <= BYTES:
                return stream.getvalue()
    return stream.getvalue()


def make(shots: Iterable[Shot], out: Path = DOCS) -> None:
    """Take the pictures. Raises InputError, one line, without Playwright or a browser."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise InputError("docs/pictures.py needs Playwright: pip install playwright") from None
    found = next((place for name in BROWSERS if (place := shutil.which(name))), None)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="in4310-pictures-") as work, sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if root else [])
        except Error as error:
            raise InputError(
                f"docs/pictures.py needs Chromium: {str(error).splitlines()[0]}; playwright install chromium"
            ) from None
        for shot in shots:
            page = shot.page(Path(work))
            if page is None:
                print(f"{shot.name}: left out, its page is not there ({shot.page.__doc__})")
                continue
            content = smaller(photograph(browser, page, shot))
            path = write_aside(out / f"{shot.name}.png", lambda file, content=content: file.write(content))
            print(f"{path}: {len(content) / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    chosen = [shot for shot in SHOTS if not sys.argv[1:] or shot.name.startswith(tuple(sys.argv[1:]))]
    try:
        make(chosen)
    except InputError as error:
        sys.exit(f"pictures: {error}")

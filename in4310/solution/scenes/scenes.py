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
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.scenes.motifs import draw_object, render
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
QUALITY = 90


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
            picture = Image.fromarray(draw_object(name, rng)).resize(side, Image.Resampling.BICUBIC)
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

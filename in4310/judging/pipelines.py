"""Ways of preparing an image that the solution does not need and others use: squashed, padded, by OpenCV, on tensors.

What torchvision (v1 and v2), PIL, OpenCV and albumentations make usual, as one record that can be stated and tried, and
that the solution's loaders carry out as they do its own way, the shorter side and a centre crop by PIL.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps

from in4310.errors import InputError
from in4310.shown import shown
from in4310.solution.images import INTERPOLATIONS, Preprocessing
from in4310.submission.formats import IMAGE_FORMATS, finite

LARGEST = 640  # pixels of a side: what is stated is carried out, and must not cost the judge its memory
WORDS = {
    # shorter: Resize(R); squash: Resize((R, R)); cropped: ImageOps.fit; longer: LongestMaxSize, ImageOps.pad; padded:
    # to a square, then resized; none: a crop alone. Each is followed by CenterCrop(S).
    "fit": ("shorter", "squash", "cropped", "longer", "padded", "none"),
    # tensor: Resize on uint8 tensors; float: ToTensor() before Resize. OpenCV: albumentations, too.
    "library": ("PIL", "tensor", "float", "OpenCV"),
    "alpha": ("drop", "white", "black"),
    "pad": ("black", "grey", "white", "edge", "reflect"),
}
MODES = {
    "PIL": INTERPOLATIONS,
    "tensor": ("nearest", "nearest-exact", "bilinear", "bicubic"),
    "float": ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
    "OpenCV": ("nearest", "bilinear", "bicubic", "area"),
}
FILLS = {"black": 0, "grey": 128, "white": 255}


@dataclass(frozen=True)
class Pipeline(Preprocessing):
    """As `Preprocessing`, and what becomes of an image that is not square, transparent, or turned by its EXIF data."""

    fit: str = "shorter"
    library: str = "PIL"
    alpha: str = "drop"
    pad: str = "black"
    exif: bool = False

    def __post_init__(self) -> None:
        """Raises InputError for a word that is none of ours, and for a way of resizing that a library lacks."""
        for key, words in (WORDS | {"interpolation": MODES.get(self.library, ())}).items():
            if words and getattr(self, key) not in words:
                whose = f" of library {self.library!r}" if key == "interpolation" else ""
                raise InputError(
                    f"{key} = {shown(repr(getattr(self, key)), 40)} is unknown{whose}; use {', '.join(words)}"
                )

    @property
    def pixel_type(self) -> type:
        """Of the pixels: float32 of 0 to 255 where floats are resized."""
        return np.float32 if self.library == "float" else np.uint8

    def prepared(self, image: Image.Image) -> np.ndarray:
        """As a `Preprocessing` does, and as the other fields say; (size, size, 3) of `pixel_type`."""
        return shaped(decoded(image, self), self)


def pipeline(preprocessing: Preprocessing, **other: Any) -> Preprocessing:
    """A preprocessing with other fields; one that the solution has, where nothing but its own fields differs."""
    values = {f.name: getattr(preprocessing, f.name) for f in fields(preprocessing)} | other
    made = Pipeline(**values)
    own = all(getattr(made, f.name) == f.default for f in fields(Pipeline) if f.name in ADDED)
    if not own or made.interpolation not in MODES["PIL"]:
        return made
    return Preprocessing(**{name: value for name, value in values.items() if name not in ADDED})


ADDED = frozenset(f.name for f in fields(Pipeline)) - {f.name for f in fields(Preprocessing)}
KNOWN = tuple(f.name for f in fields(Pipeline))


def said(p: Preprocessing) -> str:
    """A preprocessing without its normalisation, in words."""
    fit = getattr(p, "fit", "shorter")
    resized = {
        "shorter": f"resize {p.resize}",
        "squash": f"resize to {p.resize} x {p.resize}",
        "cropped": f"crop to a square, resize {p.resize}",
        "longer": f"resize the longer side to {p.resize}, pad ({getattr(p, 'pad', '')})",
        "padded": f"pad to a square ({getattr(p, 'pad', '')}), resize {p.resize}",
        "none": "no resizing",
    }[fit]
    words = [f"{resized}, crop {p.size}, {p.interpolation}{'' if p.antialias else ' without antialiasing'}"]
    if (library := getattr(p, "library", "PIL")) != "PIL":
        words.append(
            {"tensor": "on a tensor", "float": "on a tensor of floats"}.get(library, f"by {library}")
        )
    if getattr(p, "exif", False):
        words.append("turned as EXIF says")
    if (alpha := getattr(p, "alpha", "drop")) != "drop":
        words.append(f"transparency on {alpha}")
    return ", ".join(words)


# --- what submission.toml states ---


def stated(table: Mapping[str, Any], usual: Preprocessing | None = None) -> Preprocessing:
    """The preprocessing of a table of submission.toml; what it leaves out is `usual`'s. Raises InputError, in one line.

    `resize = [S, S]` is torchvision's Resize((S, S)): squashed. One of size and resize alone states both.
    """
    values = {
        key: tuple(v) if isinstance(v, list) else v for key, v in table.items() if not isinstance(v, Mapping)
    }
    if unknown := sorted(set(values) - set(KNOWN)):
        raise InputError(f"{shown(unknown[0], 40)!r} is unknown; use {', '.join(KNOWN)}")
    side = values.get("resize")
    if isinstance(side, tuple) and len(side) == 2 and side[0] == side[1]:
        values = {"fit": "squash"} | values | {"resize": side[0]}
    elif isinstance(side, tuple):
        raise InputError(f"resize = {shown(str(side), 40)}, expected pixels, or two sides that are equal")
    for one, other in (("size", "resize"), ("resize", "size")):
        if one in values:
            values.setdefault(other, values[one])
    for key in ("size", "resize"):
        value = values.get(key, 224)
        if type(value) is not int or not 1 <= value <= LARGEST:
            raise InputError(f"{key} = {shown(str(value), 40)}, expected 1 to {LARGEST} pixels")
    for key in ("mean", "std"):
        value = values.get(key, (1.0,) * 3)
        numbers = [finite(v) for v in value] if isinstance(value, tuple) else []
        strange = any(v is None or abs(v) > 1000 for v in numbers) or (key == "std" and 0 in numbers)
        if len(numbers) != 3 or strange:
            raise InputError(f"{key} = {shown(str(value), 60)}, expected three numbers")
    for key in ("antialias", "exif"):
        if type(values.get(key, True)) is not bool:
            raise InputError(f"{key} = {shown(str(values[key]), 40)}, expected true or false")
    return pipeline(usual or Preprocessing(), **values)


# --- which images tell one way from another ---


@lru_cache(maxsize=2**17)
def _header(file: str, _modified: int) -> frozenset[str]:
    with suppress(Exception), Image.open(file, formats=IMAGE_FORMATS) as image:
        turned = "exif" in image.info and image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        clear = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA")
        marks = {"shape": image.width != image.height, "exif": turned, "alpha": clear}
        return frozenset(name for name, marked in marks.items() if marked)
    return frozenset()


def peculiar(root: Path, path: str) -> frozenset[str]:
    """What makes an image tell one way of preparing it from another: 'shape', 'exif', 'alpha'; read off its header."""
    try:
        return _header(str(root / path), (root / path).stat().st_mtime_ns)
    except OSError:
        return frozenset()


# --- carried out ---


def decoded(image: Image.Image, p: Pipeline) -> np.ndarray:
    """An opened file as uint8 (H, W, 3), turned and its transparency filled as a pipeline says.

    torchvision's and OpenCV's decoders are PIL's, libjpeg-turbo: of 200 photographs torchvision gave the same bytes.
    But OpenCV turns as EXIF says.
    """
    image = ImageOps.exif_transpose(image) if p.exif else image
    if p.alpha != "drop" and ("transparency" in image.info or image.mode in ("RGBA", "LA", "PA")):
        ground = Image.new("RGBA", image.size, p.alpha)
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def shaped(pixels: np.ndarray, p: Pipeline) -> np.ndarray:
    """uint8 (H, W, 3) -> (size, size, 3): fitted, then the centre cut out; what lacks at the edges is black."""
    height, width = pixels.shape[:2]
    side = p.resize
    whole = round if p.library == "OpenCV" else int  # as albumentations and torchvision round the other side
    if p.fit == "shorter":
        shorter = min(height, width)
        tall, wide = (side if n == shorter else whole(side * n / shorter) for n in (height, width))
        pixels = resized(pixels, tall, wide, p)
    elif p.fit == "longer":
        longer = max(height, width)
        whole = int if p.library in ("tensor", "float") else round  # ImageOps.pad rounds, too
        tall, wide = (side if n == longer else max(1, whole(side * n / longer)) for n in (height, width))
        pixels = _padded(resized(pixels, tall, wide, p), side, p)
    elif p.fit == "padded":
        pixels = resized(_padded(pixels, max(height, width), p), side, side, p)
    elif p.fit == "cropped" and p.library == "PIL" and p.antialias:
        mode = (
            Image.Resampling[p.interpolation.upper()]
            if p.interpolation != "nearest-exact"
            else Image.Resampling.NEAREST
        )
        pixels = np.asarray(ImageOps.fit(Image.fromarray(pixels), (side, side), mode))
    elif p.fit == "cropped":
        pixels = resized(_cut(pixels, min(height, width), p), side, side, p)
    elif p.fit == "squash":
        pixels = resized(pixels, side, side, p)
    return _cut(pixels, p.size, p)


def _cut(pixels: np.ndarray, size: int, p: Pipeline) -> np.ndarray:
    if pixels.shape[:2] == (size, size):
        return pixels
    if (
        p.library == "OpenCV" and min(pixels.shape[:2]) >= size
    ):  # albumentations rounds down, torchvision to even
        top, left = ((n - size) // 2 for n in pixels.shape[:2])
        return pixels[top : top + size, left : left + size]
    from torchvision.transforms.v2 import functional as transforms

    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)
    return np.asarray(transforms.center_crop(tensor, [size, size]).permute(1, 2, 0).numpy())


def _padded(pixels: np.ndarray, side: int, p: Pipeline) -> np.ndarray:
    """To a square of at least `side` pixels, the image in its middle."""
    missing = [max(0, side - n) for n in pixels.shape[:2]]
    # ImageOps.pad rounds half to even, all others down.
    before = [round(n / 2) if p.fit == "longer" and p.library == "PIL" else n // 2 for n in missing]
    widths = [(b, n - b) for b, n in zip(before, missing, strict=True)] + [(0, 0)]
    if p.pad in FILLS:
        return np.pad(pixels, widths, constant_values=FILLS[p.pad])
    return np.pad(pixels, widths, mode=p.pad)  # type: ignore[call-overload]


def resized(pixels: np.ndarray, height: int, width: int, p: Pipeline) -> np.ndarray:
    """(H, W, 3) -> (height, width, 3), as a library resizes; float32 of 0 to 255 where it resizes floats."""
    if p.library == "OpenCV":
        return _opencv(pixels, height, width, p.interpolation)
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as transforms

    if p.library == "PIL" and p.antialias:
        mode = InterpolationMode(p.interpolation)
        return np.asarray(transforms.resize(Image.fromarray(pixels), [height, width], interpolation=mode))
    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)
    if p.library == "float":
        tensor = tensor.float()
    if p.interpolation == "area":
        made = torch.nn.functional.interpolate(tensor[None], (height, width), mode="area")[0]
    else:
        mode = InterpolationMode(p.interpolation)
        made = transforms.resize(tensor, [height, width], mode, antialias=p.antialias)
    return np.asarray(made.permute(1, 2, 0).numpy())


def _opencv(pixels: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """cv2.resize by its documented formulas: no antialiasing; INTER_AREA weighs by overlap where it makes smaller.

    Of two passes, rows and columns; OpenCV computes in fixed point, so that a level may differ.
    """
    grown = height > pixels.shape[0] or width > pixels.shape[1]
    if interpolation in ("nearest", "bilinear", "bicubic"):
        tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].double()
        corners = None if interpolation == "nearest" else False
        made = torch.nn.functional.interpolate(
            tensor, (height, width), mode=interpolation, align_corners=corners
        )
        values = made[0].permute(1, 2, 0).numpy()
    else:
        down, across = (_area(n, m, grown) for n, m in ((pixels.shape[0], height), (pixels.shape[1], width)))
        values = np.einsum("hH,HWc,wW->hwc", down, pixels.astype(np.float64), across, optimize=True)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _area(old: int, new: int, grown: bool) -> np.ndarray:
    """Weights (new, old) of INTER_AREA along one side; where the image grows, its own kind of linear."""
    scale = old / new
    if grown:
        starts = np.floor(np.arange(new) * scale).astype(int)
        part = (np.arange(new) + 1) - (starts + 1) / scale
        part = np.where(part <= 0, 0.0, part - np.floor(part))
        weights = np.zeros((new, old))
        np.add.at(weights, (np.arange(new), starts.clip(max=old - 1)), 1 - part)
        np.add.at(weights, (np.arange(new), (starts + 1).clip(max=old - 1)), part)
        return weights
    edges = np.arange(new + 1) * scale
    low, high = np.arange(old), np.arange(1, old + 1)
    overlap = np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low)
    return np.asarray(np.clip(overlap, 0, None) / scale)

"""Mistakes of the images, whatever is computed from them: what was done to their bytes, and how they were normalised."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

import numpy as np
from PIL import Image

from in4310.judging.inside import Norm, Pixels
from in4310.judging.mistake import Places
from in4310.judging.mistakes.places import named
from in4310.judging.preprocessing import NORMS
from in4310.submission.pieces import Missing

TRANSFORMS = "https://pytorch.org/vision/stable/transforms.html"
COLOURS = "https://docs.opencv.org/4.x/d8/d01/group__imgproc__color__conversions.html"
PILLOW = "https://pillow.readthedocs.io/en/stable/reference/Image.html"
Variants = Sequence[tuple[Pixels, str]]


def _of_bytes(pixels: np.ndarray) -> np.ndarray:
    """The pixels, contiguous; raises Missing where they are no bytes: what is done to bytes cannot be done to them."""
    if pixels.dtype != np.uint8:
        raise Missing("images", "as bytes")
    return np.ascontiguousarray(pixels)


def luma(pixels: np.ndarray) -> np.ndarray:
    """ITU-R 601 in all three channels, in the integers that Pillow computes it with: a level more would show."""
    grey = np.asarray(Image.fromarray(_of_bytes(pixels)).convert("L"))
    return np.repeat(grey[:, :, None], 3, axis=2)


def _in_order(order: Sequence[int], pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :, list(order)]


def _framed(width: int, pixels: np.ndarray) -> np.ndarray:
    if 2 * width >= min(pixels.shape[:2]):
        raise Missing("images", f"larger than a border of {width}")
    framed = np.zeros_like(pixels)
    inside = slice(width, -width)
    framed[inside, inside] = pixels[inside, inside]
    return framed


def _through(side: int, pixels: np.ndarray) -> np.ndarray:
    """To a smaller square, and back."""
    small = Image.fromarray(_of_bytes(pixels)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small.resize(pixels.shape[1::-1], Image.Resampling.BILINEAR))


def _jpeg(quality: int, pixels: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(_of_bytes(pixels)).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream, formats=["JPEG"]))


def _square(change: Pixels, pixels: np.ndarray) -> np.ndarray:
    """Turned by a right angle, which keeps the size of squares only: the network sees no others."""
    return change(pixels) if pixels.shape[0] == pixels.shape[1] else pixels


ORDERS = {"RBG": (0, 2, 1), "GRB": (1, 0, 2), "GBR": (1, 2, 0), "BRG": (2, 0, 1)}
REPEATED = {"RRR": (0, 0, 0), "GGG": (1, 1, 1), "BBB": (2, 2, 2)}
SIDES = (32, 64, 28, 128, 16, 24, 48, 96, 112, 100, 150)
QUALITIES = (75, 95, 90, 80, 85, 70, 60, 50)
BORDERS = (*range(1, 17), 20, 24, 32)
TURN = "leave augmentation to training: evaluate the images as they are"

# fmt: off
# What was done; the name, the sentence, how to mend it, where to read of it, where in the source.
Change = tuple[Variants, str, str, str, str, Places]
CHANGES: tuple[Change, ...] = (
    ([(lambda p: p[:, :, ::-1], "")],
     "bgr", "the colours are in the order BGR: OpenCV's, where the network expects RGB",
     "cv2.cvtColor(image, cv2.COLOR_BGR2RGB)", COLOURS, named("imread", "imdecode")),
    ([(partial(_in_order, order), letters) for letters, order in ORDERS.items()],
     "channel-order", "the colour channels are in another order", "keep the order R, G, B", COLOURS, named("transpose", "permute")),
    ([(partial(_in_order, order), letters) for letters, order in REPEATED.items()],
     "one-channel", "one colour channel was taken for all three", "keep the channels R, G and B", COLOURS, named("repeat", "expand")),
    ([(luma, "")], "grey", "the colours were thrown away", "convert to RGB, not to grey", TRANSFORMS, named("Grayscale", "convert")),
    # The bytes of (H, W, 3) taken as (3, H, W).
    ([(lambda p: np.resize(p, (3, *p.shape[:2])).transpose(1, 2, 0), "")],
     "hwc", "height, width and channels were read as channels, height and width",
     "image.transpose(2, 0, 1), or torchvision's ToTensor()", TRANSFORMS, named("reshape", "view", "transpose", "permute")),
    ([(partial(_square, lambda p: p.transpose(1, 0, 2)), "")],  # each image mirrored at its diagonal
     "transposed", "height and width are swapped", "keep the order of the axes: transpose(2, 0, 1)", TRANSFORMS,
     named("transpose", "permute")),
    ([(lambda p: p[:, ::-1], "")], "mirrored", "all images are mirrored, left for right", TURN, TRANSFORMS, named("hflip", "fliplr", "flip")),
    ([(lambda p: p[::-1], "")], "upside-down", "all images are upside down", TURN, TRANSFORMS, named("vflip", "flipud", "flip")),
    ([(lambda p: p[::-1, ::-1], "by 180 degrees"), (partial(_square, np.rot90), "by 90 degrees"),
      (partial(_square, partial(np.rot90, k=3)), "by 270 degrees")],
     "turned", "all images are turned", TURN, TRANSFORMS, named("rotate", "rot90")),
    ([(lambda p: 255 - _of_bytes(p), "")], "inverted", "the images are inverted: light for dark", "keep the values as they are decoded", PILLOW,
     named("invert")),
    ([(lambda p: _of_bytes(p) * np.uint8(2), "twice the value"), (lambda p: (_of_bytes(p).astype(int) - 128).astype(np.uint8), "less 128")],
     "overflow", "bytes wrapped round in an overflow of 8 bits", "convert to float before you compute with pixels", PILLOW,
     named("astype", "uint8")),
)
# The same, of many variants: tried last, and with no second step.
MANY: tuple[Change, ...] = (
    ([(partial(_through, side), f"to {side} x {side}") for side in SIDES],
     "smaller-first", "the images were resized to a smaller size first, and then again", "resize once, from the file", PILLOW,
     named("resize", "Resize", "save")),
    ([(partial(_framed, width), f"{width} pixels wide") for width in BORDERS],
     "border", "the images have a black border", "cut no border, and add none", TRANSFORMS, named("Pad", "pad")),
    ([(partial(_jpeg, quality), f"quality {quality}") for quality in QUALITIES],
     "jpeg-again", "the images were saved as JPEG once more", "read the files of the data set, or save as PNG", PILLOW, named("save", "imwrite")),
)
# fmt: on


def norms(stated_mean: Sequence[float], stated_std: Sequence[float]) -> list[tuple[str, Norm]]:
    """Other ways of normalising, the usual first, and what each is called."""
    mean, std = np.array(stated_mean), np.array(stated_std)
    zero, one = 0 * mean, 0 * mean + 1
    tried = [
        *((how, (np.array(m), np.array(s))) for how, (m, s) in NORMS.items()),
        ("pixels of 0 to 255, never divided", (zero, one / 255)),
        (
            "mean and deviation of CIFAR-10",
            (np.array((0.4914, 0.4822, 0.4465)), np.array((0.247, 0.2435, 0.2616))),
        ),
        ("the mean subtracted, not divided", (mean, one)),
        ("the mean not subtracted, only divided", (zero, std)),
        ("normalised twice", (mean + mean * std, std**2)),
        ("mean and deviation exchanged", (std, mean)),
        ("mean and deviation reversed, in the order BGR", (mean[::-1], std[::-1])),
        ("the mean alone reversed, in the order BGR", (mean[::-1], std)),
        ("pixels of 0 to 255, then normalised", (mean / 255, std / 255)),
        ("divided by 255 twice", (255 * mean, 255 * std)),
        ("multiplied by the deviation, not divided", (mean, 1 / std)),
        ("the mean added, not subtracted", (-mean, std)),
        ("divided by the variance", (mean, std**2)),
    ]
    found = [(how, (_three(m), _three(s))) for how, (m, s) in tried]
    stated = (tuple(stated_mean), tuple(stated_std))
    return [(how, norm) for how, norm in found if norm != stated and 0.0 not in norm[1]]


def _three(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue

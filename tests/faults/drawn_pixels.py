"""Random mistakes of the images: each gives (words that name it, keywords of a forward pass)."""

import io
from dataclasses import replace as with_

import numpy as np
from PIL import Image

NAMES = "RGB"
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def _jpeg(quality):
    def change(p):
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(p)).save(stream, "JPEG", quality=quality)
        return np.asarray(Image.open(stream))

    return change


def _border(width):
    def change(p):
        framed = np.zeros_like(p)
        framed[width:-width, width:-width] = p[width:-width, width:-width]
        return framed

    return change


def _smaller(side):
    def change(p):
        small = Image.fromarray(np.ascontiguousarray(p)).resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(small.resize(p.shape[1::-1], Image.Resampling.BILINEAR))

    return change


def _norms(stated):
    mean, std = np.array(stated.mean), np.array(stated.std)
    return {
        ("not normalised", "values 0 to 1"): (0 * mean, 0 * std + 1),
        ("normalised twice",): (mean + mean * std, std**2),
        ("exchanged",): (std, mean),
        ("reversed", "order BGR"): (mean[::-1], std[::-1]),
        ("-1 to 1",): (0 * mean + 0.5, 0 * std + 0.5),
        ("0 to 255",): (mean / 255, std / 255),
        ("not divided", "mean subtracted"): (mean, 0 * std + 1),
        ("not subtracted",): (0 * mean, std),
        ("divided by 255 twice", "255 twice"): (255 * mean, 255 * std),
    }


def pixels(d):
    """One operation on the bytes of each image."""
    order = d.one(ORDERS)
    letters = "".join(NAMES[i] for i in order)
    return d.one(
        (
            ((letters,), lambda p: p[:, :, list(order)]),
            (("mirrored", "mirror image", "flipped"), lambda p: p[:, ::-1]),
            (("upside down",), lambda p: p[::-1]),
            (("turned by 180", "180"), lambda p: p[::-1, ::-1]),
            (("turned by 90", "turned"), lambda p: np.rot90(p)),
            (("turned by 270", "turned"), lambda p: np.rot90(p, 3)),
            (("height and width are swapped",), lambda p: p.transpose(1, 0, 2)),
            (("inverted",), lambda p: 255 - p),
            (("colours were thrown away", "grey"), _grey),
            (("black border", "border"), _border(int(d.rng.integers(2, 12)))),
            (("smaller size", "resized twice"), _smaller(int(d.one((16, 24, 28, 32, 48))))),
            (("JPEG",), _jpeg(int(d.one((50, 60, 75, 80, 90))))),
            (("overflow", "wrapped"), lambda p: p * np.uint8(2)),
            (("channels and height", "read as channels"), lambda p: np.resize(p, (3, *p.shape[:2])).transpose(1, 2, 0)),
        )
    )  # fmt: skip


def _grey(p):
    grey = np.asarray(Image.fromarray(np.ascontiguousarray(p)).convert("L"))
    return np.repeat(grey[:, :, None], 3, axis=2)


def looked_at(d):
    """What the network was given: bytes changed, or another normalisation."""
    if d.rng.random() < 0.5:
        words, change = pixels(d)
        return words, {"pixels": change}
    words, (mean, std) = d.one(_norms(d.world.plan.preprocessing).items())
    return words, {
        "preprocessing": with_(
            d.world.plan.preprocessing, mean=tuple(map(float, mean)), std=tuple(map(float, std))
        )
    }

"""What pictures of feature maps show: the panels of each beside the network's own maps of images of the data set (2c).

A picture does not say of which image it is, nor module, channel, colours and scale. So every panel is laid beside every
channel by rank correlation r, which no scale and no even map of colours changes: it speaks for an image by
-n/2 log(1 - r^2) with n values, the log likelihood ratio of a straight line. What chance gives is told by the other
images, which have as many channels: the image shown lies farther out than the largest of so many draws does once in ten
thousand pictures; or the likeliest images of several come in the order of a set. Where nothing stands out nothing is
claimed. What filters of a picture editor explain speaks against a map, as much. The first layer of another network may
see alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

from in4310.judging import statistics
from in4310.judging.evidence import Evidence
from in4310.solution.feature_maps import observe
from in4310.solution.handin import spread
from in4310.submission.formats import last_two_parts
from in4310.submission.panels import Panels
from in4310.submission.pieces import Missing

GRID = 16  # values a side that maps are compared at, or their own
FEW = 4  # values a side of the smallest map that tells anything
CHANNELS = 32  # of a module; beside them their mean
CHANCE = 1e-4  # that a picture of something else stands out so; a class has thousands
EXACT = 0.998  # rank correlation that colours of 8 bits and another way of scaling leave of the same map
# Slopes down, right and along both diagonals, and Laplace's: what a picture editor calls edges and embossing.
EDGES = torch.tensor(
    [
        [[0.0, -1, 0], [0, 0, 0], [0, 1, 0]],
        [[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]],
        [[-1.0, 0, 0], [0, 0, 0], [0, 0, 1]],
        [[0.0, 0, -1], [0, 0, 0], [1, 0, 0]],
        [[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    ]
)
MODULES = 24  # whose maps are drawn
FEWEST = 20  # images, which tell what chance gives
SHADES = torch.tensor([[0.299, 0.587, 0.114], [1.0, 0.0, -1.0]])  # brightness; red against blue


Size = tuple[int, int]


def images_shown(evidence: Evidence, pictures: Mapping[int, Sequence[Panels]]) -> dict[int, str]:
    """Number of a picture -> the image of the data set whose maps it shows, 'class/name.jpg', where that can be told.

    Looked for are the first images that the hand-in names, and those of each set. Raises Missing without a network.
    """
    lists = _lists(evidence)
    some = spread(sorted(evidence.data.labels), FEWEST)
    paths = tuple(dict.fromkeys((*(path for one in lists for path in one), *some)))
    maps = _maps(evidence, paths)
    if len(paths) < FEWEST or not maps[0].network:
        return {}
    likeliest, found = {}, {}
    for number, of in pictures.items():
        small = np.concatenate([Panels().small, *(panels.small for panels in of)])
        if len(small):
            image, by = stands_out(told(small, maps))
            likeliest[number] = paths[image]
            if by > 1:
                found[number] = paths[image]
    return _in_order(likeliest, lists, len(paths)) | found


def _in_order(likeliest: Mapping[int, str], lists: Sequence[Sequence[str]], images: int) -> dict[int, str]:
    """Pictures whose likeliest images come in the order of a list, from 0 or 1; {} where chance may give it."""
    for one, first in product(lists, (0, 1)):
        expected = dict(enumerate(one, first))
        hits = {number: path for number, path in likeliest.items() if expected.get(number) == path}
        drawn = math.comb(len(likeliest), len(hits)) * images ** -len(hits)
        if 2 * len(lists) * drawn < CHANCE:
            return hits
    return {}


def _maps(evidence: Evidence, paths: tuple[str, ...]) -> list[Maps]:
    """Maps of images, of the network's first floor and the modules that the shares are of; once for a submission."""
    modules = [name for name, _ in evidence.model.named_children()]
    with suppress(Missing):
        stated = evidence.submission.non_positive.get("percent")
        known = dict(evidence.model.named_modules())
        modules += [n for n in (stated if isinstance(stated, dict) else ()) if n in known and n]
    asked = tuple(dict.fromkeys(modules))[:MODULES]
    return evidence.once(("drawn_maps",), lambda: _computed(evidence, paths, asked))


def _computed(evidence: Evidence, paths: tuple[str, ...], modules: tuple[str, ...]) -> list[Maps]:
    loaded = evidence.images(paths)
    return maps_of(evidence.model, evidence.batches(loaded)(), modules, np.asarray(loaded.pixels))


def _lists(evidence: Evidence) -> list[list[str]]:
    """Images that pictures may be of, in order: those named for the shares, and the first of each set."""
    asked = evidence.edition.statistics.pictures
    lists: list[list[str]] = [sorted(evidence.data.labels)[:asked]]
    with suppress(Missing):
        named = evidence.submission.non_positive.get("images")
        if isinstance(named, list):
            lists.append([last_two_parts(p) for p in named[:asked] if isinstance(p, str)])
    with suppress(Missing):
        lists += [list(paths[:asked]) for _, paths in statistics.usual_images(evidence, count=asked)]
    return [[path for path in one if path in evidence.data.labels] for one in lists]


@dataclass(frozen=True)
class Ranks:
    """Of fields of one size: float32 (C, n), centred and of length 1, 0 where all are one value.

    `alone`: values of each that are as good as independent, as neighbours are alike (Bartlett: n over the sum of
    squared correlations), (C,); `most`: what each can tell, the share of these in the log of the number of its orders.
    """

    values: Tensor
    alone: Tensor
    most: Tensor


@dataclass(frozen=True)
class Maps:
    """Of one image, by size (h, w): the network's maps, and what a program without a network draws of its pixels."""

    network: dict[Size, Ranks]
    photograph: dict[Size, Ranks]


def maps_of(
    model: nn.Module, batches: Iterable[Tensor], modules: Sequence[str], pixels: np.ndarray
) -> list[Maps]:
    """Maps of modules of a network, of each image: batches: float32 (n, 3, H, W); pixels: uint8 (N, H, W, 3)."""
    found: dict[str, list[Tensor]] = {}
    runs: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        if output.ndim == 4 and min(output.shape[2:]) >= FEW:
            maps = torch.cat([output[:, :CHANNELS], output.mean(dim=1, keepdim=True)], dim=1).float()
            size = (min(GRID, output.shape[2]), min(GRID, output.shape[3]))
            runs[name] = adaptive_avg_pool2d(maps, size).cpu()

    def fed() -> Iterator[Tensor]:
        for batch in batches:
            yield batch
            for name, last in runs.items():  # of a module that runs several times
                found.setdefault(name, []).append(last)
            runs.clear()

    observe(model, fed(), {name: [partial(keep, name)] for name in modules})
    together: dict[Size, list[Tensor]] = {}
    for parts in found.values():
        whole = torch.cat(parts)
        together.setdefault((whole.shape[2], whole.shape[3]), []).append(whole)
    sizes = {size: torch.cat(all_of, dim=1) for size, all_of in together.items()}
    photographs = _of_photographs(pixels)
    return [
        Maps(
            {size: ranks_of(maps[i]) for size, maps in sizes.items()},
            {size: ranks_of(adaptive_avg_pool2d(photographs[i], size)) for size in sizes},
        )
        for i in range(len(pixels))
    ]


def _of_photographs(pixels: np.ndarray) -> Tensor:
    """Of photographs (N, H, W, 3): what filters of a picture editor give, float32 (N, 15, H, W)."""
    colours = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float()
    grey = colours.mean(dim=1, keepdim=True)
    shades = torch.einsum("kc,nchw->nkhw", SHADES, colours)  # what a panel of it is ranked by
    by_hand = conv2d(grey, EDGES[:, None], padding=1)
    slope = by_hand[:, :2].square().sum(dim=1, keepdim=True).sqrt()
    blurred = [avg_pool2d(grey, size, 1, size // 2, count_include_pad=False) for size in (5, 9, 17)]
    return torch.cat([colours, shades, grey, by_hand, slope, *blurred], dim=1)


def ranks_of(fields: Tensor) -> Ranks:
    """Ranks of each of the fields (C, h, w), ties at their mean, and how much they can tell."""
    ranks, ties = _ranked(fields.flatten(1))
    count = ranks.shape[1]
    orders = math.lgamma(count + 1) - (torch.lgamma(ties + 1) / ties).sum(dim=1)
    doubled = [2 * side for side in fields.shape[1:]]  # so that nothing comes round the edge
    power = torch.fft.rfft2(ranks.view_as(fields), doubled).abs().square()
    around = torch.fft.irfft2(power, doubled)
    alone = count / around.square().sum(dim=(1, 2)).clamp_min(1)
    return Ranks(ranks, alone, orders * alone / count)


def _ranked(values: Tensor) -> tuple[Tensor, Tensor]:
    """Of rows (C, n): ranks, centred and of length 1, and with how many each value is tied."""
    found = values.numpy()
    order = found.argsort(axis=1)
    ordered = np.take_along_axis(found, order, 1)
    first = np.ones(found.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    begins = np.flatnonzero(first)
    counts = np.diff(begins, append=first.size)
    ranks, ties = np.empty((2, *found.shape), np.float32)
    for into, told in ((ranks, 2 * (begins % found.shape[1]) + counts), (ties, counts)):
        np.put_along_axis(into, order, np.repeat(told, counts).reshape(found.shape).astype(np.float32), 1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return torch.from_numpy(ranks / np.maximum(length, 1e-6)), torch.from_numpy(ties)


def told(panels: np.ndarray, images: Sequence[Maps]) -> np.ndarray:
    """How much each panel, uint8 (P, S, S, 3), speaks for each image, by sizes of maps: float64 (sizes, P, N)."""
    sizes = list(images[0].network)
    found = np.zeros((len(sizes), len(panels), len(images)))
    colours = torch.from_numpy(np.array(panels)).permute(0, 3, 1, 2).float()
    shades = torch.einsum("kc,pchw->pkhw", SHADES, colours)
    for row, size in enumerate(sizes):
        seen, _ = _ranked(adaptive_avg_pool2d(shades, size).flatten(0, 1).flatten(1))
        for column, image in enumerate(images):
            maps, photograph = (_most(seen, of[size]) for of in (image.network, image.photograph))
            found[row, :, column] = np.maximum(maps - photograph, 0)
    return found


def _most(seen: Tensor, fields: Ranks) -> np.ndarray:
    """The most that any of some fields explains of each panel, (P,), by the shade that is more alike."""
    squared = (seen @ fields.values.T).square_().unflatten(0, (-1, len(SHADES))).amax(dim=1)
    explained = squared.clamp_max_(EXACT**2).neg_().log1p_().mul_(-fields.alone / 2)
    return torch.minimum(explained, fields.most).amax(dim=1).double().numpy()


def stands_out(found: np.ndarray) -> tuple[int, float]:
    """The image that panels speak for most, by `told`, and how far it lies out: above 1 it is no chance.

    Each panel says how far each image lies above the others; of an image the best panel, the best few and all count.
    """
    # Where a photograph explains as much others have nothing, and do not tell how far chance goes: a log likelihood
    # ratio falls off by 1.
    apart = _apart(found, 1.0).max(axis=0)
    ways = {few: np.sort(apart, axis=0)[-few:].mean(axis=0) for few in (1, 4, len(apart))}
    # A likelihood ratio falls off exponentially: what the largest of so many draws reaches by chance.
    bound = math.log(len(ways) * apart.size / CHANCE)
    out = [_apart(way, few**-0.5) / bound for few, way in ways.items()]
    best = max(out, key=lambda way: float(way.max()))
    return int(best.argmax()), float(best.max())


def _apart(values: np.ndarray, least: float) -> np.ndarray:
    """How many standard deviations, `least` or more, each of the last axis lies above the mean of all but one."""
    largest = values.argmax(axis=-1)[..., None]
    top, n = np.take_along_axis(values, largest, -1), values.shape[-1] - 1
    mean = (values.sum(axis=-1, keepdims=True) - top) / n
    squares = ((values - mean) ** 2).sum(axis=-1, keepdims=True) - (top - mean) ** 2
    return (values - mean) / np.sqrt(np.maximum(squares / (n - 1), least**2))

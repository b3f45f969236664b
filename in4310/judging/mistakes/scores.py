"""Mistakes that give wrong scores: what the network was given, and what was done with its output.

Two kinds of hypotheses, each alone or one of each together. A *source* computes rows of scores as another network,
mode, loading or preprocessing would give them; an *output* undoes what was done to scores before they were saved. Sources
cost forward passes: they are tried on a few rows first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment
from torch import nn

from in4310.errors import InputError
from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes import places
from in4310.judging.mistakes.search import BATCHES, Budget, Claim, World, hypothesis, search
from in4310.judging.preprocessing import NORMS, candidates, variants
from in4310.solution.images import Images, Preprocessing, batches, load_images
from in4310.submission.pieces import Missing

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

FEW, MORE = 8, 32  # rows that an expensive source is tried on, and confirmed on
LOADER = "https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader"
SOFTMAX = "https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html"
EVAL = "https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval"
TRANSFORMS = "https://pytorch.org/vision/stable/transforms.html"
SAVING = "https://pytorch.org/tutorials/beginner/saving_loading_models.html"


@dataclass(frozen=True)
class Rows:
    """Scores of images as a mistake would give them: `at` are their rows in the matrix handed in."""

    at: np.ndarray
    scores: np.ndarray
    detail: str = ""


class Case:
    """Scores handed in, float64 (N, C) of any N, beside ours for rows of the test set."""

    def __init__(self, evidence: Evidence, claimed: np.ndarray, at: np.ndarray, ours: np.ndarray):
        self.evidence, self.claimed = evidence, claimed
        inside = at < len(claimed)
        self.at, self.ours = at[inside], ours[inside].astype(np.float64)
        self.paths = evidence.split["test"]
        self.count = FEW

    @property
    def few(self) -> np.ndarray:
        """A few rows of the audit sample: those that our network is least certain of, which differ most."""
        order = np.argsort(self.ours.max(axis=1), kind="stable")
        return np.sort(self.at[order[: self.count]])

    def right(self, rows: np.ndarray) -> np.ndarray:
        """Ours, for rows of the audit sample."""
        index = {row: i for i, row in enumerate(self.at)}
        return self.ours[[index[row] for row in rows]]

    def logits(
        self,
        rows: np.ndarray,
        model: nn.Module | None = None,
        preprocessing: Preprocessing | None = None,
        pixels: Callable[[np.ndarray], np.ndarray] | None = None,
        training: bool = False,
        batch_size: int = 64,
        paths: tuple[str, ...] | None = None,
    ) -> np.ndarray:
        """Outputs of the network, float64 (rows, C), for images as a mistake would load them."""
        chosen = tuple((paths or self.paths)[i] for i in rows)
        stated = preprocessing or self.evidence.preprocessing
        loaded = self._load(chosen, stated)
        if pixels is not None:
            loaded = Images(
                loaded.paths, np.stack([pixels(p) for p in loaded.pixels]), loaded.labels, loaded.classes
            )
        network = model or self.evidence.model
        state = {n: b.clone() for n, b in network.named_buffers()} if training else {}
        network.train(training)
        try:
            with torch.inference_mode():
                parts = [
                    network(x).float().cpu()
                    for x, _ in batches(loaded, stated, batch_size, self.evidence.device)
                ]
        finally:
            network.eval()
            for name, buffer in network.named_buffers():
                if name in state:
                    buffer.copy_(state[name])
        return torch.cat(parts).double().numpy()

    def _load(self, chosen: tuple[str, ...], preprocessing: Preprocessing) -> Images:
        evidence = self.evidence
        if preprocessing == evidence.preprocessing:
            return evidence.images(chosen)
        loaded, _ = load_images(
            evidence.data.root, chosen, evidence.data.labels, evidence.classes, preprocessing
        )
        return loaded

    def scores(self, rows: np.ndarray, **how: object) -> np.ndarray:
        """As `logits`, after softmax."""
        return softmax(self.logits(rows, **how))  # type: ignore[arg-type]


def softmax(logits: np.ndarray, axis: int = 1) -> np.ndarray:
    """Softmax in float64."""
    shifted = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


# -- what was done with the output: (claimed (N, C), Rows) -> largest difference, detail ------------------
# Each undoes the mistake on the claimed rows, or does it to ours, and says how far the two are then apart.

Undone = tuple[float, str]


def _apart(claimed: np.ndarray, ours: np.ndarray) -> float:
    off = np.abs(claimed - ours)
    return float(np.inf) if not off.size or not np.isfinite(off).all() else float(off.max())


@hypothesis(
    "scores: output", "logits", "logits were saved, no softmax was taken",
    "save torch.softmax(logits, dim=1)", SOFTMAX,
)  # fmt: skip
def logits_saved(claimed: np.ndarray, rows: Rows) -> Undone:
    """Softmax of what was handed in gives our scores; a constant shift of a row is no matter."""
    taken = claimed[rows.at]
    if not np.isfinite(taken).all() or np.abs(np.exp(np.minimum(taken, 50)).sum(axis=1) - 1).max() < 1e-3:
        return np.inf, ""  # log-softmax, which is a mistake of its own
    if np.abs(taken.sum(axis=1) - 1).max() < 1e-3 and taken.min() >= 0:
        return np.inf, ""
    return _apart(softmax(taken), rows.scores), ""


@hypothesis(
    "scores: output", "log-softmax", "log-softmax was saved",
    "save torch.softmax(logits, dim=1), or exp of what you have", SOFTMAX, places.named("log_softmax", "LogSoftmax"),
)  # fmt: skip
def log_softmax_saved(claimed: np.ndarray, rows: Rows) -> Undone:
    """exp of what was handed in sums to 1 and gives our scores."""
    taken = claimed[rows.at]
    if taken.max() > 1e-6:
        return np.inf, ""
    return _apart(np.exp(taken), rows.scores), ""


@hypothesis(
    "scores: output", "softmax-twice", "softmax was applied twice",
    "the network returns logits: take softmax once", SOFTMAX, places.softmax(1, -1),
)  # fmt: skip
def softmax_twice(claimed: np.ndarray, rows: Rows) -> Undone:
    """Softmax of our scores."""
    return _apart(claimed[rows.at], softmax(rows.scores)), ""


@hypothesis(
    "scores: output", "sigmoid", "a sigmoid was taken of each output instead of a softmax over the classes",
    "save torch.softmax(logits, dim=1)", SOFTMAX, places.named("sigmoid", "Sigmoid"),
)  # fmt: skip
def sigmoid_taken(claimed: np.ndarray, rows: Rows) -> Undone:
    """Softmax of the sigmoid's inverse gives our scores."""
    taken = claimed[rows.at]
    if taken.min() < 0 or taken.max() > 1 or np.abs(taken.sum(axis=1) - 1).max() < 1e-3:
        return np.inf, ""
    inner = np.clip(taken, 1e-12, 1 - 1e-7)
    sure = ((taken < 1 - 1e-6) & (taken > 1e-9)).all(axis=1)  # float32 knows no more of the others
    if sure.sum() < min(4, len(taken)):
        return np.inf, ""
    return _apart(softmax(np.log(inner) - np.log1p(-inner))[sure], rows.scores[sure]), ""


@hypothesis(
    "scores: output", "temperature", "the logits were divided by a temperature before the softmax",
    "take softmax of the network's own output", SOFTMAX,
)  # fmt: skip
def temperature(claimed: np.ndarray, rows: Rows) -> Undone:
    """log of the claimed scores is proportional to log of ours, both centred; the factor is fitted."""
    taken = claimed[rows.at]
    usable = (taken > 1e-6).all(axis=1) & (rows.scores > 1e-6).all(axis=1)
    if usable.sum() < 3:
        return np.inf, ""
    a, b = np.log(rows.scores[usable]), np.log(taken[usable])
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    factor = float((a * b).sum() / (a * a).sum())
    if not 0.02 < factor < 50 or abs(factor - 1) < 0.02:
        return np.inf, ""
    return _apart(taken, softmax(factor * np.log(np.maximum(rows.scores, 1e-30)))), f"T = {1 / factor:.3g}"


@hypothesis("scores: output", "percent", "the scores were multiplied by 100", "save shares of 1", SOFTMAX)
def percent(claimed: np.ndarray, rows: Rows) -> Undone:
    """A hundredth of what was handed in."""
    return _apart(claimed[rows.at] / 100, rows.scores), ""


@hypothesis(
    "scores: output", "rounded", "the scores were rounded before they were saved",
    "save them in full float32 precision: numpy.save", "https://numpy.org/doc/stable/reference/generated/numpy.save.html",
    places.named("round", "around", "savetxt", "to_csv"),
)  # fmt: skip
def rounded(claimed: np.ndarray, rows: Rows) -> Undone:
    """All of them are multiples of 0.1, 0.01 or 0.001, and ours rounded alike; beyond the half unit, nothing is left."""
    for digits in (1, 2, 3):
        if np.abs(claimed * 10**digits - np.round(claimed * 10**digits)).max() < 1e-4:
            off = np.abs(claimed[rows.at] - rows.scores)
            return float(max(0.0, off.max() - 0.5 * 10**-digits)), f"to {digits} decimals"
    return np.inf, ""


@hypothesis(
    "scores: output", "classes-permuted", "the columns are in another order of classes",
    "number the classes in the order of the assignment, not as os.listdir gives them",
    "https://pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html",
    places.named("listdir", "iterdir", "set", "glob", "walk"),
)  # fmt: skip
def classes_permuted(claimed: np.ndarray, rows: Rows) -> Undone:
    """The order of columns that fits best, by assignment."""
    taken = claimed[rows.at]
    cost = np.abs(taken[:, :, None] - rows.scores[:, None, :]).mean(axis=0)
    order = linear_sum_assignment(cost)[1]
    if (order == np.arange(len(order))).all():
        return np.inf, ""
    moved = ", ".join(f"column {i} is class {j}" for i, j in enumerate(order) if i != j)
    return _apart(taken, rows.scores[:, order]), moved


@hypothesis(
    "scores: output", "rows-shuffled", "the rows are in another order than the test set: the loader was shuffled",
    "make the loader of the test set with shuffle=False", LOADER, places.loaders("shuffle", True, ("test", "eval", "val")),
)  # fmt: skip
def rows_shuffled(claimed: np.ndarray, rows: Rows) -> Undone:
    """Each of our rows stands somewhere else; among many rows some are alike by chance, so it must be close."""
    found, where = _elsewhere(claimed, rows.scores)
    moved = where != rows.at
    if moved.mean() < 0.5 or len(np.unique(where)) < 0.9 * len(where):
        return np.inf, ""
    shifts = np.unique(where - rows.at)
    order = (
        f"all by {shifts[0]} rows"
        if len(shifts) == 1
        else f"row {rows.at[0]} of the test set is row {where[0]}"
    )
    return float(found.max()) * 10, order  # ten times stricter than rows in their place


def _elsewhere(claimed: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of our rows, the distance of the nearest row of the matrix, and its place."""
    distance, place = np.empty(len(ours)), np.empty(len(ours), dtype=int)
    for i, row in enumerate(ours):
        off = np.abs(claimed - row).max(axis=1)
        place[i] = int(off.argmin())
        distance[i] = off[place[i]]
    return distance, place


@hypothesis(
    "scores: output", "single-rows", "a few rows were altered by hand", "save what the network gives", SAVING
)
def single_rows(claimed: np.ndarray, rows: Rows) -> Undone:
    """Not a way of computing: never a match by itself; altered rows are listed by the check."""
    return np.inf, ""


# -- what the network was given: Case -> Rows ------------------------------------------------------------


@hypothesis(
    "scores: source", "train-mode", "the network was in training mode: model.eval() is missing",
    "call model.eval() before predicting", EVAL, places.named("train"), expensive=True,
)  # fmt: skip
def train_mode(case: Case) -> Iterator[Rows]:
    """Batch-norm with the statistics of the batch itself, so whole batches from the start, of the usual sizes."""
    for size in (s for s in BATCHES if 8 <= s <= min(128, max(len(case.claimed), 8))):
        rows = np.arange(min(size, len(case.claimed), len(case.paths)))
        if len(rows) >= 4:
            yield Rows(rows, case.scores(rows, training=True, batch_size=size), f"batches of {size}")


@hypothesis(
    "scores: source", "normalisation", "the images were normalised in another way than stated, or than in training",
    "use the same Normalize(mean, std) in training and in evaluation", TRANSFORMS, places.named("Normalize"), expensive=True,
)  # fmt: skip
def normalisation(case: Case) -> Iterator[Rows]:
    """The usual normalisations, none at all, and pixels of 0 to 255."""
    stated = case.evidence.preprocessing
    others = dict(NORMS) | {
        "pixels of 0 to 255, never divided": ((0.0,) * 3, (1 / 255,) * 3),
        "mean and deviation of CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
        "the mean subtracted, not divided": (stated.mean, (1.0,) * 3),
    }
    for how, (mean, std) in others.items():
        if (mean, std) != (stated.mean, stated.std):
            other = replace(stated, mean=mean, std=std)
            yield Rows(case.few, case.scores(case.few, preprocessing=other), how)


@hypothesis(
    "scores: source", "other-resize", "the images were resized or cropped in another way than stated",
    "state the transform that the scores were made with", TRANSFORMS, places.named("Resize", "CenterCrop"), expensive=True,
)  # fmt: skip
def other_resize(case: Case) -> Iterator[Rows]:
    """Other interpolations of the stated size, then other sizes."""
    stated = case.evidence.preprocessing
    tried = [*variants(replace(stated, antialias=True)), *variants(stated)]
    tried += [replace(c, mean=stated.mean, std=stated.std) for c in candidates()]
    for other in dict.fromkeys(tried):
        if other != stated:
            detail = f"resize {other.resize}, crop {other.size}, {other.interpolation}"
            detail += "" if other.antialias else ", without antialiasing"
            try:
                yield Rows(case.few, case.scores(case.few, preprocessing=other), detail)
            except InputError:
                continue


@hypothesis(
    "scores: source", "bgr", "the colours are in the order BGR: OpenCV's, where the network expects RGB",
    "cv2.cvtColor(image, cv2.COLOR_BGR2RGB)", "https://docs.opencv.org/4.x/d8/d01/group__imgproc__color__conversions.html",
    places.named("imread", "imdecode"), expensive=True,
)  # fmt: skip
def bgr(case: Case) -> Iterator[Rows]:
    """Channels in reverse."""
    yield Rows(case.few, case.scores(case.few, pixels=lambda p: p[:, :, ::-1]))


@hypothesis(
    "scores: source", "hwc", "height, width and channels were read as channels, height and width",
    "image.transpose(2, 0, 1), or torchvision's ToTensor()", TRANSFORMS, places.named("reshape", "view", "transpose", "permute"),
    expensive=True,
)  # fmt: skip
def hwc(case: Case) -> Iterator[Rows]:
    """The bytes of (H, W, 3) taken as (3, H, W)."""
    yield Rows(case.few, case.scores(case.few, pixels=lambda p: _garbled(p, p.shape)))


def _garbled(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    size, width, channels = shape
    return np.resize(pixels, (channels, size, width)).transpose(1, 2, 0)


@hypothesis(
    "scores: source", "transposed", "height and width are exchanged", "keep the order of the axes: transpose(2, 0, 1)",
    TRANSFORMS, places.named("transpose", "permute"), expensive=True,
)  # fmt: skip
def transposed(case: Case) -> Iterator[Rows]:
    """Each image mirrored at its diagonal."""
    yield Rows(case.few, case.scores(case.few, pixels=lambda p: p.transpose(1, 0, 2)))


@hypothesis(
    "scores: source", "grey", "the colours were thrown away", "convert to RGB, not to grey", TRANSFORMS,
    places.named("Grayscale", "convert"), expensive=True,
)  # fmt: skip
def grey(case: Case) -> Iterator[Rows]:
    """ITU-R 601 luma in all three channels, in the integers that Pillow computes it with: a level more would show."""

    def luma(p: np.ndarray) -> np.ndarray:
        grey = np.asarray(Image.fromarray(np.ascontiguousarray(p)).convert("L"))
        return np.repeat(grey[:, :, None], 3, axis=2)

    yield Rows(case.few, case.scores(case.few, pixels=luma))


@hypothesis(
    "scores: source", "np-resize", "numpy's resize was taken for a resize: it repeats the bytes, and garbles the image",
    "resize with PIL or torchvision", "https://numpy.org/doc/stable/reference/generated/numpy.resize.html",
    places.named("resize"), expensive=True,
)  # fmt: skip
def np_resize(case: Case) -> Iterator[Rows]:
    """np.resize of the decoded file to the network's size."""
    evidence, size = case.evidence, case.evidence.preprocessing.size
    chosen = tuple(case.paths[i] for i in case.few)
    pixels = []
    for path in chosen:
        with Image.open(evidence.data.root / path) as picture:
            pixels.append(np.resize(np.asarray(picture.convert("RGB")), (size, size, 3)))
    remaining = iter(pixels)
    yield Rows(case.few, case.scores(case.few, pixels=lambda _: next(remaining)))


@hypothesis(
    "scores: source", "flipped", "test images were flipped at random: augmentation belongs to training only",
    "use the evaluation transform for validation and test, without RandomHorizontalFlip", TRANSFORMS,
    places.random_transforms, expensive=True,
)  # fmt: skip
def flipped(case: Case) -> Iterator[Rows]:
    """Each row is that of the image or of its mirror image, and both occur."""
    mirrored = case.scores(case.few, pixels=lambda p: p[:, ::-1])
    plain = case.right(case.few)
    taken = case.claimed[case.few]
    if taken.shape[1:] != plain.shape[1:]:
        return
    turned = np.abs(taken - mirrored).max(axis=1) < np.abs(taken - plain).max(axis=1)
    detail = "some rows are of the mirror image"
    if turned.any():
        yield Rows(case.few, np.where(turned[:, None], mirrored, plain), detail)


@hypothesis(
    "scores: source", "other-checkpoint", "the scores come from another network that was handed in, not from the one kept",
    "predict with the weights that you hand in, after loading them", SAVING, places.named("load_state_dict"), expensive=True,
)  # fmt: skip
def other_checkpoint(case: Case) -> Iterator[Rows]:
    """Other weights files of the submission, and the network before training."""
    for file, model in case.evidence.other_networks():
        yield Rows(case.few, case.scores(case.few, model=model), file)


@hypothesis(
    "scores: source", "other-set", "these are the scores of another set of the split",
    "predict on the test set", LOADER, places.named("DataLoader"), expensive=True,
)  # fmt: skip
def other_set(case: Case) -> Iterator[Rows]:
    """The first rows of the validation or training set."""
    for name in ("val", "train"):
        paths = case.evidence.split[name]
        if len(case.claimed) in (len(paths), len(case.paths)) and len(paths):
            try:
                case.evidence.known(name)
            except Missing:
                continue
            rows = np.unique(np.linspace(0, min(len(paths), len(case.claimed)) - 1, MORE).astype(int))
            yield Rows(rows, case.scores(rows, paths=paths), f"the {name} set")


@hypothesis(
    "scores: source", "last-batch-missing", "the last batch is missing",
    "make the loader of the test set with drop_last=False", LOADER, places.loaders("drop_last", True, ("test", "eval", "val")),
)  # fmt: skip
def last_batch_missing(case: Case) -> Iterator[Rows]:
    """Fewer rows than the test set has, a multiple of a usual batch size, and they are its first."""
    rows, all_rows = len(case.claimed), len(case.paths)
    sizes = [b for b in BATCHES if rows == all_rows // b * b]
    if 0 < rows < all_rows and sizes:
        yield Rows(case.at, case.ours, f"{rows} of {all_rows} rows, whole batches of {sizes[0]}")


@hypothesis(
    "scores: source", "last-batch-only", "only the last batch was kept: each batch replaced the one before",
    "collect the scores of all batches, then torch.cat", LOADER, expensive=True,
)  # fmt: skip
def last_batch_only(case: Case) -> Iterator[Rows]:
    """Few rows, and they are the last of the test set."""
    rows, all_rows = len(case.claimed), len(case.paths)
    if 0 < rows < all_rows // 2 and rows <= 512:
        at = np.arange(rows)[:: max(1, rows // MORE)]
        yield Rows(at, case.scores(all_rows - rows + at), f"the last {rows} of {all_rows} images")


@hypothesis(
    "scores: source", "first-batch-only", "only the first batch was predicted",
    "loop over all batches", LOADER,
)  # fmt: skip
def first_batch_only(case: Case) -> Iterator[Rows]:
    """Few rows, and they are the first of the test set."""
    rows, all_rows = len(case.claimed), len(case.paths)
    if rows in BATCHES and rows < all_rows and rows != all_rows // rows * rows:
        yield Rows(np.arange(rows), case.scores(np.arange(rows)), f"{rows} of {all_rows} rows")


@hypothesis(
    "scores: source", "batch-softmax", "softmax was taken over the batch (dim=0), not over the classes",
    "torch.softmax(logits, dim=1)", SOFTMAX, places.softmax(0), expensive=True,
)  # fmt: skip
def batch_softmax(case: Case) -> Iterator[Rows]:
    """Softmax over the columns of the first batch, of the usual sizes; over the whole set where it is small."""
    total = min(len(case.claimed), len(case.paths))
    most = total if total <= 512 else 256
    logits = case.logits(np.arange(most))
    for size in dict.fromkeys([*BATCHES, total]):
        if size <= most:
            yield Rows(
                np.arange(size),
                softmax(logits[:size], axis=0),
                f"batches of {size}" if size < total else "all at once",
            )


# -- search ----------------------------------------------------------------------------------------------


def matches(evidence: Evidence) -> list[Match]:
    """Known mistakes that give the test scores handed in; [] for right ones, and where none does."""

    def found() -> list[Match]:
        try:
            claimed = np.asarray(evidence.submission.scores)
            return diagnose(evidence, claimed, evidence.edition.tolerances.score, Budget.of(evidence))
        except (Missing, InputError):
            return []

    kept: list[Match] = evidence.once(("scores_matches",), found)
    return kept


def diagnose(evidence: Evidence, claimed: np.ndarray, tolerance: float, budget: Budget) -> list[Match]:
    """Mistakes that give the scores handed in, float (N, C): one alone, else a source and an output together."""
    if claimed.ndim != 2 or claimed.shape[1] != len(evidence.classes) or not np.isfinite(claimed).all():
        return []
    claimed = claimed.astype(np.float64)
    case = Case(evidence, claimed, *evidence.audited("test"))
    if not len(case.at) or not np.isfinite(case.ours).all():
        return []
    whole = len(claimed) == len(case.paths)
    without = _apart(claimed[case.at], case.ours) if whole else np.inf
    if without <= tolerance:
        return []

    def worlds(source: Hypothesis | None) -> Iterator[World]:
        if source is None:
            yield World(Rows(case.at, case.ours))
            return
        for rows in source.figure(case):
            known_rows = whole and np.isin(rows.at, case.at).all()
            if known_rows and _apart(rows.scores, case.right(rows.at)) <= tolerance:
                continue  # e.g. another interpolation where no image is resized: it explains nothing
            surer = partial(_confirmed, source, case, rows) if source.expensive else None
            yield World(rows, source, rows.detail, surer)

    claim = Claim(
        keys=(0,),
        apart=lambda _, off: (
            off
        ),  # an output is undone on what was claimed, and says itself how far it is off
        tolerance=lambda _: tolerance,
        without=without,
        what="rows",
        right=lambda claimed, rows: (_apart(claimed[rows.at], rows.scores), ""),
        ask=lambda figure, rows, _: [figure(claimed, rows)],
        count=lambda rows: len(rows.at),
    )
    # What the network was given changes the scores of images that it is unsure of, before all others.
    elsewhere = not whole or _apart(claimed[case.few], case.right(case.few)) > tolerance
    return search("scores", claim, worlds, budget, sources=elsewhere)


def _confirmed(source: Hypothesis, case: Case, first: Rows) -> Rows:
    """The same guess on more rows."""
    case.count = MORE
    try:
        return next((rows for rows in source.figure(case) if rows.detail == first.detail), first)
    finally:
        case.count = FEW

"""Live functions that work on a network: one training epoch, hook statistics, spectra, and the evaluation transform.

Each is given a small network drawn anew (`harness.SmallNetwork`), and we know what comes out: right, or with a known
mistake, for which the registry is asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from in4310.judging.asked import asking
from in4310.judging.inside import Inside, Norm, Pixels
from in4310.judging.judge import Judge
from in4310.judging.mistakes import shares, spectra, training
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import seen
from in4310.judging.mistakes.training import Epoch, apart
from in4310.solution import feature_maps, spectrum
from in4310.submission.formats import finite
from in4310.submission.live import ADAPTERS, Live
from in4310.submission.pieces import Missing
from in4310.submission.sandbox.harness import Loader, SmallNetwork, small_network, weights_of

State = dict[str, np.ndarray]
CLASSES, SIZE, IMAGES, BATCH = 3, 12, 22, 8  # the last batch is short
RATE = 0.05
LOOKED_INTO = ("conv1", "bn1", "layer1.bn2", "layer1")


@dataclass(frozen=True)
class Drawn:
    """A network's weights, images float32 (N, 3, S, S) with a mean that is not zero, and labels int64 (N,)."""

    state: State
    images: Tensor
    labels: Tensor

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """As a task takes them."""
        named = {f"weights/{name}": value for name, value in self.state.items()}
        return named | {"images": self.images.numpy(), "labels": self.labels.numpy()}

    @property
    def loader(self) -> Loader:
        """The batches that a task makes of them."""
        return Loader(self.images, self.labels, BATCH)


def draw() -> Drawn:
    """A network and images that nobody has seen before; running statistics are not those of a fresh batch-norm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(secrets.randbits(62))
        model = SmallNetwork(CLASSES)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, 0.1, 0.2)  # type: ignore[arg-type]
                nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.1, 0.2)
        labels = torch.arange(IMAGES) % CLASSES
        labels = labels[torch.randperm(IMAGES)]
        images = torch.randn(IMAGES, 3, SIZE, SIZE) * 0.8 + 0.3
        images += 0.8 * nn.functional.one_hot(labels, 3)[:, :, None, None]  # there is something to learn
        return Drawn(weights_of(model), images, labels)


def trained(drawn: Drawn, epoch: Epoch = Epoch()) -> State:  # noqa: B008 - frozen
    """Weights after one epoch of plain SGD over the batches."""
    model = small_network(drawn.state).train(epoch.training)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    taken = list(drawn.loader)[: epoch.batches]
    for images, labels in taken * epoch.times:
        if epoch.zeroed:
            optimizer.zero_grad()
        logits = model(images)
        nn.functional.cross_entropy(logits.softmax(dim=1) if epoch.softmax else logits, labels).backward()
        if epoch.step == "each":
            optimizer.step()
    if epoch.step == "last":
        optimizer.step()
    return weights_of(model)


def _loss(state: Mapping[str, np.ndarray], drawn: Drawn) -> float:
    with torch.no_grad():
        logits = small_network(state).train()(drawn.images)
        return float(nn.functional.cross_entropy(logits, drawn.labels))


@asking("the function 'train_epoch'")
def check_train(live: Live, judge: Judge) -> None:
    """One epoch: the loss falls, gradients are zeroed, steps are taken, and the network is in training mode (F22)."""
    drawn = draw()
    given = {"learning_rate": RATE, "batch_size": BATCH}
    found = dict(live.task("train", "train_epoch", given, drawn.arrays).arrays)
    same = set(found) == set(drawn.state) and all(
        found[n].shape == v.shape and found[n].dtype == v.dtype for n, v in drawn.state.items()
    )
    if not same or not all(np.isfinite(v).all() for v in found.values()):
        judge.expect(False, "weights after one epoch", "NaN, or none", "finite weights of the network given")
        return
    right = trained(drawn)
    plain = apart(found, right) <= 1e-5 + 0.01 * apart(right, drawn.state)
    matches = [] if plain else training.diagnose(found, partial(trained, drawn), Budget())
    stays = {part: apart(found, drawn.state, part) <= 1e-7 for part in ("weight", "running")}
    judge.expect(
        not matches, "weights after one epoch of its training on a small network",
        "those of one with a mistake" if matches else "those of plain SGD" if plain
        else "neither those of plain SGD nor of a known mistake", "those of a correct epoch", mistake=matches,
    )  # fmt: skip
    judge.expect(not stays["weight"], "weights changed by one epoch", "no" if stays["weight"] else "yes", "yes",
                 mend="call loss.backward() and optimizer.step() for each batch")  # fmt: skip
    judge.expect(not stays["running"], "batch-norm statistics updated", "no" if stays["running"] else "yes", "yes",
                 mistake=seen("form: statistics of batch-norm"))  # fmt: skip
    before, after = _loss(drawn.state, drawn), _loss(found, drawn)
    judge.expect(
        after < before, "loss of the batches after one epoch", f"{after:.4f}", f"below {before:.4f}, as before",
        mend="step against the gradient of the loss",
    )  # fmt: skip


def inside(drawn: Drawn) -> Inside:
    """The small network over the images drawn: what a function that is asked for statistics is given."""

    def batches(size: int, pixels: Pixels | None, normalised: bool | Norm) -> Iterator[Tensor]:
        if normalised is not True:
            raise Missing("images", "normalised")
        images = drawn.images
        if pixels is not None:
            changed = [pixels(image.permute(1, 2, 0).numpy()).transpose(2, 0, 1) for image in images]
            images = torch.from_numpy(np.stack(changed))
        return iter(images.split(size))

    return Inside(small_network(drawn.state), LOOKED_INTO, len(drawn.images), batches)


@asking("the function 'non_positive'")
def check_non_positive(live: Live, judge: Judge) -> None:
    """Percentages of non-positive values on a small network against ours (2b)."""
    drawn = draw()
    found = _asked_of_modules(live, judge, "non_positive", drawn)
    if found is None:
        return
    looked, claimed = inside(drawn), {}
    right = feature_maps.non_positive(looked.model, (x for x, _ in drawn.loader), LOOKED_INTO)
    for name in LOOKED_INTO:
        number = finite(found.get(name))
        claimed[name] = float("nan") if number is None else number
        judge.close(
            f"non-positive values of {name} of a small network, percent", claimed[name], right[name], 1e-3,
            "percentage points", mend="in eval mode: sum (output <= 0) inside the hook, over all images",
        )  # fmt: skip
    judge.blame(shares.diagnose(looked, claimed, 1e-3, Budget()))


@asking("the function 'spectrum'")
def check_spectrum(live: Live, judge: Judge) -> None:
    """Eigenvalues of channel means on a small network against ours (3a)."""
    drawn = draw()
    found = _asked_of_modules(live, judge, "spectrum", drawn)
    if found is None:
        return
    looked, answered = inside(drawn), dict[str, np.ndarray]()
    ours = spectrum.eigenvalues(looked.model, (x for x, _ in drawn.loader), LOOKED_INTO, k=None)
    for name in LOOKED_INTO:
        claimed = found.get(name)
        numbers = [finite(v) for v in claimed] if isinstance(claimed, list) else []
        values = np.array([np.nan if v is None else v for v in numbers])
        right = ours[name].values
        if not len(values) or len(values) > 64 * IMAGES or not np.isfinite(values).all():
            what = f"eigenvalues of {name} of a small network"
            judge.expect(False, what, str(claimed)[:60], "real numbers")
            continue
        answered[name] = values
        judge.expect(
            any(_fits(values, right * scale) for scale in (1, IMAGES / (IMAGES - 1))),
            f"eigenvalues of {name} of a small network, the largest",
            f"{values[0]:.6g} ({len(values)} values)", f"{right[0]:.6g} ({len(right)} channels)",
            tolerance="1e-4 of the largest; N or N - 1",
            mend="average each channel over its positions, centre over the images, eigvalsh, largest first",
        )  # fmt: skip
    judge.blame(spectra.diagnose(looked, answered, 1e-4, Budget()))


def _fits(values: np.ndarray, right: np.ndarray) -> bool:
    """Whether the values are the largest of the right ones; zeros may follow where there are more."""
    padded = np.pad(right, (0, max(0, len(values) - len(right))))[: len(values)]
    return bool(np.abs(values - padded).max() <= 1e-4 * max(float(right.max()), 1e-12))


def _asked_of_modules(live: Live, judge: Judge, adapter: str, drawn: Drawn) -> dict[str, Any] | None:
    """The function's answer by module; a list is taken in the order of the modules asked for."""
    given = {"batch_size": BATCH, "modules": list(LOOKED_INTO)}
    answered = live.task("inspect", adapter, given, drawn.arrays)

    def opened(value: Any) -> Any:
        array = answered.array(value)
        if array is None:
            return value
        return array.tolist() if array.size <= 4096 and array.dtype.kind in "fiu" else None

    result = opened(answered.result)
    if isinstance(result, list) and len(result) == len(LOOKED_INTO):
        result = dict(zip(LOOKED_INTO, result, strict=True))
    if not isinstance(result, dict) or not set(LOOKED_INTO) <= set(result):
        judge.expect(False, f"answer of {adapter!r}", str(answered.result)[:80], ADAPTERS[adapter])
        return None
    return {name: opened(result[name]) for name in LOOKED_INTO}


@asking("the transform of evaluation")
def check_transform(live: Live, judge: Judge) -> None:
    """The evaluation transform gives the same tensor for the same image, each time and in each process (1c, F11).

    Eighty images in two processes: of transforms that change one image in ten at random, 2 in 10,000 go unnoticed;
    of those that change every second one (a flip), none.
    """
    generator = np.random.default_rng(secrets.randbits(64))
    pictures = {f"image{i}": _picture(generator, (150, 150) if i else (120, 170)) for i in range(3)}
    order = ["image0", "image1", "image0", "image2", *["image0", "image1"] * 18]
    runs: list[list[np.ndarray]] = []
    for _ in range(2):
        answered = live.task("transform", "transform", {"images": order}, pictures)
        result = answered.result if isinstance(answered.result, list) else []
        arrays = [array for r in result if (array := answered.array(r)) is not None]
        shapes = {a.shape for a in arrays}
        good = (
            len(arrays) == len(order)
            and len(shapes) == 1
            and all(a.ndim == 3 and a.shape[0] == 3 and a.size and a.dtype.kind == "f" for a in arrays)
            and all(np.isfinite(a).all() for a in arrays)
        )
        if not judge.expect(
            good, "what the transform makes of an image",
            ", ".join(map(str, sorted(shapes))) or str(answered.result)[:60],
            "a float tensor (3, S, S), of one size for all images", mend="end it with ToTensor() and Normalize()",
        ):  # fmt: skip
            return
        runs.append(arrays)
    flat = [(name, array) for arrays in runs for name, array in zip(order, arrays, strict=True)]
    first = {name: next(a for n, a in flat if n == name) for name in pictures}
    off = max(float(np.abs(array - first[name]).max()) for name, array in flat)
    judge.expect(
        off <= 1e-6, "the same image transformed again, the largest difference", f"{off:.3g}", "0",
        mistake=seen("form: transform live"),
    )  # fmt: skip
    apart = min(float(np.abs(first[a] - first[b]).max()) for a in first for b in first if a < b)
    judge.expect(apart > 1e-3, "different images transformed, the smallest difference", f"{apart:.3g}",
                 "above 0")  # fmt: skip


@asking("the training loader")
def check_train_loader(live: Live, judge: Judge) -> None:
    """The training loader yields every image once an epoch, in an order of its own each time (1c, F57)."""
    images = 50 + secrets.randbelow(30)
    epochs = live.task("load_twice", "train_loader", {"images": images, "batch_size": 8}, {}).result
    good = (
        isinstance(epochs, list)
        and len(epochs) == 2
        and all(isinstance(e, list) and all(type(i) is int and 0 <= i < images for i in e) for e in epochs)
    )
    if not judge.expect(good, "answer of 'train_loader'", str(epochs)[:60],
                        "batches of (images, labels) of the data set given"):  # fmt: skip
        return
    least = min(len(set(epoch)) for epoch in epochs)
    twice = max(len(epoch) - len(set(epoch)) for epoch in epochs)
    # drop_last in training is a choice; half of the images missing is none.
    judge.expect(
        least > images - 8 and not twice, "training images in an epoch, and those that come twice",
        f"{least} of {images}, {twice}", f"{images}, 0",
    )  # fmt: skip
    ordered = epochs[0] == sorted(epochs[0])
    judge.expect(
        not ordered and epochs[0] != epochs[1], "order of the training images in two epochs",
        "as they are listed" if ordered else "the same" if epochs[0] == epochs[1] else "different",
        "different", mistake=seen("form: loaders live"),
    )  # fmt: skip


def _picture(generator: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Smooth colours with detail, uint8 (H, W, 3): not symmetric, so that a flip or a crop shows."""
    coarse = generator.uniform(0, 255, (6, 6, 3))
    rows = np.linspace(0, 4.999, size[0]).astype(int)
    columns = np.linspace(0, 4.999, size[1]).astype(int)
    return np.clip(coarse[rows][:, columns] + generator.normal(0, 12, (*size, 3)), 0, 255).astype(np.uint8)

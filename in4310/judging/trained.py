"""Whether the training that was recorded can have made the weights handed in: a figure that is impossible refutes it.

What is unlikely only is said, and costs nothing. A network in training mode (batch-norm by the batch) stands beside the
one in eval mode: figures of an epoch may be of either.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from in4310.errors import InputError
from in4310.judging import digits
from in4310.judging.class_order import confusion, exchanged
from in4310.judging.evidence import Evidence, number
from in4310.judging.judge import Judge
from in4310.solution import loaders
from in4310.submission.pieces import Missing

SAMPLE = 200  # training images that are looked at, once a submission
FAR = 0.2  # of an accuracy: beyond rounding, augmentation, dropout and another mode
SURE, DOUBT = 1e-6, 1e-4  # levels of the tests; thousands of honest submissions are judged
UNUSUAL = 0.01  # said, and costs nothing: of one honest submission in a hundred, too
NEAR = 2e-3  # of validation mAP and accuracy together: the epoch that the weights are of

# Of training images: whether the network is right, and its cross-entropy.
OnTrain = tuple[np.ndarray, np.ndarray]


def refuted(evidence: Evidence) -> str:
    """Why the weights handed in are not those of the training recorded; '' where nothing says so."""
    found: str = evidence.once(("training refuted",), lambda: next(_impossible(evidence), ""))
    return found


def rests(evidence: Evidence, judge: Judge, learned: bool = True) -> None:
    """Record whether a check's input, the training, can have happened; it earns nothing where it cannot.

    `learned`: a network that only guesses may come out of a training that failed, or of none: a person has to see that.
    """
    if why := refuted(evidence):
        judge.cover(
            0.0,
            "the weights handed in, against the training recorded",
            why,
            "weights that this training can have made",
            mend="hand in the weights that were trained, and the history of that training",
        )
    elif learned and (said := guesses(evidence)):
        judge.leave("what the network has learned", said, "more than guessing")
    elif learned and (said := uncounted(evidence)):
        judge.leave(
            "accuracy recorded on validation, after each epoch",
            said,
            "images that are right, divided by all",
            mend="record what was measured after each epoch; say so where it is a mean over batches or classes",
        )


def right(evidence: Evidence, name: str) -> tuple[int, int]:
    """Images of 'val' or 'test' that our network puts into their class, and images looked at: the audit sample."""
    rows, scores = evidence.audited(name)
    return int((scores.argmax(axis=1) == evidence.labels(name)[rows]).sum()), len(rows)


def better_on_test(evidence: Evidence) -> tuple[str, float]:
    """Accuracy and confidence on test and validation, where test is better than chance makes it; else ''; and p.

    The sets are drawn alike: a network that was trained on neither is as sure of the right class on both. That shows
    also where accuracies, of a good network or a small set, do not tell.
    """
    try:
        on = {name: _sure(evidence, name) for name in ("test", "val")}
        correct = {name: right(evidence, name) for name in on}
    except (Missing, InputError, ValueError):
        return "", 1.0
    if on["test"].mean() <= on["val"].mean():
        return "", 1.0
    from scipy.stats import permutation_test  # half a second, where it is needed

    def gap(test: np.ndarray, val: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(test.mean(axis) - val.mean(axis))

    p, drawn = 0.0, 999
    while p < 10 * UNUSUAL and drawn < 1e5:  # a hundred times as many where few are as good
        of = permutation_test(tuple(on.values()), gap, alternative="greater", n_resamples=drawn, batch=999,
                              vectorized=True, random_state=0)  # fmt: skip
        p, drawn = float(of.pvalue), 100 * drawn
    said = [
        f"{c / n:.3f} on {name}, sure of the right class to {on[name].mean():.3f}"
        for name, (c, n) in correct.items()
    ]
    return f"{'; '.join(said)} (p = {p:.0e})" if p < UNUSUAL else "", p


def _sure(evidence: Evidence, name: str) -> np.ndarray:
    """Probability of the right class by our network, float64 (N,), of the audited images of a set."""
    rows, scores = evidence.audited(name)
    return scores[np.arange(len(rows)), evidence.labels(name)[rows]].astype(np.float64)


def guesses(evidence: Evidence) -> str:
    """On how many images the network is right, where naming one class each time could be as good; else ''."""
    from scipy.stats import binom

    try:
        correct, total = map(sum, zip(right(evidence, "val"), right(evidence, "test"), strict=True))
        labels = np.concatenate([evidence.labels("val"), evidence.labels("test")])
        shares = np.bincount(labels, minlength=len(evidence.classes)) / len(labels)
        bound = int(binom.ppf(1 - 1e-3, total, shares.max()))
        if correct > bound or _in_another_order(evidence):
            return ""
    except (Missing, InputError, ValueError):
        return ""
    return f"right on {correct} of {total} images of validation and test, where guessing is on up to {bound}"


def kept_epoch(evidence: Evidence) -> tuple[str, dict[str, Any]] | None:
    """The run and the epoch recorded that the weights are of, by mAP and accuracy on validation; None if of none.

    Raises Missing without weights, labels or a history.
    """
    mine, found = evidence.recomputed("val"), []
    for run, recorded in evidence.submission.history.items():
        for epoch in recorded["epochs"]:
            by_map, by_accuracy = number(epoch, "val_map"), number(epoch, "val_accuracy")
            if by_map is not None and by_accuracy is not None:
                found.append((abs(by_map - mine.map) + abs(by_accuracy - mine.accuracy), run, epoch))
    off, run, epoch = min(found, default=(1.0, "", {}), key=lambda e: e[0])
    return (run, epoch) if off <= NEAR else None


def uncounted(evidence: Evidence) -> str:
    """How many accuracies on validation no count of images gives, where that of the epoch kept is one; else ''.

    Means over batches or classes are none either, but then so is that of the epoch kept.
    """
    try:
        kept, count = kept_epoch(evidence), len(evidence.known("val"))
        ours = evidence.recomputed("val").accuracy
    except (Missing, InputError, ValueError):
        return ""
    if kept is None or not 0 < ours < 1:
        return ""
    for run, recorded in evidence.submission.history.items():
        others = [e for e in recorded["epochs"] if e is not kept[1]]
        of = [v for e in others if (v := number(e, "val_accuracy")) is not None]
        room = max(1e-5, 2 * digits.room(of))  # cut off, not rounded
        if 2 * room * count > 0.05 or abs(ours - (number(kept[1], "val_accuracy") or 0)) > room:
            continue
        odd = [v for v in of if abs(v * count - round(v * count)) > room * count]
        if len(odd) >= 3 and 2 * len(odd) > len(of):
            epochs = f"{len(odd)} of {len(of)} epochs of {run}"
            return f"{epochs}: {odd[0]:g} is no number of {count} images, divided by {count}"
    return ""


def plain_loss(evidence: Evidence, run: str) -> float | None:
    """Mean cross-entropy on validation by the weights; None where a run says that it smooths its labels."""
    settings = evidence.submission.history[run].get("settings")
    if isinstance(settings, dict) and settings.get("label_smoothing"):
        return None
    labels, scores = evidence.labels("val"), evidence.trusted("val")
    return float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-12)).mean())


def same_loss(recorded: float, ours: float) -> bool:
    """Whether a mean loss is that of the weights: bf16 and another batch size move it by a percent or two."""
    return abs(recorded - ours) <= 0.05 + 0.15 * ours


def doubts(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Training figures of the epoch kept that are better than its weights are: what, as recorded, as computed again.

    Means over an epoch, augmentation, dropout, smoothed and mixed labels make them worse than the weights are, by any
    amount: that says nothing. A loss is looked at where that of validation is the plain cross-entropy.
    """
    try:
        kept = None if refuted(evidence) else kept_epoch(evidence)
        ours = plain_loss(evidence, kept[0]) if kept else None
    except (Missing, InputError, ValueError):
        return
    if kept is None:
        return
    (run, epoch), taken = kept, _sample(evidence)
    on_val, loss, accuracy = (number(epoch, name) for name in ("val_loss", "train_loss", "train_accuracy"))
    plain = ours is not None and on_val is not None and same_loss(on_val, ours)
    number_of = epoch.get("epoch")
    found = [_on_train(evidence, taken, False)]
    # Batch norms that lag behind are another matter: what is no better in the other mode either is told.
    if len(found[0][0]) and (_beyond(accuracy, found, FAR / 2, DOUBT) or (plain and _below(loss, found))):
        found.append(_on_train(evidence, taken, True))
        if _beyond(accuracy, found, FAR / 2, DOUBT):
            share = max(right.mean() for right, _ in found)
            yield (
                f"training accuracy recorded for the epoch that was kept (epoch {number_of} of {run})",
                f"{accuracy:.3f}",
                f"{share:.3f}, of {len(taken)} training images by the weights handed in, in the better mode",
            )
        if plain and _below(loss, found):
            least = min(losses.mean() for _, losses in found)
            yield (
                f"training loss recorded for the epoch that was kept (epoch {number_of} of {run})",
                f"{loss:.4f}",
                f"{least:.4f}, the cross-entropy of {len(taken)} training images by the weights handed in, in the"
                " better mode; or another loss function, a part of it, or of one batch",
            )


def _beyond(claimed: float | None, found: list[OnTrain], by: float, level: float) -> bool:
    """Whether a network that is as good on training images as claimed would hardly ever be right on so few."""
    if claimed is None or not (count := len(found[0][0])):
        return False
    from scipy.stats import binom

    correct = max(int(right.sum()) for right, _ in found)
    return claimed - correct / count > by and bool(binom.cdf(correct, count, min(1.0, claimed)) < level)


def _below(claimed: float | None, found: list[OnTrain]) -> bool:
    """Whether a training loss is less than half of a network's in any mode, beyond chance."""
    least = min(losses.mean() - 5 * losses.std() / math.sqrt(len(losses)) for _, losses in found)
    return claimed is not None and 2 * claimed < least


def _untouched(evidence: Evidence) -> bool:
    """Whether all batch norms are as before the first step: scales 1, shifts 0, and no image has been seen."""
    start = {".running_mean": 0.0, ".running_var": 1.0, ".weight": 1.0, ".bias": 0.0}
    state = evidence.state
    norms = [name.removesuffix(".running_mean") for name in state if name.endswith(".running_mean")]
    parts = [(norm + part, value) for norm in norms for part, value in start.items()]
    return bool(norms) and all(bool((state[name] == value).all()) for name, value in parts if name in state)


def _impossible(evidence: Evidence) -> Iterator[str]:
    from scipy.stats import binom

    try:
        if _untouched(evidence):
            yield "every batch norm is as it is before the first step: the network was not trained"
        correct, count = right(evidence, "val")
    except (Missing, InputError, ValueError):
        return
    try:
        history = evidence.submission.history
    except Missing:
        return
    epochs = [
        (number(e, "val_accuracy"), number(e, "train_accuracy"))
        for run in history.values()
        for e in run["epochs"]
    ]
    on_val = [val for val, _ in epochs if val is not None]
    ours = correct / count
    if on_val and min(on_val) - ours > FAR and binom.cdf(correct, count, min(1.0, min(on_val))) < SURE:
        yield (
            f"the network is right on {ours:.3f} of the validation images;"
            f" every epoch recorded is on {min(on_val):.3f} or more"
        )
    near = [
        train for val, train in epochs if val is not None and train is not None and abs(val - ours) <= 0.03
    ]
    # Of epochs that fit, the one that claims least: which was kept is for another check to say.
    if near and min(near) > FAR:
        claimed = min(near)
        taken = _sample(evidence)
        on_train = [_on_train(evidence, taken, False)]
        # Batch norms that lag behind, perhaps: the other mode decides.
        if _beyond(claimed, on_train, FAR, SURE):
            on_train.append(_on_train(evidence, taken, True))
        if _beyond(claimed, on_train, FAR, SURE):
            share = max(right.mean() for right, _ in on_train)
            yield (
                f"the network is right on {share:.3f} of {len(taken)} training images, in either mode;"
                f" {claimed:.3f} is recorded"
            )


def _in_another_order(evidence: Evidence) -> bool:
    """Whether the network tells the classes apart, but numbers them in another order."""
    rows, scores = evidence.audited("test")
    table = confusion(evidence.labels("test")[rows], scores.argmax(axis=1), len(evidence.classes))
    return exchanged(table) is not None


def _sample(evidence: Evidence) -> tuple[str, ...]:
    """Training images, spread over all; mixed: a batch of one class has other statistics than those of a training."""
    try:
        paths = evidence.known("train")
    except (Missing, InputError, ValueError):
        return ()
    chosen = np.linspace(0, len(paths) - 1, min(SAMPLE, len(paths))).astype(int)
    return tuple(paths[i] for i in np.random.default_rng(0).permutation(chosen))


def _on_train(evidence: Evidence, taken: tuple[str, ...], training: bool) -> OnTrain:
    """What the network gives, in this mode, for the images taken; empty without them."""

    def found() -> OnTrain:
        try:
            loaded = evidence.images(taken) if taken else None
        except (Missing, InputError, ValueError):
            loaded = None
        if loaded is None:
            return np.zeros(0, dtype=bool), np.zeros(0)
        known = torch.tensor([evidence.classes.index(evidence.data.labels[p]) for p in taken])
        model = copy.deepcopy(evidence.model).train(training)
        with torch.no_grad():
            batches = loaders.batches(loaded, evidence.preprocessing, 64, evidence.device)
            logits = torch.cat([model(x).float().cpu() for x, _ in batches])
        losses = torch.nn.functional.cross_entropy(logits, known, reduction="none")
        return (logits.argmax(dim=1) == known).numpy(), losses.double().numpy()

    value: OnTrain = evidence.once(("on_train", training), found)
    return value

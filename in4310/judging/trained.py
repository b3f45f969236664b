"""Whether the training that was recorded can have made the weights handed in: a figure that is impossible refutes it.

What is unlikely only is said, and costs nothing. A network in training mode (batch-norm by the batch) stands beside the
one in eval mode: figures of an epoch may be of either.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch

from in4310.errors import InputError
from in4310.judging.class_order import confusion, exchanged
from in4310.judging.evidence import Evidence, number
from in4310.judging.judge import Judge
from in4310.solution import images
from in4310.submission.pieces import Missing

SAMPLE = 200  # training images that are looked at, once a submission
FAR = 0.2  # of an accuracy: beyond rounding, augmentation, dropout and another mode
SURE, DOUBT = 1e-6, 1e-4  # levels of the tests; thousands of honest submissions are judged
UNUSUAL = 0.01  # said, and costs nothing: of one honest submission in a hundred, too


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


def right(evidence: Evidence, name: str) -> tuple[int, int]:
    """Images of 'val' or 'test' that our network puts into their class, and images looked at: the audit sample."""
    rows, scores = evidence.audited(name)
    return int((scores.argmax(axis=1) == evidence.labels(name)[rows]).sum()), len(rows)


def better_on_test(evidence: Evidence) -> tuple[str, float]:
    """The accuracies of test and validation, where the first is better than chance usually makes it; else ''; and p."""
    try:
        (t, n), (v, m) = right(evidence, "test"), right(evidence, "val")
    except (Missing, InputError, ValueError):
        return "", 1.0
    from scipy.stats import fisher_exact  # half a second, where it is needed

    p = float(fisher_exact([[t, n - t], [v, m - v]], alternative="greater")[1])
    return f"{t / n:.3f} on test, {v / m:.3f} on validation (p = {p:.0e})" if p < UNUSUAL else "", p


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
        if _far_below(claimed, on_train):  # batch norms that lag behind, perhaps: the other mode decides
            on_train.append(_on_train(evidence, taken, True))
        if _far_below(claimed, on_train):
            share = max(on_train)[0] / len(taken)
            yield (
                f"the network is right on {share:.3f} of {len(taken)} training images, in either mode;"
                f" {claimed:.3f} is recorded"
            )


def _far_below(claimed: float, found: list[tuple[int, int]]) -> bool:
    """Whether a network that is as good as claimed would hardly ever be right on so few; `found`: right, looked at."""
    from scipy.stats import binom

    correct, count = max(found)
    return count > 0 and claimed - correct / count > FAR and binom.cdf(correct, count, claimed) < SURE


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


def _on_train(evidence: Evidence, taken: tuple[str, ...], training: bool) -> tuple[int, int]:
    """Of the images taken those that the network, in this mode, puts into their class; and how many."""
    try:
        loaded = evidence.images(taken) if taken else None
    except (Missing, InputError, ValueError):
        loaded = None
    if loaded is None:
        return 0, 0
    known = np.array([evidence.classes.index(evidence.data.labels[p]) for p in taken])
    model = copy.deepcopy(evidence.model).train(training)
    with torch.no_grad():
        batches = images.batches(loaded, evidence.preprocessing, 64, evidence.device)
        chosen = torch.cat([model(x).argmax(dim=1).cpu() for x, _ in batches])
    return int((chosen.numpy() == known).sum()), len(taken)

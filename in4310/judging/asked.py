"""Live code of a submission: its functions named under [adapters], called behind the sandbox's walls with our inputs.

Signatures are those of `in4310.solution`. A function can lie only about its own answers, and those are compared with
ours. Inputs are drawn anew for each run, so that constants for known inputs earn nothing.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from in4310.judging import mistakes
from in4310.judging.judge import Judge
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import seen
from in4310.submission.formats import finite
from in4310.submission.live import ADAPTERS, Live
from in4310.submission.sandbox.worker import WorkerFailed

SETS = ("train", "val", "test")


def asking(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For a check: a worker's failure becomes a finding of it, which costs the points of this check and of no other."""

    def guarding(check: Callable[..., None]) -> Callable[..., None]:
        @wraps(check)
        def guarded(live: Live, judge: Judge, *more: Any) -> None:
            judge.rest("seen run")
            try:
                check(live, judge, *more)
            except WorkerFailed as error:
                judge.expect(
                    False, what, str(error), "an answer", mend="call it yourself with the inputs above"
                )

        return guarded

    return guarding


def sample_labels(classes: list[str], generator: np.random.Generator) -> dict[str, str]:
    """A listing with classes of unequal size, and names with spaces, in no order."""
    sizes = generator.integers(40, 90, len(classes))
    paths = [(f"{c}/{i} a.jpg", c) for c, n in zip(classes, sizes, strict=True) for i in range(n)]
    return {paths[i][0]: paths[i][1] for i in generator.permutation(len(paths))}


def _sets(value: Any) -> dict[str, set[str]] | None:
    if isinstance(value, list) and len(value) == 3:
        value = dict(zip(SETS, value, strict=True))
    if not isinstance(value, dict) or not all(
        isinstance(value.get(name), list) and all(isinstance(p, str) for p in value[name]) for name in SETS
    ):
        return None
    return {name: set(value[name]) for name in SETS}


@asking("the function 'split'")
def check_split(live: Live, judge: Judge, classes: list[str]) -> None:
    """Same seed twice, another seed, shuffled listing; proportions and disjointness of what comes out (1a, F4, F5)."""
    generator = np.random.default_rng(secrets.randbits(64))
    labels = sample_labels(classes, generator)
    shuffled = {path: labels[path] for path in generator.permutation(list(labels)).tolist()}
    test, val = len(labels) // 6, len(labels) // 8
    seed = int(generator.integers(1, 2**31))
    sets = []
    for given, chosen in ((labels, seed), (labels, seed), (shuffled, seed), (labels, seed + 1)):
        arguments = {"labels": given, "test": test, "val": val, "seed": chosen}
        result = live.call("split", arguments).result
        found = _sets(result)
        if found is None:
            judge.expect(False, "answer of 'split'", str(result)[:80], ADAPTERS["split"])
            return
        sets.append(found)
    first, again, reordered, other = sets
    judge.expect(first == again, "split called twice with one seed", _same(first == again), "the same split",
                 mend="seed the generator inside the function, before it is used")  # fmt: skip
    judge.expect(first == reordered, "split of the same files in another order", _same(first == reordered),
                 "the same split", mistake=seen("form: split live", first == reordered, False))  # fmt: skip
    judge.expect(first != other, "split with another seed", _same(first == other), "another split",
                 mistake=seen("form: split live", True, first == other))  # fmt: skip
    union = first["train"] | first["val"] | first["test"]
    overlap = sum(len(s) for s in first.values()) - len(union)
    judge.expect(overlap == 0 and union == set(labels), "its sets: files twice, and files left out",
                 f"{overlap} and {len(set(labels) - union)}", "0 and 0")  # fmt: skip
    sizes = Counter(labels.values())
    drawn = Counter(labels.get(p) for p in first["test"])
    off = max(abs(drawn[c] - test * n / len(labels)) for c, n in sizes.items())
    judge.expect(off <= 2, "images of a class in its test set, off the proportion by", f"{off:.1f}",
                 "at most 2")  # fmt: skip


def _same(same: bool) -> str:
    return "the same" if same else "different"


@asking("the function 'overlap'")
def check_overlap(live: Live, judge: Judge, classes: list[str]) -> None:
    """Sets that do not overlap, and sets that do, across classes too (1b, F7)."""
    paths = list(sample_labels(classes, np.random.default_rng(secrets.randbits(64))))
    train, val, test = paths[:60], paths[60:80], paths[80:100]
    for name, a, b, c in (
        ("disjoint sets", train, val, test),
        ("a file in train and test", train, val, [*test, train[3]]),
        ("a file in train and validation", train, [*val, train[5]], test),
        ("a file in validation and test", train, val, [*test, val[1]]),
    ):
        said = _finds(live.call("overlap", {"train": a, "val": b, "test": c}).result)
        overlapping = name != "disjoint sets"
        judge.expect(
            said == overlapping, f"disjointness check on {name}", "finds an overlap" if said else "finds none",
            "an overlap" if overlapping else "none", mistake=seen("form: overlap live", overlapping),
        )  # fmt: skip


def _finds(value: Any) -> bool:
    """Whether an answer says that something overlaps: paths, counts, or True; nested lists and dicts of them."""
    if isinstance(value, dict):
        return any(_finds(v) for v in value.values())
    if isinstance(value, list):
        return any(isinstance(v, str) or _finds(v) for v in value)
    return bool(value)


@asking("the function 'metrics'")
def check_metrics(live: Live, judge: Judge, classes: list[str]) -> None:
    """Figures on random scores with unbalanced classes against ours (1e).

    A mistake must explain what was answered to two draws: a figure of few digits agrees with something by chance.
    """
    ours, found = _asked_metrics(live, classes)
    wrong: dict[mistakes.metrics.Key, float] = {}
    for key, figure in found.items():
        right = ours.right(key) or 0.0
        if not judge.close(f"{key[0]} on random scores", figure, right, 1e-6, "rounding of float64"):
            wrong[key] = figure
    if not wrong:
        return
    ours_again, found_again = _asked_metrics(live, classes)
    off = {key: found_again[key] for key in wrong}
    names = {m.names for some in mistakes.metrics.diagnose(ours_again, off, Budget()) for m in some}
    for matches in mistakes.metrics.diagnose(ours, wrong, Budget()):
        judge.blame([m for m in matches if m.names in names])


def _asked_metrics(
    live: Live, classes: list[str]
) -> tuple[mistakes.metrics.Scored, dict[mistakes.metrics.Key, float]]:
    """A draw of labels and scores, and what the function says of it; NaN for what is no number."""
    generator = np.random.default_rng(secrets.randbits(64))
    shares = generator.dirichlet(np.full(len(classes), 3.0))
    labels = generator.choice(len(classes), 157, p=shares).astype(np.int64)
    labels[: len(classes)] = np.arange(len(classes))  # every class is there
    logits = generator.normal(size=(157, len(classes))) + 1.2 * np.eye(len(classes))[labels]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    result = live.call("metrics", {}, labels=labels, scores=scores).result
    answered = result if isinstance(result, dict) else {}
    found: dict[mistakes.metrics.Key, float] = {}
    for name in ("accuracy", "mean_accuracy", "map"):
        value = finite(answered.get(name))
        found[name, None] = float("nan") if value is None else value
    return mistakes.metrics.Scored(labels, scores, tuple(classes), {}), found


@asking("the function 'rank'")
def check_rank(live: Live, judge: Judge) -> None:
    """Top and bottom of a class on random scores (1i)."""
    generator = np.random.default_rng(secrets.randbits(64))
    scores = generator.dirichlet(np.full(6, 0.5), 97)
    paths = [f"c{i % 6}/{i}.jpg" for i in generator.permutation(97).tolist()]
    column, k = int(generator.integers(0, 6)), 10
    classes = [str(c) for c in range(6)]
    labels = np.array([int(p[1]) for p in paths])
    board = mistakes.rankings.Board(scores, paths, labels, classes, classes[column], k)
    order = np.argsort(-board.own, kind="stable")
    right = {"top": [paths[i] for i in order[:k]], "bottom": [paths[i] for i in order[::-1][:k]]}
    result = live.call("rank", {"paths": paths, "column": column, "k": k}, scores=scores).result
    found = result if isinstance(result, dict) else {}
    wrong = {}
    for side, expected in right.items():
        listed = found.get(side)
        entries = listed if isinstance(listed, list) else []
        listed = [e[0] if isinstance(e, list) and e else e for e in entries]
        placed = sum(a == b for a, b in zip(listed, expected, strict=False))
        good = listed == expected or (side == "bottom" and listed == expected[::-1])
        if not judge.expect(
            good, f"{side} {k} of a column of random scores", f"{placed} of {k} in their place", f"{k} in order",
            mend="sort by the class's own column over all rows",
        ):  # fmt: skip
            wrong[side] = [p for p in listed if isinstance(p, str)]
    judge.blame(mistakes.rankings.diagnose({board.name: board}, {board.name: wrong}, 1e-12, Budget()))


@asking("the function 'compare'")
def check_compare(live: Live, judge: Judge) -> None:
    """A comparison of saved and recomputed scores finds altered ones, and lets rounding noise pass (1h, F28, F62)."""
    generator = np.random.default_rng(secrets.randbits(64))
    saved = generator.dirichlet(np.ones(6), 64).astype(np.float32)
    altered = saved.copy()
    row = int(generator.integers(0, 64))
    altered[row] = np.roll(altered[row], 1)
    slightly = saved.copy()
    slightly[row, 0] += 0.02
    noise = (saved + generator.uniform(-2e-6, 2e-6, saved.shape)).astype(np.float32)
    for name, other, agrees in (
        ("the same scores, rounded differently", noise, True),
        ("scores with one row altered", altered, False),
        ("scores with one value off by 0.02", slightly, False),
    ):
        value = live.call("compare", {}, saved=saved, scores=other).result
        said = value if isinstance(value, bool) else None
        judge.expect(
            said is agrees,
            f"comparison of {name}",
            {True: "agree", False: "differ", None: f"{str(value)[:40]}, neither True nor False"}[said],
            "agree" if agrees else "differ",
            mistake=[] if said is None else seen("form: compare live", agrees),
            mend="np.allclose(saved, scores, atol=1e-4)",
        )  # fmt: skip

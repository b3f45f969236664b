"""Requirements 1f and 1j: settings, their histories, the epoch kept, and the curves."""

import math
from itertools import combinations, pairwise

import pytest

from in4310.judging import coverage, digits, exhibits, trained
from in4310.judging.asked_network import check_train
from in4310.judging.evidence import number
from in4310.judging.mistakes.search import seen
from in4310.judging.photographs import called, expect_plots
from in4310.judging.verdict import Outcome
from in4310.submission.pieces import Missing

FEW = 3  # epochs that may be alike by chance, or by rounding


def _stated(name, run):
    """What it is said that a run was trained with, in its settings or in its name; None where nothing is."""
    settings = run.get("settings")
    if isinstance(settings, dict) and settings.keys() - {"run"}:
        return coverage.hyperparameters(settings)
    return coverage.named(name) or None


def _alike(runs):
    """Pairs of runs that have one curve of the validation loss, to four digits, after each epoch.

    Where one is longer it goes on as the other does: of one setting that is the same training, of two it is none.
    """
    curves = {name: [number(e, "val_loss") for e in run["epochs"]] for name, run in runs.items()}
    whole = sorted(name for name, curve in curves.items() if curve and None not in curve)

    def but_length(name):
        return [(k, v) for k, v in _stated(name, runs[name]) or () if "epoch" not in k]

    return [
        (a, b)
        for a, b in combinations(whole, 2)
        if all(math.isclose(x, y, rel_tol=1e-4) for x, y in zip(curves[a], curves[b], strict=False))
        and (
            len(curves[a]) == len(curves[b])
            or (min(len(curves[a]), len(curves[b])) >= FEW and but_length(a) != but_length(b))
        )
    ]


def _still(runs):
    """Runs whose losses are the same in every epoch, to the last digit: nothing was trained, or nothing measured."""
    found = []
    for name, run in runs.items():
        losses = [(number(e, "train_loss"), number(e, "val_loss")) for e in run["epochs"]]
        if len(losses) < 2 or len({*losses}) > 1 or None in losses[0]:
            continue
        if len(losses) >= FEW or any(round(loss, 4) != loss for loss in losses[0]):
            found.append(name)
    return found


@pytest.mark.in4310_requirement("1f")
def test_three_settings(evidence, edition, judge):
    """Number of hyperparameter settings tried"""
    judge.rest("stated only")
    runs = evidence.submission.history
    stated = {name: _stated(name, run) for name, run in runs.items() if run["epochs"]}
    unstated = [name for name, setting in stated.items() if setting is None]
    different = {name if setting is None else setting for name, setting in stated.items()}
    judge.expect(
        len(different) >= edition.training.settings,
        "different settings in the history, by their hyperparameters",
        len(different),
        f"at least {edition.training.settings}",
        details=[f"{name}: {run.get('settings') or {}}" for name, run in runs.items()],
        mend="train with other learning rates or optimisers, and keep the history of each run",
    )
    if len(different) - len(unstated) < edition.training.settings <= len(different):
        judge.leave(
            "settings that are told by the name of their run only",
            len(unstated),
            0,
            details=unstated,
            mend="record the settings of each run: its optimiser, its learning rate",
        )
    same = _alike(runs)
    judge.expect(
        not same,
        "pairs of settings with the same curve, to four digits",
        len(same),
        0,
        details=[f"{a} = {b}" for a, b in same],
        mistake=seen("form: settings alike"),
    )
    if still := _still(runs):
        judge.leave(
            "settings whose losses are the same in every epoch",
            len(still),
            0,
            details=still,
            mend="see whether the optimiser has the parameters of the model; record the losses of each epoch",
        )
    trained.rests(evidence, judge)
    through = _trained_through(runs)
    judge.expect(
        not through,
        "settings that start from weights of their own",
        "not all" if through else "all, as far as the curves tell",
        "all",
        details=through,
        mistake=seen("form: settings through"),
        otherwise=Outcome.OPEN,
    )
    if live := evidence.runs("train_epoch"):
        check_train(live, judge)


def _trained_through(runs):
    """Settings whose curves begin where those of another ended, in an order of all of them; [] where one does not.

    Only the first may begin clearly worse than it ended: networks that start from good weights all begin alike.
    """
    ends = {}
    for name, run in runs.items():
        losses = [number(e, "val_loss") for e in run["epochs"]]
        if len(losses) >= 2 and all(v is not None for v in losses):
            ends[name] = (losses[0], losses[-1])
    starts_high = [name for name, (first, last) in ends.items() if first > 1.5 * last + 0.05]
    if len(ends) < 3:
        return []
    order = sorted(ends, key=lambda n: -ends[n][0])
    chain = order[:1]
    for name in order[1:]:
        before = ends[chain[-1]][1]
        if abs(ends[name][0] - before) <= 0.05 * max(before, 0.2):
            chain.append(name)
    if len(chain) < 3 or chain[0] not in starts_high:
        return []
    return [
        f"{a} ends at a loss of {ends[a][1]:.3f}, {b} begins at {ends[b][0]:.3f}" for a, b in pairwise(chain)
    ]


MEASURES = {
    "train_loss": (0, math.inf),
    "val_loss": (0, math.inf),
    "train_accuracy": (0, 1),
    "val_accuracy": (0, 1),
    "train_map": (0, 1),
    "val_map": (0, 1),
}


def _is_infinite(value):
    return isinstance(value, float) and not math.isfinite(value)


def _diverged(history):
    """Runs whose losses became NaN or infinite, and say so: settings that were tried, besides the best run."""
    reached = {name: max((v for e in run["epochs"] if (v := number(e, "val_map")) is not None), default=0.0)
               for name, run in history.items()}  # fmt: skip
    best = max(reached, key=reached.__getitem__, default="")
    losses = ("train_loss", "val_loss")
    return {name for name, run in history.items() if name != best
            and any(_is_infinite(e.get(loss)) for e in run["epochs"] for loss in losses)}  # fmt: skip


@pytest.mark.in4310_requirement("1f", partial=True)
def test_history_complete(evidence, edition, judge):
    """Record of loss, accuracy and mAP after each epoch"""
    judge.rest("stated only")
    asked, absent, gaps, diverged = 0, 0, [], _diverged(evidence.submission.history)
    for name, run in evidence.submission.history.items():
        epochs = run["epochs"]
        numbers = [e.get("epoch") for e in epochs]
        counted = all(type(n) is int and n > 0 for n in numbers) and numbers == sorted(set(numbers))
        judge.expect(
            bool(epochs) and counted,
            f"{name}: epochs recorded",
            f"{len(epochs)}",
            "1, 2, 3, ...",
        )
        skipped = numbers[-1] - len(numbers) if epochs and counted else 0
        if skipped:
            gaps.append(f"{name}: {skipped} of the epochs to {numbers[-1]} are not there")
        absent += skipped * len(MEASURES) - (skipped > 0)  # beside the line that says it
        asked += len(MEASURES) * max(1, len(epochs) + skipped)
        gaps += [
            f"{name}, epoch {e.get('epoch')}: {measure} = {e.get(measure, 'missing')}"
            for e in epochs or [{}]
            for measure, (low, high) in MEASURES.items()
            if (value := number(e, measure)) is None or not low <= value <= high
            if not (name in diverged and _is_infinite(e.get(measure)))
        ]
    judge.cover(
        1 - (len(gaps) + absent) / asked if asked else 0.0,
        "figures missing, not finite or out of range",
        f"{len(gaps) + absent} of {asked}",
        0,
        details=gaps,
        mend=f"record {', '.join(MEASURES)} after every epoch",
    )
    trained.rests(evidence, judge)


def _epochs(evidence, *measures):
    """(run, epoch, its figures) for each epoch of the history that has all of these measures."""
    for name, run in evidence.submission.history.items():
        for epoch in run["epochs"]:
            if None not in (found := [number(epoch, measure) for measure in measures]):
                yield name, epoch, found


def _why_kept(nearest, own):
    """The mistake by which an epoch was kept that is not the best of its own run."""
    on_test = [e for e in own if number(e[4], "test_map") is not None]
    last = nearest[1] == max(e[1] for e in own)
    chosen = bool(on_test) and nearest == max(on_test, key=lambda e: e[4]["test_map"])
    return seen("form: kept epoch", nearest[1], nearest[0], last, chosen)


@pytest.mark.in4310_requirement("1f")
def test_best_on_validation(evidence, edition, judge):
    """Choice of the epoch on the validation set"""
    judge.rest("proved by another piece")
    history = {name: run["epochs"] for name, run in evidence.submission.history.items()}
    try:
        mine = evidence.recomputed("val")
    except Missing:
        exhibits.training(judge, history)
        raise
    epochs = [
        (name, e.get("epoch"), *found, e) for name, e, found in _epochs(evidence, "val_map", "val_accuracy")
    ]
    if not epochs:
        raise Missing("history", "the history has no epoch with val_map and val_accuracy")

    def apart(epoch):
        return max(abs(epoch[2] - mine.map), abs(epoch[3] - mine.accuracy))

    rounding = digits.room(figure for e in epochs for figure in e[2:4])
    exact, loose = max(1e-3, rounding), max(edition.tolerances.history, rounding)
    # Best by mAP or by accuracy: the assignment allows either.
    best = [max(epochs, key=lambda e: e[2]), max(epochs, key=lambda e: e[3])]
    ties = [e for e in epochs if e[2] >= best[0][2] or e[3] >= best[1][3]]
    nearest = min(epochs, key=apart)
    closest_best = min(ties, key=apart)
    good = apart(closest_best) <= exact or (apart(closest_best) <= loose and apart(nearest) > exact)
    run_best = [max((e for e in epochs if e[0] == nearest[0]), key=lambda e: e[k]) for k in (2, 3)]
    best_of_run = apart(nearest) <= exact and nearest in run_best
    alike = [e for e in epochs if apart(e) <= exact]
    if rounding > 1e-3 and closest_best in alike and len(alike) > 1:
        # With so few digits the weights may be those of an epoch that was not the best.
        judge.leave(
            "validation mAP and accuracy of the weights handed in, recomputed",
            f"{mine.map:.4f} and {mine.accuracy:.4f}: which epoch was kept cannot be told, {len(alike)} are as near",
            f"{closest_best[2]:g} and {closest_best[3]:g} (epoch {closest_best[1]} of {closest_best[0]}, the best)",
            tolerance=f"{exact:g}, the digits of the history",
            mend="record four decimals",
        )
        exhibits.training(judge, history)
        return
    mistake = []
    if not good and not best_of_run and apart(nearest) <= exact:
        mistake = _why_kept(nearest, [e for e in epochs if e[0] == nearest[0]])
    judge.expect(
        good or best_of_run,
        "validation mAP and accuracy of the weights handed in, recomputed",
        f"{mine.map:.4f} and {mine.accuracy:.4f}",
        f"{closest_best[2]:.4f} and {closest_best[3]:.4f} (epoch {closest_best[1]} of {closest_best[0]}, the best)",
        tolerance=f"{exact:g}, or {loose:g} where no other epoch is nearer than {exact:g}",
        mistake=mistake,
        mend="keep a copy of the best weights: copy.deepcopy(model.state_dict()) when the validation mAP improves",
    )
    if best_of_run and not good:
        # By more than chance tells apart another setting was the better one to keep.
        tell = judge.leave if closest_best[2] - nearest[2] > 2 * edition.tolerances.history else judge.warn
        tell(
            f"best of its own run ({nearest[0]}), not of all runs",
            f"{nearest[2]:.4f}",
            f"{closest_best[2]:.4f} ({closest_best[0]})",
        )
    said, p = trained.better_on_test(evidence)
    if said:
        judge.expect(
            False,
            "accuracy on test and on validation, of a network that was trained on neither",
            said,
            "alike: was it trained, or chosen, on the test set?",
            otherwise=Outcome.OPEN if p < trained.DOUBT else Outcome.WARNED,
        )
    for doubt in trained.doubts(evidence):
        judge.warn(*doubt, mend="record what was measured; say so where it was measured otherwise")
    trained.rests(evidence, judge, learned=False)
    kept = (
        (nearest[0], nearest[1]) if apart(nearest) <= loose and isinstance(nearest[1], int | float) else None
    )
    exhibits.training(judge, history, kept)


def _compare_loss(evidence, judge):
    """The validation loss recorded for the epoch that was kept, against the cross-entropy of the weights handed in."""
    try:
        kept = trained.kept_epoch(evidence)
        ours = trained.plain_loss(evidence, kept[0]) if kept else None
    except Missing:
        return
    if kept is None or ours is None:
        return  # which epoch was kept is for another check to say; another loss function is no mistake
    (name, epoch), loss = kept, number(kept[1], "val_loss")
    if loss is not None and not trained.same_loss(loss, ours):
        judge.leave(
            f"validation loss recorded for the epoch that was kept (epoch {epoch.get('epoch')} of {name})",
            f"{loss:.3f}",
            f"{ours:.3f}, the cross-entropy of the weights handed in, or another loss function",
            mend="record what was measured; say so where it is another loss function",
        )


@pytest.mark.in4310_requirement("1j")
def test_loss_curves(evidence, edition, judge):
    """Plot of the losses against the epochs"""
    judge.rest("stated only")
    wanted = ["train_loss", "val_loss"] + (["test_loss"] if edition.training.test_curve else [])
    diverged = _diverged(evidence.submission.history)
    for name, run in evidence.submission.history.items():
        lacking = [w for w in wanted if any(number(e, w) is None and not (name in diverged and _is_infinite(e.get(w)))
                                            for e in run["epochs"])]  # fmt: skip
        judge.expect(
            not lacking,
            f"{name}: losses recorded",
            "all" if not lacking else f"{', '.join(lacking)} missing",
            ", ".join(wanted),
        )
    trained.rests(evidence, judge)
    pictures = evidence.submission.pictures("plots")
    _compare_loss(evidence, judge)
    plots = called(pictures, "loss", "curve")
    looks = {p: evidence.submission.look(p) for p in plots or pictures}
    exhibits.handed_in(judge, plots or pictures, "Plots of the loss" if plots else "Pictures", looks)
    expect_plots(judge, evidence.data, "plots of the loss", plots, looks, "plots/loss_curves.png")

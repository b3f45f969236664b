"""Figures of training beside the weights handed in: what cannot be is said, and what honest programs record is not."""

import json
import os
import shutil

import numpy as np
import pytest
import torch

from in4310.judging import trained
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.reference import reference_submission
from in4310.submission.folder import Submission


@pytest.fixture(scope="module")
def middling(edition, data, tmp_path_factory):
    """The reference with a last layer that is disturbed: right on fewer images, and a history that says so."""
    source = reference_submission(edition, data)
    folder = shutil.copytree(source, tmp_path_factory.mktemp("middling") / "a", copy_function=os.link)
    state = torch.load(folder / "model.pth", weights_only=True)
    state["fc.bias"] = state["fc.bias"] + torch.tensor([0.0, 7, 0, 0, 7, 0])
    for name in ("model.pth", "scores_val.npy", "scores_test.npy"):
        (folder / name).unlink()
    torch.save(state, folder / "model.pth")
    evidence = Evidence(Submission(folder), data, edition)
    mine, labels = evidence.recomputed("val"), evidence.labels("val")
    loss = -np.log(evidence.predicted("val")[np.arange(len(labels)), labels]).mean()
    assert 0.4 < mine.accuracy < 0.85

    def fitted(run):
        best = run["epochs"][run["best_epoch"] - 1]
        for i, epoch in enumerate(run["epochs"]):
            epoch |= {"val_map": mine.map - 0.01 * (1 + i), "val_accuracy": i / len(labels)}
        best |= {"val_map": mine.map, "val_accuracy": mine.accuracy, "val_loss": float(loss)}
        best |= {"train_accuracy": mine.accuracy, "train_loss": float(loss)}

    rewritten(folder, fitted)
    return folder


def rewritten(folder, change):
    for file in (folder / "history").glob("*.json"):
        run = json.loads(file.read_text())
        if run.get("kept"):
            change(run)
            file.unlink()
            file.write_text(json.dumps(run))


@pytest.fixture
def told(middling, run_check, edition, data, tmp_path):
    """What a check says of the hand-in after a change of its kept run: the recorder."""

    def judged(change, check="best_on_validation"):
        folder = shutil.copytree(middling, tmp_path / "submission", copy_function=os.link)
        rewritten(folder, change)
        return run_check(check, Evidence(Submission(folder), data, edition))

    return judged


def kept(**figures):
    return lambda run: run["epochs"][run["best_epoch"] - 1].update(figures)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        # Running means, augmentation and mixed labels; an epoch's worth of steps better; half of a loss.
        {"train_accuracy": 0.3, "train_loss": 2.5},
        {"train_accuracy": 0.8, "train_loss": 0.8},
        # Another loss function in training and validation, a sum over batches of means, divided by the images.
        {"train_loss": 0.01, "val_loss": 0.012},
        {"train_loss": None, "train_accuracy": None},
    ],
)
def test_of_honest_training_figures_nothing_is_said(told, figures):
    assert told(kept(**figures)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"train_accuracy": 0.93}, "training accuracy recorded for the epoch that was kept"),
        ({"train_loss": 0.05}, "training loss recorded for the epoch that was kept"),
    ],
)
def test_training_figures_that_the_weights_do_not_have_are_said_and_cost_nothing(told, figures, said):
    judge = told(kept(**figures))
    assert judge.outcome is Outcome.WARNED
    assert said in judge.reason


def test_smoothed_labels_have_another_loss(told):
    def smoothed(run):
        run["settings"]["label_smoothing"] = 0.1
        kept(train_loss=0.05)(run)

    assert told(smoothed).outcome is Outcome.PASSED


def accuracies(change):
    def changed(run):
        for i, epoch in enumerate(run["epochs"], 1):
            if i != run["best_epoch"]:
                epoch["val_accuracy"] = change(epoch["val_accuracy"])

    return changed


CHECKS = ("three_settings", "history_complete", "loss_curves")


@pytest.mark.parametrize("check", CHECKS)
def test_accuracies_that_no_number_of_images_gives_are_left_to_the_teacher(told, check):
    judge = told(accuracies(lambda value: value * 0.9 + 0.0031), check)
    assert judge.outcome is Outcome.OPEN
    assert "no number of 141 images" in str(judge.findings)


@pytest.mark.parametrize("digits", [2, 3, 4, 7])
def test_rounded_accuracies_are_those_of_a_number_of_images(told, digits):
    assert told(accuracies(lambda value: round(value, digits)), "history_complete").outcome is Outcome.PASSED


def test_means_over_batches_are_no_number_of_images_and_nothing_is_said(told):
    """Then that of the epoch kept is none, either."""

    def averaged(run):
        accuracies(lambda value: value * 0.98 + 0.0031)(run)
        best = run["epochs"][run["best_epoch"] - 1]
        best["val_accuracy"] += 0.0011

    assert told(averaged, "history_complete").outcome is Outcome.PASSED


def test_a_network_that_is_surer_on_test_than_chance_makes_it_is_left_to_the_teacher(
    middling, run_check, data, edition
):
    """As one that was trained on the test set: its accuracies alone, of so few images, would not tell."""
    evidence = Evidence(Submission(middling), data, edition)
    scores = evidence.predicted("test")
    right = np.eye(scores.shape[1], dtype=scores.dtype)[evidence.labels("test")]
    assert trained.better_on_test(evidence)[0] == ""
    rows, _ = evidence.audited("test")
    memorised = scores + 0.6 * (right - scores)
    evidence.audited = lambda name, of=evidence.audited: (
        (rows, memorised[rows]) if name == "test" else of(name)
    )
    said, p = trained.better_on_test(evidence)
    assert p < trained.DOUBT
    assert "on val, sure of the right class to" in said
    assert run_check("best_on_validation", evidence).outcome is Outcome.OPEN

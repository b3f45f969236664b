"""Right work in a form of its own passes; beside each form one that only looks like it."""

import numpy as np
import pytest
import torch
from judging.changes import failed, read, replace

from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Submission

pytestmark = pytest.mark.filterwarnings("ignore")


# -- right in another form -------------------------------------------------------------------------


def rows_of_the_test_set(folder, k=10):
    rows = {path: i for i, path in enumerate((folder / "split" / "test.csv").read_text().split()[1:])}
    listed = [line.partition(",")[0] for line in rows]
    scores, classes = np.load(folder / "scores_test.npy"), load_edition("demo").data.classes
    ranking = {}
    for c in read(folder / "ranking.json"):
        order = np.argsort(-scores[:, classes.index(c)], kind="stable").tolist()
        ranking[c] = {"top": order[:k], "bottom": order[::-1][:k]}
    assert len(listed) == len(scores)
    replace(folder / "ranking.json", ranking)


@pytest.mark.parametrize(("k", "fails"), [(10, set()), (12, set()), (9, {"ranking_complete"})])
def test_a_ranking_by_rows_of_the_test_set_and_of_more_than_was_asked(folder, outcomes, k, fails):
    rows_of_the_test_set(folder, k)
    assert failed(outcomes(folder, "ranking_complete", "ranking_from_test_set", "ranking_order")) == fails


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_setting_that_diverged_and_says_so_was_tried(folder, outcomes, kept, value):
    """Losses that are no numbers are what was measured, but for the run whose weights were kept."""
    files = sorted((folder / "history").glob("*.json"), key=lambda f: bool(read(f).get("kept")) is not kept)
    run = read(files[0])
    for epoch in run["epochs"][1:]:
        epoch["train_loss"] = epoch["val_loss"] = value
    replace(files[0], run)
    found = outcomes(folder, "history_complete", "loss_curves")
    assert failed(found) == ({"history_complete", "loss_curves"} if kept else set())


@pytest.mark.parametrize("decimals", [4, 5])
def test_eigenvalues_of_few_digits_sum_to_the_variance_of_many(folder, outcomes, decimals):
    table = read(folder / "eigenvalues.json")
    for series in table["series"]:
        for one in series["modules"].values():
            one["values"] = [round(v, decimals) for v in one["values"]]
    replace(folder / "eigenvalues.json", table)
    assert failed(outcomes(folder, "eigenvalues_valid")) == set()
    table["series"][0]["modules"]["layer4"]["total_variance"] *= 1.1
    replace(folder / "eigenvalues.json", table)
    assert failed(outcomes(folder, "eigenvalues_valid")) == {"eigenvalues_valid"}


@pytest.mark.slow
def test_scores_made_under_autocast_are_the_networks_and_one_that_is_altered_is_not(folder, outcomes):
    edition = load_edition("demo")
    evidence = Evidence(Submission(folder), resolve_data(edition, None), edition)
    batches = evidence.batches(evidence.images(evidence.known("test")))()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = torch.cat([evidence.model(x).float().softmax(dim=1) for x in batches]).numpy()
    right = np.load(folder / "scores_test.npy")
    most = float(np.abs(half - right).max())
    assert most > edition.tolerances.score
    altered = right.copy()
    altered[3] += [most, -most, 0, 0, 0, 0]  # no farther off, but alone
    for scores, outcome in (
        (half, Outcome.WARNED),
        (altered, Outcome.FAILED),
        (2.5 * half - 1.5 * right, Outcome.FAILED),
    ):
        (folder / "scores_test.npy").unlink()
        np.save(folder / "scores_test.npy", scores)
        assert outcomes(folder, "scores_reproduce")["scores_reproduce"].outcome is outcome


@pytest.mark.parametrize(("decimals", "twice", "outcome"), [(2, True, Outcome.OPEN), (2, False, Outcome.PASSED), (4, True, Outcome.PASSED)])  # fmt: skip
def test_a_history_of_few_digits_cannot_tell_which_of_two_epochs_was_kept(
    folder, outcomes, decimals, twice, outcome
):
    """Two decimals make an epoch that is a little worse the equal of the best; of four the best is told."""
    for file in sorted((folder / "history").glob("*.json")):
        run = read(file)
        best = max(run["epochs"], key=lambda e: e["val_map"])
        for e in run["epochs"]:
            e["val_map"], e["val_accuracy"] = (
                round(e[k] if run.get("kept") and e is best else 0.5 * e[k], decimals)
                for k in ("val_map", "val_accuracy")
            )
        if run.get("kept") and twice:
            other = next(e for e in run["epochs"] if e is not best)
            other["val_map"] = round(best["val_map"] - 0.4 * 10.0**-decimals, decimals)
            other["val_accuracy"] = best["val_accuracy"]
        replace(file, run)
    assert outcomes(folder, "best_on_validation")["best_on_validation"].outcome is outcome

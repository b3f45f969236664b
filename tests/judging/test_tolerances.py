"""Every tolerance of an edition from both sides: a figure just within passes, one just beyond fails."""

import json
import os
import shutil

import numpy as np
import pytest

from in4310.judging.data import resolve_data
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Submission

WITHIN, BEYOND = 0.9, 1.2


@pytest.fixture
def passes(run_check, edition):
    data = resolve_data(edition, None)

    def judge(folder, check):
        return run_check(check, Evidence(Submission(folder), data, edition)).outcome is not Outcome.FAILED

    return judge


def rewrite(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.unlink()
    path.write_text(json.dumps(document))


def score(folder, off):
    scores = np.load(folder / "scores_test.npy").astype(np.float64)
    row = int(np.argmin(np.abs(scores.max(axis=1) - 0.8)))
    high, low = scores[row].argmax(), scores[row].argmin()
    scores[row, high] -= off
    scores[row, low] += off
    (folder / "scores_test.npy").unlink()
    np.save(folder / "scores_test.npy", scores)


def row_sum(folder, off):
    scores = np.load(folder / "scores_test.npy").astype(np.float64)
    row = int(np.argmin(np.abs(scores.max(axis=1) - 0.8)))
    scores[row, scores[row].argmax()] -= scores[row].sum() - 1 + off
    (folder / "scores_test.npy").unlink()
    np.save(folder / "scores_test.npy", scores)


def metric(folder, off):
    rewrite(folder / "metrics.json", lambda d: d["test"].update(map=d["test"]["map"] - off))


def history(folder, off):
    """All epochs but the kept one lie far below, and that one is off: no other epoch is nearer."""

    def change(run):
        kept = run["epochs"][run["best_epoch"] - 1]
        for epoch in run["epochs"]:
            if epoch is not kept or not run.get("kept"):
                epoch["val_map"] = epoch["val_accuracy"] = 0.3
        if run.get("kept"):
            kept["val_map"] -= off
            kept["val_accuracy"] -= off

    for file in (folder / "history").glob("*.json"):
        rewrite(file, change)


def percent(folder, off):
    rewrite(
        folder / "non_positive.json",
        lambda d: d["percent"].update({m: v + off for m, v in d["percent"].items()}),
    )


def eigenvalue(folder, off):
    def change(document):
        for series in document["series"]:
            for entry in series["modules"].values():
                largest = entry["values"][0]
                entry["values"][0] = largest * (1 - off)  # below: N / (N - 1) lies above
                entry.pop("total_variance", None)

    rewrite(folder / "eigenvalues.json", change)


CASES = {
    "score": (score, "scores_reproduce"),
    "row_sum": (row_sum, "scores_are_probabilities"),
    "metric": (metric, "metrics_map"),
    "history": (history, "best_on_validation"),
    "percent": (percent, "non_positive_recomputed"),
    "eigenvalue": (eigenvalue, "eigenvalues_recomputed"),
}


def test_every_tolerance_has_a_case(edition):
    assert set(CASES) == set(type(edition.tolerances).model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_both_sides(folder, edition, passes, name):
    change, check = CASES[name]
    tolerance = getattr(edition.tolerances, name)
    aside = folder.parent / "beyond"
    shutil.copytree(folder, aside, copy_function=os.link)
    change(folder, WITHIN * tolerance)
    assert passes(folder, check)
    change(aside, BEYOND * tolerance)
    assert not passes(aside, check)


@pytest.mark.parametrize("name", ["2022", "2023", "2026", "demo"])
def test_every_tolerance_is_derived_beside_its_number(name):
    """In the edition's own file, or in that of the one that it takes the number from."""
    from importlib import resources

    lines = (resources.files("in4310.judging") / "editions" / f"{name}.toml").read_text().splitlines()
    stated = {
        tolerance: i
        for tolerance in CASES
        for i, line in enumerate(lines)
        if line.startswith(f"{tolerance} =")
    }
    assert stated or 'extends = "2023"' in lines
    assert set(stated) == set(CASES) or name != "2023"
    for tolerance, at in stated.items():
        above = [line for line in lines[max(0, at - 4) : at] if line.startswith("#")]
        assert any(line.startswith(f"# {tolerance}:") for line in above), tolerance

"""Real reports: the reference, a submission with mistakes of every outcome, and one that attacks its readers."""

import json
import os
import random
import shutil

import numpy as np
from grading.generated import accuracy, overlap, reversed_rows, swapped_ranking, write

from in4310.runner import judge_submission

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script></title>\x1b[2J\u202e"


def report_of(submission, place):
    """The page of a submission, judged by all checks of the demo edition."""
    judge_submission(submission, "demo", report=place)
    return (place / "index.html").read_text()


def copy_of(reference, place):
    shutil.copytree(reference, place, copy_function=os.link)
    return place


def faulty(reference, place):
    """A figure too high, rows in reverse, sets that overlap, a ranking upside down, and no spectra."""
    folder = copy_of(reference, place)
    draw = random.Random(1)
    for mistake in (accuracy, reversed_rows, overlap, swapped_ranking):
        mistake(folder, draw)
    (folder / "eigenvalues.json").unlink()
    return folder


def attack(reference, place):
    """Every text that reaches the report is hostile, and no piece is what it says (tests/attacks)."""
    folder = copy_of(reference, place)
    write(
        folder / "submission.toml",
        f"[submission]\nname = {json.dumps(EVIL)}\n[run]\ncommand = {json.dumps('python ' + EVIL)}\n"
        # Else images are taken to be 224 x 224, and each forward pass takes twelve times as long.
        "[preprocessing]\nsize = 64\nresize = 64\n",
    )
    run = next((folder / "history").glob("*.json")).read_text()
    write(folder / "history" / "<script>alert(3)&lt;.json", run)
    write(folder / "non_positive.json", json.dumps({"percent": {EVIL: 5, "layer1": EVIL}, "images": [EVIL]}))
    write(folder / "ranking.json", json.dumps({"sea": {"top": [EVIL] * 10, "bottom": [EVIL] * 10}}))
    write(
        folder / "split" / "test.csv",
        (folder / "split" / "test.csv").read_text() + json.dumps(EVIL) + ",sea\n",
    )
    invented = np.random.default_rng(0).dirichlet(np.ones(6), 211).astype(np.float32)
    (folder / "scores_test.npy").unlink()
    np.save(folder / "scores_test.npy", invented)
    return folder

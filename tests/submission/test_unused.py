"""Each file of a hand-in that nothing was taken from is named, and no other."""

import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from submission.written_forms import HINTS, SCORES, SPLIT

from in4310.submission.folder import Submission

OF_USE = ("README.md", "train.py", "nets/model.py", "requirements.txt", ".gitignore", "look.ipynb", "LICENSE")
STRAY = (
    "notes.docx",
    "old/scores.bak",
    "data.bin",
    "results/final.xyz",
    "æøå.odt",
    "weights.h5",
    "plots.zipx",
)


def hand_in(folder):
    """A split, scores, plots in a folder, and what helps to run it."""
    folder.mkdir(parents=True)
    (folder / "split.json").write_text(json.dumps({name: list(paths) for name, paths in SPLIT.items()}))
    np.save(folder / "scores_test.npy", SCORES)
    (folder / "plots").mkdir()
    for name in ("loss", "map"):
        Image.effect_noise((64, 64), 90).save(folder / "plots" / f"{name}.png")
    for name in OF_USE:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("" if not name.endswith("ipynb") else '{"cells": [], "nbformat": 4}')
    return folder


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from(STRAY)))
def test_only_files_that_nothing_was_taken_from_are_named(tmp_path_factory, stray):
    folder = hand_in(tmp_path_factory.mktemp("unused") / "hand in")
    for name in stray:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0nothing that is known")
    assert Submission(folder, HINTS).unused == sorted(stray)


def test_of_two_files_for_one_piece_the_other_is_named(tmp_path):
    folder = hand_in(tmp_path / "hand in")
    (folder / "scores_test.npy").rename(folder / "softmax_a.npy")
    np.save(folder / "softmax_b.npy", SCORES[::-1])
    found = Submission(folder, HINTS)
    (unused,) = found.unused
    assert {unused, found.located["scores"][0]} == {"softmax_a.npy", "softmax_b.npy"}

"""One reader for every place: a piece is read as the same, found under any name, named in submission.toml or at its usual place."""

import json
import shutil
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from submission.written_forms import (
    HINTS,
    HISTORIES,
    METRICS,
    RANKINGS,
    SCORE_FORMS,
    SCORES,
    SHARES,
    SPECTRA,
    SPLITS,
)

from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS, Unreadable

FORMS = {
    (piece, form): make
    for piece, forms in (
        ("split", SPLITS), ("scores", SCORE_FORMS), ("history", HISTORIES), ("metrics", METRICS), ("ranking", RANKINGS),
        ("non_positive", SHARES), ("eigenvalues", SPECTRA),
    )
    for form, make in forms.items()
}  # fmt: skip
WORDS = st.text("xyzqwøåXYZ _-", min_size=1, max_size=8).map(str.strip).filter(bool)  # that say nothing


def read(folder, piece):
    """What the piece was read as, as plain values; names of runs, which are those of files, left out."""
    value = getattr(Submission(folder, HINTS), piece)
    if piece == "history":
        value = [
            {**run, "settings": {} if set(run["settings"]) == {"run"} else run["settings"]}
            for run in value.values()
        ]
    return value.tolist() if isinstance(value, np.ndarray) else json.loads(json.dumps(value))


def named_usually(folder, piece):
    """The one file, or the folder, moved to the usual place for its ending; None where there is none."""
    (first, *rest) = files = [f for f in folder.rglob("*") if f.is_file()]
    for place in KINDS[piece].places:
        suffix = PurePosixPath(place).suffix
        if not suffix:
            for file in files:
                target = folder / place / file.relative_to(folder / "build")
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
            return place
        if not rest and suffix == first.suffix:
            first.rename(folder / place)
            return place
    return None


@pytest.mark.parametrize(("piece", "form"), FORMS)
def test_a_piece_is_the_same_at_its_usual_place(tmp_path, piece, form):
    (tmp_path / "build").mkdir()
    FORMS[piece, form](tmp_path / "build")
    found = read(tmp_path, piece)
    place = named_usually(tmp_path, piece)
    if place is not None:
        assert read(tmp_path, piece) == found
        assert Submission(tmp_path, HINTS).located[piece] == (place, "usual name")


@settings(max_examples=4, deadline=None)
@given(names=st.lists(WORDS, min_size=1, max_size=3), other=WORDS, noise=st.booleans())
@example(names=["."], other="x", noise=True)
@pytest.mark.parametrize(("piece", "form"), FORMS)
def test_a_piece_is_the_same_under_any_name_and_where_submission_toml_names_it(
    tmp_path_factory, piece, form, names, other, noise
):
    folder = tmp_path_factory.mktemp("handed in")
    inside = folder.joinpath(*names)
    inside.mkdir(parents=True, exist_ok=True)
    FORMS[piece, form](inside)
    found = read(folder, piece)
    files = [f for f in inside.rglob("*") if f.is_file()]
    place = inside.relative_to(folder).as_posix()
    if len(files) == 1 and piece != "history" and form not in ("npz",):  # an array's names tell of it
        renamed = files[0].rename(files[0].with_name(other + files[0].suffix))
        assert read(folder, piece) == found
        place = renamed.relative_to(folder).as_posix()
    if noise:  # what would be found instead
        (folder / "old").mkdir(exist_ok=True)
        np.save(folder / "old" / "softmax_test_scores.npy", SCORES[::-1])
    if place == ".":
        return
    (folder / "submission.toml").write_text(f"[files]\n{piece} = {json.dumps(place)}\n")
    assert read(folder, piece) == found
    assert Submission(folder, HINTS).located[piece] == (place, "named in submission.toml")


BROKEN = {
    "metrics": ("m.json", "{"), "ranking": ("r.csv", "a,b\n1,2\n"), "scores": ("s.npy", "no array"),
    "split": ("s.txt", "nothing\nof the kind\n"), "history": ("h.csv", "a,b\n1,2\n"), "eigenvalues": ("e.json", "[1]"),
    "non_positive": ("n.txt", "a b c"),
}  # fmt: skip


@pytest.mark.parametrize("piece", BROKEN)
def test_a_file_that_is_named_and_cannot_be_read_is_said_and_not_replaced(tmp_path, piece):
    name, content = BROKEN[piece]
    right = next(make for (own, _), make in FORMS.items() if own == piece)
    (tmp_path / "x").mkdir()
    right(tmp_path / "x")
    (tmp_path / name).write_text(content)
    (tmp_path / "submission.toml").write_text(f"[files]\n{piece} = '{name}'\n")
    submission = Submission(tmp_path, HINTS)
    with pytest.raises(Unreadable, match=name):
        getattr(submission, piece)
    assert submission.located[piece][0] == name


@pytest.mark.parametrize("piece", ["metrics", "scores", "ranking", "non_positive", "eigenvalues"])
def test_a_usual_name_over_something_else_means_nothing_and_is_said(tmp_path, piece):
    place = next(p for p in KINDS[piece].places)
    (tmp_path / "x").mkdir()
    next(make for (own, _), make in FORMS.items() if own == piece)(tmp_path / "x")
    found = read(tmp_path, piece)
    (tmp_path / place).write_text("[")
    assert read(tmp_path, piece) == found
    submission = Submission(tmp_path, HINTS)
    assert submission.located[piece][0].startswith("x/")
    assert any(f"{place}: not read as {piece} (" in note for note in submission.notes)


def test_a_table_may_hold_several_pieces_whatever_it_is_called(tmp_path):
    (tmp_path / "a").mkdir()
    METRICS["house"](tmp_path / "a")
    document = json.loads((tmp_path / "a" / "x.json").read_text()) | {"layer1": 23.5, "layer2": 40.25}
    shutil.rmtree(tmp_path / "a")
    for name in ("anything.json", "metrics.json", "non_positive.json"):
        (tmp_path / name).write_text(json.dumps(document))
        assert read(tmp_path, "non_positive") == {"percent": {"layer1": 23.5, "layer2": 40.25}}
        assert read(tmp_path, "metrics")["test"]["accuracy"] == document["test"]["accuracy"]
        (tmp_path / name).unlink()

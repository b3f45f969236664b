"""Small files that would cost the judge without bound: time that grows with a square, memory, waiting for ever."""

import ast
import json
import os
import signal
import socket
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.judging import evidence as floor
from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.verdict import Outcome
from in4310.solution.images import Preprocessing
from in4310.submission import calls, logs
from in4310.submission.calls import LONG
from in4310.submission.files import digest_of, walk
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import KINDS, Unreadable
from in4310.submission.source import read_calls
from in4310.submission.weights import load_tensors


@contextmanager
def ends(seconds=60, clock=signal.ITIMER_PROF):
    """Fails what takes so much processor time, which only what grows with a square does."""

    def stop(*_):
        raise AssertionError(f"no end in {seconds} seconds")

    number = signal.SIGPROF if clock == signal.ITIMER_PROF else signal.SIGALRM
    before = signal.signal(number, stop)
    signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        signal.setitimer(clock, 0)
        signal.signal(number, before)


def test_a_path_that_stands_twice_among_many(reference, edition, data, run_check):
    """D2."""
    one = next(iter(data.labels))
    evidence = Evidence(Submission(reference), data, edition)
    evidence.split = {"train": (*(f"sea/{i}.jpg" for i in range(300_000)), one, one), "val": (), "test": ()}
    with ends():
        judge = run_check("split_covers_data", evidence)
    assert judge.outcome is Outcome.FAILED
    assert any(f.asked == "paths listed twice in train" and f.details == [one] for f in judge.findings)


PLACES = sorted({place for kind in KINDS.values() for place in kind.places})


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "link to a fifo", "link to itself"])
def test_what_is_no_file_is_never_opened(kind, tmp_path, data, edition):
    """D1: at the usual place of each piece, inside each folder of one, and where submission.toml says so."""
    folder = tmp_path / "submission"
    folder.mkdir()
    os.mkfifo(folder / "pipe")

    def put(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            return
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(os.path.relpath(path))  # sun_path holds 108 bytes
        else:
            path.symlink_to({"device": "/dev/zero", "link to a fifo": folder / "pipe"}.get(kind, path.name))

    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for place in PLACES:
            put(folder / place / "x.csv" if "." not in place else folder / place)
        for name in ("named", "oblig1.py", "log.txt", "run.ipynb", "weights.pt", "report.pdf", "plots.png"):
            put(folder / name)
    finally:
        os.chdir(here)
    lines = "".join(f"{piece} = 'named'\n" for piece in KINDS)
    (folder / "submission.toml").write_text(f"[files]\n{lines}[adapters]\nsplit = 'oblig1:split'\n")
    with ends(120, signal.ITIMER_REAL), take_in(folder) as taken:
        submission = Submission(taken.folder, hints(edition, data))
        assert {file for piece in KINDS for c in submission.candidates(piece) for file in c.files} == set()
        assert walk(taken.folder) == ["submission.toml"]
        assert len(submission.digest) == len(digest_of(folder)) == 64


@pytest.mark.slow
def test_more_runs_than_can_be_compared(reference, edition, data, run_check, tmp_path):
    """As D2: each with each, of fifteen thousand in one table."""
    rows = [f"r{i:05},{epoch},{1 + i / 1e3},0.5,0.6" for i in range(15_000) for epoch in (1, 2)]
    (tmp_path / "history.csv").write_text("run,epoch,train_loss,val_loss,val_accuracy\n" + "\n".join(rows))
    with ends():
        submission = Submission(tmp_path, hints(edition, data))
        judge = run_check("three_settings", Evidence(submission, data, edition))
    assert len(submission.history) == 200
    assert "history.csv: 15000 runs in all files; only the first 200 are looked at" in submission.notes
    (found,) = [f for f in judge.findings if f.asked.startswith("pairs of settings")]
    assert found.found == "19900"  # of 200


def test_more_ranked_images_than_there_are(reference, edition, data, run_check, folder):
    """Each of the test set, twice: wrong, and no error of the judge."""
    ranking = json.loads((reference / "ranking.json").read_text())
    rows = [line.split(",")[0] for line in (reference / "split" / "test.csv").read_text().splitlines()[1:]]
    for sides in ranking.values():
        sides.update(top=rows * 2, bottom=rows[::-1] * 2)
    (folder / "ranking.json").unlink()
    (folder / "ranking.json").write_text(json.dumps(ranking))
    judge = run_check("ranking_order", Evidence(Submission(folder, hints(edition, data)), data, edition))
    assert judge.outcome is Outcome.FAILED
    assert judge.findings


@pytest.mark.parametrize("code", ["f(" * 90 + ")" * 90, "x = " + "a and (" * 90 + "b" + ")" * 90])
def test_code_in_code_is_read_in_linear_time(tmp_path, monkeypatch, code):
    """What a call is given is kept as it is written, of each call in a call: of nothing long, and of so many calls."""
    (tmp_path / "main.py").write_text(f"{code}\n" * 25)
    monkeypatch.setattr(calls, "CALLS", 2000)
    unparse, sizes = ast.unparse, []
    monkeypatch.setattr(ast, "unparse", lambda node: (sizes.append(len([*ast.walk(node)])), unparse(node))[1])
    found = read_calls(tmp_path)
    assert len(found) == (2000 if "f" in code else 0)
    assert max(sizes) < LONG
    assert len(sizes) <= 4 * 25 * 90


@pytest.fixture
def decodings(monkeypatch, reference, edition, data):
    """Stated preprocessing -> (how many images are decoded at once, whether they are kept for others) of 300 asked."""
    monkeypatch.setattr(floor, "FEW", 100)

    def asked(**stated):
        found = []

        def load(root, paths, labels, classes, preprocessing, cache=None, progress=None):
            found.append((len(paths), cache is not None, preprocessing))
            raise InterruptedError

        monkeypatch.setattr(floor.images, "load_images", load)
        evidence = Evidence(Submission(reference), data, edition)
        evidence.preprocessing = replace(Preprocessing(), **stated)
        with pytest.raises(InterruptedError):
            evidence.images(tuple(data.labels)[:300])
        return found[0]

    return asked


def test_a_size_of_ones_own_is_not_decoded_for_all(decodings, data):
    """D4: of usual sizes all images are kept, once for a class whatever the normalisation; of others none."""
    whole = {decodings(size=64, resize=64, mean=(m, 0.5, 0.5), std=(s, 0.2, 0.2)) for m in (0.4, 0.41) for s in (0.2, 0.21)}  # fmt: skip
    assert len(whole) == 1
    assert next(iter(whole))[:2] == (len(data.labels), True)
    for own in ({"size": 65, "resize": 65}, {"size": 64, "resize": 65}, {"size": 640, "resize": 640},
                {"size": 64, "resize": 64, "interpolation": "nearest"}, {"size": 64, "resize": 64, "antialias": False}):  # fmt: skip
        assert decodings(**own)[:2] == (300, False), own


def test_pixels_of_one_submission_are_bounded(monkeypatch, reference, edition, data):
    evidence = Evidence(Submission(reference), data, edition)
    evidence.preprocessing = Preprocessing(size=65, resize=65)
    monkeypatch.setattr(floor, "OWN_BYTES", 3 * 65 * 65 * 25)
    paths = tuple(data.labels)
    for start in (0, 10):
        evidence.images(paths[start : start + 10])
        evidence.images(paths[start : start + 10])  # is kept, and costs nothing
    with pytest.raises(Unreadable, match="65 x 65"):
        evidence.images(paths[20:30])


def shared(levels, width, wrap):
    inner = {"a": 1}
    for _ in range(levels):
        inner = wrap([inner] * width)
    return inner


@pytest.mark.parametrize("wrap", [lambda many: {str(i): m for i, m in enumerate(many)}, list], ids=["dicts", "lists"])  # fmt: skip
def test_weights_whose_parts_are_shared(wrap, tmp_path):
    """D5: a few kilobytes that hold the same part a thousand times, and that the same."""
    torch.save(shared(6, 60 if wrap is list else 3000, wrap), tmp_path / "model.pth")
    with ends(), pytest.raises(ValueError, match=r"entries|no tensors"):
        load_tensors(tmp_path / "model.pth")


TITLES = ["run", "model", "name", "setting", "id", "config", "lr", "optimizer", "train", "val loss", "train loss", "loss",
          "accuracy", "test map", "phase", "best", "epoch", "step", "batch"]  # fmt: skip
FIGURES = st.lists(
    st.tuples(st.sampled_from(TITLES), st.sampled_from("=:"), st.sampled_from(["1", "2", "0.5", "81,5 %"])),
    max_size=4,
)
LINES = st.lists(
    st.tuples(st.sampled_from(["", "Epoch 1", "Epoch 2", "[3/9]", "ep: 1/2"]), FIGURES), max_size=6
)


@given(LINES)
@settings(max_examples=300, deadline=None)
def test_any_log_is_read_or_is_none(lines):
    """E2 and its kin: whatever a figure of a line is called."""
    text = "\n".join(" ".join([start, *map("".join, figures)]) for start, figures in lines)
    found = logs.as_history(text, "log")
    assert found is None or all(run["epochs"] for run in found.values())


@pytest.mark.parametrize(
    "title", ["run", "setting", "config", "experiment", "model", "name", "run_name", "id", "lr"]
)
def test_a_figure_that_is_called_what_names_runs(title):
    lines = [f"Epoch {i} {title}: {i} train loss: {0.5 / i}" for i in (1, 2, 3)]
    found = logs.as_history("\n".join(lines), "log")
    assert found
    assert [e["train_loss"] for run in found.values() for e in run["epochs"]] == [0.5, 0.25, 0.5 / 3]


HUGE = [
    "scores_test.csv",
    "scores_test.json",
    "scores_test.npy",
    "run.ipynb",
    "events.out.tfevents.1",
    "log.txt",
    "model.pth",
]


def test_half_a_gigabyte_is_named_and_the_rest_is_read(tmp_path, edition, data):
    """Holes on the disk: no file of any kind is read whole to find out that it is too large."""
    for name in HUGE:
        with (tmp_path / name).open("wb") as file:
            file.truncate(500 << 20)
    (tmp_path / "metrics.json").write_text('{"test": {"accuracy": 0.5, "map": 0.25}}')
    with ends():
        submission = Submission(tmp_path, hints(edition, data))
        assert submission.metrics == {"test": {"accuracy": 0.5, "map": 0.25}}
    assert sorted(note.partition(":")[0] for note in submission.notes) == sorted(HUGE)

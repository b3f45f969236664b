"""Files that end, hang, fill or take over what reads them: each costs its own file, and nothing else."""

import json
import re
import resource
from pathlib import Path

import pytest
from attacks.readers import HINTS, SMALL
from PIL import Image

from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing
from in4310.submission.reading import RESTARTS, Readers
from in4310.submission.sandbox import worker
from in4310.submission.sandbox.worker import Sandbox

pytestmark = pytest.mark.slow  # all of them run in CI
GOOD = {"test": {"accuracy": 0.5, "map": 0.25}}
EVIL = Path(__file__).with_name("evil_readers.py")
ENDED = "reading it ended the process that reads"
STRANGE = "what reads it answered in another form than was asked for"
DEEDS = {
    "exits": ENDED,
    "exits with a status": ENDED,
    "is killed": ENDED,
    "aborts": ENDED,
    "reads nowhere": ENDED,
    "calls sys.exit": r"reading it failed \(SystemExit",
    "is interrupted": r"reading it failed \(KeyboardInterrupt",
    "closes the channel": ENDED,
    "leaves a daemon": ENDED,
    "grows": "reading it took more than 512 MiB of memory",
    "floods": "what reads it printed more than",
    "recurses": r"cannot be read \(RecursionError\)",
    "raises KeyError": r"cannot be read \(KeyError\)",
    "raises what cannot be said": r"cannot be read \(Unsayable\)",
    "raises a page": r"cannot be read \(RuntimeError\)",
    "raises MemoryError": "reading it took more than 512 MiB of memory",
    "spins": "reading it took more than 3 seconds",
    "breeds": "Resource temporarily unavailable",
    "sleeps": "reading it took more than 3 seconds",
    "notes too long a name": STRANGE,
    "claims a long header": STRANGE,
    "answers in its own name": STRANGE,
    "answers no JSON": STRANGE,
    "claims a large array": STRANGE,
    "claims a pickled array": STRANGE,
    "answers half": ENDED,
}  # fmt: skip


@pytest.fixture(scope="module")
def evil_sandbox():
    """Children whose readers do what the name of a file says."""
    before = worker.BOOT
    load = f"exec(compile(open({str(EVIL)!r}).read(), {str(EVIL)!r}, 'exec'), {{'__name__': 'evil'}})\n"
    worker.BOOT = before.replace("main(socket", load + "main(socket", 1)
    try:
        with Sandbox(SMALL) as sandbox:
            if not sandbox.tier.confined:
                pytest.skip("nothing can be confined here")
            yield sandbox
    finally:
        worker.BOOT = before


@pytest.fixture
def hand_in(tmp_path):
    """A good table of metrics, and files of these names."""
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD))
    tmp_path.chmod(0o755)

    def make(*names):
        for name in names:
            (tmp_path / name).write_text("[1, 2]")
        return tmp_path

    return make


@pytest.mark.parametrize("first", range(0, len(DEEDS), RESTARTS))
def test_a_reader_that_misbehaves_costs_the_file_that_it_was_reading(evil_sandbox, hand_in, first):
    deeds = dict(list(DEEDS.items())[first : first + RESTARTS])
    folder = hand_in(*(f"{name}.json" for name in deeds))
    with Readers(evil_sandbox, folder, seconds=3) as readers:
        submission = Submission(folder, HINTS, readers)
        assert submission.metrics == GOOD
        for name, said in deeds.items():
            (note,) = [note for note in submission.notes if note.startswith(f"{name}.json: ")]
            assert re.search(said, note), note
        assert len(submission.notes) == len(deeds)


def test_after_a_few_ends_only_what_was_read_without_harm_is_read(evil_sandbox, hand_in):
    names = [f"{i}/exits.json" for i in range(RESTARTS + 3)]
    for name in names:
        (hand_in() / name).parent.mkdir()
    folder = hand_in(*names, "zz.json")
    (folder / "zz.json").write_text(json.dumps({"layer1": 40.0, "layer2": 41.0}))
    with Readers(evil_sandbox, folder, seconds=3) as readers:
        submission = Submission(folder, HINTS, readers)
        assert submission.metrics == GOOD
        with pytest.raises(Missing):
            _ = submission.non_positive
        said = [n for n in submission.notes if "not read: 5 other files ended what reads them" in n]
        assert {n.partition(":")[0] for n in said} == {"5/exits.json", "6/exits.json", "zz.json"}


def test_a_reader_that_invents_names_costs_what_it_read(evil_sandbox, hand_in):
    with Readers(evil_sandbox, hand_in("whispers.json"), seconds=3) as readers:
        submission = Submission(hand_in(), HINTS, readers)
        with pytest.raises(Missing, match=r"cannot be read|holds nothing"):
            _ = submission.metrics


def test_a_picture_that_ends_its_reader_costs_itself(evil_sandbox, hand_in):
    folder = hand_in()
    for name in ("a", "exits", "spins", "z"):
        Image.linear_gradient("L").save(folder / f"{name}.png")
    with Readers(evil_sandbox, folder, seconds=3) as readers:
        submission = Submission(folder, HINTS, readers)
        looks = {p.stem: submission.look(p) for p in submission.pictures("plots")}
    assert {name: seen.why for name, seen in looks.items()} == {
        "a": "", "exits": ENDED, "spins": "reading it took more than 3 seconds", "z": ""}  # fmt: skip
    assert looks["z"].pixels.shape == (256, 256, 3)


def test_a_manifest_that_takes_the_memory_of_its_reader(sandbox, tmp_path):
    """H1: dotted keys are quadratic."""
    (tmp_path / "submission.toml").write_text("a." * 14_000 + "a = 1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Readers(sandbox, tmp_path) as readers:
        submission = Submission(tmp_path, HINTS, readers)
        assert submission.manifest == {}
        assert submission.notes[0].startswith("submission.toml: is left aside (")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a = 0x" + "f" * 50_000,
        "a = 1979-05-27",
        "a = nan",
        'a = "\\ud800"',
        "\0",
        "a.b.c = 1\na.b.c.d = 2",
    ],
)
def test_manifests_are_tables_or_one_line(sandbox, tmp_path, text):
    (tmp_path / "submission.toml").write_text(f"{text}\n[preprocessing]\nsize = 224\n")
    with Readers(sandbox, tmp_path) as readers:
        submission = Submission(tmp_path, HINTS, readers)
        assert submission.table("preprocessing") == ({} if text == "\0" else {"size": 224})  # that is no text
        assert all("\n" not in note for note in submission.notes)


@pytest.mark.parametrize("space", ["\u00a0", " ", "\t", "\u2003"])
def test_a_line_of_blanks_does_not_hold_the_judge_up(sandbox, tmp_path, space):
    """H3: what a notebook printed, and a pattern that is slow on it."""
    output = {"output_type": "stream", "text": f"ep{space * 1990}\n" * 3}
    cell = {"cell_type": "code", "source": "1", "outputs": [output]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD))
    with Readers(sandbox, tmp_path, seconds=3) as readers:
        assert Submission(tmp_path, HINTS, readers).metrics == GOOD

"""Files that end, hang, fill or take over what reads them, and readers that lie: each costs its own file, and nothing else."""

import copy
import errno
import io
import json
import random
import re
import resource
import struct
import subprocess
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

from in4310.errors import InputError
from in4310.submission.answers import Found, found_of, look_of
from in4310.submission.discovery import Hints
from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS, Missing
from in4310.submission.plain import NotPlain
from in4310.submission.reading import RESTARTS, Readers
from in4310.submission.sandbox import worker
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Answer, Sandbox

pytestmark = pytest.mark.slow  # all of them run in CI
CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
HINTS = Hints(CLASSES)
GOOD = {"test": {"accuracy": 0.5, "map": 0.25}}
SMALL = Limits(memory_bytes=2**29, processes=24, output_bytes=2**18)
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


# -- answers of a child that lies -----------------------------------------------------------------------

leaves = (
    st.none() | st.booleans() | st.integers(-3, 10**17) | st.floats(allow_nan=False, allow_infinity=False)
)
leaves |= st.sampled_from(
    ["", "v", "text", "array", "float", "table", "0", "nan", "../x", "/etc/passwd", "a\0b", "metrics", "test"]
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["", "v", "a", *KINDS, "train", "val", "test", "epochs"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
given_arrays = st.dictionaries(
    st.sampled_from(["0", "1", "pixels"]),
    arrays_of.arrays(st.sampled_from(["<f4", "|u1", "|b1", "<i8"]), arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4)),
)  # fmt: skip
candidates = st.lists(st.tuples(st.lists(leaves), leaves, leaves, leaves).map(list) | trees, max_size=3)
of_discovery = st.fixed_dictionaries(
    {
        "candidates": st.dictionaries(st.sampled_from(sorted(KINDS)), candidates | trees),
        "places": st.lists(leaves) | trees,
        "wrong": trees,
        "notes": st.lists(leaves) | trees,
        "networks": trees,
        "saved": trees,
        "values": st.lists(trees),
    }
)


@given(of_discovery | trees, given_arrays)
def test_a_made_up_discovery_is_refused_or_of_its_types(document, arrays):
    try:
        found = found_of(Answer(document, arrays))
    except NotPlain:
        return
    assert type(found) is Found
    for piece, several in found.candidates.items():
        for candidate in several:
            assert candidate.files
            assert not any(f.startswith("/") or ".." in f.split("/") or "\0" in f for f in candidate.files)
            kind = {"split": dict, "scores": np.ndarray, "scores_val": np.ndarray}.get(piece, object)
            assert candidate.value is None or isinstance(candidate.value, kind)


TOLD = {
    "candidates": {
        "split": [[["a.json"], "why", 1.0, 0], [["b.json"], "why", 0.5, None]],
        "scores": [[["s.npy"], "why", 1.0, 1]],
        "model": [[["m.pth"], "why", 1.0, 2]],
        "history": [[["h.json"], "why", 1.0, 3]],
        "metrics": [[["m.json"], "why", 1.0, 4]],
        "plots": [[["p.png", "n.ipynb"], "why", 1.0, 5]],
    },
    "places": ["split"],
    "wrong": {"ranking": "why"},
    "notes": ["a note"],
    "networks": {"model": [[["m.pth"], "why", 1.0, None]]},
    "saved": {"n.ipynb": ["1.png"]},
    "values": [
        {"train": ["sea/1.jpg"], "val": [], "test": []},
        {"": "array", "v": "0"},
        [18, 6, {"conv1.weight": "a"}, "how"],
        {"run": {"settings": {}, "epochs": [{"epoch": 1}]}},
        {"test": {"accuracy": {"": "float", "v": "nan"}}},
        None,
    ],
}
OUTSIDE = ["../x", "/etc/passwd", "a/../../b", "a\0b", "", ".", 5, None, ["a"]]
LIES = [
    *((("candidates", "split", 0, 0, 0), file) for file in OUTSIDE),
    *((("candidates", "plots", 0, 0, 1), file) for file in OUTSIDE),
    *((("saved",), {file: []}) for file in OUTSIDE if type(file) is str),
    *((("saved", "n.ipynb", 0), name) for name in ("../x", "a\0", 5, None)),
    *((("candidates", "split", 0, 3), index) for index in (-1, 6, 10**9, True, 1.0, "0", [], 5)),
    *((("candidates", "split", 0, 2), strength) for strength in (1, "1", None, [])),
    *((("candidates", "split", 0, 1), why) for why in (1, None, [])),
    *((("candidates", "split", 0), one) for one in ([], [["a"], "w", 1.0], [[], "w", 1.0, 0], {}, "text", None)),
    *((("candidates", "scores", 0, 3), index) for index in (0, 2, 3, 4, 5)),
    *((("candidates", "model", 0, 3), index) for index in (0, 1, 3, 4)),
    *((("candidates", "history", 0, 3), index) for index in (0, 1, 2, 4, 5)),
    *((("candidates", "metrics", 0, 3), index) for index in (1, 2, 5)),
    *((("candidates", "plots", 0, 3), index) for index in (0, 1, 2, 3, 4)),
    *(((field,), value) for field in TOLD for value in (None, 3, "text")),
    *((("values", 0, "train"), value) for value in ("sea/1.jpg", [1], [["a"]], {"": "array", "v": "0"}, None)),
    *((("values", 2, 0), depth) for depth in (17, True, 18.0, "18", None)),
    *((("values", 2, 2), names) for names in ([], {"a": 1}, None, {"a": {"": "array", "v": "0"}})),
    *((("values", 3, "run"), run) for run in ([], {"epochs": {}}, {"epochs": [1]}, {"settings": [], "epochs": []}, {})),
    *((("values", 4, "test"), value) for value in ({"": "array", "v": "0"}, {"a": [{"": "array", "v": "0"}]}, {"": "code", "v": "x"})),
    *((("values", 1), value) for value in ({"": "array", "v": "9"}, {"": "array", "v": []}, {"": "array"}, {"": "text", "v": "zz"})),
    (("places", 0), 1), (("wrong", "ranking"), 1), (("notes", 0), None), (("more",), 1),
]  # fmt: skip


@pytest.mark.parametrize(("place", "lie"), LIES)
def test_a_lie_about_a_type_refuses_the_answer(place, lie):
    arrays = {"0": np.zeros((2, 6), np.float32)}
    assert found_of(Answer(TOLD, arrays)).candidates["scores"][0].value.shape == (2, 6)
    document = copy.deepcopy(TOLD)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = lie
    with pytest.raises(NotPlain):
        found_of(Answer(document, arrays))


@given(trees, given_arrays)
def test_a_made_up_look_is_refused_or_a_picture(document, arrays):
    try:
        seen = look_of(Answer(document, arrays))
    except NotPlain:
        return
    assert type(seen.why) is type(seen.digest) is str
    assert seen.pixels is None or (seen.pixels.dtype == np.uint8 and seen.pixels.shape[2:] == (3,))


def one_line(error):
    assert "\n" not in str(error)


class Lying:
    """A sandbox whose children answer anything."""

    limits = SMALL
    tier = Tier(namespaces=True, landlock=True)

    def __init__(self, document, arrays):
        self.document, self.arrays = document, arrays

    @contextmanager
    def worker(self, folder, limits=None, live=True):
        yield self

    def call(self, task, arguments, arrays, seconds, noted):
        noted("metrics.json")
        return Answer(self.document, self.arrays)


@pytest.fixture(scope="module")
def lied_about(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lied about")
    (folder / "submission.toml").write_text("[submission]\n")
    (folder / "model.pth").touch()
    return folder


@given(st.fixed_dictionaries({"read": trees | of_discovery}) | trees, given_arrays)
def test_whatever_a_child_answers_the_judge_goes_on(lied_about, document, arrays):
    readers = Readers(Lying(document, arrays), lied_about)
    try:
        submission = Submission(lied_about, HINTS, readers)
    except InputError as error:
        one_line(error)
        return
    for piece in KINDS:
        try:
            submission.candidate(piece)
            submission.pictures(piece)
        except Missing as why:
            one_line(why)
    with pytest.raises(Missing):
        submission.network("model", "model.pth")
    assert type(submission.look(lied_about / "x.png").why) is str
    assert type(submission.source) is list
    assert type(submission.name) is str
    assert type(readers.code(10)) is str


def test_an_error_of_the_disk_is_no_fault_of_a_file(lied_about):
    """What the child says of it is believed: its hand-in alone is judged another time."""
    with pytest.raises(OSError, match="Input/output error"):
        Submission(lied_about, HINTS, Readers(Lying({"lacking": errno.EIO}, {}), lied_about))


# -- files ----------------------------------------------------------------------------------------------


def test_a_manifest_that_takes_the_memory_of_its_reader(sandbox, tmp_path):
    """H1: dotted keys are quadratic."""
    (tmp_path / "submission.toml").write_text("a." * 14_000 + "a = 1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        Readers(sandbox, tmp_path) as readers,
        pytest.raises(InputError, match=r"submission.toml: not valid TOML"),
    ):
        Submission(tmp_path, HINTS, readers)
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
        try:
            assert Submission(tmp_path, HINTS, readers).table("preprocessing") == {"size": 224}
        except InputError as error:
            one_line(error)


@pytest.mark.parametrize("space", ["\u00a0", " ", "\t", "\u2003"])
def test_a_line_of_blanks_does_not_hold_the_judge_up(sandbox, tmp_path, space):
    """H3: what a notebook printed, and a pattern that is slow on it."""
    output = {"output_type": "stream", "text": f"ep{space * 1990}\n" * 3}
    cell = {"cell_type": "code", "source": "1", "outputs": [output]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    (tmp_path / "metrics.json").write_text(json.dumps(GOOD))
    with Readers(sandbox, tmp_path, seconds=3) as readers:
        assert Submission(tmp_path, HINTS, readers).metrics == GOOD


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n10 10 moveto\n"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "loss.pdf", "loss.svg"])
def test_no_program_is_started_for_a_picture(tmp_path, name, monkeypatch):
    """H4: Pillow starts Ghostscript for EPS."""
    (tmp_path / name).write_bytes(EPS + b" " * 600)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program is started"))
    seen = Submission(tmp_path).look(tmp_path / name)
    assert seen.pixels is None
    assert seen.why.startswith(("is not a readable picture", "not a PDF")) or name.endswith(".svg")


FORMATS = {"PNG": "RGBA", "JPEG": "RGB", "IM": "L", "DDS": "RGB", "JPEG2000": "RGB", "TIFF": "L", "GIF": "P", "WEBP": "RGB",
           "AVIF": "RGB", "SGI": "L", "TGA": "RGB", "BMP": "RGB", "ICNS": "RGBA", "ICO": "RGBA", "PCX": "L", "PPM": "RGB", "PDF": "RGB"}  # fmt: skip


def test_mutated_pictures_are_shown_or_refused(tmp_path):
    """E4: what Pillow raises on a damaged picture is of any kind."""
    random_ = random.Random(0)
    submission = Submission(tmp_path)
    shown = 0
    for kind, mode in FORMATS.items():
        stream = io.BytesIO()
        try:
            Image.linear_gradient("L").resize((32, 32)).convert(mode).save(stream, kind)
        except (OSError, KeyError):
            continue  # this Pillow cannot write it
        for _ in range(100):
            content = bytearray(stream.getvalue())
            for _ in range(random_.randint(1, 8)):
                content[random_.randrange(len(content))] = random_.randrange(256)
            content = content[: random_.randint(len(content) // 2, len(content) * 2)]
            (tmp_path / "x.png").write_bytes(content)
            seen = submission.look(tmp_path / "x.png")
            assert (seen.pixels is None) == seen.why.startswith("is not a readable picture"), (kind, seen.why)
            assert seen.pixels is None or kind in ("PNG", "JPEG")
            shown += seen.pixels is not None
    assert shown > 20


def blank_png(side):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_many_large_pictures_in_small_files_share_one_bound(sandbox, tmp_path):
    """D3: 8 KB each, 64 million pixels each."""
    for i in range(20):
        (tmp_path / f"loss {chr(97 + i)}.png").write_bytes(blank_png(8192) + bytes([i]))
    assert (tmp_path / "loss a.png").stat().st_size < 20_000
    with Readers(sandbox, tmp_path) as readers:
        submission = Submission(tmp_path, HINTS, readers)
        looks = [submission.look(p) for p in submission.pictures("plots")]
    assert [seen.pixels is not None for seen in looks] == [True] * 8 + [False] * 12
    assert looks[-1].why == "has 8192 x 8192 pixels, expected at most 0 in all"


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-" + b" " * 600,
        b"%PDF-1.7\n" + b"[" * 10**6,
        b"%PDF-1.4\n1 0 obj<</Length 99999999999>>stream\n" + b"x" * 600,
    ],
)
def test_a_pdf_is_looked_at_and_never_parsed(sandbox, tmp_path, content):
    """D6: whatever a PDF holds, it costs nothing."""
    (tmp_path / "loss.pdf").write_bytes(content)
    with Readers(sandbox, tmp_path, seconds=3) as readers:
        assert Submission(tmp_path, HINTS, readers).look(tmp_path / "loss.pdf").pixels is None

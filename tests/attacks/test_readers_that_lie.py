"""Readers that lie: what a child answers is refused or of its types, and the judge goes on."""

import copy
import errno
from contextlib import contextmanager

import numpy as np
import pytest
from attacks.readers import HINTS, SMALL, one_line
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from in4310.errors import InputError
from in4310.submission.answers import Found, found_of, look_of
from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS, Missing
from in4310.submission.plain import NotPlain
from in4310.submission.reading import Readers
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.worker import Answer

pytestmark = pytest.mark.slow  # all of them run in CI
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

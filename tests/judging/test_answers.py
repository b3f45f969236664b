"""Whatever a child answers is a finding about the student's function, never an error of the judge."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from judging.test_asked import CHECKS as ON_DATA
from judging.test_asked_network import CHECKS as ON_NETWORK

from in4310.judging import asked_network
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.sandbox.messages import DTYPES
from in4310.submission.sandbox.worker import Answer

CHECKS = {**ON_DATA, **ON_NETWORK, "train_loader": asked_network.check_train_loader}
MODULES = asked_network.LOOKED_INTO
KEYS = [
    "train",
    "val",
    "test",
    "accuracy",
    "mean_accuracy",
    "map",
    "top",
    "bottom",
    "array",
    "number",
    *MODULES,
]
NAMES = ["array0", "array1", "nope", ""]


def trees():
    """JSON as the decoder lets it through, with references to arrays that are there and to others."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(10**18), 10**18)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(["", "c1/3.jpg", "nan", "\0", "x" * 500])
        | st.builds(
            lambda n: {"array": n}, st.sampled_from(NAMES) | st.sampled_from([[1], {}, None, 1, ["array0"]])
        )
        | st.builds(lambda n: {"number": n}, st.sampled_from(["nan", "inf", "-inf", "", "1"]))
    )
    keys = st.sampled_from(KEYS)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=12)  # fmt: skip


def plain(value):
    return st.lists(value, max_size=6) | value


def fitting():
    """Answers of the right outer form, with anything inside."""
    sets = st.lists(st.sampled_from(["forest/1 a.jpg", "sea/2 a.jpg", "sea/3 a.jpg"]), max_size=4)
    figures = st.floats(allow_nan=False, allow_infinity=False) | trees()
    return (
        st.fixed_dictionaries({"train": sets | trees(), "val": sets, "test": sets})
        | st.fixed_dictionaries({m: plain(figures) for m in MODULES})
        | st.lists(plain(figures), min_size=len(MODULES), max_size=len(MODULES))
        | st.fixed_dictionaries({"accuracy": figures, "mean_accuracy": figures, "map": figures})
        | st.fixed_dictionaries({"top": plain(trees()), "bottom": plain(trees())})
        | st.lists(st.lists(st.integers(0, 100), max_size=90), min_size=2, max_size=2)
        | st.sampled_from(["array0", "array1"]).map(lambda n: [{"array": n}] * 40)
    )


def arrays():
    """Of every type that a message may hold, of any shape: none, empty, deep; any value."""
    dtypes = st.sampled_from(sorted(DTYPES)).map(np.dtype)
    shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple) | st.sampled_from(
        [(3, 0, 0), (3, 8, 8), (0,), ()]
    )
    return dtypes.flatmap(lambda d: shapes.flatmap(lambda s: arrays_of.arrays(d, s)))


class Answering:
    """In the place of a submission's live code: what it answers to each call, one after the other."""

    def __init__(self, answers):
        self.answers, self.asked = answers, 0

    def task(self, task, name, arguments, given):
        result, found, keep = self.answers[self.asked % len(self.answers)]
        self.asked += 1
        if task == "train":  # its answer is arrays by name: the right names, some with other values
            found = dict(given_weights(given)) | dict(
                zip(sorted(given_weights(given)), found.values(), strict=False)
            )
            if keep:
                shapes = given_weights(given)
                found = {n: np.resize(a, shapes[n].shape).astype(shapes[n].dtype) if a.size else shapes[n]
                         for n, a in found.items()}  # fmt: skip
        return Answer(result, found)

    def call(self, name, arguments, **given):
        return self.task("call", name, arguments, given)


def given_weights(given):
    return {n.removeprefix("weights/"): a for n, a in given.items() if n.startswith("weights/")}


ANSWERS = st.lists(
    st.tuples(
        trees() | fitting(), st.fixed_dictionaries({"array0": arrays(), "array1": arrays()}), st.booleans()
    ),
    min_size=1,
    max_size=4,
)


def is_judged(check, answers):
    judge = Judge()
    with np.errstate(all="ignore"):
        CHECKS[check](Answering(answers), judge)
    assert judge.findings
    assert judge.outcome in (Outcome.FAILED, Outcome.PASSED)
    assert judge.reason or judge.outcome is Outcome.PASSED
    return judge


@pytest.mark.parametrize("check", CHECKS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=ANSWERS)
def test_any_answer_is_judged(check, answers):
    is_judged(check, answers)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers=ANSWERS)
def test_any_answer_is_judged_many(check, answers):
    is_judged(check, answers)


@pytest.mark.parametrize("check", ["non_positive", "spectrum"])
@pytest.mark.parametrize(
    "value", [{"array": "nope"}, {"array": [1]}, {"array": {}}, {"array": None}, [{"array": 1}], {}]
)
def test_references_to_no_array(check, value):
    """E1"""
    judge = is_judged(check, [(dict.fromkeys(MODULES, value), {}, False)])
    assert judge.outcome is Outcome.FAILED
    assert is_judged(check, [(value, {}, False)]).outcome is Outcome.FAILED


@pytest.mark.parametrize("shape", [(3, 0, 0), (0, 3, 3), (3, 4), (3,), (), (1, 3, 4, 4)])
def test_tensors_of_no_image(shape):
    """E1"""
    answer = [{"array": "array0"}] * 40, {"array0": np.zeros(shape, np.float32)}, False
    judge = is_judged("transform", [answer])
    assert judge.outcome is Outcome.FAILED
    assert "tensor (3, S, S)" in judge.reason

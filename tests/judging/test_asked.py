"""Live functions: right ones pass, known mistakes fail and are named, a hostile one costs its own points only."""

import shutil
import sys
from types import SimpleNamespace

import pytest

from in4310.judging import asked
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.folder import Submission
from in4310.submission.live import Live
from in4310.submission.pieces import Missing, NotHere
from in4310.submission.reading import Readers
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.worker import Sandbox

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
RIGHT = """
import random
import numpy as np

def split(labels, test, val, seed):
    rng = random.Random(seed)
    by_class = {}
    for path in sorted(labels):
        by_class.setdefault(labels[path], []).append(path)
    sets = {"train": [], "val": [], "test": []}
    for c in sorted(by_class):
        paths = by_class[c]
        rng.shuffle(paths)
        a, b = round(test * len(paths) / len(labels)), round(val * len(paths) / len(labels))
        sets["test"] += paths[:a]
        sets["val"] += paths[a:a + b]
        sets["train"] += paths[a + b:]
    return sets

def overlap(train, val, test):
    return sorted(set(train) & set(val) | set(train) & set(test) | set(val) & set(test))

def metrics(labels, scores):
    from sklearn.metrics import average_precision_score
    chosen = scores.argmax(axis=1)
    classes = range(scores.shape[1])
    return {
        "accuracy": float((chosen == labels).mean()),
        "mean_accuracy": float(np.mean([(chosen[labels == c] == c).mean() for c in classes])),
        "map": float(np.mean([average_precision_score(labels == c, scores[:, c]) for c in classes])),
    }

def rank(scores, paths, column, k):
    order = np.argsort(-scores[:, column])
    return {"top": [paths[i] for i in order[:k]], "bottom": [paths[i] for i in order[-k:]]}

def compare(saved, scores):
    return bool(np.allclose(saved, scores, atol=1e-4))
"""
CHECKS = {
    "split": lambda given, judge: asked.check_split(given, judge, CLASSES),
    "overlap": lambda given, judge: asked.check_overlap(given, judge, CLASSES),
    "metrics": lambda given, judge: asked.check_metrics(given, judge, CLASSES),
    "rank": asked.check_rank,
    "compare": asked.check_compare,
}


@pytest.fixture
def judged(sandbox, tmp_path):
    def run(name, source):
        (tmp_path / "oblig1.py").write_text(source)
        given = Live(sandbox, tmp_path, {name: f"oblig1:{name}"})
        assert given.has(name)
        judge = Judge()
        CHECKS[name](given, judge)
        assert given.called == [name]
        return judge

    return run


@pytest.mark.parametrize("name", CHECKS)
def test_right_functions_pass(judged, name):
    judge = judged(name, RIGHT)
    assert judge.outcome is Outcome.PASSED, judge.reason
    assert len(judge.findings) >= 2


@pytest.mark.parametrize(
    ("name", "right", "wrong", "says"),
    [
        ("split", "random.Random(seed)", "random.Random()", "split called twice with one seed"),
        ("split", "random.Random(seed)", "random.Random(42)", "the seed has no effect"),
        ("split", "in sorted(labels)", "in labels", "order in which files are listed"),
        ("split", "paths[a:a + b]", "paths[a - 1:a + b]", "files twice"),
        ("split", "(test * len(paths) / len(labels))", "(test * (1.9 if c == 'sea' else 1) * len(paths) / len(labels))",
         "off the proportion"),
        ("split", "    return sets", "    return 7", "answer of 'split'"),
        ("overlap", "    return sorted(", "    return [] and sorted(", "cannot fail"),
        ("overlap", "set(val) & set(test))", "set())", "validation and test"),
        ("overlap", "    return sorted(", "    return 1 or sorted(", "disjoint sets"),
        ("metrics", '"mean_accuracy": float(np.mean([(chosen[labels == c] == c).mean() for c in classes]))',
         '"mean_accuracy": float((chosen == labels).mean())', "this is the overall accuracy"),
        ("metrics", "scores[:, c])", "chosen == c)", "the AP of the predicted classes"),
        ("metrics", 'float((chosen == labels).mean()),', 'float("nan"),', "accuracy on random scores"),
        ("rank", "-scores[:, column]", "-scores.max(axis=1)", "largest score of any class"),
        ("rank", "order[-k:]", "order[:k]", "bottom of the top"),
        ("compare", "np.allclose(saved, scores, atol=1e-4)", "np.array_equal(saved, scores)", "rounding noise"),
        ("compare", "np.allclose(saved, scores, atol=1e-4)", "np.allclose(saved, saved)", "compared with itself"),
        ("compare", "atol=1e-4", "atol=0.1", "too wide"),
    ],
)  # fmt: skip
def test_mistakes_in_functions_are_found(judged, name, right, wrong, says):
    assert right in RIGHT
    judge = judged(name, RIGHT.replace(right, wrong, 1))
    assert judge.outcome is Outcome.FAILED
    assert (
        any(says in f"{f.asked} {f.found}" for f in judge.findings if f.outcome is Outcome.FAILED)
        or says in judge.mistake
    )


@pytest.mark.parametrize(
    "attack",
    [
        "import os; os._exit(0)",
        "raise SystemExit(0)",
        "import builtins; builtins.abs = lambda x: 0; return {'top': [], 'bottom': []}",
        "return type('Yes', (list,), {'__eq__': lambda *a: True})()",
        "return {'top': paths, 'bottom': paths}",
    ],
)
def test_hostile_functions_earn_nothing(judged, attack):
    judge = judged("rank", f"def rank(scores, paths, column, k):\n    {attack}\n")
    assert judge.outcome is Outcome.FAILED


@pytest.mark.slow
def test_where_nothing_is_confined_only_trusted_code_is_called(tmp_path):
    (tmp_path / "oblig1.py").write_text(RIGHT)
    with Sandbox() as other:
        other._tier = Tier(False, False, "for this test")
        assert not Live(other, tmp_path, {"rank": "oblig1:rank"}).has("rank")
        trusted = Live(other, tmp_path, {"rank": "oblig1:rank"}, trusted=True)
        assert trusted.has("rank") == (sys.platform == "linux")
        judge = Judge()
        asked.check_rank(trusted, judge)
    assert judge.outcome is (Outcome.PASSED if sys.platform == "linux" else Outcome.FAILED), judge.reason


@pytest.mark.parametrize(
    ("check", "function", "lacking"),
    [
        ("split_seed", "split", ("plan.json", "history")),
        ("comparison_recorded", "compare", ("reproduction.json", "run.py")),
    ],
)
def test_a_function_that_cannot_be_confined_here_costs_nothing(run_check, folder, check, function, lacking):
    for place in (folder / name for name in (*lacking, "submission.toml")):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    edition = load_edition("demo")
    evidence = Evidence(Submission(folder), resolve_data(edition, None), edition)
    evidence.live = Live(SimpleNamespace(tier=Tier(False, False)), folder, {})
    with pytest.raises(Missing) as nothing:
        run_check(check, evidence)
    assert not isinstance(nothing.value, NotHere)
    evidence.live.adapters[function] = f"oblig1:{function}"
    with pytest.raises(NotHere, match="was not called"):
        run_check(check, evidence)


def test_weights_are_opened_in_a_child(sandbox, reference, tmp_path):
    import torch

    from in4310.submission.weights import load_tensors

    with Readers(sandbox, reference) as readers:
        confined = readers.tensors("model.pth")
    own = load_tensors(reference / "model.pth")
    assert set(confined) == set(own)
    assert all(torch.equal(confined[name], own[name]) for name in own)

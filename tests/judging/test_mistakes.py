"""The registry of mistakes: each is found again from its own figures, and nothing is claimed of figures that fit none."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from in4310.judging import mistakes
from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.mistakes import REGISTRY, metrics, rankings, scores, spectra
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.orders import places_by_rule
from in4310.judging.mistakes.outputs import Rows
from in4310.judging.mistakes.search import (
    Claim,
    Tally,
    World,
    best,
    known,
    search,
    seen,
    worlds_of,
)
from in4310.solution.metrics import evaluate
from in4310.submission.source import Call

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
SIZES = (9, 31, 17, 40, 23, 37)


@pytest.fixture(scope="module")
def scored():
    """Unbalanced classes, a network that is often wrong, and a last batch that is short."""
    generator = np.random.default_rng(5)

    def one():
        labels = generator.permutation(np.repeat(np.arange(6), SIZES))
        logits = generator.normal(size=(len(labels), 6)) + 1.4 * np.eye(6)[labels]
        values = np.exp(logits)
        return labels, values / values.sum(axis=1, keepdims=True)

    return {"test": one(), "val": one()}


@pytest.fixture(scope="module")
def evidence(scored):
    paths = tuple(f"{CLASSES[c]}/{i} a.jpg" for i, c in enumerate(scored["test"][0]))
    val = tuple(f"{CLASSES[c]}/v{i}.jpg" for i, c in enumerate(scored["val"][0]))
    kept = {}
    return SimpleNamespace(
        once=lambda key, make: kept[key] if key in kept else kept.setdefault(key, make()),
        scored=scored.get,
        labels=lambda name: scored[name][0],
        judged_by=lambda name: scored[name][1],
        classes=CLASSES,
        source=[Call("evaluate.py", 41, "DataLoader", ("<test>",), {"shuffle": True}, "test_loader")],
        split={"test": paths, "val": val},
        known={"test": paths, "val": val}.get,
        data=SimpleNamespace(labels={p: p.split("/")[0] for p in (*paths, *val)}),
        submission=SimpleNamespace(
            located={"scores_val": ("scores_val.npy", "")},
            history={"adam": {"epochs": [{"epoch": 3, "test_accuracy": 0.51234567, "test_map": 0.43217654}]}},
        ),
        claimed_metrics=lambda name: {},
        measured=lambda name: evaluate(*scored[name], CLASSES),
        handed_in=lambda name: scored[name][1],
    )


@given(st.data())
def test_average_precision_is_that_of_scikit_learn(data):
    from sklearn.metrics import average_precision_score

    rows = data.draw(st.integers(1, 40))
    positive = data.draw(arrays(bool, rows).filter(np.any))
    values = st.sampled_from([0.0, 0.25, 0.5]) | st.floats(0, 1)  # with ties and without
    score = data.draw(arrays(np.float64, rows, elements=values))
    assert metrics.average_precision(positive, score) == pytest.approx(
        average_precision_score(positive, score)
    )


def test_every_hypothesis_says_what_to_do():
    assert len(REGISTRY) >= 60
    for key, h in REGISTRY.items():
        assert key == f"{h.about}/{h.name}"
        assert h.sentence[0].islower() or h.sentence.startswith(("F1", "{}"))
        assert h.mend or h.about.startswith("form: ")  # of those, the check may say it
        assert not h.link or h.link.startswith("https://")


def test_a_sentence_stands_in_one_place():
    """Another way to tell a mistake says it in the same words, under the same name; no two mistakes share them."""
    names = {}
    for h in REGISTRY.values():
        names.setdefault(h.sentence, set()).add(h.name)
    assert all(len(of_one) == 1 for of_one in names.values()), names


# -- metrics -----------------------------------------------------------------------------------------

KEYS = [("accuracy", None), ("mean_accuracy", None), ("map", None), *[("accuracy", c) for c in CLASSES],
        *[("ap", c) for c in CLASSES]]  # fmt: skip


@pytest.mark.parametrize("name", [h.name for h in known("metric")])
@pytest.mark.parametrize("digits", [9, 4])
def test_a_metric_names_the_mistake_that_gave_it(evidence, scored, name, digits):
    mistake = REGISTRY[f"metric/{name}"]
    case = metrics.of_submission(evidence, "test")
    wrong, kinds, chosen = {}, set(), None
    for key in KEYS:
        guesses = metrics._listed(mistake.figure(case, key))  # one variant of it, the same for all figures
        if guesses and chosen is None:
            usual = [d for _, d in guesses if d in ("", "batches of 64", "val", "reversed")]
            chosen = (usual or [guesses[0][1]])[0]
        value = next((v for v, detail in guesses if detail == chosen), None)
        if value is not None and abs(value - case.right(key)) > 2e-3:
            wrong[key] = round(value, digits)
            kinds.add(key[0])
    assert wrong
    (found,) = metrics.diagnose(metrics.of_submission(evidence, "test"), wrong, Budget())
    assert name in [n for m in found for n in m.names]
    least = min(abs(v - case.right(key)) for key, v in wrong.items())
    for match in found:
        assert match.under * 5 <= match.without == pytest.approx(least)
        assert match.quality.startswith(f"{len(wrong)} figures: ")
        assert match.places == ()
        assert isinstance(match.detail, str)


def test_the_right_figures_are_those_of_the_solution(evidence, scored):
    labels, values = scored["test"]
    ours = evaluate(labels, values, CLASSES)
    case = metrics.Scored(labels, values, tuple(CLASSES), {})
    assert case.right(("accuracy", None)) == pytest.approx(ours.accuracy)
    assert case.right(("mean_accuracy", None)) == pytest.approx(ours.mean_accuracy)
    assert case.right(("map", None)) == pytest.approx(ours.map)
    for c in CLASSES:
        assert case.right(("accuracy", c)) == pytest.approx(ours.accuracy_per_class[c])
        assert case.right(("ap", c)) == pytest.approx(ours.ap_per_class[c])
    without = metrics.Scored(labels[labels != 2], values[labels != 2], tuple(CLASSES), {})
    assert without.right(("accuracy", "glacier")) is None
    assert without.right(("ap", "glacier")) is None
    five = [v for c in CLASSES if (v := without.right(("accuracy", c))) is not None]
    assert without.right(("mean_accuracy", None)) == pytest.approx(np.mean(five))
    nothing = metrics.Scored(labels[:0], values[:0], tuple(CLASSES), {})
    assert nothing.right(("map", None)) is None


def test_two_digits_are_too_few_for_a_claim(evidence, scored):
    right = metrics.Scored(*scored["test"], tuple(CLASSES), {}).right(("mean_accuracy", None))
    wrong = {("accuracy", None): round(right, 2)}
    assert list(metrics.diagnose(metrics.of_submission(evidence, "test"), wrong, Budget())) == [[]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.05, 0.95), min_size=6, max_size=6))
@pytest.mark.slow
def test_figures_that_fit_nothing_are_not_explained(evidence, values):
    wrong = {("ap", c): v for c, v in zip(CLASSES, values, strict=True)}
    assert list(metrics.diagnose(metrics.of_submission(evidence, "test"), wrong, Budget())) == [[]]


# -- scores: what was done with the output ---------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


OUTPUTS = {
    "logits": lambda p: np.log(p) + np.linspace(-3, 5, len(p))[:, None],
    "log-softmax": np.log,
    "softmax-twice": softmax,
    "sigmoid": lambda p: 1 / (1 + np.exp(-(np.log(p) + 1.5))),
    "temperature": lambda p: softmax(np.log(p) / 3),
    "percent": lambda p: 100 * p,
    "rounded": lambda p: np.round(p, 2),
    "classes-permuted": lambda p: p[:, [2, 0, 1, 3, 5, 4]],
    "rows-shuffled": lambda p: p[np.random.RandomState(0).permutation(len(p))],
    "rows-by-rule": lambda p: np.roll(p, 1, axis=0),
    "row-sorted": lambda p: np.sort(p, axis=1),
    "over-sum": lambda p: (np.log(p) + 9) / (np.log(p) + 9).sum(axis=1, keepdims=True),
    "linear": lambda p: 0.9 * p + 0.1 / 6,
    "clipped": lambda p: np.clip(p, 0.05, 0.95),
    "over-largest": lambda p: p / p.max(axis=1, keepdims=True),
    "power": lambda p: p**2,
    "min-max": lambda p: (
        np.log(p / p.min(axis=1, keepdims=True)) / np.log(np.max(p, 1) / np.min(p, 1))[:, None]
    ),
    "softmax-of-all": lambda p: p * np.linspace(1, 9, len(p))[:, None] / (5 * len(p)),
    "cut-off": lambda p: np.floor(100 * p) / 100,
    "log-of-scores": np.log10,
}


@pytest.mark.parametrize("name", [h.name for h in known("scores: output") if h.name != "single-rows"])
def test_scores_name_what_was_done_to_them(evidence, scored, name):
    labels, right = scored["test"]
    claimed = OUTPUTS[name](right)
    at = np.arange(0, len(right), 3)
    found, by_rule = {}, places_by_rule(tuple(evidence.split["test"]), labels)
    for h in known("scores: output"):
        found[h.name] = h.figure(claimed, Rows(at, right[at], orders=by_rule))[0]
    assert found[name] <= 1e-3
    assert [other for other, under in found.items() if under <= 1e-3] == [name]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_invented_scores_are_not_explained(scored, seed):
    right = scored["test"][1]
    claimed = np.random.default_rng(seed).dirichlet(np.full(6, 0.4), len(right))
    at = np.arange(0, len(right), 3)
    assert all(h.figure(claimed, Rows(at, right[at]))[0] > 1e-2 for h in known("scores: output"))


# -- ranking ------------------------------------------------------------------------------------------


def differing(listed, wanted):
    """Places that differ, whichever way round a list is written."""
    return min(sum(a != b for a, b in zip(listed, w, strict=True)) for w in (wanted, wanted[::-1]))


@pytest.mark.parametrize("k", [10, 5])
@pytest.mark.parametrize("name", [h.name for h in known("ranking")])
def test_a_ranking_names_the_mistake_that_gave_it(evidence, scored, name, k):
    values, paths = scored["test"][1], evidence.split["test"]
    if name == "as-texts":
        values = values**6 / (values**6).sum(axis=1, keepdims=True)  # some are written with an exponent
    labels, others = scored["test"][0], {"val": (evidence.split["val"], scored["val"][1])}
    wrong, off = {}, 0
    for c in ("sea", "forest"):
        board = rankings.Board(values, paths, labels, CLASSES, c, k, others)
        guess = next(iter(REGISTRY[f"ranking/{name}"].figure(board)))
        order = np.argsort(-guess.value, kind="stable")
        listed = [guess.paths[i] for i in order]
        wrong[c] = {"top": listed[guess.top], "bottom": listed[guess.bottom][::-1]}
        right = [paths[i] for i in np.argsort(-values[:, CLASSES.index(c)], kind="stable")]
        off += differing(wrong[c]["top"], right[:k]) + differing(wrong[c]["bottom"], right[-k:])
    found = rankings.diagnose(rankings.boards(evidence, values, wrong), wrong, 1e-9, Budget())
    assert name in [n for m in found for n in m.names]
    assert {m.quality for m in found} == {f"{4 * k} places: 0 differ, against {off} without the mistake"}
    assert all(isinstance(m.detail, str) and m.places == () for m in found)


def test_a_ranking_that_fits_nothing_is_not_explained(evidence, scored):
    paths = evidence.split["test"]
    wrong = {"sea": {"top": list(paths[40:50]), "bottom": list(paths[60:70])}}
    assert rankings.diagnose(rankings.boards(evidence, scored["test"][1], wrong), wrong, 1e-9, Budget()) == []


# -- spectra ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [h.name for h in known("eigenvalues")])
def test_eigenvalues_of_a_mistake_are_not_the_right_ones(name):
    """A hypothesis that gave the right figure could never be told from no mistake."""
    x = np.random.default_rng(1).gamma(2.0, size=(90, 7)) * np.arange(1, 8)
    right = spectra.right(x)
    np.testing.assert_allclose(right, np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1])
    for values, _ in REGISTRY[f"eigenvalues/{name}"].figure(x, 7):
        assert spectra._off(np.asarray(values), right) > 5e-3


# -- which match is named -----------------------------------------------------------------------------


def match(name, under, more=()):
    parts = tuple(Hypothesis(n, "x", n, "mend", "https://x", print) for n in (name, *more))
    return Match(parts, under, 1.0, 10)


def test_the_smallest_and_closest_mistake_is_named_and_those_that_fit_alike():
    pair = match("a", 1e-9, ("b",))
    assert [m.names for m in best([pair, match("c", 1e-7), match("d", 1e-4)])] == [("c",)]
    assert [m.names for m in best([match("c", 3e-7), match("d", 9e-7)])] == [("c",), ("d",)]
    assert best([pair]) == [pair]
    many = [match(name, 1e-9 * i) for i, name in enumerate("abcdef")]
    assert [m.names[0] for m in best(many)] == ["a", "b", "c", "d"]
    twice = best([match("a", 2e-7), match("a", 1e-7)])
    assert [(m.names, m.under) for m in twice] == [(("a",), 1e-7)]
    assert best([]) == []


def claim(claimed, without, tolerance=0.1, **more):
    """Of one figure, by what a mistake `x` gives for it."""
    ask = lambda figure, given, key: [(guess, "") for guess in given]  # noqa: E731
    return Claim(
        (0,),
        lambda _, guess: abs(guess - claimed),
        lambda _: tolerance,
        without,
        "figures",
        print,
        ask,
        **more,
    )


@given(st.floats(0, 10), st.floats(0, 10), st.floats(1e-9, 1))
def test_a_match_is_within_tolerance_and_much_better_than_no_mistake(under, without, tolerance):
    mistake = Hypothesis("a", "x", "a", "mend", "https://x", print)
    found = list(claim(0.0, without, tolerance).explained(World([under]), mistake))
    assert len(found) == (under <= tolerance < without and under * 5 <= without)


@pytest.mark.parametrize(
    ("under", "without", "tolerance", "right"),
    [
        (1.0, 5.0, 1.0, True),  # on the edge of the tolerance, and exactly five times better
        (1.0, 4.9, 1.0, False),
        (1.1, 50.0, 1.0, False),
        (0.0, 1.0, 1.0, False),  # without the mistake it is within tolerance: nothing is wrong
        (0.0, 1.1, 1.0, True),
    ],
)
def test_the_edges_of_a_fit(under, without, tolerance, right):
    mistake = Hypothesis("a", "x", "a", "mend", "https://x", print)
    assert bool(list(claim(0.0, without, tolerance).explained(World([under]), mistake))) is right


def test_many_guesses_explain_nothing_that_few_digits_fit_by_chance():
    mistake = Hypothesis("a", "x", "a", "mend", "https://x", print)
    few = claim(0.5, 0.3, 0.001, chance=0.004)
    assert len(list(few.explained(World([0.5]), mistake))) == 1
    assert list(few.explained(World([0.1, 0.2, 0.5]), mistake)) == []
    assert list(few.explained(World([0.5]), mistake, Tally(2))) == []


def test_nothing_wrong_is_not_searched():
    nothing = Claim((), print, print, 0.0, "figures", print)
    assert search("metric", nothing, lambda source: pytest.fail("computed"), Budget()) == []


def test_two_cheap_mistakes_are_looked_for_before_one_that_needs_a_forward_pass(monkeypatch):
    def known_as(key, figure, **how):
        about, name = key.split("/")
        monkeypatch.setitem(
            REGISTRY, key, Hypothesis(name, about, "a sentence", "mend", "https://x", figure, **how)
        )

    known_as("figure/tripled", lambda given, key: [(3 * given, "")])
    known_as("figure: source/more", lambda right: [(right + 1, "")])
    known_as("figure: source/passes", lambda right: pytest.fail("computed"), expensive=True)
    claimed = Claim(
        (0,),
        lambda _, guess: abs(guess - 4.5),
        lambda _: 1e-6,
        4.0,
        "figures",
        lambda given, _: [(given, "")],
    )
    (match,) = search("figure", claimed, worlds_of(0.5), Budget())
    assert match.names == ("more", "tripled")


def test_the_time_of_each_family_is_told():
    budget = Budget()
    with budget.on("a"), budget.on("b"):
        pass
    assert set(budget.spent) == {"a", "b"}
    invented = claim(0.123, 0.5, 1e-9)
    assert search("of no kind", invented, lambda source: [World([0.5])], budget) == []
    told = {name.removeprefix("of no kind: ") for name in budget.spent if name.startswith("of no kind")}
    assert told == {"as they are", "made last", "computed in another way", "two together"}
    assert all(0 <= seconds <= budget._used for name, seconds in budget.spent.items() if name not in "ab")


def test_a_mistake_of_form_fills_its_sentence_or_adds_a_detail():
    (match,) = seen("form: kept epoch", 6, "run-1", True, False)
    assert match.sentence == "the last epoch (6) of run-1 was saved, not the best"
    assert match.quality == "seen in what was handed in"
    (match,) = seen("form: class order", ["column 2 is sea"], False)
    assert match.names == ("classes-permuted",)
    assert match.sentence == "the columns are in another order of classes (column 2 is sea)"
    assert seen("form: ranked images", set()) == []


def test_places_are_asked_for_only_after_a_match(evidence, scored):
    found = mistakes.search.located((REGISTRY["scores: output/rows-shuffled"],), lambda: evidence.source)
    assert found == ("evaluate.py:41: DataLoader(test, shuffle=True)",)
    assert mistakes.search.located((REGISTRY["scores: output/percent"],), lambda: pytest.fail("read")) == ()


def test_a_budget_that_is_used_up_ends_expensive_hypotheses():
    budget = Budget(seconds=0.0)
    with budget:
        assert not budget.left
    assert budget.ran_out
    assert not budget.worthwhile("map")
    plenty = Budget(seconds=1e9, fruitless={"ap"})
    assert plenty.worthwhile("map")
    assert not plenty.worthwhile("ap")
    assert scores.FEW < scores.MORE

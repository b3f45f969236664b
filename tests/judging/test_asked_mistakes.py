"""Every registered mistake that a live function makes is told it, on inputs drawn anew; an invented answer is told none.

The functions run in this process: what they are given and what is made of the answer is the same as behind the walls.
"""

import os

import numpy as np
import pytest
import torch
from sampled import sampled

from in4310.judging import asked, asked_network, mistakes
from in4310.judging.judge import Judge
from in4310.judging.mistakes.search import known
from in4310.judging.mistakes.training import Epoch
from in4310.judging.verdict import Outcome
from in4310.submission.pieces import Missing
from in4310.submission.sandbox.worker import Answer

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
# Seeds of figures that nobody computed; with IN4310_WHOLE=1 twice as many.
INVENTED = sampled(range(100 if os.environ.get("IN4310_WHOLE") else 48), every=12)
AS_A_FACTOR = {
    "other-reduction": ("scaled",)
}  # the sum of each map is its mean times one number: that is told
VARIANTS = 5  # of a mistake, spread over all of them


class Here:
    """A live function that is called in this process."""

    def __init__(self, function):
        self.function = function

    def call(self, name, arguments, **arrays):
        return Answer(self.function(arguments, arrays), {})

    def task(self, task, name, arguments, arrays):
        state = {n.removeprefix("weights/"): a for n, a in arrays.items() if n.startswith("weights/")}
        images, labels = (torch.from_numpy(np.array(arrays[n])) for n in ("images", "labels"))
        return self.function(asked_network.Drawn(state, images, labels))


def judged(check, function, *more):
    judge = Judge()
    check(Here(function), judge, *more)
    return judge


def told(judge):
    return [tuple(d.names) for d in judge.diagnoses]


def single(about, sources=True):
    return [(h.name, None) for h in known(about)] + [
        (None, h.name) for h in known(f"{about}: source") if sources
    ]


def drawn_with_a_constant_channel():
    drawn = DRAW()
    for part in ("bn1.weight", "layer1.bn2.weight"):
        drawn.state[part][2] = 0
    drawn.state["conv1.weight"][2] = 0
    return drawn


DRAW = asked_network.draw


@pytest.fixture(params=[DRAW, drawn_with_a_constant_channel], ids=["drawn", "a channel is constant"])
def draws(request, monkeypatch):
    monkeypatch.setattr(asked_network, "draw", request.param)


# -- statistics of feature maps: one variant after the other, until the mistake has no more ---------------


def statistics(about, way, source, k=None):
    """Functions that each make one variant of a mistake, of how it is counted or of what is looked into."""
    registry = mistakes.REGISTRY

    def worlds(inside):
        return registry[f"{about}: source/{source}"].figure(inside) if source else [(inside.right, "")]

    def figures(maps, module, way=way):
        if about == "non_positive":
            of = registry[f"non_positive/{way}"].figure if way else mistakes.shares.right
            return [value for value, _ in of(maps, module)]
        if isinstance(maps, dict):
            return [maps[module][:k].tolist()]
        of = registry[f"eigenvalues/{way}"].figure if way else lambda x, _: [(mistakes.spectra.right(x), "")]
        x = maps.means[module]
        return [values[: k or None].tolist() for values, _ in of(x, k or x.shape[1])]

    def variants(drawn):
        inside = asked_network.inside(drawn)
        try:
            for maps, _ in worlds(inside):
                whole = getattr(maps, "whole", None)
                each = {m: figures(whole() if whole else maps, m) for m in inside.modules}
                for i in range(min(map(len, each.values()))):
                    found = {m: values[i] for m, values in each.items()}
                    if tells_something(found):
                        yield found
        except Missing:
            return

    def variant(number):
        def function(drawn):
            if found := list(variants(drawn)):
                return Answer(found[number % len(found)], {})
            # In these maps the mistake does not show: the answer is as is right.
            inside = asked_network.inside(drawn)
            return Answer({m: figures(inside.right, m, None)[0] for m in inside.modules}, {})

        return function

    return [variant(i) for i in spread(len(list(variants(DRAW()))))]


def tells_something(figures):
    """Not percentages that are all 0 or 100, nor a spectrum of nothing but zeros: many things give those."""
    largest = [max(v) if isinstance(v, list) else v for v in figures.values()]
    return set(largest) - {0.0, 100.0} and min(largest) > 1e-12


def spread(count):
    return sorted({i * (count - 1) // (VARIANTS - 1) for i in range(VARIANTS)}) if count else []


# One figure, said in two ways: maps whose largest value is not positive have no positive value; of their means, too.
SAME = {
    "other-reduction": ("counted-wholes", "averaged-first"),
    "counted-wholes": ("other-reduction",),
    "averaged-first": ("other-reduction",),
}


@pytest.mark.parametrize(("way", "source"), sampled(single("non_positive"), every=6))
def test_percentages_with_a_mistake_are_told_it(way, source):
    for function in statistics("non_positive", way, source):
        judge = judged(asked_network.check_non_positive, function)
        made = {(one,) for one in (way or source, *SAME.get(way or source, ()))}
        assert judge.outcome is Outcome.PASSED or made & set(told(judge)), told(judge)


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize(("way", "source"), sampled(single("eigenvalues"), every=8))
def test_spectra_with_a_mistake_are_told_it(draws, way, source, k):
    for function in statistics("eigenvalues", way, source, k):
        judge = judged(asked_network.check_spectrum, function)
        unreal = any("real numbers" in f.expected for f in judge.findings)  # logarithms of 0
        assert (
            judge.outcome is Outcome.PASSED
            or unreal
            or {(way or source,), AS_A_FACTOR.get(source)} & {*told(judge)}
        ), told(judge)


@pytest.mark.parametrize("seed", INVENTED)
def test_invented_statistics_are_told_no_mistake(draws, seed, monkeypatch):
    """Of networks drawn from the seed, too: one invented figure in a hundred may fit something (`search.LUCK`), on no day another."""
    generator, networks = np.random.default_rng(seed), np.random.default_rng(seed)
    monkeypatch.setattr(asked_network.secrets, "randbits", lambda bits: int(networks.integers(2**bits)))
    modules = asked_network.LOOKED_INTO

    def percentages(drawn):
        same = generator.uniform(20, 80)
        values = [same if seed % 4 == 0 else generator.uniform(20, 80) for _ in modules]
        return Answer({m: round(v, 1 + seed % 3) for m, v in zip(modules, values, strict=True)}, {})

    def spectra(drawn):
        near = {m: mistakes.spectra.right(x) for m, x in asked_network.inside(drawn).right.means.items()}
        made = {m: np.sort(v * generator.lognormal(0, 0.3, len(v)))[::-1] for m, v in near.items()}
        if seed % 4 == 0:
            made = {m: np.round(generator.dirichlet(np.ones(6)), 3) for m in modules}
        return Answer({m: v[: 1 + seed % 6].tolist() for m, v in made.items()}, {})

    for check, function in (
        (asked_network.check_non_positive, percentages),
        (asked_network.check_spectrum, spectra),
    ):
        judge = judged(check, function)
        assert judge.outcome is Outcome.FAILED
        assert (judge.mistake, told(judge)) == ("", [])


# -- training ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [h.name for h in known("training")])
def test_a_training_loop_with_a_mistake_is_told_it(name):
    (epoch,) = mistakes.REGISTRY[f"training/{name}"].figure(Epoch())
    judge = judged(asked_network.check_train, lambda drawn: Answer(None, asked_network.trained(drawn, epoch)))
    assert judge.outcome is Outcome.FAILED
    assert told(judge) == [(name,)]


def test_two_mistakes_of_a_training_loop_are_both_told():
    both = Epoch(zeroed=False, training=False)
    judge = judged(asked_network.check_train, lambda drawn: Answer(None, asked_network.trained(drawn, both)))
    assert [set(names) for names in told(judge)] == [{"not-zeroed", "eval-mode"}]


@pytest.mark.parametrize("seed", range(5))
def test_another_training_is_told_no_mistake(seed):
    def function(drawn):
        right = asked_network.trained(drawn)
        generator = np.random.default_rng(seed)
        moved = {
            n: a + generator.normal(0, 1e-3, a.shape).astype(a.dtype) for n, a in right.items() if a.ndim
        }
        return Answer(None, right | moved)

    assert told(judged(asked_network.check_train, function)) == []


# -- metrics and rankings ------------------------------------------------------------------------------------


def answers(function_of):
    """Functions for some variants of a mistake; how many there are is known after the first was called."""
    counts = [1]
    yield function_of(0, counts)
    for number in spread(max(counts))[2:3]:
        yield function_of(number, counts)


@pytest.mark.parametrize("name", [h.name for h in known("metric")])
def test_metrics_with_a_mistake_are_told_it(name):
    figure, found = mistakes.REGISTRY[f"metric/{name}"].figure, {}

    def function_of(number, counts):
        def function(_, arrays):
            scored = mistakes.metrics.Scored(arrays["labels"], arrays["scores"], tuple(CLASSES), {})
            for key in ("accuracy", "mean_accuracy", "map"):
                guesses = [v for v, _ in mistakes.metrics._listed(figure(scored, (key, None)))]
                found[key] = guesses[number % len(guesses)] if guesses else scored.right((key, None))
                counts.append(len(guesses))
            return found

        return function

    for function in answers(function_of):
        judge = judged(asked.check_metrics, function, CLASSES)
        few_digits = any(round(value, 2) == value for value in found.values())  # they would prove nothing
        assert judge.outcome is Outcome.PASSED or few_digits or (name,) in told(judge), told(judge)


@pytest.mark.parametrize("name", [h.name for h in known("ranking")])
def test_a_ranking_with_a_mistake_is_told_it(name):
    figure = mistakes.REGISTRY[f"ranking/{name}"].figure

    def function_of(number, counts):
        def function(given, arrays):
            labels = np.array([int(p[1]) for p in given["paths"]])
            names = [str(c) for c in range(6)]
            board = mistakes.rankings.Board(
                arrays["scores"], given["paths"], labels, names, names[given["column"]], given["k"]
            )
            guesses = list(figure(board)) or [board.sorted(board.own)]
            counts.append(len(guesses))
            guess = guesses[number % len(guesses)]
            order = [guess.paths[i] for i in np.argsort(-guess.value, kind="stable")]
            return {"top": order[guess.top], "bottom": order[guess.bottom][::-1]}

        return function

    for function in answers(function_of):
        judge = judged(asked.check_rank, function)
        assert judge.outcome is Outcome.PASSED or (name,) in told(judge), told(judge)


@pytest.mark.parametrize("seed", INVENTED)
def test_invented_metrics_and_rankings_are_told_no_mistake(seed):
    generator = np.random.default_rng(seed)

    def metrics(_, arrays):
        digits = (2, 3, 4, 9)[seed % 4]
        figures = generator.uniform(0.3, 0.99, 3)
        if seed % 5 == 0:
            figures[generator.integers(3)] = generator.choice([0.0, 1.0, 0.5])
        return dict(
            zip(("accuracy", "mean_accuracy", "map"), np.round(figures, digits).tolist(), strict=True)
        )

    def rank(given, _):
        drawn = generator.permutation(given["paths"]).tolist()
        return {"top": drawn[:10], "bottom": drawn[-10:]}

    for judge in (judged(asked.check_metrics, metrics, CLASSES), judged(asked.check_rank, rank)):
        assert judge.outcome is Outcome.FAILED
        assert (judge.mistake, told(judge)) == ("", [])


def test_what_is_right_is_told_nothing(draws):
    judge = judged(
        asked_network.check_non_positive,
        lambda drawn: Answer(
            {m: 100 * float(v.mean()) for m, v in asked_network.inside(drawn).right.shares.items()}, {}
        ),
    )
    assert (judge.outcome, told(judge)) == (Outcome.PASSED, [])


def test_a_module_that_no_function_answers_for_is_not_explained():
    """What fits the other modules is no explanation."""

    def function(drawn):
        maps = asked_network.inside(drawn).right
        found = {m: 100 - 100 * float(v.mean()) for m, v in maps.shares.items()}
        return Answer(found | {"bn1": float("nan")}, {})

    assert told(judged(asked_network.check_non_positive, function)) == []

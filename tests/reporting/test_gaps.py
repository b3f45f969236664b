"""What mends most: gaps that one mending closes are one cause, and the dearest cause comes first."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from in4310.judging.edition import known_checks
from in4310.judging.verdict import Check, Diagnosis, Outcome, Requirement, Results
from in4310.places import checks_folder
from in4310.reporting.gaps import causes, gaps

SCORES = "scores_reproduce"
FOLLOWS = dict(
    reversed(found)
    for file in checks_folder().glob("test_*.py")
    for found in re.findall(r'follows="(\w+)"\)\ndef test_(\w+)', file.read_text())
)
MADE_OF_SCORES = {name for name, followed in FOLLOWS.items() if followed == SCORES}


def lost(name: str, points: float = 1, mistakes: tuple[tuple[str, ...], ...] = (), **more: object) -> Check:
    outcome = Outcome.NOT_RUN if more.get("missing") else Outcome.FAILED
    found = [Diagnosis(names=list(names), sentence="s", quality="q", mend="m") for names in mistakes]
    return Check(
        name=name,
        title=name,
        outcome=outcome,
        points=0,
        max_points=points,
        reason="r",
        diagnoses=found,
        follows=FOLLOWS.get(name, ""),
        **more,
    )


def grouped(*checks: Check) -> list[tuple[list[str], list[str], float]]:
    requirement = Requirement(id="1", title="t", text="t", checks=list(checks))
    results = Results(name="", submission="", submission_digest="", edition="", edition_title="", isolation="",
                      made_at="", requirements=[requirement])  # fmt: skip
    return [
        ([g.check.name for g in c.gaps], [g.check.name for g in c.following], c.points)
        for c in causes(gaps(results))
    ]


def test_checks_that_lack_one_piece_are_one_cause_worth_their_sum() -> None:
    assert grouped(
        lost("a", 5), lost("b", 3, missing="eigenvalues"), lost("c", 4, missing="eigenvalues"),
        lost("d", 2, missing="model"),
    ) == [(["c", "b"], [], 7), (["a"], [], 5), (["d"], [], 2)]  # fmt: skip


def test_checks_that_show_one_mistake_are_one_cause_also_over_a_pair_of_mistakes() -> None:
    assert grouped(
        lost("a", 1, (("train-mode",),)),
        lost("b", 2, (("logits",), ("bgr", "train-mode"))),
        lost("c", 2.5, (("ascending",),)),
    ) == [(["b", "a"], [], 3), (["c"], [], 2.5)]
    assert grouped(lost("a", mistake="the same"), lost("b", mistake="the same"), lost("c", mistake="x")) == [
        (["a", "b"], [], 2),
        (["c"], [], 1),
    ]


def test_two_failures_without_a_known_mistake_are_two_causes_even_with_the_same_advice() -> None:
    assert len(grouped(lost("a", mend="look again"), lost("b", mend="look again"))) == 2


def test_wrong_scores_take_along_what_is_compared_with_them_and_has_no_mistake_of_its_own() -> None:
    scores = lost(SCORES, 6, (("train-mode",),))
    metrics, own = lost("metrics_map", 1.5), lost("metrics_accuracy", 1.5, (("overall",),))
    assert grouped(metrics, scores, own, lost("split_seed", 7)) == [
        ([SCORES], ["metrics_map"], 7.5), (["split_seed"], [], 7), (["metrics_accuracy"], [], 1.5)
    ]  # fmt: skip
    # Missing scores are a missing piece, and right scores explain nothing.
    assert grouped(lost(SCORES, 6, missing="scores"), metrics) == [
        ([SCORES], [], 6),
        (["metrics_map"], [], 1.5),
    ]
    assert grouped(metrics) == [(["metrics_map"], [], 1.5)]


def test_what_the_judge_failed_at_comes_last_whatever_it_is_worth() -> None:
    assert [names for names, _, _ in grouped(lost("a", 50, missing="judge"), lost("b", 1))] == [["b"], ["a"]]


def test_checks_follow_a_check() -> None:
    assert len(MADE_OF_SCORES) == 8
    assert {*FOLLOWS, *FOLLOWS.values()} <= known_checks()


@given(st.lists(st.tuples(
    st.sampled_from([0, 0.3, 2, 7.25]),
    st.lists(st.sampled_from([("x",), ("y",), ("x", "z"), ("w",)]), max_size=2),
    st.sampled_from(["", "", "model", "judge"]),
), max_size=12))  # fmt: skip
def test_no_gap_is_lost_or_counted_twice(drawn: list[tuple[float, list[tuple[str, ...]], str]]) -> None:
    names = [SCORES, *sorted(MADE_OF_SCORES), *(f"c{i}" for i in range(12))]
    checks = [lost(names[i], points, tuple(mistakes), missing=missing)
              for i, (points, mistakes, missing) in enumerate(drawn)]  # fmt: skip
    found = grouped(*checks)
    told = [name for own, following, _ in found for name in (*own, *following)]
    assert sorted(told) == sorted(c.name for c in checks if c.max_points)
    assert abs(sum(points for _, _, points in found) - sum(c.max_points for c in checks)) < 1e-9

"""What a check records is what the verdict says: nothing lost, nothing turned round, nothing passed unseen."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.judging.edition import load_edition
from in4310.judging.judge import Judge, listed
from in4310.judging.mistake import Hypothesis, Match
from in4310.judging.session import Session
from in4310.judging.verdict import GOOD, RESTS_ON, Outcome
from in4310.submission.pieces import KINDS, Missing, NotHere, Unreadable

figures = st.floats(-1e6, 1e6)
DEMO = load_edition("demo")


def test_a_judge_that_looked_at_nothing_has_earned_nothing():
    judge = Judge()
    assert (judge.share(*GOOD), judge.reason) == (0.0, "nothing was looked at")
    assert (judge.mend, judge.mistake, judge.diagnoses, judge.findings, judge.pictures) == (
        "",
        "",
        [],
        [],
        [],
    )


def test_a_finding_keeps_every_word():
    judge = Judge()
    assert (
        judge.expect(True, "rows", 211, 211, tolerance="0", details=["a", "b"], mend="m", mistake="x") is True
    )
    (finding,) = judge.findings
    assert finding.outcome is Outcome.PASSED
    assert (finding.asked, finding.found, finding.expected, finding.tolerance) == ("rows", "211", "211", "0")
    assert finding.details == ["a", "b"]
    assert (judge.mend, judge.mistake, judge.outcome, judge.share(*GOOD)) == ("", "", Outcome.PASSED, 1.0)
    assert judge.reason == "rows: 211, expected 211 within 0"


def test_what_failed_first_says_how_to_mend_it():
    judge = Judge()
    assert judge.expect(False, "a", 1, 2, mend="first", mistake="one") is False
    judge.expect(False, "b", 1, 2, mend="second", mistake="two")
    judge.expect(True, "c", 1, 1)
    assert (judge.mend, judge.mistake) == ("first", "one")
    assert judge.outcome is Outcome.FAILED
    assert judge.share(*GOOD) == pytest.approx(1 / 3)
    assert judge.reason == "a: 1, expected 2 (and 1 more)"


def test_a_warning_costs_nothing_and_is_said():
    judge = Judge()
    judge.expect(True, "a", 1)
    judge.warn("b", 5, 6, mend="look", mistake="why", details=range(3))
    assert (judge.outcome, judge.share(*GOOD)) == (Outcome.WARNED, 1.0)
    assert (judge.mend, judge.mistake) == ("look", "why")
    assert judge.reason == "b: 5, expected 6"
    assert judge.findings[1].details == ["0", "1", "2"]
    judge.expect(False, "c", 0)
    assert judge.outcome is Outcome.FAILED


def test_a_pass_is_explained_by_the_finding_that_has_an_expectation():
    judge = Judge()
    judge.expect(True, "bare", 1)
    judge.expect(True, "full", 1, 2, tolerance="3")
    assert judge.reason == "full: 1, expected 2 within 3 (2 findings)"
    alone = Judge()
    alone.expect(True, "bare", 1, tolerance="no matter")
    assert alone.reason == "bare: 1"


@given(figures, figures, st.floats(0, 1e3))
def test_two_figures_agree_within_the_tolerance_and_not_beyond(found, expected, tolerance):
    judge = Judge()
    assert judge.close("x", found, expected, tolerance, "why", mend="m") is (
        abs(found - expected) <= tolerance
    )
    (finding,) = judge.findings
    assert finding.tolerance == f"{tolerance:g} why"
    assert (finding.found, finding.expected) == (f"{found:.4f}", f"{expected:.4f}")
    assert judge.mend == ("" if abs(found - expected) <= tolerance else "m")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_agrees_with_nothing(odd):
    for pair in ((odd, 1.0), (1.0, odd), (odd, odd)):
        assert not Judge().close("x", *pair, math.inf)


def test_the_edge_of_a_tolerance_and_its_digits():
    judge = Judge()
    assert judge.close("x", 1.5, 1.0, 0.5, digits=1)
    assert judge.findings[0].found == "1.5"
    assert judge.findings[0].tolerance == "0.5"


@given(st.lists(st.text(max_size=400), max_size=40), st.integers(1, 20))
def test_a_list_is_cut_and_says_how_many_are_left_out(items, shown):
    texts = listed(items, shown)
    assert texts[:shown] == [item[:300] for item in items[:shown]]
    assert texts[shown:] == ([f"and {len(items) - shown} more"] if len(items) > shown else [])


def test_long_words_are_cut():
    judge = Judge()
    judge.expect(True, "x", "f" * 400, "e" * 400)
    assert (judge.findings[0].found, judge.findings[0].expected) == ("f" * 300, "e" * 300)


def match(name, under=0.0, **more):
    mistake = Hypothesis(
        name, "scores", f"{name} was done", f"undo {name}", f"https://x/{name}", lambda: None
    )
    return Match((mistake,), under, 0.5, 12, **more)


def test_mistakes_that_fit_alike_are_all_named():
    judge = Judge()
    judge.expect(False, "a", 1, mend="generic", mistake="generic")
    judge.blame([])
    assert (judge.mistake, judge.mend, judge.diagnoses) == ("generic", "generic", [])
    judge.blame([match("one", 1e-9, places=("a.py:4",)), match("two")])
    assert judge.mistake == "one was done; see a.py:4 or two was done"
    assert judge.mend == "undo one; undo two"
    assert [d.names for d in judge.diagnoses] == [["one"], ["two"]]
    first = judge.diagnoses[0]
    assert first.sentence == "one was done; see a.py:4"
    assert first.mistake == "one was done", "what is counted over a class has no places in it"
    assert first.quality == "12 figures: largest difference 1.0e-09, against 5.0e-01 without the mistake"
    assert (first.mend, first.links) == ("undo one", ["https://x/one"])
    judge.blame([match("three")])
    assert judge.mistake == "one was done; see a.py:4 or two was done; three was done"
    assert len(judge.diagnoses) == 3


def test_a_pair_of_mistakes_is_one_diagnosis():
    judge = Judge()
    pair = Match((match("one").mistakes[0], match("two").mistakes[0]), 0, 1, 3)
    judge.blame([pair])
    (found,) = judge.diagnoses
    assert found.mistake == "one was done and two was done"
    assert (found.names, found.sentence) == (["one", "two"], "one was done and two was done")
    assert (found.mend, found.links) == ("undo one; undo two", ["https://x/one", "https://x/two"])


def test_pictures_are_kept_in_their_order():
    judge = Judge()
    judge.picture(b"1", "first", "what it shows")
    judge.picture(b"2", "second", "alt", suffix="jpg")
    assert [(p.file, p.caption, p.alt, content) for p, content in judge.pictures] == [
        (".png", "first", "what it shows", b"1"), (".jpg", "second", "alt", b"2")
    ]  # fmt: skip


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1), st.booleans(), st.floats(0, 1))
def test_each_point_is_earned_lost_or_left_to_the_teacher(outcomes, partial, trust):
    session = Session(DEMO.model_copy(update={"trust": {"split_sizes": trust}}))
    judge = Judge()
    for outcome in outcomes:
        judge.expect(False, "a", 1, otherwise=outcome)
    check = session.decided("split_sizes", "Sizes", judge, partial, 0.0)
    worth = DEMO.points_of["split_sizes"]
    assert 0 <= check.on_trust <= check.points
    assert check.open_points >= 0
    assert check.points + check.open_points <= worth + 1e-9
    lost = worth - check.points - check.open_points
    if not {Outcome.FAILED, Outcome.NOT_RUN} & set(outcomes):
        assert lost == pytest.approx(0, abs=0.011)
    if Outcome.OPEN not in outcomes:
        assert (check.open_points, check.on_trust) == (0, 0)
    if set(outcomes) == {Outcome.OPEN}:
        assert check.points == check.on_trust == pytest.approx(worth * trust, abs=0.011)
    if set(outcomes) <= {Outcome.FAILED, Outcome.NOT_RUN}:
        assert lost == worth


def test_what_nobody_saw_earns_nothing_by_itself():
    judge = Judge()
    judge.expect(True, "a", 1)
    judge.leave("the program was run", "not done")
    session = Session(DEMO)
    check = session.decided("split_sizes", "Sizes", judge, False, 0.0)
    worth = session.edition.points_of["split_sizes"]
    assert (check.outcome, check.points, check.open_points) == (Outcome.OPEN, 0, worth)


@pytest.mark.parametrize(
    ("share", "outcome", "points"), [(0, Outcome.OPEN, 0), (0.5, Outcome.OPEN, 1), (1, Outcome.WARNED, 2)]
)
def test_trust_pays_the_share_that_it_says(share, outcome, points):
    judge = Judge()
    judge.leave("the program was run", "not done")
    session = Session(DEMO.model_copy(update={"trust": {"split_sizes": share}}))
    check = session.decided("split_sizes", "Sizes", judge, False, 0.0)
    assert (check.outcome, check.points, check.on_trust, check.open_points) == (
        outcome, points, points, 2 - points
    )  # fmt: skip
    assert not check.lost


@pytest.mark.parametrize("piece", KINDS)
@pytest.mark.parametrize("report", ["report.pdf", "Rapport.DOCX", "report.html", None])
def test_figures_that_may_stand_in_a_document_are_left_to_the_teacher(piece, report):
    session = Session(DEMO)
    located = {"report": (report, "")} if report else {}
    session.evidence = SimpleNamespace(submission=SimpleNamespace(located=located, stated=[]))
    figures = piece in ("metrics", "history", "ranking", "non_positive", "eigenvalues")
    left = figures and report in ("report.pdf", "Rapport.DOCX")
    check = session.not_run("metrics_map", "", Missing(piece), None, "1e")
    assert check.outcome is (Outcome.OPEN if left else Outcome.NOT_RUN)
    assert (f"it may stand in {report}" in check.reason) == left
    assert session.not_run("metrics_map", "", Unreadable(piece, "is broken"), None, "1e").points == 0


@pytest.mark.parametrize(
    ("requirement", "lacking", "left"),
    [
        ("1a", ["split"], False),  # asked for here
        ("1e", ["split"], True),  # figures were handed in: a person can look at them
        ("1e", ["model"], True),
        ("1e", ["split", "metrics"], False),
        ("2b", ["model"], True),
        ("2b", ["model", "non_positive"], False),
        ("1d", ["model"], False),
        ("1b", ["split"], False),
        ("", ["split"], False),
        ("2b", ["comparison data"], False),  # no piece of a hand-in
        ("1h", ["reproduction"], False),  # nothing else asks for it
    ],
)
def test_a_piece_that_another_requirement_asks_for_is_lost_there_alone(requirement, lacking, left):
    session = Session(DEMO)
    located = {piece: ("file", "") for piece in KINDS if piece not in lacking}
    session.evidence = SimpleNamespace(submission=SimpleNamespace(located=located))
    check = session.not_run("metrics_map", "", Missing(lacking[0]), None, requirement)
    assert check.outcome is (Outcome.OPEN if left else Outcome.NOT_RUN)
    assert (check.points, check.open_points) == (0, check.max_points if left else 0)
    assert check.missing == lacking[0]


@given(st.lists(st.sampled_from(RESTS_ON)))
def test_a_verdict_rests_on_the_weakest_of_what_decided_it(said):
    judge = Judge()
    for on in said:
        judge.rest(on)
    judge.expect(True, "a", 1)
    check = Session(DEMO).decided("scores_shape", "title", judge, False, 0.0)
    assert check.rests_on == next((on for on in reversed(RESTS_ON) if on in said), "recomputed")


def test_what_this_machine_lacks_is_left_to_the_teacher_and_not_lost():
    session = Session(DEMO)
    check = session.not_run("comparison_recomputed", "title", NotHere("comparison data", "it is not here"))
    assert (check.outcome, check.points, check.open_points, check.lost) == (Outcome.OPEN, 0, 4, 0)
    assert (check.reason, check.mend, check.missing) == ("it is not here", "", "")
    lost = session.not_run("comparison_recomputed", "title", Missing("eigenvalues"))
    assert (lost.outcome, lost.open_points, lost.lost) == (Outcome.NOT_RUN, 0, 4)

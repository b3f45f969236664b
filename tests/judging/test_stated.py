"""What a report's text states beside its files: said with both places, and worth nothing."""

from types import SimpleNamespace

import pytest
from submission.written_pdf import pdf

from in4310.judging.judge import Judge
from in4310.judging.stated import hold, unsaid
from in4310.judging.verdict import GOOD, Outcome
from in4310.submission.documents import Stated
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints, Missing
from in4310.submission.printed_figures import alike


def evidence_of(figures=(), shares=(), metrics=None, percent=None):
    submission = SimpleNamespace(
        stated=[("rapport.pdf", list(figures), list(shares))],
        metrics=metrics or {},
        non_positive={"percent": percent or {}},
        only_stated=lambda piece: False,
        located={"metrics": ("out/metrics.json", ""), "non_positive": ("shares.csv", "")},
    )
    return SimpleNamespace(submission=submission)


METRICS = {"test": {"accuracy": 0.9289, "map": 0.9512, "ap_per_class": {"sea": 0.9}}}


@pytest.mark.parametrize(
    ("value", "agree"),
    [(0.9289, True), (92.89, True), (93.0, True), (0.93, True), (0.95, False), (92.0, False)],
)
def test_agreement_and_contradiction_name_both_places(value, agree):
    judge = Judge()
    judge.expect(False, "asked", 1)
    judge.expect(True, "asked", 1)
    hold(judge, evidence_of([Stated(("test", "accuracy"), value, 3)], metrics=METRICS), "accuracy")
    said = judge.findings[-1]
    assert said.outcome is (Outcome.PASSED if agree else Outcome.WARNED)
    assert f"{value:g} on page 3 of rapport.pdf" in said.found
    assert ("as in out/metrics.json" if agree else "but 0.9289 in out/metrics.json") in said.found
    assert judge.share(*GOOD) == 0.5, "it neither costs nor earns"


def test_only_what_both_have_is_compared_each_in_its_check():
    judge = Judge()
    figures = [Stated(("test", "map"), 0.95, 1), Stated(("val", "accuracy"), 0.9, 1),
               Stated(("test", "ap_per_class", "sea"), 0.8, 2)]  # fmt: skip
    evidence = evidence_of(figures, metrics=METRICS)
    hold(judge, evidence, "accuracy")
    assert judge.findings == []
    hold(judge, evidence, "ap_per_class")
    assert [f.asked for f in judge.findings] == ["test AP of sea, in the report and in the files"]
    for broken in ({"test": 3}, {"test": {"map": "x"}}, {"test": {"map": None}}):
        hold(judge, evidence_of(figures, metrics=broken), "map")
    assert len(judge.findings) == 1


def test_shares_are_held_by_module():
    judge = Judge()
    shares = [Stated(("layer1",), 43.79, 2), Stated(("layer2",), 61.2, 2), Stated(("layer3",), 1.0, 2)]
    hold(judge, evidence_of(shares=shares, percent={"layer1": 43.7901, "layer2": 16.2}), "non_positive")
    assert [f.outcome for f in judge.findings] == [Outcome.PASSED, Outcome.WARNED]
    assert judge.findings[1].found == "61.2 on page 2 of rapport.pdf, but 16.2 in shares.csv"


def test_what_no_check_could_record_is_a_note():
    figures = [Stated(("test", "map"), 0.9512, 1), Stated(("test", "accuracy"), 0.95, 2)]
    evidence, judge = evidence_of(figures, metrics=METRICS), Judge()
    wrong = "test accuracy: 0.95 on page 2 of rapport.pdf, but 0.9289 in out/metrics.json"
    same = "the report states what the files have: test mAP (page 1)"
    notes = unsaid(evidence, [])
    assert notes[0].startswith(wrong)
    assert notes[1:] == [same]
    hold(judge, evidence, "accuracy")
    assert unsaid(evidence, [f.found for f in judge.findings]) == [same]


def report_of(tmp_path, *lines):
    (tmp_path / "report.pdf").write_bytes(pdf(list(lines)))
    return Submission(tmp_path, Hints(("sea", "forest"), frozenset({"sea/1.jpg", "forest/2.jpg"})))


def test_figures_that_no_file_holds_are_those_of_the_report(tmp_path):
    lines = ["Test accuracy: 0.934", "Non-positive values", "layer1: 43.79 %", "layer2: 61.2 %"]
    submission = report_of(tmp_path, *lines)
    assert submission.metrics == {"test": {"accuracy": 0.934}}
    assert submission.non_positive == {"percent": {"layer1": 43.79, "layer2": 61.2}}
    assert submission.only_stated("metrics")
    assert submission.located["metrics"] == ("report.pdf", "figures that no file holds, in its text (page 1)")
    assert unsaid(SimpleNamespace(submission=submission), []) == [], "they are not held beside themselves"


def test_a_report_that_states_what_no_file_holds_costs_no_page(tmp_path):
    submission = report_of(tmp_path, "Test accuracy: 0.934")
    with pytest.raises(Missing):
        _ = submission.non_positive
    assert unsaid(SimpleNamespace(submission=submission), []) == []
    (tmp_path / "metrics.json").write_text("[]")
    again = report_of(tmp_path, "Test accuracy: 0.934")
    assert not again.only_stated("metrics"), "where a file is named so, it is judged"
    assert unsaid(SimpleNamespace(submission=again), []) == []


def test_a_whole_per_cent_is_as_fine_as_it_is_written():
    assert alike(93.0, 0.9289)
    assert not alike(93.0, 0.9389)
    assert not alike(93.1, 0.9289)

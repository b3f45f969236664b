"""Progress: what was fixed, broken and judged for the first time since the last run; silence where nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from in4310.judging.verdict import Outcome, Results, Turn
from in4310.reporting.html import render
from in4310.reporting.progress import progress
from in4310.reporting.write import write_report

LATER = {"made_at": "2026-07-02T09:30:00+00:00", "submission_digest": "4e" * 32}


def changed(results: Results, later: dict[str, str] = LATER, **checks: dict[str, object] | None) -> Results:
    """A later run in which some checks had another outcome; None takes a check out."""
    requirements = [
        r.model_copy(
            update={
                "checks": [
                    c.model_copy(update=checks.get(c.name))
                    for c in r.checks
                    if checks.get(c.name, {}) is not None
                ]
            }
        )
        for r in results.requirements
    ]
    return results.model_copy(update={"requirements": requirements, **later})


PASSED = {"outcome": Outcome.PASSED}


@pytest.mark.parametrize(
    ("check", "now", "turn"),
    [
        ("sizes", {**PASSED, "points": 3}, Turn.MENDED),
        ("sizes", {"points": 2}, Turn.MENDED),
        ("sizes", {"points": 0}, Turn.BROKEN),
        ("sizes", {"outcome": Outcome.NOT_RUN, "missing": "split"}, Turn.BROKEN),
        ("covers", {"outcome": Outcome.FAILED, "points": 0}, Turn.BROKEN),
        ("covers", {"outcome": Outcome.WARNED}, Turn.WARNED),
        ("by_content", PASSED, Turn.MENDED),
        ("eigenvalues", {**PASSED, "points": 6.5, "missing": ""}, Turn.NEW),
        ("eigenvalues", {"outcome": Outcome.FAILED, "missing": ""}, Turn.NEW),
        ("covers", {"reason": "another sentence", "seconds": 9.0}, None),
        ("judge_broke", {**PASSED, "points": 1, "missing": ""}, None),
        ("covers", {"outcome": Outcome.NOT_RUN, "points": 0, "missing": "judge"}, None),
        ("covers", None, None),
    ],
)  # fmt: skip
def test_how_a_check_turned(results: Results, check: str, now: dict[str, object], turn: Turn | None) -> None:
    found = progress(results, changed(results, **{check: now}))
    if turn is None:
        assert found is None
    else:
        assert [(change.check, change.turn) for change in found.changes] == [(check, turn)]


def test_points_before_and_now_and_a_check_that_was_not_selected_then(results: Results) -> None:
    before = changed(results, {"made_at": "2026-06-30T08:00:00+00:00"}, covers=None)
    found = progress(before, changed(results, sizes={**PASSED, "points": 3}))
    assert [(c.check, c.turn, c.before, c.now, c.was) for c in found.changes] == [
        ("covers", Turn.NEW, 0, 2, None), ("sizes", Turn.MENDED, 1, 3, Outcome.FAILED)
    ]  # fmt: skip
    assert (found.gained, found.since, found.same_files) == (4, "2026-06-30T08:00:00+00:00", False)


@pytest.mark.parametrize("other", [{"edition": "2023"}, {"name": "group-08", "submission": "group-08.zip"}])
def test_another_submission_or_edition_is_no_progress(results: Results, other: dict[str, str]) -> None:
    assert progress(results.model_copy(update=other), changed(results, sizes={"points": 3})) is None


def test_the_same_path_or_the_same_name_is_the_same_submission(results: Results) -> None:
    now = changed(results, sizes={"points": 3})
    assert progress(results.model_copy(update={"name": "renamed"}), now)
    assert progress(results.model_copy(update={"submission": "elsewhere/group-07"}), now)


def test_a_report_over_an_earlier_one_tells_what_changed_and_keeps_the_earlier_record(
    results: Results, tmp_path: Path
) -> None:
    write_report(results, tmp_path)
    first = (tmp_path / "results.json").read_bytes()
    now = changed(results, sizes={**PASSED, "points": 3}, covers={"outcome": Outcome.FAILED, "points": 0},
                  eigenvalues={**PASSED, "points": 6.5, "missing": ""})  # fmt: skip
    text = write_report(now, tmp_path).read_text()
    assert (tmp_path / "previous.json").read_bytes() == first
    record = Results.model_validate_json((tmp_path / "results.json").read_bytes())
    assert [(c.check, c.turn) for c in record.progress.changes] == [
        ("covers", Turn.BROKEN), ("sizes", Turn.MENDED), ("eigenvalues", Turn.NEW)
    ]  # fmt: skip
    words = " ".join(text.split())
    assert "+6.5 points since 2026-07-01 12:00 UTC" in words
    for turn in ("fixed</span> 1", "broken</span> 1", "new</span> 1"):
        assert turn in words
    assert "it was failed with 1 point" in words
    # The same run written again tells the same: it is not compared with itself.
    files = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    write_report(now, tmp_path)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == files


def test_a_run_without_change_makes_no_noise(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    page = write_report(changed(results), tmp_path).read_text()
    assert page == render(changed(results))
    assert json.loads((tmp_path / "results.json").read_bytes())["progress"] is None
    assert "last run" not in page


@pytest.mark.parametrize("lies", [b"", b"{}", b"\xff\x00", b'{"schema_version": 3}', b"[" * 100_000])
def test_what_is_no_record_of_ours_is_no_earlier_run(results: Results, tmp_path: Path, lies: bytes) -> None:
    (tmp_path / "results.json").write_bytes(lies)
    write_report(results, tmp_path)
    assert Results.model_validate_json((tmp_path / "results.json").read_bytes()) == results
    assert not (tmp_path / "previous.json").exists()


def test_the_run_before_of_another_submission_does_not_stay(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    write_report(changed(results), tmp_path)
    assert (tmp_path / "previous.json").exists()
    write_report(results.model_copy(update={"name": "group-08", "submission": "group-08.zip"}), tmp_path)
    assert not (tmp_path / "previous.json").exists()


def test_a_record_of_before_there_was_progress_can_be_read(results: Results) -> None:
    old = results.model_dump(mode="json")
    del old["progress"], old["given"]
    assert Results.model_validate(old) == results

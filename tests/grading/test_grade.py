"""The queue: what stands is left alone, what is new or changed is judged, and nothing is lost or doubled."""

import json
import os
import shutil
import signal
from dataclasses import replace
from datetime import datetime

import pytest

from in4310.errors import InputError
from in4310.grading.engines import LocalEngine
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Status
from in4310.grading.work import KILLED, Done


@pytest.fixture
def order(tmp_path, hand_in):
    return Order(hand_in(kari=8, ola=3, per="broken"), "demo", tmp_path / "out")


def points(marks):
    return {m.who: m.points for m in marks}


def stopped(order, engine, after):
    with pytest.raises(KeyboardInterrupt):
        grade(order, engine(stop_after=after))


def test_a_class_is_judged_and_what_cannot_be_judged_says_why(order, engine):
    marks = grade(order, engine())
    assert points(marks) == {"kari": 10.0, "ola": 5.0, "per": None}
    assert marks[2].status is Status.FAILED
    assert marks[2].error == "not gradable: it is empty"
    report = order.out / "students" / "kari" / "index.html"
    assert report.read_text() == "report of kari"
    assert sorted(p.name for p in (order.out / "students").iterdir()) == ["kari", "ola"]


def test_what_stands_is_not_judged_again(order, engine):
    grade(order, engine())
    again = engine()
    assert points(grade(order, again)) == {"kari": 10.0, "ola": 5.0, "per": None}
    assert again.judged == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_was_cut_off_goes_on(order, engine, after):
    stopped(order, engine, after)
    rest = engine()
    marks = grade(order, rest)
    assert len(rest.judged) == 3 - after
    assert points(marks) == {"kari": 10.0, "ola": 5.0, "per": None}
    with Gradebook(order.out / GRADEBOOK) as book:
        assert len(book.verdicts()) == 3


def test_a_new_hand_in_is_judged_and_the_old_verdict_stays_in_the_log(order, engine, hand_in):
    grade(order, engine())
    hand_in(ola=8)
    new = engine()
    assert points(grade(order, new))["ola"] == 10.0
    assert new.judged == ["ola"]
    with Gradebook(order.out / GRADEBOOK) as book:
        assert [v.results.points for v in book.verdicts("ola")] == [5.0, 10.0]


def test_who_goes_back_to_an_earlier_hand_in_gets_its_verdict(order, engine, hand_in):
    grade(order, engine())
    hand_in(ola=8)
    grade(order, engine())
    hand_in(ola=3)
    idle = engine()
    assert points(grade(order, idle))["ola"] == 5.0
    assert idle.judged == []


def test_another_edition_is_another_verdict(order, engine, tmp_path):
    grade(order, engine())
    from importlib import resources

    text = (resources.files("in4310.judging") / "editions" / "demo.toml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace('title = "', 'title = "My ', 1), encoding="utf-8")
    other = engine()
    grade(Order(order.place, str(mine), order.out), other)
    assert sorted(other.judged) == ["kari", "ola", "per"]
    idle = engine()
    grade(order, idle)
    assert idle.judged == []


def test_one_student_or_all_who_lost_points_are_judged_again(order, engine):
    grade(order, engine())
    one = engine()
    grade(Order(order.place, "demo", order.out, regrade=("kari",)), one)
    assert one.judged == ["kari"]
    lost = engine()
    grade(Order(order.place, "demo", order.out, regrade=("1a",)), lost)
    assert lost.judged == ["ola"]
    some = engine()
    with pytest.raises(InputError, match="'kåre' is neither one of the 3 who handed in"):
        grade(Order(order.place, "demo", order.out, only=("kåre",)), some)


def test_a_clock_that_is_set_back_changes_no_mark(order, engine, hand_in, monkeypatch):
    class Clock(datetime):
        years = iter(range(2026, 1990, -1))

        @classmethod
        def now(cls, zone=None):
            return datetime(next(cls.years), 1, 1, tzinfo=zone)

    monkeypatch.setattr("in4310.grading.gradebook.datetime", Clock)
    grade(order, engine())
    hand_in(ola=8)
    os.utime(order.place / "ola" / "points.json", (1000, 1000))  # its file is of 1970, too
    assert points(grade(order, engine())) == {"kari": 10.0, "ola": 10.0, "per": None}
    with Gradebook(order.out / GRADEBOOK) as book:
        first, last = book.verdicts("ola")
        assert last.made_at < first.made_at
        book.override("ola", "1a", 1.0, "first", "anne")
        book.override("ola", "1a", 5.0, "second thoughts", "anne")
        assert next(m for m in book.marks() if m.who == "ola").points == 7.0
    idle = engine()
    grade(order, idle)
    assert idle.judged == []


def test_a_disk_without_room_ends_the_run_and_blames_nobody(order, engine, monkeypatch):
    def full(job):
        return Done(job, error="not judged: [Errno 28] No space left on device", again=True)

    no_room = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: no_room)
        with pytest.raises(InputError, match="the disk is full; what was graded is kept"):
            grade(order, engine(judge=full))
    with Gradebook(order.out / GRADEBOOK) as book:
        assert book.verdicts() == []
    assert points(grade(order, engine())) == {"kari": 10.0, "ola": 5.0, "per": None}


def test_only_some(order, engine):
    some = engine()
    marks = grade(Order(order.place, "demo", order.out, only=("ola",)), some)
    assert some.judged == ["ola"]
    assert [m.status for m in marks] == [Status.WAITING, Status.DONE, Status.WAITING]


def test_only_what_was_changed_later(order, engine):
    newest = order.place / "ola" / "points.json"
    for file in order.place.rglob("*"):
        os.utime(file, (1000, 1000))
    os.utime(newest, (2000, 2000))
    some = engine()
    grade(replace(order, since=1500.0), some)
    assert some.judged == ["ola"]
    rest = engine()
    grade(replace(order, since=1000.0), rest)
    assert sorted(rest.judged) == ["kari", "per"]


def test_replaced_while_it_was_judged_is_judged_anew_next_time(order, engine):
    def replaced(job):
        return Done(job, error="kari was replaced while it was judged", again=True)

    marks = grade(order, engine(judge=replaced))
    assert {m.status for m in marks} == {Status.WAITING}
    assert "was replaced while it was judged; the same command" in marks[0].error
    rest = engine()
    grade(order, rest)
    assert len(rest.judged) == 3


def test_data_that_vanishes_ends_the_run_and_blames_nobody(order, engine, tmp_path):
    data = tmp_path / "data"
    for c in ("buildings", "forest", "glacier", "mountain", "sea", "street"):
        (data / c).mkdir(parents=True)
        (data / c / "1.jpg").write_bytes(b"x")

    def gone(job):
        shutil.rmtree(data, ignore_errors=True)
        return Done(job, error="no data")

    with pytest.raises(InputError, match="the data set is gone"):
        grade(Order(order.place, "demo", order.out, data=str(data)), engine(judge=gone))
    with Gradebook(order.out / GRADEBOOK) as book:
        assert book.verdicts() == []


def test_two_runs_on_one_folder(order, engine):
    def meanwhile(job):
        with pytest.raises(InputError, match="another in4310 grade is at work there"):
            grade(order, engine())
        return Done(job, error="done")

    grade(order, engine(judge=meanwhile))


def test_a_student_who_is_gone_and_back(order, engine):
    grade(order, engine())
    shutil.move(order.place / "ola", order.place.parent / "ola")
    assert [m.who for m in grade(order, engine())] == ["kari", "per"]
    shutil.move(order.place.parent / "ola", order.place / "ola")
    idle = engine()
    assert points(grade(order, idle))["ola"] == 5.0
    assert idle.judged == []


def test_the_secret_of_audit_samples_is_the_same_for_all_and_kept(order, engine, monkeypatch):
    monkeypatch.delenv("IN4310_SECRET", raising=False)
    seen = []

    def look(job):
        seen.append(job.secret)
        return Done(job, error="x")

    grade(order, engine(judge=look))
    assert len(set(seen)) == 1
    assert len(seen[0]) >= 32
    assert seen[0] not in repr(order)
    with Gradebook(order.out / GRADEBOOK) as book:
        assert book.meta("secret") == seen[0]
    assert oct((order.out / GRADEBOOK).stat().st_mode)[-3:] == "600"


def test_nothing_to_grade_is_one_line(tmp_path, engine):
    with pytest.raises(InputError):
        grade(Order(tmp_path / "none", "demo", tmp_path / "out"), engine())
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="folder that can be written to"):
        grade(Order(tmp_path, "demo", tmp_path / "file"), engine())


# -- processes -----------------------------------------------------------------------------------------


def dies_or_judges(job):
    from pathlib import Path

    from in4310.grading.work import Done

    said = json.loads((Path(job.order.submission) / "points.json").read_text())
    if said == "dies":
        os._exit(3)
    if said in ("SIGKILL", "SIGSEGV"):
        os.kill(os.getpid(), getattr(signal, said))
    if said == "hangs":
        import time

        time.sleep(600)
    if said == "raises":
        raise RuntimeError("a bug of ours")
    return Done(job, error=f"judged {said}")


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_takes_only_its_own_submission(tmp_path, hand_in):
    place = hand_in(
        ada="dies", bo="fine", eva="hangs", kim="raises", liv="fine", per="SIGKILL", siv="SIGSEGV"
    )
    marks = {
        m.who: m
        for m in grade(Order(place, "demo", tmp_path / "out"), LocalEngine(2, limit=8, work=dies_or_judges))
    }
    assert marks["bo"].error == marks["liv"].error == "judged fine"
    assert marks["eva"].error.startswith("judging took longer than 8 seconds")
    assert marks["ada"].error == "the process that judged it died, twice (exit code 3)"
    assert marks["siv"].error == "the process that judged it died, twice (exit code -11)"
    assert {m.status for w, m in marks.items() if w not in ("kim", "per")} == {Status.FAILED}
    # An error of ours and a kill say nothing of the submission: it has no verdict, and the next run tries it.
    assert marks["kim"].status is marks["per"].status is Status.WAITING
    assert "a bug of ours" in marks["kim"].error
    assert marks["per"].error == f"{KILLED}; the same command tries it again"

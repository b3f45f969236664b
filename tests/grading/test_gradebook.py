"""The gradebook keeps every verdict whole, once, and in order; what is no gradebook is one clear line."""

import random
import sqlite3

import pytest

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook
from in4310.grading.layouts import Entry
from in4310.grading.marks import Status


@pytest.fixture
def book(tmp_path):
    with Gradebook(tmp_path / "a" / "gradebook.db") as opened:
        yield opened


@pytest.fixture
def registered(book, tmp_path):
    entries = [
        Entry("kari", tmp_path, 1),
        Entry("kari", tmp_path, 2, late=True, shown="Kari N", identity="17"),
        Entry("ola", tmp_path),
    ]
    book.register(entries, entries[1:])
    return book


def put(book, results, who="kari", attempt=2, key="k", error="", **how):
    return book.record(who, attempt, key, results, error, 1.5, 77, {"edition": "demo"}, **how)


def test_a_verdict_comes_back_as_it_was_put(registered, results):
    assert put(registered, results(6))
    (verdict,) = registered.verdicts("kari")
    assert (verdict.status, verdict.seconds, verdict.memory, verdict.record, verdict.key) == (
        Status.DONE, 1.5, 77, {"edition": "demo"}, "k",
    )  # fmt: skip
    assert verdict.results == results(6)
    kari, ola = registered.marks()
    assert (kari.who, kari.attempt, kari.late, kari.shown, kari.identity) == ("kari", 2, True, "Kari N", "17")
    assert (kari.points, kari.max_points, kari.status) == (8.0, 10.0, Status.DONE)
    assert (ola.status, ola.points, ola.late) == (Status.WAITING, None, None)


def test_the_same_is_written_once(registered, results):
    assert put(registered, results(6))
    assert not put(registered, results(7))
    assert len(registered.verdicts()) == 1
    assert registered.has("kari", 2, "k")
    assert not registered.has("kari", 2, "other")
    assert not registered.has("kari", 1, "k")


def test_the_newest_counts_by_number_and_a_key_picks_its_own(registered, results):
    put(registered, results(6))
    put(registered, results(7), key="newer")
    assert registered.marks()[0].points == 9.0
    assert registered.marks({("kari", 2): "k", ("ola", 1): "x"})[0].points == 8.0
    assert registered.marks({})[0].status is Status.WAITING


def test_what_is_regraded_stays_in_the_log(registered, results):
    put(registered, results(6))
    assert registered.regrade("kari") == 1
    assert registered.regrade("kari") == 0
    assert registered.marks()[0].status is Status.WAITING
    assert put(registered, results(8))
    assert [v.stale for v in registered.verdicts("kari")] == [True, False]


def test_a_failure_is_kept_with_its_reason(registered):
    put(registered, None, error="an empty zip")
    mark = registered.marks()[0]
    assert (mark.status, mark.error, mark.points, mark.results) == (Status.FAILED, "an empty zip", None, None)


def test_a_teachers_word_survives_a_regrade_and_the_last_counts(registered, results):
    put(registered, results(6))
    registered.override("kari", "1a", 7, "", "anne")
    registered.override("kari", "1a", 7.5, "rounding", "anne")
    registered.override("kari", "1e", None, "well done", "bo")
    registered.regrade("kari")
    put(registered, results(3))
    mark = registered.marks()[0]
    assert mark.points == 9.5
    assert mark.override("1a").comment == "rounding"
    assert mark.override("1e") is None
    assert [o.by for o in mark.overrides] == ["anne", "anne", "bo"]
    registered.override("kari", "", 4, "plagiarism", "anne")
    assert registered.marks()[0].points == 4


def test_verdicts_of_those_no_longer_listed_are_kept(registered, results, tmp_path):
    put(registered, results(6))
    registered.register([Entry("ola", tmp_path)], [Entry("ola", tmp_path)])
    assert [m.who for m in registered.marks()] == ["ola"]
    assert len(registered.verdicts("kari")) == 1
    assert registered.students() == ["ola"]


def test_it_is_the_same_when_opened_again(tmp_path, results):
    file = tmp_path / "g.db"
    with Gradebook(file) as book:
        book.register([Entry("kari", tmp_path, 2)], [Entry("kari", tmp_path, 2)])
        put(book, results(6))
        book.remember(secret="s")
    with Gradebook(file, must_exist=True) as book:
        assert book.marks()[0].points == 8.0
        assert (book.meta("secret"), book.meta("none")) == ("s", "")


def test_what_is_no_gradebook_is_one_line(tmp_path):
    with pytest.raises(InputError, match="expected a gradebook, found nothing"):
        Gradebook(tmp_path / "none.db", must_exist=True)
    (tmp_path / "text.db").write_text("hello " * 1000)
    with pytest.raises(InputError, match="cannot be used as a gradebook"):
        Gradebook(tmp_path / "text.db")
    with Gradebook(tmp_path / "old.db") as book:
        book.remember(version="0")
    with pytest.raises(InputError, match="version 0, expected 1"):
        Gradebook(tmp_path / "old.db")


def test_a_full_disk_loses_nothing(registered, results):
    put(registered, results(6))
    registered._base.execute(
        "PRAGMA max_page_count = 8"
    )  # no page more than there are: SQLITE_FULL, as on a full disk
    noise = random.Random(0)
    big = results(6).model_copy(update={"notes": [f"{noise.getrandbits(256):064x}" for _ in range(3000)]})
    with pytest.raises(InputError, match=r"cannot be written .*the same command goes on"):
        put(registered, big, key="big")
    registered._base.execute("PRAGMA max_page_count = 100000")
    assert len(registered.verdicts()) == 1
    assert put(registered, big, key="big")


def test_a_process_that_ends_in_the_middle_leaves_the_last_whole_state(registered, results):
    put(registered, results(6))

    def cut_off():
        with registered._writing():
            registered._base.execute("UPDATE verdict SET stale = 1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    assert registered.marks()[0].points == 8.0
    with sqlite3.connect(registered.file) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)

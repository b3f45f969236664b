"""After grading: a teacher's word, how a mark came about, and two gradings side by side."""

import csv
import io
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.grading.compare import classes, compare, other_class
from in4310.grading.explain import explanation
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.override import check_overrides, read_overrides
from in4310.grading.replay import replay
from in4310.grading.work import Done


@pytest.fixture
def graded(tmp_path, hand_in, engine):
    grade(Order(hand_in(kari=8, ola=3, per="broken"), "demo", tmp_path / "out"), engine())
    with Gradebook(tmp_path / "out" / GRADEBOOK) as book:
        yield book


def test_a_mark_is_explained_by_what_it_was_made_from(graded):
    graded.override("ola", "1a", 5, "fair enough", "anne")
    text = explanation(graded, "ola", "1a")
    assert "1a Split: 3 of 8, failed" in text
    assert "images in the test set: 210" in text
    assert "verdict 2," in text
    assert "edition_digest: " in text
    assert "version torch: " in text
    assert "anne, 1a: 5 points; fair enough" in text
    assert "fair enough" not in explanation(graded, "ola", "1e")
    assert "not gradable: it is empty" in explanation(graded, "per", "1a")


def test_what_cannot_be_explained_is_one_line(graded):
    with pytest.raises(InputError, match="'9z' is no requirement; expected one of 1a, 1e"):
        explanation(graded, "ola", "9z")
    with pytest.raises(InputError, match="'siv' has no verdict"):
        explanation(graded, "siv", "1a")


def test_a_regraded_verdict_is_shown_as_no_longer_standing(graded):
    graded.regrade("ola")
    assert "no longer stands" in explanation(graded, "ola", "1a")


@pytest.mark.parametrize(
    ("who", "requirement", "points", "message"),
    [
        ("siv", "1a", 1, "none of the 3 students"),
        ("ola", "9z", 1, "expected one of 1a, 1e"),
        ("ola", "1a", 8.5, "has 8 at most"),
        ("ola", "", 11, "the whole has 10 at most"),
        ("per", "1a", 1, "no verdict yet"),
    ],
)
def test_overrides_that_make_no_sense_are_one_line(graded, who, requirement, points, message):
    with pytest.raises(InputError, match=message):
        check_overrides(graded, [(who, requirement, points, "")])


def test_overrides_that_make_sense(graded):
    for who, requirement, points in (("ola", "1a", 8), ("ola", "", 10), ("per", "", 4), ("kari", "1e", None)):
        check_overrides(graded, [(who, requirement, points, "a word")])


def test_overrides_from_a_table(tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text(
        'who,requirement,points,comment\nkari,1e,"7,5","rounded, but right"\nola,,,see me\n',
        encoding="utf-8-sig",
    )
    assert read_overrides(file) == [("kari", "1e", 7.5, "rounded, but right"), ("ola", "", None, "see me")]
    file.write_text("who,points\nkari,many\n")
    with pytest.raises(InputError, match="line 2: expected points, found 'many'"):
        read_overrides(file)
    file.write_text("name,points\nkari,3\n")
    with pytest.raises(InputError, match="line 2: expected a column 'who'"):
        read_overrides(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_overrides(tmp_path / "none.csv")


@given(
    delimiter=st.sampled_from(",;\t"),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    heading=st.permutations(["Who", "REQUIREMENT", "Points ", "comment"]),
    told=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_is_read_as_spreadsheets_of_any_language_save_it(
    tmp_path_factory, delimiter, comma, encoding, heading, told, ending
):
    said = [
        ("kari", "1e", 7.5, "på rett vei; se side 2, 3"),
        ("bjørn", "", 11, ""),
        ("ola", "", None, "see\nme"),
    ]
    out = io.StringIO()
    if told:
        out.write(f"sep={delimiter}{ending}")
    table = csv.writer(out, delimiter=delimiter, lineterminator=ending)
    table.writerow(heading)
    for row in said:
        cells = dict(zip(["who", "requirement", "points", "comment"], row, strict=True))
        points = "" if row[2] is None else f"{row[2]:g}"
        cells["points"] = points.replace(".", ",") if comma else points
        table.writerow([cells[name.strip().lower()] for name in heading])
    table.writerow(["", "", "", ""])
    file = tmp_path_factory.mktemp("table") / "marks.csv"
    file.write_bytes(out.getvalue().encode(encoding))
    assert read_overrides(file) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected lines of who, requirement or check, points, comment, found none"),
        ("who,points\n", "found none; nothing was marked"),
        ("who,requirement,points\nkari,1e,7,5\n", "line 2: expected 3 cells as in the first line, found 4"),
        ("who,points\n,3\n", "line 2: expected a column 'who'"),
        ("PK\x03\x04\0\0", "cannot be read as a CSV"),
    ],
)
def test_a_table_that_would_mark_wrongly_is_refused(tmp_path, content, said):
    file = tmp_path / "marks.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        read_overrides(file)


@pytest.mark.parametrize("points", [-5, float("-inf"), float("inf"), float("nan"), 10**6])
def test_a_mark_by_hand_is_a_number_up_to_the_maximum(graded, points):
    for where in ("1e", ""):
        with pytest.raises(InputError, match="points"):
            check_overrides(graded, [("kari", where, points, "")])


def test_of_a_table_all_is_kept_or_nothing(graded):
    before = len(graded.overrides("kari"))
    with pytest.raises(sqlite3.IntegrityError):
        graded.override_all([("kari", "1e", 1.0, ""), ("kari", "1e", None, None)], "anne")
    assert len(graded.overrides("kari")) == before


def test_another_years_class_is_compared_as_a_class(graded, tmp_path, hand_in, engine):
    shutil.rmtree(tmp_path / "class")
    grade(Order(hand_in(tor=8, siv=2, une=2), "demo", tmp_path / "new"), engine())
    with Gradebook(tmp_path / "new" / GRADEBOOK) as new:
        assert other_class(graded, new)
        assert not other_class(new, new)
        rows = {what: (before, after) for what, before, after in classes(graded, new)}
    assert rows["students"] == ("3", "3")
    assert rows["with a verdict"] == ("2", "3")
    assert rows["median of the points"] == ("7.5 of 10", "4 of 10")
    (requirement,) = (what for what in rows if what.startswith("1a "))
    assert rows[requirement] == ("69% earned, 1 of 2 lost some", "50% earned, 2 of 3 lost some")


def test_two_gradings_side_by_side(graded, tmp_path, hand_in, engine):
    grade(Order(hand_in(ola=8, siv=2), "demo", tmp_path / "new"), engine())
    with Gradebook(tmp_path / "new" / GRADEBOOK) as new:
        assert compare(graded, graded) == []
        new.override("kari", "1e", 1, "no", "anne")
        kari, ola, siv = compare(graded, new)
        assert (kari.who, kari.old, kari.new, kari.requirements, kari.why) == (
            "kari",
            10,
            9,
            (),
            ("a teacher's word",),
        )
        assert (ola.old, ola.new, ola.requirements, ola.why) == (
            5,
            10,
            (("1a", 3, 8),),
            ("another submission",),
        )
        assert (siv.old, siv.new, siv.why) == (None, 4, ("not in the old grading",))


@pytest.fixture
def by_file(results):
    def work(job):
        said = json.loads((Path(job.order.submission) / "points.json").read_text())
        if said == "broken":
            return Done(job, error="not gradable: it is empty")
        return Done(job, results(said, job.who).model_dump_json())

    return work


def test_a_verdict_is_made_again_and_says_what_differs(graded, hand_in, by_file, results):
    assert replay(graded, "ola", by_file).same
    assert replay(graded, "per", by_file).same
    worse = replay(graded, "ola", lambda job: Done(job, results(2).model_dump_json()))
    assert not worse.same
    assert worse.differences == (("split_sizes", "failed, 3 of 8", "failed, 2 of 8"),)
    broken = replay(graded, "ola", lambda job: Done(job, error="no"))
    assert broken.differences == (
        ("error", "none", "'no'"),
        ("split_sizes", "failed, 3 of 8", "no verdict"),
        ("metrics_map", "passed, 2 of 2", "no verdict"),
    )
    other = replay(graded, "per", lambda job: Done(job, error="not gradable: it is\nempty\x1b"))
    assert other.differences == (
        ("error", "'not gradable: it is empty'", "'not gradable: it is empty⟨U+001B⟩'"),
    )
    assert (
        replay(graded, "per", lambda job: Done(job, results(2).model_dump_json())).differences[0][2] == "none"
    )
    assert [v.results.points for v in graded.verdicts("ola")] == [5.0]  # the log is as it was
    with pytest.raises(InputError, match="'siv' has no verdict"):
        replay(graded, "siv", by_file)
    hand_in(ola=8)
    with pytest.raises(InputError, match="has handed in something else since"):
        replay(graded, "ola", by_file)


def test_what_was_judged_without_a_rehearsal_is_replayed_without_one(hand_in, engine, tmp_path, by_file):
    seen = []
    grade(Order(hand_in(kari=5), "demo", tmp_path / "bare", rehearsal=False), engine())
    with Gradebook(tmp_path / "bare" / GRADEBOOK) as book:
        replay(book, "kari", lambda job: seen.append(job) or by_file(job))
    assert [job.order.rehearsal for job in seen] == [False]


def test_a_replay_is_given_what_the_verdict_was_made_from(graded, by_file):
    seen = []

    def look(job):
        seen.append(job)
        return by_file(job)

    replay(graded, "kari", look)
    (job,) = seen
    assert (job.who, job.attempt) == ("kari", 1)
    assert (job.order.edition, job.order.data, job.order.full) == ("demo", "", False)
    assert job.secret == graded.meta("secret")
    assert job.digest == graded.verdicts("kari")[0].record["submission"]

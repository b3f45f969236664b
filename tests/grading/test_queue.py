"""What is left to a teacher: on the page, in queue.csv, marked in one go, and counted nowhere as earned or lost."""

import csv
import io
import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from in4310.cli import cli
from in4310.errors import InputError
from in4310.grading.class_page import class_page
from in4310.grading.compare import compare
from in4310.grading.exports import canvas_csv, class_json, gradescope_results, moodle_csv
from in4310.grading.gradebook import Gradebook
from in4310.grading.layouts import Entry
from in4310.grading.marks import Mark, Override, Status
from in4310.grading.override import check_overrides, read_overrides
from in4310.grading.queue import QUEUE, queue
from in4310.grading.write import write_class
from in4310.judging.verdict import Check, Outcome, Requirement


def opened(results, name="kari"):
    """4 of 5 judged points, 1 lost, and 3 + 2 for the teacher."""
    start = Check(name="network_start", title="Start", points=0, max_points=3, open_points=3, outcome=Outcome.OPEN,
                  reason="=stated, not verified")  # fmt: skip
    plots = Check(name="loss_curves", title="Plot", points=2, max_points=4, open_points=2, outcome=Outcome.OPEN,
                  reason="no plot by that name")  # fmt: skip
    lost = Check(
        name="metrics_map", title="mAP", points=2, max_points=3, outcome=Outcome.FAILED, reason="0.9"
    )
    asked = [
        Requirement(id="1d", title="The network", text="Train.", checks=[start]),
        Requirement(id="1j", title="Curves", text="Plot.", checks=[plots, lost]),
    ]
    return results(name=name).model_copy(update={"requirements": asked})


@pytest.fixture
def mark(results):
    def make(who="kari", *said):
        words = [Override(what, points, "fair", "anne", "2026-11-24") for what, points in said]
        return Mark(who, status=Status.DONE, results=opened(results, who), overrides=tuple(words))

    return make


@pytest.fixture
def book(tmp_path, results):
    with Gradebook(tmp_path / "gradebook.db") as book:
        entries = [Entry(who, tmp_path / who, 1) for who in ("=ola", "kari")]
        book.register(entries, entries)
        for entry in entries:
            book.record(entry.who, 1, "key", opened(results, entry.who), "", 1.0, 1, {})
        yield book


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_a_mark_on_a_check_settles_what_was_open(mark):
    before, after = mark(), mark("kari", ("network_start", 2.5))
    assert (before.points, before.open_points, before.max_points) == (4, 5, 10)
    assert (after.points, after.open_points) == (6.5, 2)
    both = mark("kari", ("network_start", 2.5), ("loss_curves", 4.0))
    assert (both.points, both.open_points) == (8.5, 0)


@pytest.mark.parametrize(
    ("what", "points", "total", "left"), [("1d", 3, 7, 2), ("1j", 7, 7, 3), ("", 9, 9, 0)]
)
def test_a_mark_on_the_requirement_or_the_whole_settles_all_in_it(mark, what, points, total, left):
    marked = mark("kari", (what, points))
    assert (marked.points, marked.open_points) == (total, left)


def test_one_kind_stands_together_with_all_who_wait(mark):
    kinds = queue([mark("a"), mark("b", ("network_start", 0.0)), mark("c")])
    assert [(k.name, [one.mark.who for one in k.waiting], k.points) for k in kinds] == [
        ("network_start", ["a", "c"], 6), ("loss_curves", ["a", "b", "c"], 6)
    ]  # fmt: skip
    assert kinds[0].waiting[0].report == "students/a/index.html#c-network-start"


def test_the_queue_is_filled_in_and_given_back(book, tmp_path):
    write_class(book.marks(), tmp_path, "Mandatory 1")
    file = tmp_path / QUEUE
    found = rows(file)
    assert [(r["who"], r["check"], r["left"], r["most"], r["points"]) for r in found] == [
        ("'=ola", "network_start", "3", "3", ""), ("kari", "network_start", "3", "3", ""),
        ("'=ola", "loss_curves", "2", "4", ""), ("kari", "loss_curves", "2", "4", ""),
    ]  # fmt: skip
    assert found[0]["found"] == "'=stated, not verified"
    with pytest.raises(InputError, match="nothing was marked"):
        read_overrides(file)
    for row in found[:3]:
        row["points"] = "2,5"
    with file.open("w", newline="", encoding="utf-8-sig") as stream:  # as a Norwegian Excel saves it
        table = csv.DictWriter(stream, list(found[0]), delimiter=";")
        table.writeheader()
        table.writerows(found)
    write_class(book.marks(), tmp_path, "Mandatory 1")  # what is filled in and not yet given back is kept
    assert [r["points"] for r in rows(file)] == ["2.5", "2.5", "2.5", ""]
    run = CliRunner().invoke(cli, ["mark", "--csv", str(file), "--by", "anne", "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    marks = {m.who: (m.points, m.open_points) for m in book.marks()}
    assert marks == {"=ola": (7.0, 0), "kari": (6.5, 2)}
    write_class(book.marks(), tmp_path, "Mandatory 1")
    assert [(r["who"], r["check"]) for r in rows(file)] == [("kari", "loss_curves")]


@pytest.mark.parametrize("points", ["-5", "-inf", "nan", "inf", "3.01", "eleven"])
@pytest.mark.parametrize("column", ["check", "requirement"])
def test_no_row_is_kept_where_one_is_no_mark(book, tmp_path, column, points):
    what = "network_start" if column == "check" else "1d"
    file = tmp_path / "marks.csv"
    file.write_text(f"who,{column},points\nkari,{what},1\nkari,{what},{points}\n")
    run = CliRunner().invoke(cli, ["mark", "--csv", str(file), "--out", str(tmp_path)])
    assert run.exit_code == 2
    assert book.overrides("kari") == ()


def test_a_check_that_is_none_is_named(book):
    with pytest.raises(InputError, match="no requirement and no check"):
        check_overrides(book, [("kari", "network_strat", 1.0, "")])


def test_exports_hold_earned_points_and_say_what_is_open(mark):
    marks = [mark()]
    assert canvas_csv(marks, "Mandatory 1", 10).splitlines()[2].endswith('"4"')
    assert "Mandatory 1: 4 of 5 points, and 5 for the teacher" in moodle_csv(marks, "Mandatory 1", 10)
    told = json.loads(gradescope_results(marks[0]))
    assert told["output"] == "4 of 5 points, and 5 for the teacher"
    assert "points open" in told["tests"][0]["tags"]
    student = json.loads(class_json(marks, "demo", ""))["students"][0]
    assert (student["points"], student["open_points"]) == (4, 5)
    assert [r["open_points"] for r in student["requirements"]] == [3, 2]


def test_the_class_page_has_the_queue_until_it_is_done(mark):
    page = class_page([mark(), mark("ola")], "now")
    assert 'id="queue"' in page
    assert 'href="students/ola/index.html#c-loss-curves"' in page
    assert "2 with points left to you" in page
    done = class_page([mark("kari", ("", 5.0))], "now")
    assert 'id="queue"' not in done
    assert "left to you" not in done


def test_two_gradings_differ_where_only_what_is_open_does(tmp_path, results):
    made = []
    for name, open_points in (("old", 3), ("new", 0)):
        found = opened(results)
        found.requirements[0].checks[0].open_points = open_points
        book = Gradebook(tmp_path / name / "gradebook.db")
        entries = [Entry("kari", tmp_path, 1)]
        book.register(entries, entries)
        book.record("kari", 1, name, found, "", 1.0, 1, {})
        made.append(book)
    (change,) = compare(*made)
    assert (change.old, change.new, change.old_open, change.new_open) == (4, 4, 5, 2)
    for book in made:
        book.__exit__()


@given(st.dictionaries(st.sampled_from(["network_start", "loss_curves", "1d", "1j", ""]), st.floats(0, 3)))
def test_earned_and_open_never_exceed_what_there_is(said):
    from tests.grading.conftest import make_results

    words = tuple(Override(what, points, "", "anne", "") for what, points in said.items())
    mark = Mark("kari", status=Status.DONE, results=opened(make_results), overrides=words)
    assert 0 <= mark.open_points <= 5
    assert mark.points + mark.open_points <= mark.max_points + 1e-9
    assert (mark.open_points == 0) == (not queue([mark]))

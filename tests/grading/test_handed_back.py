"""What a class is handed back: as its system takes it, headed by whose it is, with commands that work where they are."""

import io
import shutil
import zipfile

import pytest
from grading.conftest import make_results

from in4310.grading.class_page import class_page
from in4310.grading.feedback import upload, words_for, write_feedback
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.layouts import find_class
from in4310.grading.marks import Mark, Override, Status
from in4310.grading.movement import Moving, moving
from in4310.grading.screen import marks_table, shows
from in4310.grading.write import write_class
from in4310.judging.verdict import Given
from in4310.reporting.html import render
from in4310.reporting.reproduce import check_again, judge_again

AT = "2026-11-23T12:00:00+00:00"


def of_canvas(name):
    """The user and the file that Canvas finds in a name: the first two parts that are numbers."""
    user, file = [part for part in name.split("_") if part.isdecimal()][:2]
    return int(user), int(file)


def of_moodle(name):
    """(participant, plugin, what is stored) as Moodle finds them in a name."""
    info = name.split("_", 4)
    return int(info[1]), (info[2], info[3]), info[4]


CANVAS = {"nordmannkari_77_501_oblig.zip": (77, 501), "li_LATE_78_502_a_9_b.zip": (78, 502),
          "12_79_503_4.zip": (79, 503), "hagen_80_504_x.zip": (80, 504)}  # fmt: skip
MOODLE = {"Kari Nordmann_7_assignsubmission_file": 7, "Åse_M Li_8_assignsubmission_file": 8,
          "per~_9_assignsubmission_file": 9, "Siv_assignsubmission_file": None}  # fmt: skip


def made(tmp_path, names, folders=False):
    place = tmp_path / "class"
    for name in names:
        home = place / name if folders else place
        home.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(home / ("oblig.zip" if folders else name), "w") as archive:
            archive.writestr("points.json", "5")
    aside = tmp_path / "aside"
    aside.mkdir()
    return find_class(place, aside)


def feedback_of(found, tmp_path):
    marks = [Mark(e.who, shown=e.shown, status=Status.FAILED, error="an empty zip") for e in found.entries]
    content, left = upload(marks, {e.who: e.returns for e in found.entries if e.returns}, tmp_path, "en")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}, left


def test_canvas_finds_its_students_in_what_goes_back(tmp_path):
    found = made(tmp_path, CANVAS)
    assert found.layout == "Canvas"
    files, left = feedback_of(found, tmp_path)
    assert sorted(map(of_canvas, files)) == sorted(CANVAS.values())
    assert left == []
    assert all("What to do: hand in again" in text for text in files.values())


def test_moodle_finds_its_students_in_what_goes_back_and_who_has_no_number_is_named(tmp_path):
    found = made(tmp_path, MOODLE, folders=True)
    assert found.layout == "Moodle"
    files, left = feedback_of(found, tmp_path)
    assert sorted(of_moodle(name) for name in files) == [
        (n, ("assignsubmission", "file"), "marks.txt") for n in (7, 8, 9)
    ]
    assert not any(name.startswith((".", "~")) or "/" in name for name in files)
    assert [who for who, _ in left] == ["Siv"]


def test_a_class_of_canvas_is_graded_and_handed_back(tmp_path, engine):
    place, out = tmp_path / "class", tmp_path / "out"
    place.mkdir()
    for name in CANVAS:
        (place / name).write_bytes(b"PK\x03\x04")

    class Some(engine):
        def __init__(self):
            super().__init__(judge=self.one)

        def one(self, job):
            from in4310.grading.work import Done

            assert job.order.whose == job.who
            if job.who == "li":
                return Done(job, error="not gradable: it is empty")
            (out / "students" / f".{job.who}").mkdir(parents=True)
            (out / "students" / f".{job.who}" / "index.html").write_text(f"report of {job.who}")
            return Done(job, make_results(8, job.who).model_dump_json())

    marks = grade(Order(str(place), "demo", str(out)), Some())
    write_class(marks, out, "A")
    with zipfile.ZipFile(out / "exports" / "canvas_feedback.zip") as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert sorted(files) == sorted(
        ["nordmannkari_77_501_report.html", "nordmannkari_77_501_marks.txt", "li_78_502_marks.txt",
         "student_79_503_report.html", "student_79_503_marks.txt", "hagen_80_504_report.html", "hagen_80_504_marks.txt"]
    )  # fmt: skip
    assert files["hagen_80_504_report.html"] == "report of hagen"
    assert files["hagen_80_504_marks.txt"].startswith("hagen\n")
    assert "Not judged: not gradable: it is empty" in files["li_78_502_marks.txt"]
    assert "all students" in (out / "exports" / "canvas_feedback.left_out.txt").read_text()
    assert not (out / "exports" / "moodle_feedback.zip").exists()
    with Gradebook(out / GRADEBOOK) as book:
        assert {m.system for m in book.marks()} == {"Canvas"}
    shutil.rmtree(out / "students" / "hagen")
    write_feedback(marks, out, "en")  # a report that is gone costs no one else theirs


def test_who_is_still_waiting_is_told_nothing_by_the_system(tmp_path):
    content, left = upload([Mark("kari")], {"kari": "kari_1_2_"}, tmp_path, "en")
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == []
    assert left == [("kari", "not judged yet; in4310 grade goes on")]
    assert "nothing for you to do" in words_for(Mark("kari"), "en")


HAND = Override("", 4, "seen on paper", "anne", AT)


def test_a_mark_by_hand_without_a_verdict_is_shown_as_such():
    mark = Mark("per", status=Status.FAILED, error="an empty zip", overrides=(HAND,))
    page = class_page([mark], AT)
    assert "set by hand, not judged" in page
    assert 'data-groups="by-hand"' in page, "nobody knows whether points were lost"
    assert words_for(mark, "en").splitlines() == [
        "per", "4 points (set by hand)", "Not judged: an empty zip", "anne: seen on paper",
    ]  # fmt: skip
    assert list(marks_table([mark]).columns[2].cells) == ["4 (set by hand)"]


def test_what_could_not_be_read_has_not_failed():
    page = class_page([Mark("per", status=Status.FAILED, error="an empty zip")], AT)
    assert '<span class="absent">not judged</span>' in page
    assert "failed" not in page[page.index("<main") : page.index("</main>")]


def test_titles_on_the_class_page_are_true():
    right = Mark("kari", status=Status.DONE, results=make_results(8, "kari"))
    wrong = Mark("ola", status=Status.DONE, results=make_results(2, "ola"))
    mended = Mark(
        "siv",
        status=Status.DONE,
        results=make_results(2, "siv"),
        overrides=(Override("1a", 8, "", "anne", AT),),
    )
    assert "Nobody lost points" in class_page([right], AT)
    assert "Where most points were lost" in class_page([right, wrong], AT)
    assert 'title="1a set by hand: 8/8"' in class_page([mended], AT)
    assert "1 student<" in class_page([right, Mark("kari", 2)], AT), "two attempts are one student"


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (Given(submission="kari", edition="demo", handed_out=True), "in4310 check . --edition demo"),
        (Given(submission="kari", edition="2023", data="images", handed_out=True), "in4310 check . --edition 2023 --data DATA"),
        (Given(submission="kari", edition="mine.toml", handed_out=True), ""),
        (Given(submission="kari", edition="mine.toml"), "in4310 check kari --edition mine.toml"),
    ],
)  # fmt: skip
def test_commands_work_where_the_student_is(given, command):
    results = make_results().model_copy(update={"given": given})
    assert " ".join(judge_again(results)) == command
    assert bool(check_again(results, ["metrics_map"])) == bool(command)
    page = render(results)
    assert ("in the folder of your hand-in" in page) == (given.handed_out and bool(command))
    assert ("DATA stands for" in page) == ("DATA" in command)
    assert ('class="command"' in page) == bool(command)


class Screen:
    """A console of a terminal, or none."""

    def __init__(self, is_terminal):
        self.is_terminal, self.lines = is_terminal, []

    def print(self, text, **_):
        self.lines.append(text)


def test_something_is_told_before_anything_heavy_is_done(monkeypatch):
    log = Screen(False)
    with moving(log, False, "preparing") as shown:
        assert log.lines == ["preparing"], "at once"
        now = [shown._told]
        monkeypatch.setattr("in4310.grading.movement.time.monotonic", lambda: now[0])
        from in4310.grading.grade import State

        for done in range(30):
            now[0] += 1
            shows(shown)(State(waiting=["x"] * (30 - done), done=["y"] * done))
    assert log.lines[1] == "4 of 30 judged"
    assert len(log.lines) == 1 + 30 // 5, "a line each five seconds"
    with moving(log, True, "preparing") as shown:
        assert len(log.lines) == 7, "nothing where it is quiet"


def test_a_terminal_is_drawn_anew_though_nothing_happens(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("in4310.grading.movement.time.monotonic", lambda: now[0])
    shown = Moving(Screen(True), "preparing")
    seen = []
    for _ in range(3):
        seen.append(str(shown.drawn().text))
        now[0] += 5
    assert seen == ["preparing 0:00:00", "preparing 0:00:05", "preparing 0:00:10"]

"""Names of any bytes, any collision, and items that are no hand-in: none stops a class, none is lost in silence, and the
originals stay as they were."""

import csv
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from in4310.grading.grade import Order, grade
from in4310.grading.layouts import find_class
from in4310.grading.marks import Status
from in4310.grading.work import Done
from in4310.grading.write import write_class
from in4310.judging.edition import load_edition
from in4310.shown import shown

KEY = re.compile(r"[\w-][\w.-]*")


def fingerprint(folder):
    """Of all names, kinds, modes and contents below a folder."""
    total = hashlib.sha256()
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in sorted([*folders, *files]):
            item = os.path.join(place, name)
            total.update(item + b"\0%o\0" % os.lstat(item).st_mode)
            if os.path.isfile(item) and not os.path.islink(item):
                total.update(Path(os.fsdecode(item)).read_bytes())
    return total.hexdigest()


def make_item(place, name, kind="zip"):
    item = os.path.join(os.fsencode(place), name if isinstance(name, bytes) else os.fsencode(name))
    if kind == "folder":
        os.mkdir(item)
        item = os.path.join(item, b"points.json")
    with open(item, "wb") as stream:
        if kind == "zip":
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr("points.json", "8")
        else:
            stream.write(b"8 " + name)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "class").mkdir()
    return tmp_path / "class"


@pytest.fixture
def all_judged(results):
    """An engine that gives each hand-in the same points."""

    class Engine:
        def carry_out(self, jobs, watch):
            for job in jobs:
                Path(job.order.report).mkdir(parents=True)
                yield Done(job, results(8.0, job.who).model_dump_json())

    return Engine()


def looked_at(place, aside):
    """The class found there, with all that must hold of any."""
    before = fingerprint(place)
    found = find_class(place, aside)
    assert fingerprint(place) == before
    keys = [(e.who.casefold(), e.attempt) for e in found.entries]
    assert len(set(keys)) == len(keys)
    assert all(KEY.fullmatch(e.who) for e in found.entries)
    notes = "\n".join(found.notes)
    notes.encode("utf-8")
    return found, notes


name = st.one_of(
    st.binary(min_size=1, max_size=12).map(lambda b: b.translate(bytes.maketrans(b"/\0", b"__"))),
    st.sampled_from(["kari nordmann", "kari-nordmann", "Kari Nordmann", "kari", "..x", "...", "aux", "a;=cmd|' C calc'!A0",
                     "é", "é", "-", "x" * 120, "77", "a\nb", "a\u202eb", ".hidden", "unnamed"]).map(str.encode),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.tuples(name, st.sampled_from([b"", b".zip", b".ZIP", b".tar.gz"])),
        st.sampled_from(["zip", "folder"]),
        min_size=1,
        max_size=8,
    )
)
@example(  # G2: the third is named by the mark that the second would get
    {
        (b"kari nordmann", b".zip"): "zip",
        (b"kari-nordmann", b".zip"): "zip",
        (b"kari-nordmann-e48f91", b".zip"): "zip",
    }
)
@example({(b"kari", b".zip"): "zip", (b"kari", b""): "folder"})
@example({(b"\xff\xfe", b".zip"): "zip"})  # G3
def test_each_item_is_a_row_or_is_named(items):
    """G2, G3: keys collide in no way, and a name that is no UTF-8 stops nothing."""
    items = {
        n + end: kind
        for (n, end), kind in items.items()
        if n + end not in (b".", b"..") and len(n + end) < 200
    }
    with tempfile.TemporaryDirectory() as home:
        place, aside = Path(home) / "class", Path(home) / "aside"
        place.mkdir()
        aside.mkdir()
        make_item(place, b"an honest one", "folder")
        make_item(place, b"another.zip")
        for one, kind in items.items():
            make_item(place, one, kind)
        found, notes = looked_at(place, aside)
        rows = {os.fsencode(os.path.relpath(e.place, place)).split(b"/")[0] for e in found.entries}
        for one in items:
            assert one in rows or f"{shown(os.fsdecode(one))}: " in notes, one


def test_a_class_of_strange_names_is_graded(place, tmp_path, all_judged):
    """G2, G3, G7, G8: a row or a reason for each item, and every cell of an export quoted."""
    strange = [b"\xff\xfe.zip", b"kari nordmann.zip", b"kari-nordmann.zip", b"kari-nordmann-e48f91.zip", b"a;=cmd|' C calc'!A0.zip",
               b"..x.zip", b"a\nb.zip", "Åse.zip".encode(), b"@sum(1).zip"]  # fmt: skip
    for one in strange:
        make_item(place, one)
    make_item(place, b"kari", "folder")
    make_item(place, b"kari.zip")
    os.mkfifo(place / "pipe")
    (place / "away").symlink_to("/etc")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place / "s"))
    before = fingerprint(place)
    out = tmp_path / "out"
    marks = grade(Order(place, "demo", out), all_judged)
    write_class(marks, out, "Mandatory 1")
    listening.close()
    assert [m.status for m in marks] == [Status.DONE] * (len(strange) - 1 + 2)
    assert fingerprint(place) == before
    page = (out / "index.html").read_text(encoding="utf-8")
    for reason in ("pipe: left aside", "away: left aside", "..x.zip: left aside", "s: left aside"):
        assert reason in page
    for file in (out / "exports").glob("*.csv"):
        text = file.read_text(encoding="utf-8")
        cells = [c for row in csv.reader(text.splitlines(keepends=True)) for c in row]
        assert all(f'"{c.replace(chr(34), chr(34) * 2)}"' in text for c in cells)
        assert not any(c.startswith(("=", "@")) for c in cells)


def test_results_of_grading_inside_the_class_are_no_student(place, all_judged, monkeypatch):
    """G7: the folder of the run before, wherever it lies."""
    for one in (b"kari.zip", b"ola.zip"):
        make_item(place, one)
    monkeypatch.chdir(place)
    for out in ("reports/class", "reports/class", "elsewhere"):
        marks = grade(Order(Path(), "demo", Path(out)), all_judged)
        write_class(marks, Path(out), "Mandatory 1")
        assert [m.who for m in marks] == ["kari", "ola"]
    assert "reports: left aside, results of grading" in Path("elsewhere/index.html").read_text(
        encoding="utf-8"
    )


def test_two_uploads_of_one_name_are_both_kept(place, tmp_path):
    """G4: and the originals stay as they were. G6: an upload named `..`."""
    for number, text in ((1, "first"), (2, "second")):
        (place / f"kari_5_{number}_a.txt").write_text(text)
    (place / "ola_6_3_...txt").write_text("dots")
    (place / "ola_6_4_..").write_text("dots")
    (tmp_path / "aside").mkdir()
    found, _ = looked_at(place, tmp_path / "aside")
    kari, ola = found.entries
    assert sorted(f.read_text() for f in kari.place.iterdir()) == ["first", "second"]
    assert len(list(ola.place.iterdir())) == 2


def test_a_student_named_as_another_one_is_numbered(place, tmp_path):
    """G5: each keeps their own hand-in."""
    (place / "Kari_77_assignsubmission_file_a.txt").write_text("kari")
    (place / "77_assignsubmission_file_a.txt").write_text("77")
    (place / ".._assignsubmission_file_a.txt").write_text("dots")
    (place / "x.._assignsubmission_file_").write_text("x")
    (tmp_path / "aside").mkdir()
    found, _ = looked_at(place, tmp_path / "aside")
    assert {e.who: [f.read_text() for f in e.place.iterdir()] for e in found.entries if e.who != "x"} == {
        "77": ["77"], "Kari": ["kari"]
    }  # fmt: skip


MOODLE = "_assignsubmission_file_"
TAKEN = {
    "Canvas: victim_123": ("victim_123_1_a.txt", "evil_123_77_88_b.txt", "ola_5_9_c.txt"),
    "Moodle, a student": (f"victim_123{MOODLE}/a.txt", f"victim_123{MOODLE}x_88{MOODLE}/b.txt", f"ola_5{MOODLE}/c.txt"),
    "Moodle, a file": (f"victim_123{MOODLE}a.txt", f"victim_123{MOODLE}x_88{MOODLE}b.txt", f"ola_5{MOODLE}c.txt"),
    "Moodle, a text": (f"victim_123{MOODLE}a.txt", f"victim_123{MOODLE}_assignsubmission_onlinetext_b.txt", f"ola_5{MOODLE}c.txt"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_nobody_is_taken_for_another_by_a_name_that_reads_in_two_ways(place, tmp_path, kind):
    """As G5: a student, or a file, that is called as the course system calls another one's."""
    for name in TAKEN[kind]:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("x")
    (tmp_path / "aside").mkdir()
    found, notes = looked_at(place, tmp_path / "aside")
    files = {e.who: [f.name for f in e.place.iterdir()] for e in found.entries}
    assert files["victim"] == ["a.txt"]
    assert files["ola"] == ["c.txt"]
    numbers = [e.identity for e in found.entries if e.identity]
    assert len(set(numbers)) == len(numbers)
    assert Path(TAKEN[kind][1]).parts[0] in notes


@pytest.mark.parametrize("metadata", ["folder", "link", "pipe"])
def test_names_of_gradescope_that_cannot_be_read(place, tmp_path, metadata):
    (place / "submission_1").mkdir()
    file = place / "submission_metadata.yml"
    {"folder": file.mkdir, "link": lambda: file.symlink_to("/etc/passwd"), "pipe": lambda: os.mkfifo(file)}[
        metadata
    ]()
    (tmp_path / "aside").mkdir()
    found, notes = looked_at(place, tmp_path / "aside")
    assert [e.who for e in found.entries] == ["submission_1"]
    assert "submission_metadata.yml: left aside" in notes


def too_much(place, kind):
    """A folder that cannot be walked, or not be read, in bounded time."""
    here = Path.cwd()
    place.mkdir(parents=True)
    if kind == "holes":
        with (place / "scores.npy").open("wb") as file:
            file.truncate(2**35)
        return
    levels, name = {"deep": (1100, "a"), "long": (30, "b" * 200)}[kind]
    os.chdir(place)
    for _ in range(levels):
        Path(name).mkdir()
        os.chdir(name)
    Path("x.py").touch()
    os.chdir(here)


@pytest.mark.parametrize("layout", ["folders", "Devilry"])
def test_what_cannot_be_read_in_bounded_time_costs_its_own_row(place, tmp_path, all_judged, layout):
    """Folders in each other, deeper than any path; and 32 GiB of holes."""
    below = {"folders": "{}", "Devilry": "{}(groupid=1)/deadline-1", "Moodle": "{}_1_assignsubmission_file_"}[
        layout
    ]
    make_item(place, os.fsencode(below.format("kari").split("/")[0]), "folder")
    kinds = ("deep", "long", "holes")
    try:
        for kind in kinds:
            too_much(place / below.format(kind), kind)
        if layout == "Devilry":
            too_much(place / "old(groupid=2)" / "deadline-1" / "deep", "deep")
            for name in ("old_duplicates", "new"):
                (place / "old(groupid=2)" / "deadline-1" / name).mkdir()
        order = Order(place, "demo", tmp_path / "out", since=1.0)
        marks = {m.who: m for m in grade(order, all_judged)}
        assert marks["kari"].status is Status.DONE
        assert {who for who, m in marks.items() if m.status is not Status.DONE} == {*kinds}
        assert [re.findall("more than .*|too long", marks[kind].error) for kind in kinds] == [
            ["more than 100 deep in each other)"], ["too long"], ["more than 16 GiB)"]]  # fmt: skip
    finally:
        subprocess.run(["rm", "-rf", place], check=True)


@pytest.fixture
def as_an_ordinary_user():
    """A folder of an ordinary user, who may not read everything; root's rights are laid down meanwhile."""
    home = tempfile.mkdtemp(prefix="in4310-test-")
    root = os.geteuid() == 0
    if root:
        os.chown(home, 65534, 65534)
        os.setegid(65534)
        os.seteuid(65534)
    yield Path(home)
    if root:
        os.seteuid(0)
        os.setegid(0)
    for folder, _, _ in os.walk(home):
        os.chmod(folder, 0o700)
    shutil.rmtree(home)


def test_what_cannot_be_read_costs_its_own_row(as_an_ordinary_user, all_judged, monkeypatch):
    """G6: a file or folder of mode 000."""
    monkeypatch.setenv("IN4310_CACHE", str(as_an_ordinary_user / "cache"))
    place = as_an_ordinary_user / "class"
    place.mkdir()
    for one in (b"kari.zip", b"closed.zip"):
        make_item(place, one)
    for one in (b"ola", b"shut"):
        make_item(place, one, "folder")
    (place / "closed.zip").chmod(0)
    (place / "shut").chmod(0)
    (place / "ola" / "extra.bin").write_bytes(b"x")
    (place / "ola" / "extra.bin").chmod(0)
    data = as_an_ordinary_user / "data"
    for one in load_edition("demo").data.classes:
        (data / one).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(data / one / "1.jpg")
    order = Order(place, "demo", as_an_ordinary_user / "out", data=str(data))
    marks = {m.who: m for m in grade(order, all_judged)}
    assert marks["kari"].status is Status.DONE
    assert set(marks) == {"kari", "ola", "closed", "shut"}
    for who in ("ola", "closed", "shut"):
        assert marks[who].status is not Status.DONE
        assert "cannot be read" in marks[who].error

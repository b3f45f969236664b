"""A whole class under load and under misfortune: 500 hand-ins, ten kills, a disk that fills. Nothing lost or doubled."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path

import psutil
import pytest
from grading.generated import Light, Maker

from in4310.grading.engines import LocalEngine
from in4310.grading.grade import Order, grade
from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Status

pytestmark = pytest.mark.slow
SIZE = int(os.environ.get("IN4310_LOAD", "500"))
MB = 2**20
LIGHT = max(20, min(40, SIZE // 6))  # each kind is among twenty


def command(place, out, *more):
    return [sys.executable, "-m", "in4310", "grade", str(place), "--edition", "demo", "--out", str(out), "--jobs", "2",
            "--quiet", *more]  # fmt: skip


def marks_of(out):
    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        return {m.who: (m.status, m.points, m.error) for m in book.marks()}


def verdicts_of(out):
    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        return book.verdicts()


def judged(out):
    """How many verdicts there are. Reading them all again and again would take as long as judging some."""
    try:
        with closing(sqlite3.connect(f"{(out / GRADEBOOK).absolute().as_uri()}?mode=rw", uri=True)) as book:
            return book.execute("SELECT count(*) FROM verdict").fetchone()[0]
    except sqlite3.Error:  # it is being made
        return 0


def memory(process):
    """Bytes of a process and of all below it; pages that they share count once (proportional set size)."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def expect_marks(marks, kinds):
    """Right hand-ins have full marks and no other has; whoever handed something in has a verdict."""
    assert set(marks) == set(kinds)
    full = {who for who, (_, points, _) in marks.items() if points == 110}
    assert full == {who for who, kind in kinds.items() if kind == "right"}
    assert all(status in (Status.DONE, Status.FAILED) for status, _, _ in marks.values())
    assert all(error and "\n" not in error for status, _, error in marks.values() if status is Status.FAILED)
    for who, kind in kinds.items():
        if kind in ("right", "faulty"):
            assert marks[who][0] is Status.DONE, f"{who}: {marks[who][2]}"


def test_five_hundred_hand_ins(reference, tmp_path, capsys):
    place, out = tmp_path / "class", tmp_path / "out"
    place.mkdir()
    kinds = Maker(reference, place)(SIZE)
    began, samples, seen = time.perf_counter(), [], 0
    process = subprocess.Popen(
        command(place, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    looked = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if (found := judged(out)) > seen:
                seen = found
                samples.append((seen, looked.memory_info().rss, memory(looked)))
    seconds = time.perf_counter() - began
    assert process.returncode == 1, process.stderr.read()
    expect_marks(marks_of(out), kinds)
    verdicts = verdicts_of(out)
    assert len(verdicts) == len({v.who for v in verdicts}) == SIZE
    reports = {p.name for p in (out / "students").iterdir()}
    assert reports == {v.who for v in verdicts if v.status is Status.DONE}
    assert not Path("/tmp/in4310-pwned").exists()

    began = time.perf_counter()
    assert subprocess.run(command(place, out), capture_output=True, check=False).returncode == 1
    again = time.perf_counter() - began
    assert len(verdicts_of(out)) == SIZE, "what stands is not judged again"

    early = [s for s in samples if s[0] <= min(50, SIZE // 2)][-1]
    late = samples[-1]
    figures = {
        "hand-ins": SIZE,
        "seconds in all": round(seconds, 1),
        "seconds each": round(seconds / SIZE, 3),
        "seconds of a second run, in which nothing is judged": round(again, 1),
        "median seconds of judging": {
            kind: round(sorted(v.seconds for v in verdicts if kinds[v.who] == kind)[list(kinds.values()).count(kind) // 2], 2)
            for kind in ("right", "faulty", "hostile", "broken")
        },
        "peak MiB of the grading process": max(s[1] for s in samples) // MB,
        "peak MiB of all processes": max(s[2] for s in samples) // MB,
        f"MiB of the grading process after {early[0]} and {late[0]}": [early[1] // MB, late[1] // MB],
        "peak MiB of one judging process, first and last tenth": [
            max(v.memory for v in part) // MB for part in (verdicts[: SIZE // 10], verdicts[-(SIZE // 10) :])
        ],
        "kB of the class page": (out / "index.html").stat().st_size // 1000,
        "kB of the gradebook": (out / GRADEBOOK).stat().st_size // 1000,
    }  # fmt: skip
    with capsys.disabled():
        print("\n" + json.dumps(figures, indent=1))
    # The grading process keeps a class's marks at its end (0.2 MiB each were measured), not its reports or pictures.
    assert late[1] - early[1] < 0.5 * MB * SIZE
    assert max(v.memory for v in verdicts) < 3 * 1024 * MB


@pytest.fixture(scope="module")
def light_class(reference, tmp_path_factory):
    """Hand-ins without weights, of all kinds but the right: seconds for all of them. Only to be read."""
    place = tmp_path_factory.mktemp("light") / "class"
    place.mkdir()
    Light(reference, place)(LIGHT)
    return place


@pytest.fixture(scope="module")
def straight(light_class, tmp_path_factory):
    """The marks of that class, graded without misfortune."""
    out = tmp_path_factory.mktemp("straight") / "out"
    subprocess.run(command(light_class, out), capture_output=True, check=False)
    return marks_of(out)


def test_killed_at_ten_random_moments(light_class, straight, tmp_path, capsys):
    broken = tmp_path / "broken"
    seed = random.randrange(2**32)
    draw, progress = random.Random(seed), []
    for _ in range(10):
        process = subprocess.Popen(
            command(light_class, broken),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for = judged(broken) + draw.randrange(LIGHT // 10)
        for _ in count():  # until so many are done, and then for a random part of one more
            try:
                process.wait(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                if judged(broken) >= wait_for:
                    break
        try:
            process.wait(timeout=draw.random() * 1.5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        progress.append(judged(broken))
    subprocess.run(command(light_class, broken), capture_output=True, check=False)
    with capsys.disabled():
        print(f"\nverdicts at the ten kills (seed {seed}): {progress}")
    assert marks_of(broken) == straight, f"seed {seed}"
    verdicts = verdicts_of(broken)
    assert len(verdicts) == len({v.who for v in verdicts}) == LIGHT
    assert not [p for p in (broken / "students").iterdir() if p.name.startswith(".")], "nothing half written"
    assert not list(broken.rglob("*.tmp"))


def unshared(script):
    """A shell script in a name space of its own, where a file system of any size can be mounted."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return subprocess.run(
        ["unshare", "--mount", *as_root, "sh", "-euc", script],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare (util-linux)")
def test_a_disk_that_fills(light_class, straight, tmp_path):
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    if unshared(f"mount -t tmpfs tmpfs {disk}").returncode != 0:
        pytest.skip("needs user name spaces in which a file system can be mounted")
    run = " ".join(command(light_class, disk))
    done = unshared(f"""
        mount -t tmpfs -o size={LIGHT // 10}m tmpfs {disk}
        {run} > {tmp_path}/full.txt 2>&1 && code=0 || code=$?
        echo $code >> {tmp_path}/full.txt
        cp -r {disk} {copy}
        mount -o remount,size=400m {disk}
        {run} > {tmp_path}/enough.txt 2>&1 || true
        rm -r {copy}
        cp -r {disk} {copy}
    """)
    assert done.returncode == 0, done.stderr
    *said, code = (tmp_path / "full.txt").read_text().strip().splitlines()
    assert code == "2", said
    assert len(said) == 1, said
    assert "No space left" in said[0] or "full" in said[0]
    assert marks_of(copy) == straight
    assert len(verdicts_of(copy)) == LIGHT


def test_replaced_while_it_is_graded(light_class, tmp_path):
    """What is judged is what the verdict names, or nothing: the new one is judged by the next run."""
    place = shutil.copytree(light_class, tmp_path / "class", copy_function=os.link)
    victim = place / "s0002"
    fresh = tmp_path / "fresh"
    shutil.copytree(victim, fresh)
    (fresh / "README.txt").write_text("handed in anew")

    def replace(state):
        if "s0002" in state.running and fresh.exists():
            victim.rename(tmp_path / "old")
            fresh.rename(victim)

    order = Order(place, "demo", tmp_path / "out", only=("s0002",))
    grade(order, LocalEngine(1), replace)
    assert not fresh.exists()
    last = grade(order, LocalEngine(1))
    mark = next(m for m in last if m.who == "s0002")
    assert mark.status is Status.DONE
    with Gradebook(tmp_path / "out" / GRADEBOOK) as book:
        (verdict,) = book.verdicts()
        from in4310.grading.work import digest_of

        assert verdict.record["submission"] == digest_of(victim)

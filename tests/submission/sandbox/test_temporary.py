"""What a killed run left in the folder for temporary files is removed by the next; what is in use, or another's, stays."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from in4310.places import decoded_folder, room_for
from in4310.submission.sandbox.worker import Sandbox
from in4310.temporary import is_left_over, left_over, ours, remove, sweep_partial

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A folder for temporary files that no run beside this one sweeps."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)


def killed(kind):
    """A folder of a process that was killed."""
    source = (
        "import tempfile; from in4310.temporary import ours\n"
        f"print(tempfile.mkdtemp(prefix=ours({kind!r})), flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        folder = Path(process.stdout.readline().strip())
        assert not is_left_over(folder.name)
        process.send_signal(signal.SIGKILL)
    return folder


@pytest.mark.slow
def test_folders_of_killed_runs_are_removed_at_the_next_start(sandbox):
    left, mine, other = (
        killed("job"),
        Path(tempfile.mkdtemp(prefix=ours("job"))),
        Path(tempfile.mkdtemp(prefix="in4310-")),
    )
    (left / "closed").mkdir()
    (left / "closed").chmod(0)
    link = left.with_name(left.name + "-link")
    link.symlink_to(mine)
    try:
        with Sandbox(sandbox.limits) as fresh:
            fresh._tier = sandbox.tier
            with fresh.worker(None) as worker:
                worker.call("ping", {})
        assert [path.exists() for path in (left, mine, other)] == [False, True, True]
        assert link.is_symlink()
    finally:
        link.unlink()
        mine.rmdir()
        other.rmdir()


@pytest.fixture
def deep(tmp_path):
    """Make folders that lie in each other, deeper than any path: where, how many, their name."""

    def make(place, levels, name="a"):
        here = Path.cwd()
        place.mkdir(parents=True)
        os.chdir(place)
        for _ in range(levels):
            Path("file").touch()
            Path(name).mkdir()
            os.chdir(name)
        os.chdir(here)

    yield make
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)


@pytest.mark.parametrize(("levels", "name"), [(1100, "a"), (30, "b" * 200)])
def test_folders_in_each_other_deeper_than_any_path_are_removed(deep, tmp_path, levels, name):
    deep(tmp_path / "top", levels, name)
    deep(tmp_path / "top" / "beside", levels, name)
    (tmp_path / "top" / "away").symlink_to("/etc")
    (tmp_path / "top" / name).chmod(0)
    remove(str(tmp_path / "top"))
    assert not (tmp_path / "top").exists()
    assert Path("/etc/passwd").is_file()


@pytest.mark.parametrize(
    "name", ["in4310-job-x", "in4310-job-1-2-3-abc", "in4310--", "other-job-1-2-3-x", "in4310-a-b-c-d-e"]
)
def test_names_that_say_nothing_are_left_alone(name):
    assert not is_left_over(name)


def test_what_is_left_over_is_of_our_own_user_only(monkeypatch):
    left = killed("print")
    try:
        assert left in left_over()
        monkeypatch.setattr("os.geteuid", lambda: 4711)
        assert left not in left_over()
    finally:
        left.rmdir()


def test_files_that_a_killed_run_was_about_to_rename_are_swept(tmp_path, monkeypatch):
    """By who writes to the same folder next: grade below its own, a report in its own, and of the cache what is old."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setenv("IN4310_CACHE", str(tmp_path / "cache"))
    out, cache = tmp_path / "out", tmp_path / "cache" / "decoded"
    swept = [f".index.html.{gone.pid}.partial", f"students/.r.{gone.pid}.partial"]
    kept = [f".a.{os.getpid()}.partial", "marks.csv", f"a.{gone.pid}.partial", ".partial", ".b.partial", ".c.x.partial",
            f".{gone.pid}.partial", f".d.{gone.pid}.partial.csv"]  # fmt: skip
    for place in (out, cache):
        (place / "students").mkdir(parents=True)
        (place / f".folder.{gone.pid}.partial").mkdir()
        (place / f".link.{gone.pid}.partial").symlink_to(out / "marks.csv")
        for name in (*swept, *kept):
            (place / name).write_text("")

    def left(place):
        return {name for name in (*swept, *kept) if (place / name).exists()}

    room_for(out)
    assert left(out) == {*swept[1:], *kept}
    sweep_partial(out.rglob("*"))
    assert left(out) == {*kept}
    decoded_folder()
    assert left(cache) == {*swept, *kept}  # who knows which machine writes it
    for name in (*swept, *kept):
        os.utime(cache / name, (0, 0))
    decoded_folder()
    assert left(cache) == {*swept[1:], *kept}
    assert (out / f".folder.{gone.pid}.partial").is_dir()
    assert (out / f".link.{gone.pid}.partial").is_symlink()

"""A7: the audit sample is drawn again for free by nobody, follows from all that is judged, and its secret is shown to nobody."""

import io
import os
import stat
import subprocess
import tarfile
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from submission.packing import tarred, zipped

from in4310.grading import work
from in4310.grading.work import Done, Job, judge_apart
from in4310.judging.audit import draw
from in4310.judging.order import Order
from in4310.submission.files import digest_of
from in4310.submission.folder import Submission
from in4310.submission.intake import take_in

SECRET = "5ec7e7" * 6
FILES = {"metrics.json": b"{}", "split/test.csv": b"path\nsea/1.jpg\n", "scores_test.npy": bytes(range(200))}


def dressed(files, year, comment=b"", system=3):
    """A zip with other times, another system's mark and a comment."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.comment = comment
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6))
            info.create_system, info.comment, info.extra = system, comment, b"\xfe\xca\x02\0no"
            archive.writestr(info, content)
    return stream.getvalue()


def twice(files):
    """A zip in which each name stands twice: the later one counts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in [(n, b"another") for n in files] + list(files.items()):
            archive.writestr(name, content)
    return stream.getvalue()


BACKWARDS = dict(reversed(FILES.items()))
PACKED = {
    "a.zip": zipped(FILES), "stored.zip": zipped(FILES, zipfile.ZIP_STORED), "backwards.zip": zipped(BACKWARDS),
    "other times.zip": dressed(FILES, 1999), "comments.zip": dressed(FILES, 2026, b"draw again", 0),
    "in a folder.zip": zipped({f"oblig 1/{name}": content for name, content in FILES.items()}),
    "a.tar": tarred("w", FILES), "a.tar.gz": tarred("w:gz", BACKWARDS), "a.tar.xz": tarred("w:xz", FILES),
    "a.tar.bz2": tarred("w:bz2", FILES),
}  # fmt: skip


def sample_of(path):
    with take_in(path) as taken:
        return draw(128, SECRET.encode(), Submission(taken.folder).digest).sample("test", 3000).tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return laid(tmp_path_factory.mktemp("as it is"), FILES)


def laid(home, files):
    for name, content in files.items():
        place = Path(os.fsdecode(os.fsencode(home) + b"/" + os.fsencode(name)))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return home


@pytest.mark.parametrize("name", PACKED)
def test_packing_it_again_draws_no_other_sample(name, folder, tmp_path):
    (tmp_path / name).write_bytes(PACKED[name])
    assert sample_of(tmp_path / name) == sample_of(folder)


def test_nor_do_times_modes_and_entries_that_do_not_count(folder, tmp_path):
    (tmp_path / "twice.zip").write_bytes(twice(FILES))
    assert sample_of(tmp_path / "twice.zip") == sample_of(folder)
    other = laid(tmp_path / "other", FILES)
    os.utime(other / "metrics.json", (1, 1))
    (other / "metrics.json").chmod(0o755)
    assert sample_of(other) == sample_of(folder)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number, (name, content) in enumerate(FILES.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uid, info.uname = len(content), number, 0o777, 4711, "kari"
            archive.addfile(info, io.BytesIO(content))
    (tmp_path / "owned.tar").write_bytes(stream.getvalue())
    assert sample_of(tmp_path / "owned.tar") == sample_of(folder)


ALIKE = {  # each is read otherwise than all others
    "as it is": {"ab.npy": b"1", "c.npy": b"2"},
    "contents changed places": {"ab.npy": b"2", "c.npy": b"1"},
    "a letter moved into the name": {"a": b"b.npy1", "c.npy": b"2"},
    "another case": {"AB.npy": b"1", "c.npy": b"2"},
    "a blank": {"ab.npy ": b"1", "c.npy": b"2"},
    "a line": {"ab.npy\nc.npy": b"1", "c.npy": b"2"},
    "composed": {"ab.npy": b"1", "c.npy": b"2", "\u00e5": b""},
    "decomposed": {"ab.npy": b"1", "c.npy": b"2", "a\u030a": b""},
    "latin": {"ab.npy": b"1", "c.npy": b"2", "\udce5": b""},
    "deeper": {"ab.npy": b"1", "d/c.npy": b"2"},
    "deeper by another name": {"ab.npy": b"1", "d.c.npy": b"2"},
    "one in the other": {"ab.npy": b"1c.npy\x002"},
    "an empty file more": {"ab.npy": b"1", "c.npy": b"2", "d": b""},
    "rubbish more": {"ab.npy": b"1", "c.npy": b"2", "__pycache__/d.pyc": b""},
    "a hidden file more": {"ab.npy": b"1", "c.npy": b"2", ".d": b""},
}


def test_what_is_read_otherwise_draws_another_sample(tmp_path):
    digests = {}
    for number, (what, files) in enumerate(ALIKE.items()):
        digests.setdefault(digest_of(laid(tmp_path / str(number), files)), []).append(what)
    assert [same for same in digests.values() if len(same) > 1] == []


def test_the_secret_is_on_no_command_line_and_in_no_words(tmp_path, monkeypatch):
    """What a job is told goes through a file that nobody else may reach; what fails names no secret."""
    job = Job("kari", 1, "0" * 64, Order(submission=str(tmp_path), report=str(tmp_path / "report")), SECRET)
    seen = []

    def run(command, **options):
        told = Path(command[-2])
        assert stat.S_IMODE(told.parent.stat().st_mode) == 0o700
        assert SECRET in told.read_text()
        seen.append([command, options, dict(os.environ)])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(work.subprocess, "run", run)
    done = judge_apart(job, 10)
    assert seen
    for said in (seen, job, str(job), done, done.error, f"{done!r}", Done(job, error=f"{job}")):
        assert SECRET not in repr(said)


def test_the_secret_is_not_in_what_a_judging_process_starts(monkeypatch, tmp_path):
    """While a job is done it stands in the judge's own environment: the zygote is started without."""
    from in4310.submission.sandbox.worker import Sandbox

    monkeypatch.setenv("IN4310_SECRET", SECRET)
    started = []

    class Stop(Exception):
        pass

    def popen(command, env, **options):
        started.append((command, env))
        raise Stop

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(Stop):
        Sandbox().start()
    assert SECRET not in repr(started)
    assert "PATH" in started[0][1]

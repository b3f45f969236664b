"""An archive that a confined child reads becomes the same files, notes and refusals as one read here; a child that lies, none."""

import io
import tarfile
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.submission.archives import Bounds, unpack
from in4310.submission.containers import BATCH, opened_here
from in4310.submission.intake import take_in
from in4310.submission.opening import opener_of
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.worker import Answer, WorkerFailed

SMALL = Bounds(entries=2000, total_bytes=64 << 20, file_bytes=32 << 20, archives=3)


def zipped(*entries, kind=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(*entries, mode="w:gz"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content, *kind in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type, info.linkname = kind or (tarfile.REGTYPE, "")
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


INNER = zipped(("deep/b.txt", b"b"))
LARGE = np.random.default_rng(0).bytes(BATCH + 12345)
ARCHIVES = {
    "plain": zipped(("a.txt", b"a"), ("folder/b.txt", b"b"), ("folder/empty", b"")),
    "one folder": tarred(("top/a.txt", b"a"), ("top/b.txt", b"b")),
    "large file": zipped(("a.bin", LARGE), ("b.txt", b"b"), kind=zipfile.ZIP_STORED),
    "many files": zipped(*((f"{i}.txt", b"x") for i in range(1500))),
    "too many files": zipped(*((f"{i}.txt", b"") for i in range(2500))),
    "a bomb": zipped(("zeros", bytes(40 << 20)), ("more", bytes(40 << 20))),
    "archives inside": zipped(("x.zip", INNER), ("y.tar.gz", tarred(("c.txt", b"c"))), ("z.zip", b"no archive"), ("w.zip", INNER)),
    "too deep": zipped(("a.zip", zipped(("b.zip", zipped(("c.zip", INNER)))))),
    "no archives inside": zipped(("model.zip", zipped(("m/data.pkl", b"x"))), ("a.txt", b"a")),
    "names": zipped(("../out", b"x"), ("/abs", b"x"), ("con.txt", b"x"), ("a\x01b", b"x"), ("æ.txt", b"x"), ("good", b"g")),
    "collisions": tarred(("a.txt", b"1"), ("A.txt", LARGE), ("b", b"x"), ("b/c", b"y"), ("d.txt", b"d")),
    "rubbish": zipped(("__MACOSX/a", b"x"), ("venv/lib/x.py", b"x"), ("._a", b"x"), ("a", b"a")),
    "links": tarred(("l", b"", tarfile.SYMTYPE, "/etc/passwd"), ("d", b"", tarfile.CHRTYPE, ""), ("a", b"a")),
    "damaged": (lambda raw: raw[:60] + b"\xff" * 8 + raw[68:])(zipped(("a.txt", b"a" * 3000), ("b.txt", b"b"))),
    "cut": tarred(("a.txt", b"a" * 3000), ("b.txt", b"b"), mode="w")[:3000],
    "empty": zipped(),
    "only rubbish": zipped((".DS_Store", b"x")),
    "text": b"this is text",
    "a document": zipped(("[Content_Types].xml", b"x")),
    "a claim": b"PK\x03\x04" + b"PK\x05\x06" + b"\0" * 8 + b"\xf0\xff\xff\x7f" + b"\0" * 6,
}  # fmt: skip


def outcome(path, home, opener):
    home.mkdir()
    try:
        found = unpack(path, home / "t", SMALL, opener)
    except InputError as error:
        return str(error), sorted(p.name for p in home.iterdir())
    inside = {p.relative_to(home).as_posix(): p.is_file() and p.read_bytes() for p in sorted(home.rglob("*"))}
    return found.folder.relative_to(home), found.notes, inside


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_child_unpacks_as_this_process_does(sandbox, tmp_path, name):
    path = tmp_path / ("report.zip" if name in ("text", "a document") else "oblig 1.zip")
    path.write_bytes(ARCHIVES[name])
    path.chmod(0o600)
    here = outcome(path, tmp_path / "here", opened_here)
    assert outcome(path, tmp_path / "child", opener_of(sandbox)) == here
    assert path.read_bytes() == ARCHIVES[name]
    assert (path.stat().st_mode & 0o777, path.stat().st_nlink) == (0o600, 1)


def test_an_archive_is_taken_in_through_a_child(sandbox, tmp_path, monkeypatch):
    (tmp_path / "oblig.zip").write_bytes(ARCHIVES["archives inside"])
    for name in ("ZipFile", "is_zipfile"):
        monkeypatch.setattr(zipfile, name, lambda *_: pytest.fail("the judge reads an archive"))
    with take_in(tmp_path / "oblig.zip", sandbox) as taken:
        assert (taken.folder / "x" / "deep" / "b.txt").read_bytes() == b"b"


class Lying:
    """A sandbox whose children answer these things, one after the other."""

    tier = Tier(namespaces=True, landlock=True)

    def __init__(self, *answers):
        self.answers = iter(answers)

    @contextmanager
    def worker(self, folder, live=True):
        yield self

    def call(self, task, arguments, seconds):
        answer = next(self.answers, WorkerFailed("timeout", "no answer within 3 seconds"))
        if isinstance(answer, WorkerFailed):
            raise answer
        told, content = answer
        return Answer(told, {} if content is None else {"bytes": np.frombuffer(content, np.uint8)})


kinds = st.sampled_from(["entry", "bytes", "damaged", "none", "refused", "end", "other"])
values = st.sampled_from(
    ["a.txt", "../b", "c/d", "", True, False, 3, -1, 10**9, None, [], {"": "text", "v": "zz"}]
)
honest = st.sampled_from(
    [["entry", "a", False, ""], ["entry", "b/c", True, ""], ["bytes", 3], ["damaged", "x"], ["end"]]
)
told = (
    st.lists(
        honest | st.tuples(kinds, values, values, values).map(list) | st.lists(values, max_size=3), max_size=6
    )
    | values
)


@given(st.lists(st.tuples(told, st.none() | st.binary(max_size=12)), max_size=4))
def test_whatever_a_child_tells_files_come_of_it_or_one_line(tmp_path_factory, answers):
    home = tmp_path_factory.mktemp("told")
    (home / "x.zip").write_bytes(b"PK")
    try:
        found = unpack(home / "x.zip", home / "t", SMALL, opener_of(Lying(*answers)))
    except InputError as error:
        said = str(error)
    else:
        said = " ".join(found.notes)
        assert found.folder.is_relative_to(home / "t")
    assert "\n" not in said
    assert {p.name for p in home.iterdir()} <= {"x.zip", "t"}


@pytest.mark.parametrize("kind", ["died", "timeout", "memory", "failed", "protocol"])
def test_an_archive_that_ends_its_reader_is_refused_in_one_line(tmp_path, kind):
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"^x.zip: expected an archive that can be read"):
        unpack(tmp_path / "x.zip", tmp_path / "t", SMALL, opener_of(Lying(WorkerFailed(kind, "why"))))
    assert [p.name for p in tmp_path.iterdir()] == ["x.zip"]

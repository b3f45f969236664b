"""The containers that submissions come in, read by the standard library within bounds: entries, one after the other."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from in4310.errors import InputError
from in4310.shown import shown

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar")
HEADER_BYTES = 16 * 2**20  # of one header of a tar
DIRECTORY_BYTES = 64 * 2**20  # of the central directory of a zip: 20000 names and their attributes are 5 MB
# What the standard library raises on damaged archives; anything else is a defect of ours and must surface.
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError,
           NotImplementedError, RuntimeError, OverflowError, UnicodeError, KeyError, IndexError)  # fmt: skip


@dataclass
class Entry:
    """One entry as its header states it: `problem` says why it is left out, `open` gives its bytes."""

    name: str
    folder: bool
    problem: str
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of files, by content; a .pth, .npz or .docx, which are zips inside, is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            with _open_zip(path) as archive:
                names = archive.namelist()[:1000]
            inside = {PurePosixPath(n).name for n in names}
            if "data.pkl" in inside or "[Content_Types].xml" in inside or "mimetype" in inside:
                return False
            arrays = bool(names) and all(n.endswith(".npy") and "/" not in n for n in names)
            return not arrays or path.suffix == ".zip"
        with _open_tar(path, 4 * 2**30):
            return True
    except DAMAGED:
        # Damaged, and yet meant as an archive: unpack() says what is wrong with it.
        return path.name.lower().endswith(SUFFIXES)


@contextmanager
def entries_of(archive: Path, limit: int) -> Iterator[Iterator[Entry]]:
    """The entries of a zip or tar archive, one after the other; InputError when it cannot be read as one."""
    try:
        with archive.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            with _open_zip(archive) as opened:
                yield _guarded(_zip_entries(opened), archive)
        else:
            with _open_tar(archive, limit) as opened_tar:
                yield _guarded(_tar_entries(opened_tar), archive)
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"{shown(archive.name)}: expected a zip or tar archive, found one that cannot be read"
            f" ({shown(str(error) or type(error).__name__, 80)}); pack your submission again"
        ) from None


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip after looking at what its end claims: ZipFile reads the whole central directory into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 66_000))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    claimed = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if claimed == 0xFFFFFFFF:  # zip64: the true size stands in the record before
        end64 = tail.rfind(b"PK\x06\x06")
        claimed = int.from_bytes(tail[end64 + 40 : end64 + 48], "little") if end64 >= 0 else claimed
    if claimed > DIRECTORY_BYTES:
        raise ValueError(f"claims a directory of {claimed} bytes")
    return zipfile.ZipFile(path)


class _Stream(io.RawIOBase):
    """A file for tarfile that refuses large single reads (it reads extended headers whole) and far jumps (in a
    compressed file a jump is a decompression)."""

    def __init__(self, file: IO[bytes], limit: int):
        self.file, self.limit = file, limit

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > HEADER_BYTES:
            raise ValueError(f"claims a header of {size} bytes")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > self.limit + 2**20 or whence == 2:
            raise ValueError(f"claims more than {self.limit} bytes")
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.file.close()
        super().close()


def _open_tar(path: Path, limit: int) -> tarfile.TarFile:
    with path.open("rb") as file:
        start = file.read(3)
    opened: IO[bytes]
    if start[:2] == b"\x1f\x8b":
        opened = gzip.open(path)  # type: ignore[assignment]  # noqa: SIM115
    elif start == b"BZh":
        opened = bz2.open(path)  # noqa: SIM115
    else:
        opened = path.open("rb")
    stream = _Stream(opened, limit)
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except BaseException:
        stream.close()
        raise


def _guarded(entries: Iterator[Entry], archive: Path) -> Iterator[Entry]:
    """As `entries`; a damaged header in the middle ends the archive with what went before, or says it is damaged."""
    seen = 0
    try:
        for seen, entry in enumerate(entries, 1):  # noqa: B007
            yield entry
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"{shown(archive.name)}: is damaged after {seen} files"
            f" ({shown(str(error) or type(error).__name__, 60)}); pack your submission again"
        ) from None


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        kind = (info.external_attr >> 16) & 0o170000
        problem = "" if kind in (0, 0o100000, 0o040000) else "is a link or device"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
            # LZMA's header sets how much memory is taken.
            problem = problem or "is compressed in an unusual way"
        yield Entry(_zip_name(info), info.is_dir(), problem, lambda info=info: archive.open(info))  # type: ignore[misc]


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name; where no flag says UTF-8, zipfile read it as code page 437, and many tools wrote UTF-8 all the same."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    while (member := archive.next()) is not None:
        # TarFile keeps every header it has read; a million of them would fill the memory.
        archive.members = []  # type: ignore[attr-defined]
        problem = "" if member.isreg() or member.isdir() else "is a link or device"
        if member.issparse():
            problem = "is a sparse file"
        yield Entry(member.name, member.isdir(), problem, lambda member=member: archive.extractfile(member))  # type: ignore[misc]

"""The containers that submissions come in, read by the standard library within bounds: entries, one after the other."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from in4310.errors import InputError
from in4310.shown import shown
from in4310.submission.closed import ENCRYPTED, closed, method_problem
from in4310.submission.files import is_rubbish
from in4310.submission.unxz import Unxz

SUFFIXES = (
    ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma", ".tlz", ".tar",
)  # fmt: skip
COMPRESSED = (".gz", ".bz2", ".xz", ".lzma")  # of one file
HEADER_BYTES = 16 * 2**20  # of one header of a tar
DIRECTORY_BYTES = 32 * 2**20  # of a zip's central directory: of 100000 files of a virtual environment 17 MB
PASSED_OVER = 4  # times what may be unpacked: bytes of a tar that are read, with those of rubbish
# In the one folder of a file that torch.save wrote, and of a program that torch.jit.save wrote.
PICKLED = {"data.pkl", "data", "byteorder", ""}
SAVED = {
    *PICKLED, "version", ".data", ".format_version", ".storage_alignment", "constants.pkl", "constants", "code",
    "extra", "tensors",
}  # fmt: skip
BATCH = 8 * 2**20  # bytes that a child sends at a time
# What the standard library raises on damaged archives; anything else is a defect of ours and must surface.
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
           NotImplementedError, RuntimeError, OverflowError, UnicodeError, KeyError, IndexError)  # fmt: skip


class Source(Protocol):
    """Bytes of an entry: what of a binary file is needed."""

    def read(self, most: int, /) -> bytes:
        """The next bytes; b'' at the end."""

    def __enter__(self) -> Source: ...

    def __exit__(self, *_: Any) -> Any: ...


@dataclass
class Entry:
    """One entry as its header states it: `problem` says why it is left out, `open` gives its bytes."""

    name: str
    folder: bool
    problem: str
    open: Callable[[], Source | None]


def without_suffix(name: str) -> str | None:
    """The name of an archive without its suffix; None for another name."""
    return next((name[: -len(s)] for s in SUFFIXES if name.lower().endswith(s)), None)


def compressed(name: str) -> str | None:
    """The name of the one file that is compressed in a file of this name; None for an archive and for others."""
    if without_suffix(name) is not None:
        return None
    return next((name[: -len(s)] for s in COMPRESSED if name.lower().endswith(s)), None) or None


def is_named_packed(name: str) -> bool:
    """Whether a name is that of an archive, or of one compressed file."""
    return name.lower().endswith(SUFFIXES) or compressed(name) is not None


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of files, by content; a .pth, .npz or .docx, which are zips inside, is none.

    One compressed file is an archive of one.
    """
    try:
        if not path.is_file() or closed(path):
            return False
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            with _open_zip(path) as archive:
                names = [n for n in archive.namelist() if not any(map(is_rubbish, n.split("/")))]
            return not (_is_one_file(names) or (_is_arrays(names) and path.suffix.lower() != ".zip"))
        with _open_tar(path, 4 * 2**30):
            return True
    except DAMAGED:
        # Damaged, and yet meant as an archive: unpack() says what is wrong with it.
        return is_named_packed(path.name)


def _is_one_file(names: list[str]) -> bool:
    """Whether a zip with these names is one file of its program: weights of PyTorch, a document of an office.

    What lies beside data.pkl shows that it was unpacked from weights, and is a file among others now.
    """
    tops = {n.partition("/")[0] for n in names}
    inner = {n.split("/")[1] for n in names if "/" in n}
    weights = (
        len(tops) == 1 and "data.pkl" in inner and ("version" in inner or inner <= PICKLED) and inner <= SAVED
    )
    document = "mimetype" in names and any(n.startswith("META-INF/") for n in names)
    return weights or document or "[Content_Types].xml" in names


def _is_arrays(names: list[str]) -> bool:
    return bool(names) and all(n.endswith(".npy") and "/" not in n for n in names)


def begins_as_archive(path: Path) -> bool:
    """As `is_archive`, guessed from the name and the first 512 bytes: nothing is parsed, so the judge may ask it.

    What is named as an archive is one, whatever is in it: who opens it says what it is.
    """
    named = path.name.lower().endswith(SUFFIXES)
    try:
        if not path.is_file():
            return False
        start = _start(path)
    except OSError:
        return named
    if named or start[:2] != b"PK":
        return named or start[257:262] == b"ustar"
    first = _first_name(start)
    if _begins_weights(start) or first in (b"[Content_Types].xml", b"mimetype"):
        return False
    return not (first.endswith(b".npy") and b"/" not in first)


def begins_as_weights(path: Path) -> bool:
    """Whether the first file in a zip is the one that torch.save writes first; nothing is parsed."""
    try:
        return path.is_file() and _begins_weights(_start(path))
    except OSError:
        return False


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)


def _first_name(start: bytes) -> bytes:
    return start[30 : 30 + int.from_bytes(start[26:28], "little")]


def _begins_weights(start: bytes) -> bool:
    return start[:2] == b"PK" and _first_name(start).endswith(b"/data.pkl")


@contextmanager
def entries_of(archive: Path, limit: int) -> Iterator[Iterator[Entry]]:
    """The entries of a zip or tar archive, one after the other; InputError when it cannot be read as one."""
    try:
        with archive.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            with _open_zip(archive) as opened:
                yield _guarded(_zip_entries(opened), archive)
        elif (alone := compressed(archive.name)) and not _is_tar(archive, limit):
            yield iter([Entry(alone, False, "", lambda: _decompressed(archive))])
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
    elif end >= 0 and int.from_bytes(tail[end + 4 : end + 6], "little"):
        raise ValueError("it is the last volume of a split archive, whose other volumes are other files")
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


def _decompressed(path: Path) -> IO[bytes]:
    """The bytes of a file, decompressed by what its first ones say; as they are where they say nothing."""
    start = _start(path)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path)  # type: ignore[return-value]
    if start[:3] == b"BZh":
        return bz2.open(path)
    if start[:6] == b"\xfd7zXZ\0" or start[:3] == b"]\0\0":
        return Unxz(path.open("rb"))  # type: ignore[return-value]
    return path.open("rb")


def _is_tar(path: Path, limit: int) -> bool:
    try:
        with _open_tar(path, limit):
            return True
    except tarfile.TarError:
        return False


def _open_tar(path: Path, limit: int) -> tarfile.TarFile:
    stream = _Stream(_decompressed(path), PASSED_OVER * limit)
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
        if info.flag_bits & 1 and not info.is_dir():
            raise InputError(f"{shown(Path(archive.filename or '').name)}: {ENCRYPTED}")
        problem = problem or method_problem(info.compress_type)
        yield Entry(_zip_name(info), info.is_dir(), problem, lambda info=info: archive.open(info))  # type: ignore[misc]


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name; where no flag says UTF-8, zipfile read it as code page 437, and tools wrote UTF-8 or Windows' 850."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    for encoding in ("utf-8", "cp850"):
        with suppress(UnicodeError):
            return info.orig_filename.encode("cp437").decode(encoding)
    return info.orig_filename


def _tar_name(name: str) -> str:
    """The name; bytes that are no UTF-8 came as halves of letters, and are most likely Latin-1."""
    return "".join(chr(ord(ch) - 0xDC00) if 0xDC80 <= ord(ch) <= 0xDCFF else ch for ch in name)


def _tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    while (member := archive.next()) is not None:
        # TarFile keeps every header it has read; a million of them would fill the memory.
        archive.members = []  # type: ignore[attr-defined]
        problem = "" if member.isreg() or member.isdir() else "is a link or device"
        if member.issparse():
            problem = "is a sparse file"
        name = _tar_name(member.name)
        yield Entry(name, member.isdir(), problem, lambda member=member: archive.extractfile(member))  # type: ignore[misc]


Opened = AbstractContextManager[Iterator[Entry] | None]
Opener = Callable[[Path, int], Opened]  # (file, most bytes) -> its entries, None where it is no archive


@contextmanager
def opened_here(path: Path, limit: int) -> Iterator[Iterator[Entry] | None]:
    """The entries of an archive, read in this process: for a child, and for archives of one's own."""
    if not is_archive(path):
        yield None
        return
    with entries_of(path, limit) as entries:
        yield entries


def batches(
    path: Path, limit: int, wanted: Callable[[Entry], bool] = lambda entry: True
) -> Iterator[tuple[list[list[Any]], bytes]]:
    """What a child sends of an archive: ['entry', name, folder, problem], then for each part of its content ['bytes',
    number], ['damaged', why] where that breaks off; ['none'], ['refused', why], ['end'] for the whole. The bytes of a
    batch are one after the other. Of an entry that is not `wanted` there is no content.
    """
    told: list[list[Any]] = []
    content = bytearray()
    for item, part in _items(path, limit, wanted):
        told.append(item)
        content += part
        if len(content) >= BATCH or len(told) >= 1000:
            yield told, bytes(content)
            told, content = [], bytearray()
    yield [*told, ["end"]], bytes(content)


def _items(path: Path, limit: int, wanted: Callable[[Entry], bool]) -> Iterator[tuple[list[Any], bytes]]:
    try:
        with opened_here(path, limit) as entries:
            if entries is None:
                yield ["none"], b""
            for entry in entries or ():
                yield ["entry", entry.name, entry.folder, entry.problem], b""
                if not entry.folder and wanted(entry):
                    yield from _content(entry)
    except InputError as error:
        yield ["refused", str(error)], b""


def _content(entry: Entry) -> Iterator[tuple[list[Any], bytes]]:
    try:
        source = entry.open()
        if source is None:
            raise ValueError("no content")
        with source:
            while part := source.read(BATCH // 8):
                yield ["bytes", len(part)], part
    except DAMAGED as error:
        yield ["damaged", str(error)[:200]], b""

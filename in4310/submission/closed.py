"""Archives that are not opened here: what each is, by its first bytes and its name, and the way out."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

AGAIN = "unpack it and pack the files again, as zip or tar.gz"
# First bytes -> what they begin. Nothing but these bytes is looked at.
STARTS = {
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "an archive compressed by Zstandard (zst)",
    b"\x04\x22\x4d\x18": "an archive compressed by LZ4",
    b"LZIP": "an archive compressed by lzip",
    b"LRZI": "an archive compressed by lrzip",
    b"\x1f\x9d": "an archive compressed by compress (Z)",
    b"MSCF\0\0\0\0": "a cabinet file of Windows (cab)",
    b"xar!": "a xar archive of macOS",
    b"StuffIt": "a StuffIt archive",
    b"SIT!": "a StuffIt archive",
    b"!<arch>\n": "an ar archive",
}
# Where the bytes are no help: a volume but the first begins anywhere, and some were cut to nothing.
NAMES = {
    ".rar": "a RAR archive", ".7z": "a 7z archive", ".zipx": "a zipx archive", ".lz4": "an archive compressed by LZ4",
    ".zst": "an archive compressed by Zstandard (zst)", ".tzst": "an archive compressed by Zstandard (zst)",
    ".lz": "an archive compressed by lzip", ".cab": "a cabinet file of Windows (cab)", ".dmg": "a disk image of macOS",
    ".iso": "a disk image", ".sit": "a StuffIt archive", ".sitx": "a StuffIt archive", ".ace": "an ACE archive",
    ".arj": "an ARJ archive", ".lzh": "an LZH archive", ".lha": "an LZH archive", ".cpio": "a cpio archive",
    ".xar": "a xar archive of macOS",
}  # fmt: skip
VOLUME = re.compile(  # of a split zip, 7z, tar or rar
    r"(?P<of>.+?)(?:\.(?:zip|7z|rar|tar|tgz|tar\.\w{2,3})\.(?P<n>\d{3})"
    r"|\.part(?P<p>\d{1,4})\.rar|\.[zr](?P<z>\d{2}))",
    re.IGNORECASE | re.DOTALL,
)
METHODS = {
    1: "Shrink", 6: "Implode", 9: "Deflate64, as Windows does with large files", 14: "LZMA", 93: "Zstandard", 94: "MP3",
    95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd",
}  # fmt: skip
OPENED = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
    zipfile.ZIP_BZIP2,
)  # LZMA's header sets how much memory is taken
ENCRYPTED = "is encrypted; hand it in without a password"


def closed(path: Path, whole: bool = False) -> str:
    """What an archive is that is not opened, and what to do: 'is a RAR archive, ...'; '' for any other file.

    `whole`: it is all that was handed in, where a program can only be an archive that unpacks itself.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return ""
    if volume_of(path.name):
        return f"is one volume of a split archive, which is not opened here; join its volumes, {AGAIN}"
    kind = next((kind for first, kind in STARTS.items() if start.startswith(first)), "")
    if not kind and start[:2] not in (b"PK", b"\x1f\x8b"):  # a zip of any name is opened
        kind = NAMES.get(path.suffix.lower(), "")
    if not kind and start[:2] == b"MZ" and (whole or path.suffix.lower() == ".exe"):
        kind = "a program for Windows, perhaps an archive that unpacks itself"
    return f"is {kind}, which is not opened here; {AGAIN}" if kind else ""


def volume_of(name: str) -> tuple[str, int] | None:
    """For a volume of a split archive: what all its volumes are called, and its number; None for other files."""
    found = VOLUME.fullmatch(name)
    return (found["of"], int(found["n"] or found["p"] or found["z"])) if found else None


def method_problem(method: int) -> str:
    """Why an entry of a zip is not opened, by how it is compressed; '' where it is."""
    if method in OPENED:
        return ""
    by = METHODS.get(method, f"method {method}")
    return (
        f"is compressed by {by}, which is not opened here; pack again as tar.gz, or as zip with plain Deflate"
    )


def is_closed_name(name: str) -> bool:
    """Whether a name is one of an archive that is not opened."""
    return volume_of(name) is not None or Path(name).suffix.lower() in NAMES

"""Names of what we make in shared places, so that what a killed run left there can be told from what is in use."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def ours(kind: str) -> str:
    """A prefix for names of this process: in4310-KIND-(pid namespace)-(process)-(its start, in ticks since boot)-."""
    return f"in4310-{kind}-{_namespace()}-{os.getpid()}-{_start(os.getpid())}-"


def is_left_over(name: str) -> bool:
    """Whether a name was made by `ours` in a process that is gone. Of other pid namespaces nothing can be said."""
    parts = name.split("-")
    if len(parts) < 6 or parts[0] != "in4310" or not all(p.isdigit() for p in parts[2:5]):
        return False
    namespace, pid, start = map(int, parts[2:5])
    return namespace == _namespace() != 0 and _start(pid) != start


def left_over() -> list[Path]:
    """Folders of our own user that runs which were killed have left in the folders for temporary files."""
    found = []
    # The sandbox, whose environment is not ours, uses the latter.
    for place in {tempfile.gettempdir(), "/tmp"}:
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if is_left_over(entry.name) and entry.is_dir(follow_symlinks=False):
                    with suppress(OSError):
                        if entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                            found.append(Path(entry.path))
    return found


def remove(folder: str | None) -> None:
    """A folder that a stranger filled, whatever the permissions that were left in it. No link is followed."""
    if folder is None or Path(folder).is_symlink():
        return
    # Folders can lie so deep in each other that no path is long enough, and no stack: each is moved to the top.
    top = Path(folder)
    with suppress(OSError):
        top.chmod(0o700)
    found = [top]
    for place in found:  # grows meanwhile
        with suppress(OSError), os.scandir(place) as entries:
            for inner, is_folder in [(Path(e.path), e.is_dir(follow_symlinks=False)) for e in entries]:
                with suppress(OSError):
                    if not is_folder:
                        inner.unlink()
                        continue
                    inner.chmod(0o700)
                    found.append(inner if place == top else inner.rename(top / secrets.token_hex(8)))
    for place in reversed(found):
        with suppress(OSError):
            place.rmdir()


def sweep_partial(files: Iterable[Path], age: float = 0.0) -> None:
    """Remove those of these files that a run, now killed, was about to rename: `.NAME.PROCESS.partial`.

    age: seconds for which they must not have been touched, where processes of another machine write there too.
    """
    for path in files:
        parts = path.name.split(".")
        ours = len(parts) > 3 and not parts[0] and parts[-1] == "partial" and parts[-2].isdecimal()
        with suppress(OSError):
            found = path.lstat()
            if (
                ours
                and stat.S_ISREG(found.st_mode)
                and not _start(int(parts[-2]))
                and time.time() - found.st_mtime >= age
            ):
                path.unlink()


def sweep() -> None:
    """Remove what runs that were killed have left."""
    for folder in left_over():
        remove(str(folder))


def _namespace() -> int:
    with suppress(OSError):
        return Path("/proc/self/ns/pid").stat().st_ino
    return 0


def _start(pid: int) -> int:
    """Start of a process, 0 where there is none."""
    with suppress(OSError, ValueError, IndexError):
        # proc_pid_stat(5): field 22
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    return 0

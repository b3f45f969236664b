"""Where things live on this machine: the cache, and the data set that was asked for."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from in4310.errors import InputError
from in4310.temporary import sweep_partial

CACHE_VARIABLE = "IN4310_CACHE"
DATA_VARIABLE = "IN4310_DATA"
SECRET_VARIABLE = "IN4310_SECRET"
DAY = 86400.0  # seconds: no decoding takes so long
COURSE_FOLDERS = ("", "scenes", "mandatory1_data")


def keep_current_folder_off_the_path() -> None:
    """Let no interpreter that is started from here, by whatever library, import what lies in the current folder.

    `python -c` and `python -m`, which multiprocessing, Dask and Slurm's jobs use, look there first: in a class's folder
    a student's `random` or `in4310` would be run, as the teacher and outside all walls. So does an entry of PYTHONPATH
    that is empty, as in `export PYTHONPATH=$PYTHONPATH:/x`, or relative: here, too, nothing is imported from there.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    if given := os.environ.pop("PYTHONPATH", ""):
        named = [Path(place) for place in given.split(os.pathsep)]
        home = Path(__file__).resolve().parents[1]  # a checkout that is not installed stays importable
        dropped = {place.resolve() for place in named if not place.is_absolute()} - {home}
        os.environ["PYTHONPATH"] = os.pathsep.join(
            str(p.resolve()) for p in named if p.resolve() not in dropped
        )
        sys.path[:] = [place for place in sys.path if not place or Path(place).resolve() not in dropped]


def cache_folder() -> Path:
    """The folder for drawn data, decoded images and the reference submission; IN4310_CACHE overrides it."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("in4310"))


def decoded_folder() -> Path:
    """The folder for decoded images, made. Raises InputError where it cannot be, or a file has its name."""
    folder = cache_folder() / "decoded"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: expected the folder of decoded images, and it cannot be made ({error.strerror}); "
            f"remove what is there, or set {CACHE_VARIABLE}"
        ) from None
    sweep_partial(folder.glob("*.partial"), DAY)
    return folder


def room_for(folder: Path, size: int = 4 << 20) -> None:
    """Raise InputError where `size` bytes, a report, could not be written to a folder; nothing is left of the trial.

    Asked before hours of work: a file of that name, no rights and a full disk are told at once.
    """
    made = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    trial = folder / f".in4310.{os.getpid()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_partial(folder.glob("*.partial"))
        try:
            trial.write_bytes(bytes(size))
        finally:
            with suppress(OSError):
                trial.unlink()
    except OSError as error:
        raise InputError(
            f"{folder}: expected a folder that can be written to ({error.strerror}); choose another"
        ) from None
    finally:
        with suppress(OSError):
            for place in made:
                place.rmdir()


def code_digest(*places: Path) -> str:
    """SHA-256 over the Python code of files and folders: what another version has kept in the cache is not taken."""
    total = hashlib.sha256()
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            total.update(file.read_bytes())
    return total.hexdigest()


def placeless(text: str, *given: str) -> str:
    """A text as others are to read it: of paths of this machine, and those given, only the last part is left.

    given: files and folders; what they lie in is hidden with them. Temporary folders vanish altogether.
    """
    package = str(Path(__file__).resolve().parent)
    far = [place for path in given if path.startswith("/") for place in (Path(path), *Path(path).parents)]
    hidden = {str(place): place.name for place in far if len(place.parts) > 2}
    hidden |= {
        str(path): Path(path).name for path in (package, cache_folder(), sys.prefix, sys.base_prefix)
    } | ({str(Path.home()): "~"} if given else {})
    # First those that were given, which may lie in a temporary folder: they are named alike wherever they lie.
    text = _by_name(text, {path: hidden[path] for path in given if path in hidden})
    text = re.sub(f"{re.escape(tempfile.gettempdir())}/in4310-[\\w-]+(?:/submission)?/?", "", text)
    return _by_name(text, hidden)


def _by_name(text: str, names: Mapping[str, str]) -> str:
    """A text with a name in place of each of these paths; the longest that fits counts."""
    longest = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return (
        re.sub(rf"(?<![\w.-])(?:{longest})(?![\w.-])", lambda found: names[found[0]], text) if names else text
    )


def audit_secret() -> bytes | None:
    """The teacher's secret for drawing audit samples, from IN4310_SECRET; None: samples cannot be drawn again."""
    secret = os.environ.get(SECRET_VARIABLE)
    return secret.encode() if secret else None


def data_root(path: str | Path, classes: list[str]) -> Path:
    """The folder that holds the class folders: PATH itself, or PATH/scenes or PATH/mandatory1_data.

    Raises InputError when the path is absent or holds no such folder.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(
            f"{path}: expected the data folder, found nothing there; give --data PATH or set {DATA_VARIABLE}"
        )
    for name in COURSE_FOLDERS:
        if any((path / name / c).is_dir() for c in classes):
            return path / name
    raise InputError(
        f"{path}: expected class folders ({', '.join(classes)}), found none of them; give the folder that holds them"
    )


def comparison_root(root: Path, name: str) -> Path | None:
    """A data set to compare with (imagenet, cifar10), looked for beside the course's and inside its parent."""
    return next((beside / name for beside in (root, *root.parents[:2]) if (beside / name).is_dir()), None)


def checks_folder() -> Path:
    """The folder of the executable requirements: inside the wheel, or tests/requirements of a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "requirements", package.parent / "tests" / "requirements"):
        if folder.is_dir():
            return folder
    raise InputError(f"{package}: the requirement checks are missing; install in4310 again")

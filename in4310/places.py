"""Where things live on this machine: the cache, and the data set that was asked for."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from in4310.errors import InputError

CACHE_VARIABLE = "IN4310_CACHE"
DATA_VARIABLE = "IN4310_DATA"
SECRET_VARIABLE = "IN4310_SECRET"
COURSE_FOLDERS = ("", "scenes", "mandatory1_data")


def cache_folder() -> Path:
    """The folder for drawn data, decoded images and the reference submission; IN4310_CACHE overrides it."""
    folder = os.environ.get(CACHE_VARIABLE)
    return Path(folder) if folder else Path(platformdirs.user_cache_dir("in4310"))


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
    for place in (root / name, root.parent / name, root.parent.parent / name):
        if place.is_dir():
            return place
    return None

"""The data set that a submission is judged against: trusted names, labels and pixels."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from in4310.errors import InputError
from in4310.judging import verdict
from in4310.judging.edition import Edition
from in4310.places import cache_folder, comparison_root
from in4310.progress import QUIET, Progress
from in4310.solution import images, splits
from in4310.solution.scenes import scenes
from in4310.submission.pieces import Hints


class DataSet:
    """Class folders of photographs, and the data sets to compare with."""

    def __init__(self, root: Path, classes: list[str], comparison: dict[str, Path]):
        self.root = root
        self.classes = classes
        self.comparison = comparison
        self.labels: dict[str, str] = images.find_images(root)
        foreign = sorted(set(self.labels.values()) - set(classes))
        if foreign:
            raise InputError(
                f"{root}: class folder {foreign[0]!r} is not one of the edition's classes ({', '.join(classes)})"
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 over sorted paths and labels."""
        total = hashlib.sha256()
        for path, label in sorted(self.labels.items()):
            total.update(f"{path}\0{label}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    @cached_property
    def contents(self) -> dict[str, str]:
        """path -> SHA-256 of the file's bytes."""
        return splits.content_groups(self.root, sorted(self.labels))

    @property
    def record(self) -> verdict.Data:
        """What the report says of the data."""
        return verdict.Data(
            root=str(self.root), images=len(self.labels), classes=self.classes, digest=self.digest
        )


def hints(edition: Edition, data: DataSet) -> Hints:
    """What discovery may know: classes, names of the images, sizes of the sets; names of folders are no secret."""
    return Hints(tuple(edition.data.classes), frozenset(data.labels), edition.sizes(len(data.labels)))


def embedded_data(count: int, progress: Progress = QUIET, seed: int = 42) -> Path:
    """Folder of the embedded data set, drawn into the cache on first use."""
    folder = cache_folder() / f"embedded-{count}-{seed}"
    return scenes.make_scenes(folder / "scenes", images=count, seed=seed, progress=progress)


def comparison_data(names: list[str], root: Path, count: int) -> dict[str, Path]:
    """Folders of the data sets to compare with, as far as they are there; stand-ins ('shapes', 'tiny') are drawn."""
    found: dict[str, Path] = {}
    for name in names:
        if name in ("shapes", "tiny"):
            place = cache_folder() / f"{name}-{count}"
            found[name] = scenes.make_comparison(place, kind=name, images=count)  # type: ignore[arg-type]
        elif beside := comparison_root(root, name):
            found[name] = beside
    return found


def resolve_data(edition: Edition, data: str | Path | None, progress: Progress = QUIET) -> DataSet:
    """The data set to judge on: --data, else IN4310_DATA, else the embedded one where the edition says so.

    Raises InputError when there is none.
    """
    root = edition.data_folder(data) or embedded_data(edition.data.images, progress)
    statistics = edition.statistics
    return DataSet(
        root, edition.data.classes, comparison_data(statistics.comparison, root, statistics.images)
    )

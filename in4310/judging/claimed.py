"""The first floor of the evidence: what a submission claims, beside our own list of the images. No network is needed.

Each piece is read on first use and kept. Raises Missing (a piece is not there) or Unreadable (it is broken); the plugin
turns both into 'not run', never into points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import numpy as np

from in4310.judging.audit import FULL, Audit
from in4310.judging.data import DataSet
from in4310.judging.edition import Edition
from in4310.progress import QUIET, Progress
from in4310.shown import shown
from in4310.submission.folder import Submission
from in4310.submission.formats import SETS, last_two_parts
from in4310.submission.live import Live
from in4310.submission.pieces import Unreadable
from in4310.submission.source import Call

PATHS, SERIES, MODULES = 2000, 24, 80  # of a statistic; the assignment asks for 200 images and five modules
SCORES = {"val": "scores_val", "test": "scores"}  # set -> the piece that its scores are
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])


def kept(method: Method) -> Method:
    """A method of the evidence that computes at the first call for its arguments, and keeps what comes of it."""

    @wraps(method)
    def once(self: Claimed, *about: Hashable) -> Any:
        return self.once((method.__name__, *about), lambda: method(self, *about))

    return cast(Method, once)


@dataclass(eq=False, repr=False)
class Claimed:
    """A submission, the trusted data and the edition: all that the three floors compute from."""

    submission: Submission
    data: DataSet
    edition: Edition
    device: str = "cpu"
    progress: Progress = QUIET
    audit: Audit = FULL
    live: Live | None = None
    _kept: dict[tuple[Hashable, ...], Any] = field(default_factory=dict, init=False)

    @property
    def stated_classes(self) -> list[str]:
        """The class of each column of the scores, as the edition states it."""
        return self.edition.data.classes

    def once(self, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """What `make` gives, computed at the first call for a key and kept; what it raises is not kept.

        The first part of a key is the name of what is kept: ('predicted', 'test').
        """
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def has(self, *key: Hashable) -> bool:
        """Whether something is kept under a key."""
        return key in self._kept

    @cached_property
    def split(self) -> dict[str, tuple[str, ...]]:
        """train, val, test -> paths as 'class/file', matched by their last two parts."""
        return {name: tuple(last_two_parts(p) for p in self.submission.split[name]) for name in SETS}

    @cached_property
    def listed(self) -> dict[str, tuple[str, ...]]:
        """The split, with the image that is meant in place of a misspelt path, where only one can be (`meant`)."""
        return {name: tuple(self.meant.get(p, p) for p in paths) for name, paths in self.split.items()}

    @cached_property
    def meant(self) -> dict[str, str]:
        """Misspelt path of the split -> the one image of those left out that it can mean.

        Told by its spelling but for capitals, by its file name, by that without its ending; else it is the only image
        of its folder that is left out, and no other path of the folder is unknown.
        """
        used = {path for paths in self.split.values() for path in paths}
        left_out = sorted(set(self.data.labels) - used)
        unknown = sorted(used - set(self.data.labels))
        found: dict[str, str] = {}
        for spelling in (str.casefold, _file_name, _stem, _folder) if unknown and left_out else ():
            images, paths = _grouped(left_out, spelling), _grouped(unknown, spelling)
            sure = {p[0]: i[0] for key, p in paths.items() if len(p) == len(i := images.get(key, [])) == 1}
            found |= sure
            unknown = [p for p in unknown if p not in sure]
            left_out = [p for p in left_out if p not in sure.values()]
        return found

    def known(self, name: str) -> tuple[str, ...]:
        """The images of a set, in its order: those that lie in the data set; raises Unreadable where half do not."""
        listed = self.listed[name]
        if len(listed) > 2 * len(self.data.labels):
            raise Unreadable("split", f"the {name} set lists {len(listed)} paths, more than there are images")
        found = tuple(p for p in listed if p in self.data.labels)
        if 2 * len(found) <= len(listed):
            unknown = [p for p in listed if p not in self.data.labels]
            first = f", the first is {shown(repr(unknown[0]))}" if unknown else ""
            raise Unreadable(
                "split",
                f"{len(unknown)} of {len(listed)} paths of the {name} set are not in the data set{first}",
            )
        return found

    def unknown(self, name: str) -> int:
        """Rows of a set whose images are not ours: what they add to a figure cannot be told."""
        return len(self.listed[name]) - len(self.known(name))

    def class_counts(self, paths: Sequence[str]) -> Counter[str]:
        """Images of each class among paths; unknown paths are left out."""
        return Counter(self.data.labels[p] for p in paths if p in self.data.labels)

    @property
    def source(self) -> list[Call]:
        """Calls in the submission's own source."""
        return self.submission.source

    def runs(self, adapter: str) -> Live | None:
        """The submission's live functions, when it names this one and code may be run here; else None."""
        return self.live if self.live is not None and self.live.has(adapter) else None

    def walled_off(self, adapter: str) -> bool:
        """Whether the submission names this function, and nothing can be confined here to call it in."""
        return self.live is not None and adapter in self.live.adapters and not self.live.has(adapter)

    def has_scores(self, name: str) -> bool:
        """Whether scores of a set were handed in, in whatever form."""
        return SCORES.get(name) in self.submission.located

    def handed_in(self, name: str) -> np.ndarray:
        """Scores handed in for 'val' or 'test', float64, rows of `known`; raises Unreadable unless N x classes."""
        piece = SCORES[name]
        values = getattr(self.submission, piece)
        shape = (len(self.split[name]), len(self.stated_classes))
        if values.shape != shape:
            raise Unreadable(piece, f"{piece} has shape {values.shape}, expected {shape}")
        values = self._of_known(name, values)
        if not np.isfinite(values).all():
            raise Unreadable(piece, f"{piece} holds NaN or infinity")
        return values

    def rows_handed_in(self, name: str) -> np.ndarray:
        """As `handed_in`, with NaN for a row that is missing; raises Unreadable where half of them are, or too many.

        Last batches that were dropped, or one row too many, leaves the others to be looked at.
        """
        values, whole = np.asarray(getattr(self.submission, SCORES[name])), len(self.split[name])
        if values.ndim != 2 or values.shape[1] != len(self.stated_classes) or not (
            0.5 * whole <= len(values) <= 1.1 * whole
        ):  # fmt: skip
            return self.handed_in(name)
        lacking = np.full((max(0, whole - len(values)), values.shape[1]), np.nan)
        return self._of_known(name, np.concatenate([values[:whole], lacking]))

    def _of_known(self, name: str, values: np.ndarray) -> np.ndarray:
        self.known(name)
        return values[[p in self.data.labels for p in self.listed[name]]].astype(np.float64)

    def claimed_metrics(self, name: str) -> dict[str, Any]:
        """The table of metrics handed in for 'val' or 'test'; raises Unreadable when that set is absent."""
        table = self.submission.metrics.get(name)
        if not isinstance(table, dict):
            raise Unreadable("metrics", f"metrics have no table {name!r}")
        return table

    def series(self) -> list[dict[str, Any]]:
        """The spectra handed in, as a list of objects; raises Unreadable for any other form."""
        found = self.submission.eigenvalues.get("series")
        if not isinstance(found, list) or not found or not all(isinstance(s, dict) for s in found):
            raise Unreadable("eigenvalues", "eigenvalues have no list 'series' of objects")
        if len(found) > SERIES:
            raise Unreadable(
                "eigenvalues", f"eigenvalues have {len(found)} series, expected at most {SERIES}"
            )
        for one in found:
            if not isinstance(one.get("modules"), dict) or not isinstance(one.get("paths", []), list):
                raise Unreadable(
                    "eigenvalues", "a series of eigenvalues lacks 'modules', or its 'paths' are not a list"
                )
            if not all(isinstance(one.get(name, ""), str) for name in ("model", "data")):
                raise Unreadable("eigenvalues", "'model' and 'data' of a series of eigenvalues are no texts")
            if len(one["modules"]) > MODULES or len(one.get("paths", ())) > PATHS:
                raise Unreadable("eigenvalues", f"a series has more than {MODULES} modules or {PATHS} paths")
        return found


def _grouped(paths: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(key(path), []).append(path)
    return found


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _file_name(path: str) -> str:
    return path.rpartition("/")[2].casefold()


def _stem(path: str) -> str:
    return _file_name(path).rpartition(".")[0]

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

    def known(self, name: str) -> tuple[str, ...]:
        """The paths of a set, all of which must lie in the data set; raises Unreadable otherwise."""
        if len(self.split[name]) > 2 * len(self.data.labels):
            raise Unreadable(
                "split", f"the {name} set lists {len(self.split[name])} paths, more than there are images"
            )
        unknown = [p for p in self.split[name] if p not in self.data.labels]
        if unknown:
            raise Unreadable(
                "split",
                f"{len(unknown)} paths of the {name} set are not in the data set,"
                f" the first is {shown(repr(unknown[0]))}",
            )
        return self.split[name]

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

    def has_scores(self, name: str) -> bool:
        """Whether scores of a set were handed in, in whatever form."""
        return SCORES.get(name) in self.submission.located

    def handed_in(self, name: str) -> np.ndarray:
        """Scores handed in for 'val' or 'test', float64; raises Unreadable unless N x classes for that set."""
        piece = SCORES[name]
        values = getattr(self.submission, piece)
        shape = (len(self.split[name]), len(self.stated_classes))
        if values.shape != shape:
            raise Unreadable(piece, f"{piece} has shape {values.shape}, expected {shape}")
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise Unreadable(piece, f"{piece} holds NaN or infinity")
        return values

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

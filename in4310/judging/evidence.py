"""What the checks look at: the submission's claims beside figures recomputed from its weights and our pixels.

Three floors, each a class upon the one below: `claimed` (what was handed in), `networks` (rebuilt from the weights),
and this one (our pixels, and what the networks make of them). Everything is computed on first use and kept, so that
checks share one forward pass.

What the words for scores mean, for a set ('val', 'test', some also 'train'):

===========  =================================  ======================================================================
word         what it gives                      where it comes from
===========  =================================  ======================================================================
handed_in    scores, float64 (N, C)             the submission's file, of the right shape and finite
predicted    scores, float32 (N, C)             our network, rebuilt from the weights, on all images of the set
audited      rows; scores, float32 (rows, C)    our network on the audit sample only (on all, where none is drawn)
trusted      scores (N, C), to build on         handed_in where the audit sample proves it right, else predicted
measured     metrics                            of trusted, and so of handed_in where no weights prove them wrong:
                                                what the student's own figures must be
recomputed   metrics                            of predicted or proved scores: what the network is worth
scored       labels and scores, or None         of another set, as far as they are there: for known mistakes
===========  =================================  ======================================================================
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from in4310.errors import InputError
from in4310.judging.audit import bound
from in4310.judging.claimed import kept
from in4310.judging.class_order import confusion, exchanged
from in4310.judging.networks import Networks
from in4310.judging.pipelines import Pipeline
from in4310.judging.preprocessing import SIZES
from in4310.places import decoded_folder
from in4310.solution import images, loaders, metrics, scores
from in4310.solution.images import IMAGENET_MEAN, IMAGENET_STD, Images, Preprocessing, Problems
from in4310.submission.formats import finite
from in4310.submission.pieces import Missing, NotHere, Unreadable

FEW = 500  # images that are decoded for one submission; more, and the whole data set is decoded once for a class
HALF_MOVES, HALF_ROWS = 0.05, 64  # most that bf16 moves a score by; rows on which that is seen
OWN_BYTES = 6 * 2**30  # of pixels that are decoded for one submission alone


class Evidence(Networks):
    """A submission, the trusted data and the edition, with everything that can be computed from them."""

    @cached_property
    def classes(self) -> list[str]:
        """The class of each output of the network: as stated, or as the submission numbered them all through.

        Where network and scores agree on another order, that is one mistake, and not one of every figure: all but the
        check of the order is judged in it.
        """
        try:
            chosen = self.handed_in("test").argmax(axis=1)
            order = exchanged(
                confusion(self._labels("test", self.stated_classes), chosen, len(self.stated_classes))
            )
        except Missing:
            order = None
        if order is None or not self.reproduces("test"):
            return self.stated_classes
        return [self.stated_classes[i] for i in order]

    def labels(self, name: str) -> np.ndarray:
        """Indices into `classes` of a set, int64 (N,), from our own folders and not from the submission."""
        return self._labels(name, self.classes)

    def _labels(self, name: str, classes: Sequence[str]) -> np.ndarray:
        return np.array([classes.index(self.data.labels[p]) for p in self.known(name)], dtype=np.int64)

    _own_bytes = 0

    @kept
    def images(self, paths: tuple[str, ...]) -> Images:
        """Our own pixels of paths of the data set, prepared as the submission states."""
        # Few are decoded by themselves; more, and all are, once: the next submission of a class finds them decoded. Of
        # sizes that nobody else has all would be kept for each who states one.
        p = self.preprocessing
        usual = not isinstance(p, Pipeline) and (p.size, p.resize, p.interpolation, p.antialias) in (
            (*size, "bilinear", True) for size in SIZES
        )
        if usual and (len(paths) > FEW or "_all_images" in self.__dict__):
            loaded, problems = self._all_images
        else:
            self._afford(len(paths))
            loaded, problems = self._load(paths)
        if unreadable := set(paths) & set(problems.unreadable):
            raise Unreadable("split", f"{min(unreadable)} of the data set cannot be decoded")
        return loaded if loaded.paths == paths else loaded.subset(paths)

    @cached_property
    def _all_images(self) -> tuple[Images, Problems]:
        return self._load(tuple(sorted(self.data.labels)), decoded_folder())

    def _load(self, paths: tuple[str, ...], cache: Path | None = None) -> tuple[Images, Problems]:
        data, classes = self.data, self.stated_classes
        # Pixels do not depend on how they are normalised; what is kept has a name that does.
        decoded = replace(self.preprocessing, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        how: dict[str, Any] = {"cache": cache, "progress": self.progress}
        return images.load_images(data.root, paths, data.labels, classes, decoded, **how)

    def _afford(self, count: int) -> None:
        """Count pixels that are decoded for this submission alone; raises Unreadable when they are too many."""
        size = self.preprocessing.size
        self._own_bytes += count * size * size * 3
        if self._own_bytes > OWN_BYTES:
            most = f"more than {OWN_BYTES >> 30} GiB of pixels of {size} x {size}"
            raise Unreadable(
                "preprocessing", f"all images that are asked for are {most}; state the size used"
            )

    @kept
    def comparison_images(self, name: str, paths: tuple[str, ...]) -> Images:
        """Pixels of a data set to compare with; raises Missing when we do not have it."""
        folder = self.data.comparison.get(name)
        if folder is None:
            raise NotHere("comparison data", f"the data set {name!r} is not on the judge's machine")
        # Names that a submission may use are those that we list ourselves: no path leads out of the folder.
        if foreign := set(paths) - set(images.find_comparison(folder)):
            raise Unreadable("eigenvalues", f"{min(foreign)!r} is not an image of {name}")
        self._afford(len(paths))
        loaded, problems = images.load_comparison(folder, paths, self.preprocessing, progress=self.progress)
        if problems.unreadable:
            raise Unreadable("eigenvalues", f"{min(problems.unreadable)!r} cannot be decoded")
        return loaded

    def prepared(self, preprocessing: Preprocessing) -> Evidence:
        """The same evidence with images that are prepared in another way; kept, with what is computed of it."""

        def view() -> Evidence:
            model, made = self.model, copy.copy(self)
            made._kept = {}
            made.__dict__.pop("_all_images", None)
            made.__dict__ |= {"model": model, "preprocessing": preprocessing}
            return made

        return self.once(("prepared", preprocessing), view)

    def batches(self, loaded: Images) -> Callable[[], Any]:
        """Normalised batches of images on the device, float32 NCHW, without labels."""
        return lambda: (x for x, _ in loaders.batches(loaded, self.preprocessing, 64, self.device))

    @kept
    def predicted(self, name: str) -> np.ndarray:
        """Scores of a whole set as our network computes them from the weights, float32 (N, classes)."""
        return self._predict(self.known(name))

    def _predict(self, paths: tuple[str, ...]) -> np.ndarray:
        return scores.predict(
            self.model, self.images(paths), self.preprocessing, device=self.device, progress=self.progress
        )

    def audited(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The audit sample of a set: its rows, ascending, and our scores of them, float32 (rows, classes)."""
        paths = self.known(name)
        rows = self.audit.sample(name, len(paths))
        if self.has("predicted", name) or len(rows) == len(paths):
            return rows, self.predicted(name)[rows]
        chosen = tuple(paths[i] for i in rows)
        return rows, self.once(("audited", name), lambda: self._predict(chosen))

    def reproduces(self, name: str) -> bool:
        """Whether the scores handed in are what the network gives, on the audit sample; False if not known."""
        try:
            claimed = self.handed_in(name)
            rows, ours = self.audited(name)
        except (Missing, InputError):
            return False
        return bool(np.abs(claimed[rows] - ours).max() <= self.score_tolerance(name))

    @kept
    def score_tolerance(self, name: str) -> float:
        """How far scores handed in of a set may lie from ours: as the edition says, or as bf16 moves ours.

        Where they were made under autocast all of them lie as far from ours as our own do under it: an altered score is
        alone, and farther.
        """
        usual = self.edition.tolerances.score
        (rows, ours), claimed = self.audited(name), self.handed_in(name)
        off = np.abs(claimed[rows] - ours)
        if not usual < off.max() <= HALF_MOVES:
            return usual
        # Where they lie farthest from ours says how far bf16 may move one; rows of all kinds, how far it mostly does.
        farthest = np.argsort(-off.max(axis=1), kind="stable")[: HALF_ROWS // 2]
        evenly = np.linspace(0, len(rows) - 1, min(HALF_ROWS // 2, len(rows))).astype(int)
        few = np.concatenate([evenly, farthest])
        paths = tuple(self.known(name)[i] for i in rows[few])
        batches = self.batches(self.images(paths))()
        with torch.inference_mode(), torch.autocast(torch.device(self.device).type, torch.bfloat16):
            parts = [self.model(x).float().softmax(dim=1).cpu() for x in batches]
        moved = np.abs(torch.cat(parts).numpy() - ours[few])
        theirs, own = off[evenly], moved[: len(evenly)]
        ratios = (_rms(theirs) / _rms(own), _rms(np.sqrt(theirs)) / _rms(np.sqrt(own)))
        alike = off.max() <= 2 * moved.max() and all(0.5 <= ratio <= 1.5 for ratio in ratios)
        return float(max(usual, 2 * moved.max())) if alike else usual

    def proved(self, name: str) -> bool:
        """Whether there is a network to judge the figures of a set by; else scores are what somebody states."""
        try:
            return bool(np.isfinite(self.audited(name)[1]).all())
        except (Missing, InputError):
            return False

    def trusted(self, name: str) -> np.ndarray:
        """Scores of a whole set to build on: those handed in where the audit sample of them is right, else ours."""
        if self.has_scores(name) and self.reproduces(name):
            return self.handed_in(name)
        return self.predicted(name)

    def audit_bound(self, name: str) -> str:
        """What the audit sample says of the rows that were not computed again, in words; '' when all were."""
        total = len(self.known(name))
        checked = len(self.audit.sample(name, total))
        if checked == total:
            return ""
        share = f"{bound(checked, total):.1%}"
        return (
            f"{checked} of {total} rows computed again; all right: fewer than {share} of all are wrong (95 %)"
        )

    @kept
    def judged_by(self, name: str) -> np.ndarray:
        """Scores float64 (N, C) that figures of a set are judged by: trusted ones; without weights those handed in."""
        return (self.trusted(name) if self.proved(name) else self._unproved(name)).astype(np.float64)

    def _unproved(self, name: str) -> np.ndarray:
        if not self.has_scores(name) or is_one_hot(values := self.handed_in(name)):
            # Labels in place of scores: figures from them would say nothing.
            return self.predicted(name)
        return values

    @kept
    def measured(self, name: str) -> metrics.Metrics:
        """Metrics of 'val' or 'test' that the student's own figures must be."""
        return self.metrics_of(name, self.judged_by(name))

    def metrics_of(self, name: str, values: np.ndarray) -> metrics.Metrics:
        """Metrics of any scores (N, C) of a set."""
        return metrics.evaluate(self.labels(name), values.astype(np.float64), self.classes)

    @kept
    def recomputed(self, name: str) -> metrics.Metrics:
        """Metrics of a set from the weights, whatever scores were handed in."""
        values = self.trusted(name)
        if not np.isfinite(values).all():
            raise Unreadable("model", "the network handed in gives scores that are NaN or infinite")
        return metrics.evaluate(self.labels(name), values, self.classes)

    def scored(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels and scores of a set, as far as they are there without a forward pass; else None."""
        try:
            if self.has_scores(name):
                values = self.handed_in(name)
            elif self.has("predicted", name):
                values = self.predicted(name)
            else:
                return None
            return self.labels(name), values.astype(np.float64)
        except (Missing, InputError):
            return None


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def is_one_hot(values: np.ndarray) -> bool:
    """Whether every row is all 0 but for a single 1: labels, which no softmax of a trained network gives throughout."""
    return bool(len(values)) and bool(((values == 0) | (values == 1)).all())


def number(table: dict[str, Any], key: str) -> float | None:
    """A finite number of a claimed table, or None."""
    return finite(table.get(key))

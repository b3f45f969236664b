"""Statistics of images prepared otherwise than for the network: task 3 asks for 224, whatever was trained at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from in4310.judging import statistics
from in4310.judging.evidence import Evidence
from in4310.judging.pipelines import said
from in4310.judging.preprocessing import NEAR, SIZES, candidates
from in4310.solution.handin import spread
from in4310.solution.images import Preprocessing
from in4310.submission.pieces import Missing

SCREEN = 12  # images on which each is tried first
LIKELY = 4.0  # standard errors that a figure over all images may lie from one over so few
ASKED = ((224, 224), (224, 256))  # (size, resize) that task 3 asks for


def of_shares(
    evidence: Evidence, paths: tuple[str, ...], claimed: Mapping[str, float], tolerance: float
) -> Evidence | None:
    """The evidence under another preprocessing that gives the percentages claimed over images; None where none does.

    Each is screened on a few of the images; on all are computed what is asked for, and the nearest of the others.
    """
    few, near = spread(paths, SCREEN), []
    for other in _others(evidence):
        view = evidence.prepared(other)
        try:
            found = statistics.shares_of_images(view, few, list(claimed))
        except Missing:
            continue
        off = [
            abs(shares.mean() - claimed[m]) / (shares.std(ddof=1) / len(shares) ** 0.5 + tolerance)
            for m, shares in found.items()
        ]
        if len(off) == len(claimed) and max(off) <= LIKELY:
            near.append((float(np.mean(off)), view))
    near.sort(key=lambda one: ((one[1].preprocessing.size, one[1].preprocessing.resize) not in ASKED, one[0]))
    for _, view in near[: NEAR + len(ASKED)]:
        ours = statistics.non_positive(view, paths, list(claimed))
        if all(abs(ours[m] - value) <= tolerance for m, value in claimed.items()):
            _found(evidence).append(view)
            return view
    return None


def of_spectra(evidence: Evidence) -> Iterator[Evidence]:
    """The evidence under other preprocessings that spectra may be of: that of the shares, and what is asked for."""
    found = list(_found(evidence))
    own = [replace(evidence.preprocessing, size=size, resize=resize) for size, resize in ASKED]
    used = {evidence.preprocessing, *(view.preprocessing for view in found)}
    yield from found
    yield from (evidence.prepared(other) for other in own if other not in used)


def how(evidence: Evidence, view: Evidence) -> str:
    """What a view does otherwise, for a finding; '' for the evidence itself."""
    return "" if view is evidence else f", {said(view.preprocessing)}"


def remember(evidence: Evidence, view: Evidence) -> None:
    """Keep a view that gave what was claimed: the next spectra are tried under it first."""
    if view is not evidence and view not in _found(evidence):
        _found(evidence).append(view)


def _found(evidence: Evidence) -> list[Evidence]:
    return evidence.once(("own_size",), list)


def _others(evidence: Evidence) -> Iterator[Preprocessing]:
    """Other sizes of the network's preprocessing; all usual ones where that is only assumed."""
    own = evidence.preprocessing
    assumed = evidence.stated is None and not evidence.inferred.fits
    others = candidates() if assumed else (replace(own, size=s, resize=r) for s, r in SIZES)
    yield from (other for other in others if other != own)

"""Statistics of images prepared otherwise than for the network: task 3 asks for 224, whatever was trained at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from in4310.errors import InputError
from in4310.judging import statistics
from in4310.judging.evidence import Evidence
from in4310.judging.inside import observe_until, runs_of
from in4310.judging.pipelines import said
from in4310.judging.preprocessing import NEAR, SIZES, candidates
from in4310.judging.statistics import Spectra
from in4310.solution.handin import spread
from in4310.solution.images import Preprocessing
from in4310.solution.spectrum import FeatureCovariance
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


def of_spectra(
    evidence: Evidence,
    model: str,
    data: str,
    paths: tuple[str, ...],
    modules: Sequence[str],
    flatten: bool,
    right: Callable[[Spectra], list[bool]],
) -> tuple[Spectra, str]:
    """Spectra over images as the network takes them; where they give none, under another preprocessing that gives all.

    Arguments as `statistics.spectra`; `right`: of each spectrum that was claimed for one of these modules, whether it
    is this. With what is done otherwise, '' for nothing. Tried are the preprocessing of the shares, and those that task
    3 asks for.
    """
    ours = statistics.spectra(evidence, model, data, paths, modules, flatten)
    judged = right(ours)
    if not judged or any(judged):  # of another size all are others
        return ours, ""
    own = [replace(evidence.preprocessing, size=size, resize=resize) for size, resize in ASKED]
    used = {evidence.preprocessing, *(view.preprocessing for view in _found(evidence))}
    for view in (*_found(evidence), *(evidence.prepared(other) for other in own if other not in used)):
        if not flatten and not all(right(_first(view, model, data, paths, modules))):
            continue
        other = statistics.spectra(view, model, data, paths, modules, flatten)
        if all(right(other)):
            if view not in _found(evidence):  # the next spectra are tried under it first
                _found(evidence).append(view)
            return other, how(evidence, view)
    return ours, ""


def _first(view: Evidence, model: str, data: str, paths: tuple[str, ...], modules: Sequence[str]) -> Spectra:
    """Of channel means of the module that runs first: passes end there, at a tenth of the cost. Empty where unknown."""
    net = view.model if model == "tuned" else view.untuned
    loaded = view.images(paths) if data == "course" else view.comparison_images(data, paths)

    with suppress(InputError):
        first, runs = next(iter(runs_of(net, modules).items()), ("", 0))
        if runs == 1:
            features = FeatureCovariance()
            observe_until(first, net, view.batches(loaded)(), {first: [features]})
            return {first: features.spectrum()}
    return {}


def how(evidence: Evidence, view: Evidence) -> str:
    """What a view does otherwise, for a finding; '' for the evidence itself."""
    return "" if view is evidence else f", {said(view.preprocessing)}"


def _found(evidence: Evidence) -> list[Evidence]:
    return evidence.once(("own_size",), list)


def _others(evidence: Evidence) -> Iterator[Preprocessing]:
    """Other sizes of the network's preprocessing; all usual ones where that is only assumed."""
    own = evidence.preprocessing
    assumed = evidence.stated is None and not evidence.inferred.fits
    others = candidates() if assumed else (replace(own, size=s, resize=r) for s, r in SIZES)
    yield from (other for other in others if other != own)

"""Requirements 3a and 3b: eigenvalues of the features' covariance, and their comparison over data sets."""

import posixpath

import numpy as np
import pytest

from in4310.judging import coverage, digits, exhibits, mistakes, own_size, statistics, trained
from in4310.judging.asked_network import check_spectrum
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import seen
from in4310.judging.photographs import called, expect_plots
from in4310.judging.plots import SpectrumPair
from in4310.judging.verdict import Outcome
from in4310.submission.formats import finite, last_two_parts
from in4310.submission.pieces import Missing, Unreadable


def _values(entry, where):
    """Eigenvalues of one module as float64 (k,); raises Unreadable when they are not a list of numbers."""
    values = entry.get("values") if isinstance(entry, dict) else entry
    if not isinstance(values, list) or not values:
        raise Unreadable(
            "eigenvalues", f"{where}: expected a list of eigenvalues, found {type(values).__name__}"
        )
    numbers = [finite(v) for v in values]
    return np.array([np.nan if n is None else n for n in numbers], dtype=np.float64)


def _where(series):
    return f"{series.get('model')} on {series.get('data')}"


def _images(series):
    """The images that a series names, one by one: other folders before ours, or dots in a path, make no other image."""
    tidy = last_two_parts if series.get("data") == "course" else posixpath.normpath
    return tuple(tidy(str(path)) for path in series.get("paths", ()))


def _different(series):
    return len(set(_images(series)))


@pytest.mark.in4310_requirement("3a", partial=True)
def test_eigenvalues_valid(evidence, edition, judge):
    """Sign, order and number of the eigenvalues"""
    _cover(evidence, edition, judge, evidence.series())
    for series in evidence.series():
        # Not named: as many as the edition asks for, which bounds the rank as well as the named ones would.
        images = _different(series) if "paths" in series else edition.statistics.images
        for module, entry in series["modules"].items():
            where = f"{_where(series)}, {module}"
            values = _values(entry, where)
            if not judge.expect(
                bool(np.isfinite(values).all()), f"{where}: real, finite numbers", f"{len(values)} values"
            ):
                continue
            rounding = 1e-6 * max(1e-30, float(np.abs(values).max()))
            judge.expect(bool((values >= -rounding).all()), f"{where}: smallest", f"{values.min():.3e}", "0 or more",
                         mend="use numpy.linalg.eigvalsh: a covariance is symmetric")  # fmt: skip
            judge.expect(
                bool((np.diff(values) <= rounding).all()),
                f"{where}: order",
                "descending" if (np.diff(values) <= rounding).all() else "not descending",
                "descending",
                mistake=seen("form: order of eigenvalues", values, rounding),
                mend="sort them, the largest first",
            )
            nonzero = int((values > rounding).sum())
            judge.expect(nonzero <= images - 1, f"{where}: eigenvalues above zero", nonzero,
                         f"at most {images - 1}, the rank from {images} images")  # fmt: skip
            total = finite(entry.get("total_variance")) if isinstance(entry, dict) else None
            if total is not None:
                room = 1e-4 * total + len(values) * digits.room_of_digits(values, float(values[0]))
                whole = len(values) >= min(images - 1, _channels(evidence, module) or images)
                judge.expect(
                    abs(values.sum() - total) <= room if whole else values.sum() <= total + room,
                    f"{where}: sum of the eigenvalues",
                    f"{values.sum():.6g}",
                    f"{'' if whole else 'at most '}{total:.6g}, the total variance",
                    tolerance=f"{room:.1e}: 1e-4 of it, and the digits handed in",
                )


def _channels(evidence, module):
    """Channels of a module's output, from the width of its last batch-norm; None when not known."""
    found = dict(evidence.model.named_modules()).get(module)
    widths = (
        [m.num_features for m in found.modules() if hasattr(m, "num_features")] if found is not None else []
    )
    return widths[-1] if widths else None


def _cover(evidence, edition, judge, series, asked=None):
    """Record how many of the spectra asked for are there: modules x series x values."""
    modules, asked = edition.statistics.modules, asked or len(series)
    try:
        model = evidence.model
    except Missing:  # for others to say
        model = None
    share = sum(coverage.spectra(model, one, modules) for one in series) / asked
    judge.cover(
        share,
        f"spectra of at least {coverage.VALUES} different values",
        f"{share:.0%} of what was asked for",
        f"{modules} modules in each of {asked} series",
        mend="report the largest eigenvalues of every module chosen, in every series",
    )


def _known(evidence, series):
    names = dict(evidence.model.named_modules())
    return [m for m in series["modules"] if m in names and m]


def _claimed(judge, series, ours):
    """(module, where, eigenvalues) as handed in, of each module that we have; it costs points to name another."""
    for module, entry in series["modules"].items():
        where = f"{_where(series)}, {module}"
        values = _values(entry, where)
        if module in ours:
            yield module, where, values
        else:
            judge.expect(False, where, "a module that the network lacks", "a module of the network")


def _recompute(evidence, edition, judge, series):
    """Compare the spectra of one series with our own; returns both for the picture: module -> SpectrumPair."""
    model, data = str(series.get("model")), str(series.get("data"))
    if model not in ("tuned", "untuned"):
        judge.expect(False, "model of a series", model, "tuned or untuned")
        return {}
    if "paths" not in series:
        return _compare_with_typical(evidence, edition, judge, series, model, data)
    paths = _images(series)
    foreign = [p for p in paths if data == "course" and p not in evidence.data.labels]
    if 0 < len(foreign) <= 0.05 * len(paths):
        judge.leave(
            _where(series),
            f"not recomputed: {len(foreign)} of its {len(paths)} images are not in the data set",
        )
        return {}
    if data == "course" and (unknown := [p for p in paths if p not in evidence.data.labels]):
        raise Unreadable(
            "eigenvalues", f"{len(unknown)} images of a series are not in the data set, e.g. {unknown[0]!r}"
        )
    flatten = bool(series.get("flatten", False))
    modules = _known(evidence, series)
    claims = list(_claimed(judge, series, modules))

    def right(spectra):
        return [
            _agreement(edition, v, spectra[m].values, len(paths))[0] for m, _, v in claims if m in spectra
        ]

    ours, over = own_size.of_spectra(evidence, model, data, paths, modules, flatten, right)
    told, pairs = {}, {}
    for module, where, claimed in claims:
        told[module] = claimed
        pairs[module] = _expect_ours(edition, judge, where, claimed, ours[module].values, len(paths), over)
    if not all(pair.good for pair in pairs.values()):
        loaded = evidence.images(paths) if data == "course" else evidence.comparison_images(data, paths)
        inside = mistakes.inside.of_submission(evidence, loaded, ours, model)
        tolerance = edition.tolerances.eigenvalue
        judge.blame(mistakes.spectra.diagnose(inside, told, tolerance, Budget.of(evidence)))
    return pairs


def _agreement(edition, claimed, ours, images):
    """Whether eigenvalues are ours; how far off, relative to the largest; how far they may be; ours, as many; if by N - 1."""
    right = mistakes.spectra.as_long(ours, claimed)
    scale = max(float(right.max()), 1e-30)
    tolerance = max(edition.tolerances.eigenvalue, digits.room_of_digits(claimed, scale) / scale)

    def off(values):
        return float(np.abs(values - right).max() / scale) if np.isfinite(values).all() else np.inf

    unbiased = off(claimed * (images - 1) / images) <= min(off(claimed), tolerance)
    return off(claimed) <= tolerance or unbiased, off(claimed), tolerance, right, unbiased


def _expect_ours(edition, judge, where, claimed, ours, images, over=""):
    """Compare the spectrum of a module with ours over the same images; returns both for the picture."""
    good, off, tolerance, right, unbiased = _agreement(edition, claimed, ours, images)
    judge.expect(
        good,
        f"{where}: largest of {len(claimed)} eigenvalues",
        f"{claimed[0]:.6g} (relative difference over all {off:.1e}{', divided by N - 1' if unbiased else ''})",
        f"{right[0]:.6g}",
        tolerance=f"{tolerance:g} of the largest{over}",
        mend="average each channel over its positions, centre over the images, divide by N",
    )
    return SpectrumPair(claimed * (images - 1) / images if unbiased else claimed, right, good=good)


def _compare_with_typical(evidence, edition, judge, series, model, data):
    """Images not named: each eigenvalue within the range over draws of other images, or those of usual ones.

    Returns both for the picture. What is outside is the teacher's to judge: other images may give it.
    """
    count = images if type(images := series.get("images")) is int and images > 0 else 0
    known, pairs = _known(evidence, series), {}
    ranges = statistics.typical_spectra(evidence, model, data, known)
    claims = list(_claimed(judge, series, ranges))

    def fitting(ranges):
        return {module: mistakes.spectra.in_range(claimed, *ranges[module]) for module, _, claimed in claims}

    fits = fitting(ranges)
    if data == "course" and not all(
        good for good, _ in fits.values()
    ):  # perhaps of images that it was trained on
        wider = statistics.typical_spectra(evidence, model, data, known, all_sets=True)
        if all(good for good, _ in fitting(wider).values()):
            ranges, fits = wider, fitting(wider)
    usual = () if all(good for good, _ in fits.values()) else statistics.usual_images(evidence, data, count)
    for words, paths in usual:
        ours = statistics.spectra(evidence, model, data, paths, list(ranges), flatten=False)
        if all(_agreement(edition, claimed, ours[m].values, len(paths))[0] for m, _, claimed in claims):
            statistics.were_right(evidence, words, data)
            over = f", over {words}, which are not named"
            return {m: _expect_ours(edition, judge, where, claimed, ours[m].values, len(paths), over)
                    for m, where, claimed in claims}  # fmt: skip
    for module, where, claimed in claims:
        (good, inside), (low, high) = fits[module], ranges[module]
        pairs[module] = SpectrumPair(
            claimed,
            range=(mistakes.spectra.as_long(low, claimed), mistakes.spectra.as_long(high, claimed)),
            good=good,
        )
        known = [] if good else mistakes.spectra.of_unnamed_images(
            claimed, lambda v, edges=ranges[module]: mistakes.spectra.in_range(v, *edges)[1], count or edition.statistics.images)  # fmt: skip
        judge.rest("stated only")
        judge.expect(
            good,
            f"{where}: {len(claimed)} eigenvalues, images not named",
            f"{inside:.0%} within the range; the largest is {claimed[0]:.5g}",
            f"{low[0]:.5g} to {high[0]:.5g} for the largest",
            tolerance="range over 40 draws of other images of the same data set, widened by a quarter",
            mistake=known,
            mend="average each channel over its positions, centre over the images, divide by N; name the images",
            otherwise=Outcome.OPEN,
        )
    return pairs


def _show_handed_in(judge, chosen):
    """The spectra of a series that cannot be recomputed, as they are."""
    for series in chosen[:1]:
        pairs = {m: SpectrumPair(_values(e, m), good=False) for m, e in series["modules"].items()}
        exhibits.spectra_against(judge, pairs, _where(series), 0.0)


@pytest.mark.in4310_requirement("3a", partial=True)
def test_eigenvalues_recomputed(evidence, edition, judge):
    """Eigenvalues compared with our own"""
    if live := evidence.runs("spectrum"):
        check_spectrum(live, judge)
    chosen = [s for s in evidence.series() if s.get("model") == "tuned" and s.get("data") == "course"]
    if not chosen:
        raise Missing(
            "eigenvalues",
            "no series of the trained network on the course's images (model 'tuned', data 'course')",
        )
    _cover(evidence, edition, judge, chosen)
    for series in chosen:
        images = _different(series)
        judge.expect(
            images >= edition.statistics.images,
            "different images",
            images if "paths" in series else "not named",
            f"at least {edition.statistics.images}",
            otherwise=Outcome.FAILED if "paths" in series else Outcome.WARNED,
        )
        try:
            pairs = _recompute(evidence, edition, judge, series)
        except Missing:
            _show_handed_in(judge, chosen)
            raise
        if pairs:
            exhibits.spectra_against(judge, pairs, _where(series), edition.tolerances.eigenvalue)


@pytest.mark.in4310_requirement("3a")
def test_spectrum_plot(evidence, judge):
    """Plot of the spectra"""
    judge.rest("stated only")
    pictures = evidence.submission.pictures("plots")
    plots = called(pictures, "spectr", "eigen")
    looks = {p: evidence.submission.look(p) for p in plots or pictures}
    exhibits.handed_in(judge, plots or pictures, "Plots of the spectra" if plots else "Pictures", looks)
    expect_plots(judge, evidence.data, "plots of eigenvalues", plots, looks, "plots/spectra.png")


@pytest.mark.in4310_requirement("3b", partial=True)
def test_comparison_complete(evidence, edition, judge):
    """Networks, data sets and images of the compared spectra"""
    wanted = [
        ("untuned", "course"),
        *(("untuned", name) for name in edition.statistics.comparison),
        ("tuned", "course"),
    ]
    found = {(s.get("model"), s.get("data")): s for s in evidence.series()}
    for model, data in wanted:
        series = found.get((model, data))
        named = series is not None and "paths" in series
        images = _different(series) if named else 0
        judge.expect(
            images >= edition.statistics.images,
            f"{model} network on {data}",
            f"{images} images" if named else "images not named" if series else "missing",
            f"{edition.statistics.images} images",
            mend="report one series for each: model 'untuned' or 'tuned', data 'course' or the data set's name",
            otherwise=Outcome.OPEN if series and not named else Outcome.FAILED,
        )
    _cover(evidence, edition, judge, [found[key] for key in wanted if key in found], len(wanted))
    _two_networks(evidence, judge)
    trained.rests(evidence, judge, learned=False)
    first = [
        json_like(found[key]["modules"])
        for key in (("untuned", "course"), ("tuned", "course"))
        if key in found
    ]
    if len(first) == 2:
        judge.expect(
            first[0] != first[1],
            "spectra of the untuned and the trained network",
            "equal to the last digit" if first[0] == first[1] else "different",
            "different",
            mistake=seen("form: networks compared"),
        )


def _two_networks(evidence, judge):
    """What is compared are two networks: a trained one has another last layer than before, whatever was frozen."""
    try:
        before, after = evidence.untuned.state_dict(), evidence.model.state_dict()
    except Missing:
        return
    names = [n for n in after if n.endswith("weight")]
    if any(n not in before or before[n].shape != after[n].shape for n in names):
        return
    away = max(float((after[n] - before[n]).norm() / after[n].norm().clamp_min(1e-12)) for n in names)
    if away < SAME:
        judge.cover(
            0.0,
            "the untuned network, against the trained one",
            f"no layer differs by more than {away:.1%}",
            "the network before training",
            mend="save the network before its training starts, and hand it in as untuned.pth",
        )


SAME = 0.02  # of a layer's length: training moves the last layer by more, and noise that hides a copy by less


def json_like(modules):
    """A comparable form of the modules of a series."""
    return {name: tuple(_values(entry, name)) for name, entry in modules.items()}


@pytest.mark.in4310_requirement("3b", partial=True)
def test_comparison_recomputed(evidence, edition, judge):
    """Compared spectra against our own"""
    others = [s for s in evidence.series() if (s.get("model"), s.get("data")) != ("tuned", "course")]
    if not others:
        raise Missing("eigenvalues", "no series besides the trained network on the course's images")
    asked = [("untuned", "course"), *(("untuned", name) for name in edition.statistics.comparison)]
    _cover(
        evidence, edition, judge, [s for s in others if (s.get("model"), s.get("data")) in asked], len(asked)
    )
    _two_networks(evidence, judge)
    panels, wrong = {}, {}
    for series in others:
        data = series.get("data")
        if data != "course" and data not in evidence.data.comparison:
            judge.expect(
                False,
                _where(series),
                "not recomputed: the judge does not have this data set",
                otherwise=Outcome.OPEN,
            )
            continue
        pairs = _recompute(evidence, edition, judge, series)
        if any(not pair.good for pair in pairs.values()):
            wrong[_where(series)] = pairs
        if pairs:
            panels[_where(series)] = {
                m: pair.ours if pair.range is None else (pair.range[0] + pair.range[1]) / 2
                for m, pair in pairs.items()
            }
    for where, pairs in wrong.items():
        exhibits.spectra_against(judge, pairs, where, edition.tolerances.eigenvalue)
    if panels:
        exhibits.spectra_compared(judge, panels)

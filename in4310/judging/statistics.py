"""The statistics of tasks 2 and 3, computed again: shares of non-positive values, and spectra.

Over the images that a submission names, all that it claims of them in one pass; and over images that it does not name.
There the spread from image to image is measured, not assumed: a figure over 200 unnamed images of the same data set
lies within a few standard errors of ours, and one that was computed in another way usually does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from in4310 import solution
from in4310.errors import InputError
from in4310.judging.evidence import Evidence
from in4310.judging.inside import runs_of
from in4310.places import cache_folder, code_digest
from in4310.shown import shown
from in4310.solution import feature_maps, spectrum
from in4310.solution.feature_maps import NOT_RUN, NonPositive, observe
from in4310.solution.handin import spread
from in4310.solution.images import Preprocessing, find_comparison
from in4310.solution.saving import write_aside
from in4310.solution.spectrum import FeatureCovariance, Spectrum
from in4310.submission.formats import last_two_parts
from in4310.submission.pieces import Missing, NotHere, Unreadable

TYPICAL = 400  # images that unnamed ones are compared with
DRAWS = 40
WIDER = 0.25  # of its width, to each side: forty draws do not reach the ends of the distribution
Spectra = dict[str, Spectrum]


# -- over the images that are named ----------------------------------------------------------------


def non_positive(evidence: Evidence, paths: tuple[str, ...], modules: Sequence[str]) -> dict[str, float]:
    """Percentage of non-positive values a module over images of the course, by the network handed in (2b).

    Where spectra over the same images are claimed too, they come from the same pass and are kept for `spectra`.
    """
    loaded = evidence.batches(evidence.images(paths))
    if claimed := _claimed_modules(evidence, paths):
        with suppress(InputError):
            shares, found = shares_and_spectra(evidence.model, loaded(), modules, claimed)
            _seen_together(evidence, paths).update(found)
            return shares
    return feature_maps.non_positive(evidence.model, loaded(), modules)


def _seen_together(evidence: Evidence, paths: tuple[str, ...]) -> Spectra:
    """Spectra of the trained network that came with the shares over the same images of the course."""
    return evidence.once(("seen_together", paths), dict)


def _claimed_modules(evidence: Evidence, paths: tuple[str, ...]) -> list[str]:
    """Modules of the network whose spectra (channel means) are claimed for these images of the course."""
    try:
        series = evidence.series()
    except Missing:
        return []
    names = dict(evidence.model.named_modules())
    return list(
        dict.fromkeys(
            name
            for one in series
            if (one.get("model"), one.get("data"), bool(one.get("flatten"))) == ("tuned", "course", False)
            and tuple(last_two_parts(str(p)) for p in one.get("paths", ())) == paths
            for name in one["modules"]
            if name and name in names
        )
    )


def spectra(
    evidence: Evidence, model: str, data: str, paths: tuple[str, ...], modules: Sequence[str], flatten: bool
) -> dict[str, spectrum.Spectrum]:
    """Spectra of a model ('tuned' or 'untuned') on images of a data set ('course' or a comparison's name)."""
    kept = _seen_together(evidence, paths)
    if (model, data, flatten) == ("tuned", "course", False) and modules and set(modules) <= kept.keys():
        return {name: kept[name] for name in modules}
    net = evidence.model if model == "tuned" else evidence.untuned

    def computed() -> Spectra:
        loaded = evidence.images(paths) if data == "course" else evidence.comparison_images(data, paths)
        often = [] if flatten else run_often(net, modules)
        once = [name for name in modules if name not in often]
        fed = evidence.batches(loaded)
        found = spectrum.eigenvalues(net, fed(), once, k=None, flatten=flatten) if once else {}
        return found | {
            name: _spectrum_of(rows)
            for name, rows in (_of_each_image(net, fed(), often, _channel_means) if often else {}).items()
        }

    try:
        root = evidence.data.root if data == "course" else evidence.data.comparison.get(data)
        if model == "tuned" or flatten or root is None:
            return computed()
        key = key_of(net, root, paths, evidence.preprocessing, modules)
        return kept_spectra(cache_folder() / "spectra", key, computed)
    except InputError as error:  # NaN in the weights is theirs, not a failure of the judge
        raise Unreadable("model" if model == "tuned" else "untuned", shown(str(error), 200)) from None


def shares_and_spectra(
    model: nn.Module, batches: Iterable[Tensor], shares: Sequence[str], spectra: Sequence[str]
) -> tuple[dict[str, float], Spectra]:
    """Non-positive percentages and spectra of channel means of modules, in one pass over the images (2b, 3a).

    To the last digit what two passes give. Raises InputError where one of them cannot be computed; by themselves the
    others may be.
    """
    counters = {name: NonPositive() for name in shares}
    features = {name: FeatureCovariance() for name in spectra}
    images = observe(
        model,
        batches,
        {name: [kind[name] for kind in (counters, features) if name in kind] for name in (*shares, *spectra)},
    )
    if any(not counter.images for counter in counters.values()):
        raise InputError(f"non-positive share: {NOT_RUN}")
    if any(feature.images != images for feature in features.values()):
        raise InputError("spectrum: expected one output per image")
    return (
        {name: counter.percent() for name, counter in counters.items()},
        {name: feature.spectrum() for name, feature in features.items()},
    )


def run_often(model: nn.Module, modules: Sequence[str]) -> list[str]:
    """Modules that run more than once in a forward pass, as the ReLU that a block shares."""
    runs = runs_of(model, modules)
    return [name for name in modules if runs.get(name, 0) > 1]


def shares_of_runs(
    evidence: Evidence, paths: tuple[str, ...], modules: Sequence[str]
) -> dict[str, list[float]]:
    """Module that runs several times in a pass -> its non-positive percentage in the first of them, and in the last.

    A hook that writes into a dict keeps the last, one that looks whether it is there the first; both are outputs of it.
    """
    often = run_often(evidence.model, modules)
    images = evidence.images(paths)
    found: dict[str, list[float]] = {name: [] for name in often}
    for which in (0, -1) if often else ():
        shares = _of_each_image(evidence.model, evidence.batches(images)(), often, _shares, which)
        for name, values in shares.items():
            found[name].append(float(values.mean()))
    return found


# -- over images that the submission does not name -------------------------------------------------


def typical_images(evidence: Evidence, all_sets: bool = False) -> tuple[str, ...]:
    """Images of the course to compare with where a submission does not name its own: of the test set, or all."""
    return spread(sorted(evidence.data.labels) if all_sets else evidence.known("test"), TYPICAL)


def usual_images(
    evidence: Evidence, data: str = "course", count: int = 0
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Images that are often taken and not named, with words for them: the first of a set as it is listed or sorted.

    `count`: how many, where that is stated. Those that were right before come first.
    """
    count = count or evidence.edition.statistics.images
    lists: dict[str, Sequence[str]] = {}
    if data == "course":
        lists = {"the whole test set": evidence.known("test")}
        for name in ("train", "test", "val"):
            lists |= {f"the first {count} images of the {name} list": evidence.known(name)[:count]}
            lists |= {
                f"the first {count} images of the sorted {name} list": sorted(evidence.known(name))[:count]
            }
        lists |= {f"the first {count} images of the sorted data set": sorted(evidence.data.labels)[:count]}
    elif data in evidence.data.comparison:
        all_of = find_comparison(evidence.data.comparison[data])
        lists = {f"the first {count} images of {data}": all_of[:count], f"all images of {data}": all_of}
    before = _were_right(evidence, data)
    tried = set()
    for words, paths in sorted(lists.items(), key=lambda item: item[0] not in before):
        if paths and tuple(paths) not in tried:
            tried.add(tuple(paths))
            yield words, tuple(paths)


def were_right(evidence: Evidence, words: str, data: str = "course") -> None:
    """Remember that figures were those of `usual_images`: the next are looked for there first."""
    _were_right(evidence, data).append(words)


def _were_right(evidence: Evidence, data: str) -> list[str]:
    return evidence.once(("usual_images", data), list)


def shares_of_images(
    evidence: Evidence, paths: tuple[str, ...], modules: Sequence[str]
) -> dict[str, np.ndarray]:
    """Module that runs -> percentage of non-positive values of each image, float64 (N,)."""
    return _of_each_image(evidence.model, evidence.batches(evidence.images(paths))(), modules, _shares)


def typical_non_positive(evidence: Evidence, modules: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Module -> mean over images of the percentage of values that are 0 or less, and its deviation between images."""
    shares = shares_of_images(evidence, typical_images(evidence), modules)
    return {
        name: (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0) for name, v in shares.items()
    }


def standard_error(deviation: float, ours: int, theirs: int) -> float:
    """Standard error of the difference of two means over `ours` and `theirs` images."""
    return deviation * (1 / max(1, ours) + 1 / max(1, theirs)) ** 0.5


def typical_spectra(
    evidence: Evidence, model: str, data: str, modules: Sequence[str], all_sets: bool = False
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Module -> lowest and highest of each eigenvalue over draws of the edition's number of images, float64 (C,).

    Descending; features are channel means over positions, as the assignment asks (3a).
    """
    net = evidence.model if model == "tuned" else evidence.untuned
    if data == "course":
        loaded = evidence.images(typical_images(evidence, all_sets))
    elif data in evidence.data.comparison:
        loaded = evidence.comparison_images(data, tuple(find_comparison(evidence.data.comparison[data])))
    else:
        raise NotHere("comparison data", f"the data set {shown(data)!r} is not on the judge's machine")
    found = _of_each_image(
        net,
        evidence.batches(loaded)(),
        modules,
        _channel_means,
    )
    generator = np.random.default_rng(0)
    return {
        name: _range_of_spectra(features, evidence.edition.statistics.images, generator)
        for name, features in found.items()
    }


def _range_of_spectra(
    features: np.ndarray, images: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of each eigenvalue over draws of `images` rows of features (N, C)."""
    size = min(images, len(features))
    nearly_all = size > len(features) // 2
    drawn = []
    for i in range(DRAWS):
        # Without replacement, as images are taken. Where nearly all would be, all draws were one set: one has each
        # image once; the others, with some twice, say how far sets lie apart, and lack small eigenvalues.
        rows = generator.choice(len(features), size, replace=nearly_all and i > 0)
        centred = features[rows] - features[rows].mean(axis=0)
        values = np.linalg.svd(centred, compute_uv=False) ** 2 / size
        drawn.append(np.pad(values, (0, max(0, features.shape[1] - len(values))))[: features.shape[1]])
    low, high = np.min(drawn, axis=0), np.max(drawn, axis=0)
    room = WIDER * (high - low)
    return np.maximum(low - room, 0), high + room


def _of_each_image(
    model: nn.Module,
    batches: Iterable[Tensor],
    modules: Sequence[str],
    of: Callable[[Tensor], Tensor],
    which: int | None = None,
) -> dict[str, np.ndarray]:
    """Module that runs -> `of` its output, a row an image.

    Where it runs several times: of the run that is asked for; else the mean of a number over its runs; features, whose
    width may differ, of the last.
    """
    runs: dict[str, list[Tensor]] = {name: [] for name in modules}
    rows: dict[str, list[Tensor]] = {name: [] for name in modules}

    def fed() -> Iterator[Tensor]:
        for batch in batches:
            yield batch
            for name, found in runs.items():
                if found:
                    mean = which is None and found[0].ndim == 1
                    whole = torch.stack(found).mean(dim=0) if mean else found[-1 if which is None else which]
                    rows[name].append(whole.cpu())
                found.clear()

    def take(name: str, output: Tensor) -> None:
        runs[name].append(of(output))

    observe(model, fed(), {name: [partial(take, name)] for name in modules})
    return {name: torch.cat(kept).numpy() for name, kept in rows.items() if kept}


def _shares(output: Tensor) -> Tensor:
    """Percentage of the values of each image that are 0 or less, (N,)."""
    return (output <= 0).flatten(1).double().mean(dim=1) * 100


def _channel_means(output: Tensor) -> Tensor:
    """Mean of each channel over its positions, (N, C)."""
    return output.flatten(2).mean(dim=2).double() if output.ndim > 2 else output.double()


def _spectrum_of(features: np.ndarray) -> Spectrum:
    """Of features (N, C): eigenvalues of their covariance, divided by N."""
    values = np.linalg.eigvalsh(np.cov(features.T, bias=True, ddof=0))[::-1].clip(0)
    return Spectrum(values, float(values.sum()), len(features), features.shape[1])


# -- spectra that a class asks for again -----------------------------------------------------------


def kept_spectra(folder: Path, key: str, compute: Callable[[], Spectra]) -> Spectra:
    """The spectra kept under a key, or computed and kept. A file that is damaged is written again.

    For networks that were not trained: many of a class start from the same weights and look at the same images.
    """
    file = folder / f"{key}.json"
    with suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads(file.read_bytes())
        return {name: Spectrum(np.array(values), *facts) for name, (values, *facts) in kept.items()}
    found = compute()
    told = {name: [s.values.tolist(), s.total_variance, s.images, s.dimensions] for name, s in found.items()}
    with suppress(OSError, InputError):  # no room for it: it is computed again next time
        write_aside(file, lambda out: out.write(json.dumps(told).encode()))
    return found


def key_of(
    model: nn.Module, root: Path, paths: Sequence[str], preprocessing: Preprocessing, asked: Sequence[str]
) -> str:
    """SHA-256 over all that a spectrum depends on: weights, files (size, time), preprocessing, modules, our code."""
    key = hashlib.sha256(
        f"{torch.__version__}\n{_code()}\n{root.resolve()}\n".encode("utf-8", "surrogateescape")
    )
    key.update(json.dumps([asdict(preprocessing), list(asked)]).encode())
    for name, tensor in model.state_dict().items():
        key.update(f"\n{name}\t{tuple(tensor.shape)}\t{tensor.dtype}\n".encode())
        key.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
    for path in paths:
        try:
            status = (root / path).stat()
            key.update(f"\n{path}\t{status.st_size}\t{status.st_mtime_ns}".encode("utf-8", "surrogateescape"))
        except OSError:  # inside one of CIFAR-10's batch files
            key.update(f"\n{path}".encode("utf-8", "surrogateescape"))
    return key.hexdigest()


@cache
def _code() -> str:
    """SHA-256 over the code that computes: another version computes anew."""
    return code_digest(Path(solution.__file__).parent)

"""Requirements 2a, 2b and 2c: modules, share of non-positive values, pictures of feature maps."""

import re
from collections import Counter

import pytest

from in4310.judging import (
    coverage,
    digits,
    drawn_maps,
    exhibits,
    mistakes,
    own_size,
    photographs,
    stated,
    statistics,
)
from in4310.judging.asked_network import check_non_positive
from in4310.judging.claimed import MODULES, PATHS
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import seen
from in4310.judging.verdict import Outcome
from in4310.shown import shown
from in4310.submission.formats import finite, last_two_parts
from in4310.submission.pieces import Missing, Unreadable

SEVERAL = 8  # pictures of one image, of modules or channels, that are looked at
PAIR = 2  # pictures that are taken for one image where one of them may be mistaken


def _percent(evidence):
    """module -> claimed value, as handed in."""
    table = evidence.submission.non_positive.get("percent")
    if not isinstance(table, dict) or not table:
        raise Unreadable("non_positive", "non_positive.json has no table 'percent' of modules")
    if len(table) > MODULES:
        raise Unreadable("non_positive", f"{len(table)} modules are listed, expected at most {MODULES}")
    return table


def _known(evidence, table):
    modules = dict(evidence.model.named_modules())
    return [name for name in table if name in modules and name]


@pytest.mark.in4310_requirement("2a", partial=True)
def test_modules_named(evidence, edition, judge):
    """Modules chosen"""
    table = _percent(evidence)
    known = _known(evidence, table)
    places = coverage.places(evidence.model, known)
    foreign = [name for name in table if name not in known]
    asked = edition.statistics.modules
    judge.cover(
        len(places) / asked,
        "modules of the network that were looked into",
        f"{len(places)} ({', '.join(places.values())})",
        f"at least {asked}",
    )
    for name in known:
        judge.expect(True, f"module {shown(name)}", "found in the network")
    for name in foreign:
        judge.expect(
            False,
            "modules that the network lacks",
            shown(name),
            "names of model.named_modules()",
            mend="use names from model.named_modules(), e.g. layer1 or layer4.1.conv2",
        )


@pytest.mark.in4310_requirement("2b", partial=True)
def test_non_positive_in_range(evidence, edition, judge):
    """Range of the percentages, number of images"""
    _cover(evidence, edition, judge)
    for name, value in _percent(evidence).items():
        number = finite(value)
        judge.expect(number is not None and 0 <= number <= 100, f"percentage of {name}", value, "0 to 100")
    stated.hold(judge, evidence, "non_positive")
    if not _named(evidence):
        count, asked = _count(evidence), edition.statistics.images
        if count:
            judge.expect(count >= asked, "images averaged over, by their number", count, f"at least {asked}")
        judge.leave(
            "images averaged over",
            "not named",
            mend="list the images: they can then be computed again exactly",
        )
        return
    paths = _images(evidence)
    asked, unknown = edition.statistics.images, sorted(set(paths) - set(evidence.data.labels))
    judge.expect(
        len(set(paths)) - len(unknown) >= asked,
        "different images averaged over",
        len(set(paths)) - len(unknown),
        f"at least {asked}",
        details=[f"not in the data set: {p}" for p in unknown],
        mistake=seen("form: images of statistics", paths, asked),
    )


def _cover(evidence, edition, judge):
    """Record of how many of the modules asked for there is a figure."""
    asked = edition.statistics.modules
    found = len(coverage.places(evidence.model, _percent(evidence)))
    judge.cover(found / asked, "modules with a percentage", found, f"at least {asked}")


def _named(evidence):
    """Whether the images are named; without, or by their number alone, they are not."""
    images = evidence.submission.non_positive.get("images")
    return images is not None and not _count(evidence)


def _count(evidence):
    """The number of images where that is all that is stated; else 0."""
    images = evidence.submission.non_positive.get("images")
    return images if type(images) is int and images > 0 else 0


def _images(evidence):
    paths = evidence.submission.non_positive.get("images")
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) for p in paths):
        raise Missing(
            "images of the statistics", "non_positive.json does not list its images: 'images': [paths]"
        )
    if len(paths) > PATHS:
        raise Unreadable("non_positive", f"{len(paths)} images are listed, expected at most {PATHS}")
    return tuple(last_two_parts(p) for p in paths)


@pytest.mark.in4310_requirement("2b", partial=True)
def test_non_positive_recomputed(evidence, edition, judge):
    """Percentages of non-positive values compared with our own"""
    _cover(evidence, edition, judge)
    if live := evidence.runs("non_positive"):
        check_non_positive(live, judge)
    if not _named(evidence):
        _compare_with_typical(evidence, edition, judge)
        return
    table, paths = _percent(evidence), _images(evidence)
    unknown = [p for p in paths if p not in evidence.data.labels]
    if 0 < len(unknown) <= 0.05 * len(paths):  # that they are unknown is for the check of the images
        _compare_with_typical(evidence, edition, judge)
        return
    if unknown:
        raise Unreadable(
            "non_positive", f"{len(unknown)} of its images are not in the data set, e.g. {unknown[0]!r}"
        )
    tolerance = edition.tolerances.percent
    own, ours = evidence, _ours(evidence, table, paths, tolerance)
    claimed = {m: v for m in ours if (v := finite(table[m])) is not None}
    if claimed and not any(_agrees(table, m, ours[m], tolerance) for m in claimed):
        room = max(tolerance, digits.room(claimed.values(), digits.PERCENTAGE))
        if view := own_size.of_shares(evidence, paths, claimed, room):
            own, ours = view, _ours(view, table, paths, tolerance)
    exhibits.shares_against(
        judge, table, {m: ours.get(m) for m in table}, tolerance, f"over the same {len(paths)} images"
    )
    told = _compare(judge, table, ours, dict.fromkeys(ours, tolerance), f"percentage points{own_size.how(evidence, own)}",
                    "count (output <= 0) inside the hook, in eval mode, over all images")  # fmt: skip
    if judge.outcome is Outcome.FAILED:
        inside = mistakes.inside.of_submission(evidence, evidence.images(paths), ours)
        judge.blame(mistakes.shares.diagnose(inside, told, tolerance, Budget.of(evidence)))


def _ours(evidence, table, paths, tolerance):
    """Our percentages over images; of a module that runs several times in a pass the run that was looked at."""
    ours = statistics.non_positive(evidence, paths, _known(evidence, table))
    off = [m for m in ours if not _agrees(table, m, ours[m], tolerance)]
    for module, runs in (statistics.shares_of_runs(evidence, paths, off) if off else {}).items():
        ours[module] = next((run for run in runs if _agrees(table, module, run, tolerance)), ours[module])
    return ours


def _agrees(table, module, ours, tolerance):
    """Whether the percentage of a module is ours, within the tolerance and the digits of the table."""
    rounding = digits.room(map(finite, table.values()), digits.PERCENTAGE)
    claimed = finite(table[module])
    return claimed is not None and abs(claimed - ours) <= max(tolerance, rounding)


def _compare(judge, table, ours, tolerances, why, mend, named=True):
    """Compare the percentages of modules with ours; returns those that could be: module -> as handed in.

    Over images that are not named, one that is off is the teacher's to judge.
    """
    told = {}
    rounding = digits.room(map(finite, table.values()), digits.PERCENTAGE)
    for name, value in table.items():
        if name in ours and (claimed := finite(value)) is not None:
            told[name] = claimed
            asked = f"non-positive values of {name}, percent"
            judge.close(asked, claimed, ours[name], max(tolerances[name], rounding), why, digits=2, mend=mend,
                        otherwise=Outcome.FAILED if named else Outcome.OPEN)  # fmt: skip
        elif name in ours or finite(value) is None:
            judge.expect(
                False, f"non-positive values of {name}", value, "a percentage of a module of the network"
            )
    return told


def _compare_with_typical(evidence, edition, judge):
    """Images not named: within six standard errors of our mean over other images, or those of usual ones."""
    table, asked = _percent(evidence), _count(evidence) or edition.statistics.images
    found = statistics.typical_non_positive(evidence, _known(evidence, table))
    images = len(statistics.typical_images(evidence))
    means = {m: mean for m, (mean, _) in found.items()}
    tolerances = {
        m: 6 * statistics.standard_error(deviation, images, asked) + edition.tolerances.percent
        for m, (_, deviation) in found.items()
    }
    known = _known(evidence, table)
    if not all(_agrees(table, m, means[m], tolerances[m]) for m in known):
        for words, paths in statistics.usual_images(evidence, count=_count(evidence)):
            ours = _ours(evidence, table, paths, edition.tolerances.percent)
            if all(_agrees(table, m, ours[m], edition.tolerances.percent) for m in known):
                statistics.were_right(evidence, words)
                _compare(judge, table, ours, dict.fromkeys(ours, edition.tolerances.percent),
                         f"percentage points, over {words}, which are not named", "list the images")  # fmt: skip
                return
    exhibits.shares_against(
        judge,
        table,
        {m: means.get(m) for m in table},
        max(tolerances.values(), default=edition.tolerances.percent),
        f"over {images} other images, as the ones used are not named",
    )
    told = _compare(judge, table, means, tolerances, f"percentage points: six standard errors over {asked} unnamed images",
                    "count (output <= 0) inside the hook, in eval mode; list the images, so that it can be computed again", named=False)  # fmt: skip
    judge.rest("stated only")
    judge.blame(mistakes.shares.of_unnamed_images(told, means, tolerances))


@pytest.mark.in4310_requirement("2c", partial=True)
def test_feature_map_pictures(evidence, edition, judge):
    """Pictures of the feature maps"""
    files = [f for f in evidence.submission.pictures("feature_maps") if f.suffix.lower() == ".png"]
    asked = edition.statistics.pictures
    numbered = _numbered(files, asked)
    first = min(numbered, default=0)
    indices = list(range(first, first + asked)) if first in (0, 1) else list(range(asked))
    absent = [i for i in indices if i not in numbered]
    judge.cover(
        1 - len(absent) / asked,
        "pictures by index",
        f"{len(indices) - len(absent)} of {asked}",
        f"{asked}, numbered from {indices[0] if indices else 0}",
        details=[f"no PNG for image {i}" for i in absent],
        mistake=seen("form: pictures", len(files), asked),
        mend="save one PNG per image: 000.png, 001.png, ...",
    )
    chosen = {i: numbered[i] for i in indices if i in numbered}
    looks = {f: evidence.submission.look(f) for f in files}
    exhibits.handed_in(judge, [of[0] for of in chosen.values()] or files, "Feature maps", looks)
    blank = {f: look.why for f, look in looks.items() if look.why}
    copies = _copies(looks)
    cut = {f: evidence.submission.panels(f) for of in chosen.values() for f in of[:SEVERAL] if f not in {**blank, **copies}}  # fmt: skip
    found, why = {}, "no feature map of the network stands out in it"
    try:
        found = drawn_maps.images_shown(evidence, {i: [cut[f] for f in of if f in cut] for i, of in chosen.items()})  # fmt: skip
    except Missing as missing:
        why = str(missing)
    times = Counter(found.values())
    # Of two that are taken for one image, one may be mistaken: which of them, a person sees.
    found = {i: path for i, path in found.items() if times[path] == 1 or times[path] > PAIR}
    other = _of_something_else(evidence.data, looks, cut, chosen, found)
    lost = {i for i, of in chosen.items() if all(f in {**blank, **copies, **other} for f in of)}
    # Beside another that shows its maps:
    spared = {f for i, of in chosen.items() if i not in lost for f in of}
    for kind, bad in (
        ("pictures that show nothing", blank),
        ("pictures that are copies of another", copies),
        ("pictures of something else than feature maps of their image", other),
    ):
        details = [f"{f.name}: {said}" for f, said in bad.items() if f not in spared]
        judge.cover(
            1 - len(details) / max(asked, len(files)),
            kind,
            len(details),
            0,
            details=details,
            mend="save what hooks see of each image, a channel to a panel",
        )
    judge.covered = (len(chosen) - len(lost)) / asked  # a picture may be bad, another absent
    for i in chosen:
        asked_for = f"what {shown(chosen[i][0].name)} shows"
        if i in found and i not in lost:
            judge.expect(True, asked_for, f"feature maps of {found[i]}")
        elif i not in lost:
            judge.rest("stated only")
            judge.leave(asked_for, why, "feature maps of its image")


def _numbered(files, asked):
    """Index of an image -> its pictures: by the number in their names, or their folders', that counts best to `asked`."""
    folders = {f.parent.name for f in files if any(ch.isdigit() for ch in f.parent.name)}
    names = {f: f.parent.name if len(folders) > 1 else f.stem for f in files}
    numbers = {f: re.findall(r"\d{1,6}", name) for f, name in names.items()}
    best = {}
    for place in (0, -1, 1, 2):
        numbered = {}
        for file, found in numbers.items():
            if -len(found) <= place < len(found):
                numbered.setdefault(int(found[place]), []).append(file)
        best = max(best, numbered, key=lambda by: sum(i <= asked for i in by))
    return best


def _copies(looks):
    """File -> what is said of a picture whose pixels are those of one before it."""
    firsts, copies = {}, {}
    for file, look in looks.items():
        pixels = (look.digest or file) if look.pixels is None else (look.pixels.shape, look.pixels.tobytes())
        if (first := firsts.setdefault(pixels, file)) is not file:
            copies[file] = f"the same as {first.name}"
    return copies


def _of_something_else(data, looks, cut, chosen, found):
    """File -> what is said of a picture that can be told to be no feature maps, or those of another's image."""
    other, firsts = {}, {}
    for i, files in chosen.items():
        for file in (f for f in files if f in cut):
            if i in found:
                if (first := firsts.setdefault(found[i], i)) != i:
                    other[file] = f"feature maps of {found[i]} again, as {chosen[first][0].name}"
            elif cut[file].noise:
                other[file] = "noise: no pixel is like its neighbours"
            elif photograph := photographs.seen_in(data, looks[file]):
                other[file] = photograph
    return other

"""Requirements 1a, 1b and 1c: the split, its disjointness, and what the loaders make of it."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from in4310.errors import InputError
from in4310.judging import basis, exhibits, proved_split
from in4310.judging.asked import check_overlap, check_split
from in4310.judging.asked_network import check_train_loader, check_transform
from in4310.judging.class_order import best_order, confusion, moved_columns
from in4310.judging.mistakes.search import seen
from in4310.judging.verdict import Outcome
from in4310.shown import shown
from in4310.solution.metrics import wilson
from in4310.solution.splits import Split, overlap_by_content, overlap_by_name, stratified_split
from in4310.submission.formats import IMAGE_FORMATS, SETS, is_absolute
from in4310.submission.pieces import UNCALLED, Missing, NotHere
from in4310.submission.source import seeds

SEEDS = 10  # that are tried where none is stated as that of the split


@pytest.mark.in4310_requirement("1a")
def test_split_covers_data(evidence, judge):
    """Coverage of the data set by the split"""
    labels = evidence.data.labels
    proved_split.rests(evidence, judge)
    used = [path for paths in evidence.split.values() for path in paths]
    unknown = sorted(set(used) - set(labels))
    judge.expect(
        not unknown,
        "paths that are not in the data set",
        len(unknown),
        0,
        details=unknown,
        mend="store paths as '<class>/<file>' relative to the root of the data set",
    )
    for name, paths in evidence.split.items():
        twice = sorted(p for p, times in Counter(paths).items() if times > 1)
        judge.expect(not twice, f"paths listed twice in {name}", len(twice), 0, details=twice)

    left_out = sorted(set(labels) - set(used))
    contents = evidence.data.contents if left_out else {}
    present = {contents[p] for p in used if p in contents}
    copies = [p for p in left_out if contents.get(p) in present]
    unreadable = [p for p in left_out if p not in copies and not _decodes(evidence.data.root / p)]
    missing = [p for p in left_out if p not in copies and p not in unreadable]
    judge.expect(
        not missing,
        "images left out",
        f"{len(missing)} of {len(labels)} ({len(set(used) & set(labels))} used)",
        0,
        details=missing,
        mistake=seen(
            "form: split left out", evidence.class_counts(used), evidence.class_counts(list(labels))
        ),
        mend="use all images: the training set is everything that is neither test nor validation",
    )
    if copies:
        judge.warn("images left out that are copies of a used one", len(copies), details=copies)
    if unreadable:
        judge.warn("images left out that cannot be decoded", len(unreadable), details=unreadable)


def _decodes(path):
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as picture:
            picture.convert("RGB")
    except (OSError, SyntaxError, ValueError):
        return False
    return True


@pytest.mark.in4310_requirement("1a", partial=True)
def test_split_sizes(evidence, edition, judge):
    """Sizes of the test and validation sets"""
    total = len(evidence.data.labels)
    proved_split.rests(evidence, judge)
    asked = edition.sizes(total)
    found = {name: len(evidence.split[name]) for name in asked}

    def about(size, wanted):
        return abs(size - wanted) <= max(1, edition.split.size_tolerance * wanted)

    swapped = about(found["test"], asked["val"]) and about(found["val"], asked["test"])
    for name, wanted in asked.items():
        judge.expect(
            about(found[name], wanted),
            f"images in the {name} set",
            f"{found[name]} ({found[name] / total:.1%} of {total})",
            wanted,
            tolerance=f"{edition.split.size_tolerance:.0%}",
            mistake=seen("form: split sizes", swapped),
            mend=f"draw {asked['test']} images for test and {asked['val']} for validation, the rest for training",
        )
    train = len(evidence.split["train"])
    rest = total - found["test"] - found["val"]
    judge.expect(train > found["test"], "images in the training set", train, f"the rest, {rest}")


@pytest.mark.in4310_requirement("1a")
def test_split_stratified(evidence, edition, judge):
    """Class proportions of the sets"""
    whole = evidence.class_counts(list(evidence.data.labels))
    proved_split.rests(evidence, judge)
    total = sum(whole.values())
    exhibits.class_shares(
        judge,
        {name: evidence.class_counts(evidence.listed[name]) for name in SETS},
        {c: whole[c] for c in evidence.classes},
        edition.split.class_tolerance + 0.5,
    )
    for name in ("val", "test"):
        counts = evidence.class_counts(evidence.listed[name])
        foreign = evidence.unknown(name)  # of which class they are nobody can tell
        size = sum(counts.values())
        quotas = {c: size * whole[c] / total for c in evidence.classes}
        worst = max(evidence.classes, key=lambda c: abs(counts[c] - quotas[c]))
        judge.expect(
            abs(counts[worst] - quotas[worst]) <= edition.split.class_tolerance + 0.5 + foreign,
            f"images of a class in {name}, the one farthest from its quota",
            f"{worst}: {counts[worst]}",
            f"{quotas[worst]:.1f}",
            tolerance=f"{edition.split.class_tolerance} images",
            details=[f"{c}: {counts[c]} found, quota {quotas[c]:.1f}" for c in evidence.classes],
            mend="split each class separately, with the same shares, and put the parts together",
        )


@pytest.mark.in4310_requirement("1a")
def test_split_seed(evidence, judge):
    """Seed of the split"""
    if live := evidence.runs("split"):
        check_split(live, judge, evidence.classes)
        return
    if again := proved_split.again(evidence):
        judge.rest("seen run")
        steady = again == "same"
        judge.expect(
            steady,
            "split of a second run, in which the files are listed in another order",
            "identical" if steady else "another",
            "identical",
            mend="sort the paths before they are shuffled, and give a seed to each generator that the split is drawn with",
        )
        return
    seed, where = evidence.submission.table("split").get("seed"), ""
    if seed is None:
        read = _read_seeds(evidence)
        if not read and evidence.walled_off("split"):
            raise NotHere("split seed", UNCALLED)
        if not read:
            raise Missing(
                "split seed",
                "no seed is stated, nor in the source or a file of settings: submission.toml needs [split] with seed = ...",
            )
        seed, where = next(
            (one for one in read.items() if _made_again(evidence, one[0])), next(iter(read.items()))
        )
        judge.expect(True, "seed that was read", f"{seed} ({where})")
    good = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32
    if not judge.expect(good, "seed", seed, "a whole number from 0 to 2^32 - 1"):
        return
    if how := _made_again(evidence, seed):
        judge.expect(True, f"{how} with seed {seed}", "identical to the one handed in", "identical")
        return
    judge.rest("stated only")
    judge.leave(
        f"split made again with seed {seed}",
        "stated, but not the reference's way of splitting: not recomputed",
        "identical",
        mend="name your own function under [adapters] so that it can be called twice",
    )


def _read_seeds(evidence):
    """seed -> where it stands: in the source, or where that states none in a file of settings; a few that differ."""
    found = [(seed, f"{call.place}: {call.text}") for seed, call in seeds(evidence.source)]
    read = {}
    for seed, where in found or [(seed, shown(file, 80)) for seed, file in evidence.submission.seeds]:
        read.setdefault(seed, where)
    return dict(list(read.items())[:SEEDS])


def _made_again(evidence, seed):
    """Which way of splitting gives the split handed in with this seed; '' for none."""
    handed_in = {name: set(paths) & set(evidence.data.labels) for name, paths in evidence.listed.items()}
    labels = {p: evidence.data.labels[p] for paths in handed_in.values() for p in paths}
    sizes = {name: len(handed_in[name]) for name in ("test", "val")}
    for groups, how in (
        (None, "the reference split"),
        (evidence.data.contents, "the grouped reference split"),
    ):
        grouped = {p: groups[p] for p in labels} if groups else None
        try:
            again = stratified_split(labels, **sizes, seed=seed, groups=grouped)
        except (InputError, ValueError):  # no images are left for one of the sets
            return ""
        if all(set(paths) == handed_in[name] for name, paths in again.sets().items()):
            return how
    return ""


def _expect_three(evidence, judge):
    """A set without images has none in common with another, which proves nothing."""
    proved_split.rests(evidence, judge)
    if empty := [name for name in SETS if not evidence.split[name]]:
        judge.expect(
            False, "sets without images", ", ".join(empty), "none", mend="list the images of all three sets"
        )


@pytest.mark.in4310_requirement("1b")
def test_split_disjoint_by_name(evidence, judge):
    """Overlap of the sets by file name"""
    _expect_three(evidence, judge)
    overlaps = overlap_by_name(Split(**evidence.split))
    for first, second in combinations(SETS, 2):
        shared = overlaps.get((first, second), [])
        judge.expect(
            not shared,
            f"files in both {first} and {second}",
            len(shared),
            0,
            details=shared,
            mistake=seen("form: split overlap", first, second, shared),
            mend="take the files of one set away before the next is drawn",
        )
    if live := evidence.runs("overlap"):
        check_overlap(live, judge, evidence.classes)


@pytest.mark.in4310_requirement("1b")
def test_split_disjoint_by_content(evidence, judge):
    """Overlap of the sets by file content"""
    _expect_three(evidence, judge)
    known = {n: tuple(p for p in paths if p in evidence.data.labels) for n, paths in evidence.split.items()}
    unique = {n: tuple(dict.fromkeys(paths)) for n, paths in known.items()}
    leaks = [
        group
        for group in overlap_by_content(Split(**unique), evidence.data.contents)
        if len({path for _, path in group}) > 1  # the same name in two sets is the check by name's
    ]
    judge.expect(
        not leaks,
        "groups of identical images over several sets",
        len(leaks),
        0,
        details=[" = ".join(f"{name}: {path}" for name, path in group) for group in leaks],
        mend="keep identical files in one set: compare the SHA-256 of the files, not only their names",
        otherwise=Outcome.OPEN,  # 'no file lies in two': whether a copy by another name counts is not ours to say
    )
    exhibits.identical_images(judge, evidence, leaks)


@pytest.mark.in4310_requirement("1b")
def test_split_paths_relative(evidence, judge):
    """Root of the image paths"""
    if program := evidence.submission.split_made_by:
        evidence.split  # noqa: B018 -- raises Missing
        judge.rest("seen run")
        judge.leave("paths of the split", f"in no file: {shown(program)} makes it anew", "stored, relative to one root",
                    mend="store '<class>/<file>' of each set")  # fmt: skip
        return
    written = [path for paths in evidence.submission.split.values() for path in paths]
    absolute = [path for path in written if is_absolute(path)]
    judge.expect(
        not absolute,
        "paths tied to one machine",
        f"{len(absolute)} of {len(written)}",
        0,
        details=absolute[:3],
        mend="store '<class>/<file>'; the rest was judged by matching the last two parts",
    )
    backslashes = [path for path in written if "\\" in path and not is_absolute(path)]
    if backslashes:
        judge.warn("paths with Windows separators", len(backslashes), "'/'", details=backslashes[:3])


def _chosen(evidence, name):
    """The class with the highest score in each row, int64 (N,): as handed in where that can be read, else of the network."""
    try:
        return evidence.handed_in(name).argmax(axis=1)
    except Missing:
        if not evidence.proved(name):
            raise
        return evidence.judged_by(name).argmax(axis=1)


def _invented(evidence, name):
    """Whether scores that tell the classes apart are neither the network's nor made of them by a known mistake.

    Then the network itself must tell the classes apart.
    """
    if not basis.refuted(evidence, name) or basis.explained(evidence, name):
        return False
    labels, ours = evidence.labels(name), evidence.judged_by(name).argmax(axis=1)
    low, _ = wilson(int((ours == labels).sum()), len(labels))
    return low <= np.bincount(labels).max() / len(labels)


@pytest.mark.in4310_requirement("1c", partial=True, follows="scores_reproduce")
def test_loaders_follow_split(evidence, judge):
    """Images and labels from the data loaders"""
    judge.rest("proved by another piece")
    for name in ("val", "test"):
        if name == "val" and "scores_val" not in evidence.submission.located:
            continue  # the assignment asks for the scores of the test set only
        chosen, labels = _chosen(evidence, name), evidence.labels(name)
        size = len(evidence.classes)
        # Columns in another order are for the check of the classes to say.
        order = best_order(confusion(labels, chosen, size))
        chosen = np.array(order)[chosen]
        agree = float((chosen == labels).mean())
        shares = np.bincount(labels, minlength=size) / len(labels)
        chance = float(sum(shares[c] * (chosen == c).mean() for c in range(size)))
        noise = 5 * (chance * (1 - chance) / len(labels)) ** 0.5
        if agree <= chance + noise and evidence.reproduces(name):
            judge.warn(
                f"{name}: scores that favour their row's own class",
                f"{agree:.1%}, no more than by chance: the network has hardly learnt, the rows are right",
            )
            continue
        if agree > chance + noise and _invented(evidence, name):
            judge.leave(
                f"{name}: scores that favour their row's own class",
                f"{agree:.1%} of {len(labels)} rows, but they are not what the network handed in gives",
                "what the network gives",
                mend="hand in the scores of the network that you hand in",
            )
            continue
        judge.expect(
            agree > chance + noise,
            f"{name}: scores that favour their row's own class",
            f"{agree:.1%} of {len(labels)} rows",
            f"more than {chance + noise:.1%}",
            tolerance=f"a random order gives {chance:.1%}, five standard errors are {noise:.1%}",
            mistake=seen("form: loaders"),
        )
    if live := evidence.runs("transform"):
        check_transform(live, judge)
    if live := evidence.runs("train_loader"):
        check_train_loader(live, judge)


@pytest.mark.in4310_requirement("1c", follows="scores_reproduce")
def test_class_order(evidence, judge):
    """Order of the classes in the scores"""
    judge.rest("proved by another piece")
    stated = list(evidence.stated_classes)
    # Rows are the stated classes, whatever order the rest is judged in.
    own = np.array([stated.index(c) for c in evidence.classes])
    chosen = _chosen(evidence, "test")
    table = confusion(own[evidence.labels("test")], chosen, len(stated))
    order = best_order(table)
    best = float(table[list(order), range(len(stated))].sum() / table.sum())
    right = float(np.trace(table) / table.sum())
    if best - right >= 0.10 or evidence.classes != stated:
        exhibits.confusion(judge, table, stated, stated=True)
    if evidence.classes == stated and best - right >= 0.10 and evidence.reproduces("test"):
        judge.warn(
            "accuracy with the columns in the stated order",
            f"{right:.4f}: the scores are what the network gives, it confuses classes",
            f"{best:.4f}, the best of all orders",
        )
        return
    if evidence.classes == stated and best - right < 0.10 and _invented(evidence, "test"):
        judge.leave(
            "accuracy with the columns in the stated order",
            f"{right:.4f}, of scores that the network handed in does not give",
            "what the network gives",
            mend="hand in the scores of the network that you hand in",
        )
        return
    moved = moved_columns([stated[i] for i in order], stated)
    all_through = evidence.classes != stated
    judge.expect(
        best - right < 0.10 and evidence.classes == stated,
        "accuracy with the columns in the stated order",
        f"{right:.4f}",
        f"{best:.4f}, the best of all orders",
        tolerance="0.1: a weak network may confuse two classes, but not swap them",
        details=moved,
        mistake=seen("form: class order", moved, all_through),
        mend=f"number the classes in the order {', '.join(stated)}, not as the file system lists them",
    )

"""Train, validation and test sets (1a), and the proof that they are disjoint, by name and by content (1b)."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from in4310.errors import InputError
from in4310.progress import QUIET, Progress

SETS = ("train", "val", "test")


@dataclass(frozen=True)
class Split:
    """The three sets as sorted POSIX paths relative to the data root, '<class>/<file>'."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]

    def sets(self) -> dict[str, tuple[str, ...]]:
        """The sets under their names: train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}


def quotas(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Share `total` out among the classes in proportion to `sizes`, exactly (largest remainder).

    Integer arithmetic, ties by class name: no rounding of floats decides. No quota is above its class's size.
    Raises InputError when a size is negative or `total` is not in 0..sum(sizes).
    """
    available = sum(sizes.values())
    if any(size < 0 for size in sizes.values()):
        raise InputError(f"class sizes: expected counts of 0 or more, found {dict(sizes)}")
    if not 0 <= total <= available:
        raise InputError(f"set size: expected 0 to {available} (the number of images), found {total}")
    if not available:
        return dict.fromkeys(sizes, 0)
    shares = {name: divmod(size * total, available) for name, size in sizes.items()}
    left = total - sum(whole for whole, _ in shares.values())
    first = set(sorted(shares, key=lambda name: (-shares[name][1], name))[:left])
    return {name: whole + (name in first) for name, (whole, _) in shares.items()}


def stratified_split(
    labels: Mapping[str, str],
    test: int = 3000,
    val: int = 2000,
    seed: int = 42,
    groups: Mapping[str, str] | None = None,
) -> Split:
    """Split every class separately, in the proportions of the whole (1a).

    labels: path -> class. test, val: images in all; the rest is for training.
    groups: path -> key, from `content_groups`; files of one key end up in one set, swapped with files of the
    same class that are in no group, so that each class keeps its quota as long as such files last.
    The same files, sizes and seed give the same sets, whatever the order of `labels`, the machine or the
    version of a library: numpy's RandomState is the generator whose stream NEP 19 froze.
    Raises InputError when a size is negative or a class would have no image left for training.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for path in sorted(labels):
        by_class[labels[path]].append(path)
    sizes = {name: len(by_class[name]) for name in sorted(by_class)}
    _check_sizes(sizes, test, val)
    test_quota, val_quota = quotas(sizes, test), quotas(sizes, val)

    order: list[str] = []
    place: dict[str, str] = {}
    for name, size in sizes.items():
        left = size - test_quota[name] - val_quota[name]
        if left < 1:
            raise InputError(
                f"class {name}: expected at least 1 image left for training, found {left} ({size} images, "
                f"{test_quota[name]} for test, {val_quota[name]} for validation); "
                "ask for smaller test and validation sets"
            )
        paths = [by_class[name][i] for i in _permutation(seed, name, size)]
        names = ["test"] * test_quota[name] + ["val"] * val_quota[name] + ["train"] * left
        place.update(zip(paths, names, strict=True))
        order += paths
    if groups is not None:
        _gather(order, place, labels, groups)
        kept = Counter(labels[path] for path, name in place.items() if name == "train")
        if empty := [name for name in sizes if not kept[name]]:
            raise InputError(
                f"class {empty[0]}: expected at least 1 image left for training, found none once "
                "identical files were kept together; "
                "ask for smaller test and validation sets, or split without grouping"
            )
    return Split(*(tuple(sorted(p for p in order if place[p] == name)) for name in SETS))


def _check_sizes(sizes: Mapping[str, int], test: int, val: int) -> None:
    for name, size in (("test", test), ("validation", val)):
        if size < 0:
            raise InputError(f"{name} set: expected a size of 0 or more, found {size}")
    images = sum(sizes.values())
    if images < test + val + len(sizes) or not images:
        raise InputError(
            f"data set: expected at least {test + val + max(len(sizes), 1)} images "
            f"({test} for test, {val} for validation, 1 a class for training), found {images}; "
            "ask for smaller sets or give more images"
        )


def _permutation(seed: int, name: str, size: int) -> np.ndarray:
    """An order of 0..size-1 that depends on (seed, class name, size) only.

    Sorted uniform numbers instead of `shuffle`: the 53-bit numbers are the same bits on every platform.
    """
    words = np.frombuffer(hashlib.sha256(f"{seed}/{name}".encode()).digest(), dtype="<u4")
    generator = np.random.RandomState(words.astype(np.uint32))
    return np.argsort(generator.random_sample(size), kind="stable")


def _gather(
    order: list[str], place: dict[str, str], labels: Mapping[str, str], groups: Mapping[str, str]
) -> None:
    """Bring each group into one set, changing `place`."""
    members: dict[str, list[str]] = defaultdict(list)
    for path in sorted(place):
        if path in groups:
            members[groups[path]].append(path)
    members = {key: paths for key, paths in members.items() if len(paths) > 1}
    grouped = {path for paths in members.values() for path in paths}
    # Files free to be swapped, in the random order of their class, so that no file name is favoured.
    free: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for path in order:
        if path not in grouped:
            free[labels[path], place[path]].append(path)

    def cost(paths: list[str], target: str) -> tuple[int, int, bool]:
        """Swaps without a partner first, then the number of moves, then the set of the first path."""
        moves = Counter(labels[path] for path in paths if place[path] != target)
        missing = sum(max(0, count - len(free[name, target])) for name, count in moves.items())
        return missing, moves.total(), place[paths[0]] != target

    for paths in sorted(members.values()):
        target = min(SETS, key=lambda name: cost(paths, name))
        for path in paths:
            name, source = labels[path], place[path]
            if source == target:
                continue
            if partners := free[name, target]:
                partner = partners.popleft()
                place[partner] = source
                free[name, source].append(partner)
            place[path] = target


def content_groups(root: Path, paths: Iterable[str], progress: Progress = QUIET) -> dict[str, str]:
    """SHA-256 (hexadecimal) of the bytes of each file, path -> digest, paths relative to `root`.

    Raises InputError for a file that cannot be read.
    """
    paths = list(paths)
    digests = {}
    for path in progress.track(paths, "comparing files", len(paths)):
        try:
            digests[path] = hashlib.sha256((root / path).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(
                f"{root / path}: expected a readable file, found: {error.strerror}; check the data folder"
            ) from error
    return digests


def overlap_by_name(split: Split) -> dict[tuple[str, str], list[str]]:
    """Paths that lie in two sets, for each pair of sets that shares any; {} when disjoint (1b).

    Whole sets are compared, not class by class: a file listed under two sets is found whatever its class.
    """
    sets = split.sets()
    shared = {(a, b): sorted(set(sets[a]) & set(sets[b])) for a, b in combinations(SETS, 2)}
    return {pair: paths for pair, paths in shared.items() if paths}


def overlap_by_content(split: Split, groups: Mapping[str, str]) -> list[tuple[tuple[str, str], ...]]:
    """Identical files in more than one set, ((set, path), (set, path), ...) for each; [] when disjoint (1b).

    groups: path -> digest of its content, from `content_groups`. Identical files within one set are no
    overlap.
    Raises InputError for a path of the split that `groups` does not know.
    """
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for name, paths in split.sets().items():
        for path in paths:
            if path not in groups:
                raise InputError(
                    f"{path} ({name} set): expected a digest of its content, found none; hash all files"
                )
            found[groups[path]].add((name, path))
    return sorted(
        tuple(sorted(places, key=lambda place: (SETS.index(place[0]), place[1])))
        for places in found.values()
        if len({name for name, _ in places}) > 1
    )

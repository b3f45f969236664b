"""Splits: exact quotas, reproducible, disjoint by name and by content."""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.solution.splits import (
    Split,
    content_groups,
    overlap_by_content,
    overlap_by_name,
    quotas,
    stratified_split,
)

COURSE = {"buildings": 2628, "forest": 2745, "glacier": 2957, "mountain": 3037, "sea": 2784, "street": 2883}

# A change here means that everyone who stated seed 42 gets another split.
DIGESTS = {"train": "35ebea184344d289", "val": "0619650a92cb328d", "test": "bfd985971e90f706"}

small_sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1)


def files(sizes: dict[str, int]) -> dict[str, str]:
    return {f"{name}/{i}.jpg": name for name, size in sizes.items() for i in range(size)}


def counts(paths: tuple[str, ...]) -> list[int]:
    found = Counter(path.split("/")[0] for path in paths)
    return [found[name] for name in sorted(found)]


# --- quotas -------------------------------------------------------------------------------------------------


def test_quotas_of_the_course() -> None:
    assert list(quotas(COURSE, 3000).values()) == [463, 483, 521, 535, 490, 508]
    assert list(quotas(COURSE, 2000).values()) == [309, 322, 347, 357, 327, 338]


def slow_quotas(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Hand out one seat at a time to the class furthest below its exact share, after the whole parts."""
    exact = {name: Fraction(size * total, sum(sizes.values())) for name, size in sizes.items()}
    given_out = {name: int(share) for name, share in exact.items()}
    while sum(given_out.values()) < total:
        behind = max(sorted(sizes), key=lambda name: exact[name] - given_out[name])
        given_out[behind] += 1
    return given_out


@given(small_sizes, st.data())
def test_quotas_agree_with_seat_by_seat(sizes: dict[str, int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(sizes.values())))
    found = quotas(sizes, total)
    assert found == slow_quotas(sizes, total)
    assert all(0 <= found[name] <= size for name, size in sizes.items())


@pytest.mark.parametrize(("sizes", "total"), [({"a": 3}, 4), ({"a": 3}, -1), ({"a": -1, "b": 9}, 2)])
def test_impossible_quotas_are_refused(sizes: dict[str, int], total: int) -> None:
    with pytest.raises(InputError, match=r"expected .* found"):
        quotas(sizes, total)


# --- the split ----------------------------------------------------------------------------------------------


def test_split_of_the_course() -> None:
    split = stratified_split(files(COURSE))
    assert counts(split.test) == [463, 483, 521, 535, 490, 508]
    assert counts(split.val) == [309, 322, 347, 357, 327, 338]
    assert len(split.train) == 17034 - 5000
    assert split.sets() == {"train": split.train, "val": split.val, "test": split.test}


def test_split_is_the_same_on_every_machine_and_version() -> None:
    split = stratified_split(files(COURSE))
    digests = {
        name: hashlib.sha256("\n".join(paths).encode()).hexdigest()[:16]
        for name, paths in split.sets().items()
    }
    assert digests == DIGESTS


@given(small_sizes, st.integers(0, 10), st.integers(0, 10), st.integers(-5, 2**40), st.randoms())
def test_split_is_a_partition_whatever_the_order(
    sizes: dict[str, int], test: int, val: int, seed: int, shuffler: random.Random
) -> None:
    labels = files(sizes)
    try:
        split = stratified_split(labels, test, val, seed)
    except InputError:
        quota = [(sizes[n], slow_quotas(sizes, min(test, sum(sizes.values())))[n]) for n in sizes]
        assert test + val + len(sizes) > sum(sizes.values()) or any(
            size - share - slow_quotas(sizes, val)[name] < 1
            for name, (size, share) in zip(sizes, quota, strict=True)
        )
        return
    assert sorted(split.train + split.val + split.test) == sorted(labels)
    assert (len(split.test), len(split.val)) == (test, val)
    assert all(paths == tuple(sorted(paths)) for paths in split.sets().values())
    assert {label for path, label in labels.items() if path in split.train} == set(sizes)
    pairs = list(labels.items())
    shuffler.shuffle(pairs)
    assert stratified_split(dict(pairs), test, val, seed) == split


def test_seed_and_class_decide_the_draw() -> None:
    labels = files({"a": 60, "b": 60})
    splits = [stratified_split(labels, 20, 20, seed) for seed in range(5)]
    assert len({split.test for split in splits}) == 5
    numbers = [{p.split("/")[1] for p in splits[0].test if p.startswith(name)} for name in "ab"]
    assert numbers[0] != numbers[1]
    # Another class beside it does not change which images of a class are drawn.
    more = stratified_split(labels | files({"c": 60}), 30, 30, 0)
    assert {p for p in more.test if p[0] != "c"} == set(splits[0].test)


def test_every_file_is_as_likely_to_be_drawn() -> None:
    labels = files({"a": 20, "b": 20})
    drawn = Counter(path for seed in range(600) for path in stratified_split(labels, 10, 0, seed).test)
    assert set(drawn) == set(labels)
    # 600 draws at 1/4 each: mean 150, standard deviation 10.6; six of those over 40 files.
    assert all(abs(times - 150) < 64 for times in drawn.values())


@pytest.mark.parametrize(
    ("sizes", "test", "val", "message"),
    [
        ({"a": 10, "b": 10}, 10, 10, r"at least 22 images .*found 20"),
        (
            {"a": 100, "b": 1},
            60,
            10,
            r"class b: expected at least 1 image left for training, found 0 \(1 image",
        ),
        ({"a": 10}, -1, 0, "test set: expected a size of 0 or more, found -1"),
        ({"a": 10}, 1, -2, "validation set: expected a size of 0 or more, found -2"),
        ({}, 0, 0, "at least 1 images .*found 0"),
    ],
)
def test_impossible_splits_are_refused(sizes: dict[str, int], test: int, val: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        stratified_split(files(sizes), test, val)
    assert "\n" not in str(caught.value)


# --- identical files ----------------------------------------------------------------------------------------


def leaking(split: Split, groups: dict[str, str]) -> set[str]:
    """Keys that lie in more than one set, the slow way."""
    return {
        groups[a]
        for one, first in split.sets().items()
        for other, second in split.sets().items()
        for a in first
        for b in second
        if one != other and groups.get(a, a) == groups.get(b, b)
    }


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(12, 30), min_size=2),
    st.integers(0, 1000),
    st.data(),
)
def test_groups_stay_together_and_quotas_exact(sizes: dict[str, int], seed: int, data: st.DataObject) -> None:
    """Pairs, many over two classes as in the real data, and enough ungrouped files to swap."""
    labels = files(sizes)
    chosen = data.draw(st.lists(st.sampled_from(sorted(labels)), unique=True, max_size=6))
    groups = {path: f"key{i // 2 if i < 4 else 2}" for i, path in enumerate(chosen)}
    images = sum(sizes.values())
    plain = stratified_split(labels, images // 4, images // 4, seed)
    split = stratified_split(labels, images // 4, images // 4, seed, groups)
    assert not leaking(split, groups)
    for name, paths in split.sets().items():
        assert Counter(labels[p] for p in paths) == Counter(labels[p] for p in plain.sets()[name])
    assert sorted(split.train + split.val + split.test) == sorted(labels)
    # No more is moved than each leaking group needs: a swap of two for each file beyond its first.
    moved = sum(
        len(set(a) - set(b)) for a, b in zip(plain.sets().values(), split.sets().values(), strict=True)
    )
    assert moved <= 2 * sum(count - 1 for key, count in Counter(groups.values()).items())
    if not leaking(plain, groups):
        assert split == plain


def test_large_groups_stay_together_even_at_the_cost_of_quotas() -> None:
    labels = files({"a": 20, "b": 20})
    groups = {path: path[0] + str(int(path[2:-4]) % 3) for path in labels}
    split = stratified_split(labels, 8, 8, 1, groups)
    assert not leaking(split, groups)
    assert sorted(split.train + split.val + split.test) == sorted(labels)


def test_a_class_that_grouping_takes_from_training_is_refused() -> None:
    labels = files({"a": 12, "b": 12})
    groups = {path: "same" for path in labels if path[0] == "a"}  # 7 of the 12 are drawn for test
    with pytest.raises(InputError, match="class a: expected at least 1 image left for training, found none"):
        stratified_split(labels, 14, 4, groups=groups)


def test_single_members_and_unknown_paths_change_nothing() -> None:
    labels = files({"a": 20})
    groups = {path: path for path in labels} | {"elsewhere/1.jpg": "a/1.jpg"}
    assert stratified_split(labels, 5, 5, 3, groups) == stratified_split(labels, 5, 5, 3)


# --- verification -------------------------------------------------------------------------------------------


def test_overlap_by_name_names_the_files_for_each_pair_of_sets() -> None:
    split = Split(("a/1", "a/2", "b/1"), ("a/2", "a/3"), ("a/2", "b/1", "b/9"))
    assert overlap_by_name(split) == {
        ("train", "val"): ["a/2"],
        ("train", "test"): ["a/2", "b/1"],
        ("val", "test"): ["a/2"],
    }
    assert overlap_by_name(Split(("a/1",), ("b/1",), ("c/1",))) == {}


def test_overlap_by_content_finds_what_names_cannot_show(tmp_path: Path) -> None:
    contents = {"a/1": b"x", "b/7": b"x", "a/2": b"y", "a/3": b"y", "b/8": b"z", "b/9": b"x"}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    groups = content_groups(tmp_path, contents)
    assert groups["a/1"] == hashlib.sha256(b"x").hexdigest()
    split = Split(train=("a/1", "a/2", "a/3"), val=("b/8",), test=("b/7", "b/9"))
    assert overlap_by_name(split) == {}
    assert overlap_by_content(split, groups) == [(("train", "a/1"), ("test", "b/7"), ("test", "b/9"))]
    same = Split(train=("a/2",), val=("a/2",), test=("b/8",))
    assert overlap_by_content(same, groups) == [(("train", "a/2"), ("val", "a/2"))]


def test_missing_files_and_digests_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg: expected a readable file, found: No such file"):
        content_groups(tmp_path, ["gone.jpg"])
    with pytest.raises(InputError, match=r"a/1 \(train set\): expected a digest"):
        overlap_by_content(Split(("a/1",), (), ()), {})


@pytest.mark.realdata
@pytest.mark.skipif("IN4310_DATA" not in os.environ, reason="IN4310_DATA names no folder of real photographs")
def test_identical_photographs_leak_unless_grouped() -> None:
    root = Path(os.environ["IN4310_DATA"]) / "scenes"
    if not root.is_dir():
        pytest.skip(f"{root} is absent")
    labels = {p.relative_to(root).as_posix(): p.parent.name for p in root.glob("*/*.jpg")}
    groups = content_groups(root, labels)
    members = defaultdict(list)
    for path, key in groups.items():
        members[key].append(path)
    pairs = {key: paths for key, paths in members.items() if len(paths) > 1}
    assert [len(paths) for paths in pairs.values()] == [2] * 8
    leaked = set()
    for seed in range(20):
        plain = stratified_split(labels, 1057, 704, seed)
        overlaps = overlap_by_content(plain, groups)
        assert {groups[place[0][1]] for place in overlaps} == {
            key for key, (a, b) in pairs.items() if _set_of(plain, a) != _set_of(plain, b)
        }
        leaked |= {groups[place[0][1]] for place in overlaps}
        grouped = stratified_split(labels, 1057, 704, seed, groups)
        assert overlap_by_content(grouped, groups) == []
        assert [counts(paths) for paths in grouped.sets().values()] == [
            counts(paths) for paths in plain.sets().values()
        ]
    assert leaked == set(pairs), "over 20 seeds each of the eight pairs leaks at least once"


def _set_of(split: Split, path: str) -> str:
    return next(name for name, paths in split.sets().items() if path in paths)

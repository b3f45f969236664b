"""The course's own photographs: the facts known of them, and a small run from the files to the verdict."""

import csv
import json
import subprocess
import sys
from collections import Counter

import pytest

from in4310.solution import images, splits

pytestmark = pytest.mark.realdata

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
SIZES = (2628, 2745, 2957, 3037, 2784, 2883)
TEST = (463, 483, 521, 535, 490, 508)
VAL = (309, 322, 347, 357, 327, 338)


@pytest.fixture(scope="module")
def listing(photos):
    """Rows of manifest.csv: path, label and md5 of all 17034 photographs."""
    with (photos / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_full_listing_is_split_by_exact_quotas(listing):
    labels = {row["path"]: row["label"] for row in listing}
    split = splits.stratified_split(labels)
    for paths, quotas in ((split.test, TEST), (split.val, VAL)):
        assert tuple(sum(labels[p] == c for p in paths) for c in CLASSES) == quotas
    assert len(split.train) == sum(SIZES) - 3000 - 2000
    assert not any(splits.overlap_by_name(split).values())


def test_the_eighteen_pairs_are_found_and_kept_together_on_request(listing):
    labels = {row["path"]: row["label"] for row in listing}
    contents = {row["path"]: row["md5"] for row in listing}
    assert sorted(n for n in Counter(contents.values()).values() if n > 1) == [2] * 18
    grouped = splits.stratified_split(labels, groups=contents)
    assert splits.overlap_by_content(grouped, contents) == []
    assert (len(grouped.test), len(grouped.val)) == (3000, 2000)
    free = splits.stratified_split(labels)
    leaks = splits.overlap_by_content(free, contents)
    assert 0 < len(leaks) <= 18


def test_eight_pairs_lie_in_the_photographs_here(photos):
    found = images.find_images(photos / "scenes")
    contents = splits.content_groups(photos / "scenes", sorted(found))
    assert len(found) == 6000
    assert sorted(n for n in Counter(contents.values()).values() if n > 1) == [2] * 8


@pytest.fixture
def some(photos, tmp_path):
    """A quarter of the photographs, among them those that are there twice, beside what they are compared with."""
    found = sorted(images.find_images(photos / "scenes"))
    contents = splits.content_groups(photos / "scenes", found)
    often = Counter(contents.values())
    root = tmp_path / "data"
    for path in [p for i, p in enumerate(found) if i % 4 == 0 or often[contents[p]] > 1]:
        (root / "scenes" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "scenes" / path).symlink_to((photos / "scenes" / path).resolve())
    for other in ("imagenet", "cifar10"):
        (root / other).symlink_to((photos / other).resolve())
    return root / "scenes"


@pytest.mark.slow
def test_a_small_run_is_judged_on_real_photographs(some, tmp_path):
    """32 pixels and five epochs in all, from scratch where 2023 asks for ImageNet weights: only that must fail.

    In a process of its own, as a user starts it: the run records the peak memory of its process (1g).
    """
    small = ("--edition", "2023", "--size", "32", "--trial-epochs", "1", "--epochs", "2", "--quiet")
    folders = ("--out", str(tmp_path / "out"), "--report", str(tmp_path / "report"))
    run = [sys.executable, "-m", "in4310", "run", "--data", str(some), *small, *folders]
    result = subprocess.run(run, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    checks = {c["name"]: c for r in results["requirements"] for c in r["checks"]}
    assert {name for name, c in checks.items() if c["outcome"] not in ("passed", "warned")} == {
        "network_start"
    }
    # Some photographs are there twice, by two names: the pairs are shown, and the edition trusts.
    assert (
        checks["split_disjoint_by_content"]["outcome"],
        checks["split_disjoint_by_content"]["on_trust"],
    ) == ("warned", 1)
    assert checks["split_disjoint_by_content"]["findings"]
    assert checks["accuracy_threshold"]["outcome"] == "warned"
    series = json.loads((tmp_path / "out" / "eigenvalues.json").read_text())["series"]
    assert {s["data"] for s in series} == {"course", "imagenet", "cifar10"}

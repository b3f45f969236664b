"""Every fault is caught, blamed on the right check, and named; every correct variant gets full marks for what it hands in."""

import os

import pytest
from faults import (
    catalogue,
    faults_inside,
    faults_metrics,
    faults_scores,
    faults_split,
    faults_training,
    variants,
)

from in4310.judging.verdict import GOOD, Outcome

assert all(
    (faults_inside, faults_metrics, faults_scores, faults_split, faults_training, variants)
)  # they register
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def on_both_precisions(entries):
    """Two of three entries on a network trained in what this machine chooses (bf16 where it is fast), the third in fp32.

    Verdicts do not depend on it. With IN4310_WHOLE=1 all are judged on both.
    """
    if os.environ.get("IN4310_WHOLE"):
        return [(precision, entry) for precision in ("auto", "fp32") for entry in entries]
    return sorted(
        (("fp32" if i % 3 == 0 else "auto", entry) for i, entry in enumerate(entries)), key=lambda e: e[0]
    )


def judged_on(name, entries):
    return pytest.mark.parametrize(
        ("reference", name), on_both_precisions(entries), indirect=["reference"], scope="session",
        ids=lambda v: v if isinstance(v, str) else " ".join(filter(None, (getattr(v, "row", ""), v.name))),
    )  # fmt: skip


@judged_on("fault", catalogue.FAULTS)
def test_fault(fault, folder, world, judge_all, record_property, request):
    photographs = fault.build(folder, world)
    found, notes = judge_all(folder, fault.edition, photographs)
    # What is only warned of is paid in full: that is not caught.
    noticed = {name for name, v in found.items() if v.outcome not in GOOD}
    lost = {name for name, v in found.items() if not v.full}
    caught = bool(fault.blames & noticed)
    rightly = fault.blames <= noticed and lost <= fault.blames | fault.follows
    words = " ".join(found[name].words for name in fault.blames) + notes
    diagnosed = fault.says in words
    how = f"lost {sorted(lost)}, blamed {sorted(fault.blames)}; said: {words[:700]}"
    trained = request.node.callspec.params["reference"]
    part = fault.build.__module__.rpartition("faults_")[2] + (f", {trained}" if trained != "auto" else "")
    record_property("fault", {"part": part, "row": fault.row, "name": fault.name, "caught": caught, "blamed rightly": rightly,
                             "diagnosed rightly": diagnosed, "how": how})  # fmt: skip
    assert caught, how
    assert rightly, how
    assert diagnosed, how


@judged_on("variant", catalogue.VARIANTS)
def test_correct_variant(variant, folder, world, judge_all, record_property):
    judged = variant.build(folder, world) or folder
    found, _ = judge_all(judged, variant.edition)
    lost = {name: v.words[:300] for name, v in found.items() if not v.full and name not in variant.lacks}
    record_property("variant", {"name": variant.name, "full marks": not lost, "how": str(lost)[:900]})
    assert lost == {}
    assert {n for n, v in found.items() if v.outcome is Outcome.NOT_RUN} <= set(variant.lacks)


def test_the_catalogue_is_as_large_as_it_claims():
    assert len(catalogue.FAULTS) >= 70
    assert len(catalogue.VARIANTS) >= 40

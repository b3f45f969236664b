"""Marks of a class, made by hand: judged, waiting, failed, running, and changed by a teacher."""

from __future__ import annotations

from typing import Any

from in4310.grading.marks import Mark, Override, Status
from in4310.judging.verdict import Check, Data, Outcome, Picture, Requirement, Results

NOW = "2026-07-01T12:00:00+00:00"


def check(name: str, outcome: Outcome, points: float, of: float, **more: Any) -> Check:
    told = {"title": f"Title of {name}.", "reason": f"reason of {name}", "seconds": 0.25}
    return Check(name=name, outcome=outcome, points=points, max_points=of, **(told | more))


def record(text: str = "") -> Results:
    """1a: 3.5 of 5, 1b: 2.25 of 2.25, 3a: 0 of 1.5. With a text, every text that is a submission's holds it."""
    picture = Picture(file="pictures/sizes.png", caption=text or "Sizes", alt=text or "bars")
    requirements = [
        Requirement(id="1a" + text, title=text or "Split", text="Split it.", checks=[
            check("covers", Outcome.PASSED, 2, 2),
            check("sizes", Outcome.FAILED, 1.5, 3, reason=text or "31 in test\nnot 37", mistake=text or "no strata",
                  mend=text or "stratify=labels", title=text or "Sizes are right.", pictures=[picture]),
        ]),
        Requirement(id="1b" + text, title="Disjoint", text="", checks=[check("apart", Outcome.WARNED, 2.25, 2.25)]),
        Requirement(id="3a" + text, title="Spectrum", text="", checks=[
            check("spectrum", Outcome.NOT_RUN, 0, 1, missing="eigenvalues", reason=text or "nothing handed in"),
            check("broke", Outcome.NOT_RUN, 0, 0.5, missing="judge"),
        ]),
    ]  # fmt: skip
    return Results(
        name="x", submission="x", submission_digest="3f" * 32, edition="demo" + text, edition_title="Demo",
        data=Data(root="r", images=3, classes=["a"], digest="ab" * 32), isolation="", made_at=NOW, seconds=12.5,
        requirements=requirements, versions={"torch" + text: "2.15.0" + text},
    )  # fmt: skip


def override(requirement: str, points: float | None, comment: str = "", by: str = "Berit") -> Override:
    return Override(requirement, points, comment, by, NOW)


def mark(who: str = "kari", **more: Any) -> Mark:
    return Mark(**({"who": who, "status": Status.DONE, "results": record()} | more))


WAITING = Mark("ola")
RUNNING = Mark("pia", status=Status.RUNNING)
FAILED = Mark("per", status=Status.FAILED, error="per.zip: not a zip file")
CLASS = [mark(identity="4711", shown="Kari Nordmann", system="Canvas"), WAITING, FAILED, RUNNING]


BY_HAND = mark(overrides=(override("1a", 1), override("1a", 5, "was right"), override("1b", None, "nice"),
                          override("3a", 0.5, "")))  # fmt: skip

"""A record of every kind of outcome, and one with all that a submission may try on its readers."""

from __future__ import annotations

import pytest

from in4310.judging.verdict import Check, Data, Finding, Outcome, Picture, Piece, Requirement, Results

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "\x1b[31mred\x1b[2J\x07",
    "user\u202egnp.exe",
    "nul\x00 bell\x07 zero\u200bwidth",
    "[bold red]markup[/] {{ 7 * 7 }} ]]>",
    "</title></style></textarea><!--",
)


def check(name: str, outcome: Outcome, points: float, of: float, **more: object) -> Check:
    given = {"title": f"Title of {name}", "reason": f"reason of {name}", "seconds": 0.25}
    return Check(name=name, outcome=outcome, points=points, max_points=of, **(given | more))


def record(requirements: list[Requirement], **more: object) -> Results:
    given = {
        "name": "group-07",
        "submission": "handed-in/group-07.zip",
        "submission_digest": "3f" * 32,
        "edition": "demo",
        "edition_title": "The assignment",
        "isolation": "no code of the submission was run",
        "made_at": "2026-07-01T12:00:00+00:00",
        "seconds": 12.5,
    }
    return Results(requirements=requirements, **(given | more))


@pytest.fixture
def results() -> Results:
    good = Finding(
        outcome=Outcome.PASSED, asked="images in test", found="211", expected="211", tolerance="11"
    )
    off = Finding(
        outcome=Outcome.FAILED,
        asked="glacier in test",
        found="31",
        expected="37",
        tolerance="2",
        details=["a", "b"],
    )
    warned = Finding(outcome=Outcome.WARNED, asked="copies", found="3 pairs")
    picture = Picture(file="pictures/sizes-1.png", caption="Sizes of the sets", alt="bars of sizes")
    requirements = [
        Requirement(id="1a", title="Split", text="Split it.", checks=[
            check("covers", Outcome.PASSED, 2, 2, findings=[good]),
            check("sizes", Outcome.FAILED, 1, 3, findings=[good, off], mistake="an unstratified draw",
                  mend="stratify=labels", pictures=[picture]),
        ]),
        Requirement(id="1b", title="Disjoint", text="Verify it.", checks=[
            check("by_content", Outcome.WARNED, 1, 1, findings=[warned]),
        ]),
        Requirement(id="3a", title="Spectrum", text="Take it.", checks=[
            check("eigenvalues", Outcome.NOT_RUN, 0, 6.5, missing="eigenvalues", mend="hand in eigenvalues.json"),
            check("judge_broke", Outcome.NOT_RUN, 0, 1, missing="judge"),
        ]),
    ]  # fmt: skip
    return record(
        requirements,
        data=Data(root="scenes", images=1200, classes=["forest", "sea"], digest="ab" * 32),
        pieces=[Piece(name="split", file="splits", why="three files", others=["old"])],
        facts={"Test accuracy": "0.93"},
        versions={"torch": "2.15.0"},
        machine="Linux x86_64",
    )


@pytest.fixture
def hostile() -> Results:
    """Every text of the record that can come from a submission holds something bad; one is 10 kB long."""
    requirements = []
    for i, text in enumerate((*HOSTILE, "long " * 2000)):
        finding = Finding(
            outcome=Outcome.FAILED, asked=text, found=text, expected=text, tolerance=text, details=[text] * 3
        )
        picture = Picture(file=f"pictures/{i}.png", caption=text, alt=text)
        only = check(f"check_{i}", Outcome.FAILED, 0, 1, title=text, reason=text, mistake=text, mend=text,
                     missing=text, findings=[finding], pictures=[picture])  # fmt: skip
        requirements.append(Requirement(id=f"{i}{text[:30]}", title=text, text=text, checks=[only]))
    every = " ".join(HOSTILE)
    return record(
        requirements,
        name=every,
        submission=every,
        pieces=[Piece(name=every, file=every, why=every, others=[every])],
        facts={every: every},
        versions={every: every},
        machine=every,
        isolation=every,
    )

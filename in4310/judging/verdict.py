"""The one record of what was judged; terminal, HTML, JSON and JUnit are all made from it.

Schema version 2 of `results.json` is `Results.model_json_schema(mode="serialization")`; version 1, which knew no points
left to the teacher, is read as well. Pictures are files beside it.
"""

from __future__ import annotations

import platform
from collections import Counter
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from in4310.judging.order import Order


class Outcome(StrEnum):
    """How a check, or a requirement as a whole, came out."""

    PASSED = "passed"
    WARNED = "warned"  # full points, but something a reader must know of what was judged
    OPEN = "for the teacher"  # nobody saw it yet: neither earned nor lost, unless the edition trusts
    FAILED = "failed"
    NOT_RUN = "not run"  # its input is missing: no points, and no claim about the work


GOOD = (Outcome.PASSED, Outcome.WARNED)
# What a verdict can rest on, the surest first.
RESTS_ON = ("recomputed", "proved by another piece", "seen run", "read in the source", "stated only")


class Record(BaseModel):
    """Base of every record: unknown fields are errors, so that a typo cannot pass silently."""

    model_config = ConfigDict(extra="forbid")


class Finding(Record):
    """One thing looked at: what was asked, what was found, and by how much they may differ."""

    outcome: Outcome
    asked: str = Field(description="what was looked at, e.g. 'images in the test set'")
    found: str
    expected: str = ""
    tolerance: str = Field("", description="how far found may lie from expected, and why")
    details: list[str] = Field(default=[], description="e.g. the offending paths, bounded in number")


class Picture(Record):
    """A picture that proves a verdict; `file` lies relative to results.json."""

    file: str
    caption: str
    alt: str = Field(description="what the picture shows, in words")


class Attachment(Record):
    """A figure or a table that a test of the same run attached to the report."""

    title: str
    picture: Picture | None = None
    columns: list[str] = Field(default=[])
    rows: list[list[str]] = Field(default=[])


class Diagnosis(Record):
    """A known mistake, or a pair of them, that gives exactly the figures handed in (DESIGN, Diagnosis)."""

    names: list[str] = Field(description="names of the hypotheses in the registry")
    mistake: str = Field("", description="the mistake alone, in words that are the same for everyone")
    sentence: str = Field(
        description="the mistake, with its details and the places in the source that show it"
    )
    quality: str = Field(
        description="largest difference if the mistake was made, and if not; how many were compared"
    )
    mend: str
    links: list[str] = Field(default=[], description="documentation of the right way")


class Check(Record):
    """The verdict on one executable check of a requirement."""

    name: str = Field(description="name of the test function without 'test_'")
    title: str = Field(description="what is looked at; true whether it passed or failed")
    outcome: Outcome
    points: float = Field(description="earned; what is paid on trust is among them")
    max_points: float
    open_points: float = Field(0.0, description="left to the teacher: neither earned nor lost")
    on_trust: float = Field(0.0, description="of the points earned, those for what was only stated")
    rests_on: str = Field("", description="what the verdict rests on, in the words of `RESTS_ON`")
    reason: str = Field(description="one line: why this outcome")
    mistake: str = Field("", description="the mistake that would give exactly these figures, if one is known")
    mend: str = Field("", description="how to mend it")
    diagnoses: list[Diagnosis] = Field(
        [], description="mistakes that give these figures; two that fit alike are both named"
    )
    missing: str = Field("", description="the piece that is missing, when not run")
    follows: str = Field("", description="a check that this one's input comes from")
    findings: list[Finding] = Field(default=[])
    pictures: list[Picture] = Field(default=[])
    seconds: float = 0.0

    @property
    def lost(self) -> float:
        """Points neither earned nor left to the teacher."""
        return max(0.0, round(self.max_points - self.points - self.open_points, 2))


def overall(outcomes: list[Outcome]) -> Outcome:
    """The outcome of the whole: the worst of its parts; a failure weighs most, then a missing input."""
    for outcome in (Outcome.FAILED, Outcome.NOT_RUN, Outcome.OPEN, Outcome.WARNED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED


class Requirement(Record):
    """A requirement of the edition with the verdicts on its checks."""

    id: str
    title: str
    text: str = Field(description="the edition's wording of what is asked")
    checks: list[Check]

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of its checks; no check at all counts as not run."""
        return overall([c.outcome for c in self.checks]) if self.checks else Outcome.NOT_RUN

    @property
    def points(self) -> float:
        """Points earned: the sum over its checks."""
        return sum(c.points for c in self.checks)

    @property
    def max_points(self) -> float:
        """Points to be had."""
        return sum(c.max_points for c in self.checks)

    @property
    def open_points(self) -> float:
        """Points left to the teacher."""
        return sum(c.open_points for c in self.checks)

    @property
    def on_trust(self) -> float:
        """Of the points earned, those for what was only stated."""
        return sum(c.on_trust for c in self.checks)

    @property
    def lost(self) -> float:
        """Points neither earned nor left to the teacher."""
        return sum(c.lost for c in self.checks)


class Piece(Record):
    """What was taken for a piece of the submission, and why."""

    name: str = Field(description="e.g. 'scores'")
    file: str = Field(description="path inside the submission; empty if nothing was found")
    why: str
    others: list[str] = Field(default=[], description="other candidates that were not taken")


class Data(Record):
    """The data set that was judged against."""

    root: str
    images: int
    classes: list[str]
    digest: str = Field(description="SHA-256 over the sorted relative paths and labels")


class Audit(Record):
    """Which scores were computed again: all, or a random sample with the bound that it gives (DESIGN, Cost)."""

    rows: dict[str, int] = Field(description="set -> rows computed again")
    of: dict[str, int] = Field(description="set -> rows in all")
    seed: str = Field(
        description="hexadecimal seed of the draw; kept in the gradebook only, empty in a report"
    )
    replayable: bool = Field(
        description="whether the seed follows from the teacher's secret and the submission"
    )
    statement: str


class Given(Record):
    """How the judge was started, as far as it decides what comes out: enough to start it so again.

    A path that cannot be written as text is '?'.
    """

    submission: str = Field(description="path as it was given")
    edition: str = Field(description="name of a stock edition, or the path of a TOML file")
    data: str = Field("", description="folder of the data; empty for the embedded data")
    full: bool = Field(False, description="whether all scores were computed again")
    trusted: bool = Field(False, description="whether --trust-submissions was given")
    rehearsal: bool = Field(True, description="whether its programs were run, too")
    handed_out: bool = Field(False, description="whether it was judged for somebody else, at another place")

    @classmethod
    def of(cls, order: Order) -> Given:
        """The record of an order; names of files may be no valid Unicode."""
        asked = {name: getattr(order, name) for name in cls.model_fields}
        return cls.model_validate({k: v if str(v).isprintable() else "?" for k, v in asked.items()})


class Turn(StrEnum):
    """What became of a check since an earlier run."""

    MENDED = "mended"  # more points, or a warning less
    BROKEN = "broken"  # fewer points, or a worse verdict
    NEW = "new"  # judged now; its input was missing, or the check was not run at all
    WARNED = "warned"  # as many points, but now with a warning


class Change(Record):
    """A check that came out in another way than in the earlier run."""

    check: str
    turn: Turn
    before: float = Field(description="points in the earlier run; 0 for a check that it did not have")
    now: float
    was: Outcome | None = Field(None, description="its verdict then; none where it was not selected")
    outcome: Outcome


class Progress(Record):
    """This run beside the one before it on the same submission: only what came out in another way."""

    since: str = Field(description="when the earlier run was made, ISO 8601, UTC")
    same_files: bool = Field(description="whether both runs judged the same files, by their digest")
    changes: list[Change]

    @property
    def gained(self) -> float:
        """Points more (or fewer, below 0) than then, over the checks that changed."""
        return sum(change.now - change.before for change in self.changes)

    @property
    def counts(self) -> Counter[Turn]:
        """How many checks turned which way."""
        return Counter(change.turn for change in self.changes)


class Results(Record):
    """Everything that one judging run found."""

    schema_version: Literal[2] = 2
    name: str = Field(description="name of the submission")
    submission: str = Field(description="path of the submission as it was given")
    submission_digest: str = Field(description="SHA-256 over the files of the submission")
    edition: str
    edition_title: str
    edition_language: str = Field("en", description="of the titles and texts of requirements")
    data: Data | None = None
    isolation: str = Field(description="what ran of the submission's own code, and behind which walls")
    pieces: list[Piece] = Field(default=[])
    unused: list[str] = Field(
        default=[], description="files handed in of which nothing was taken, the first of them"
    )
    unused_in_all: int = 0
    notes: list[str] = Field(
        default=[], description="what was left out or not opened while taking the submission in"
    )
    doubt: str = Field(
        "", description="why the judge itself may have been started wrongly, such as on the wrong data"
    )
    audit: Audit | None = None
    requirements: list[Requirement] = Field(default=[])
    facts: dict[str, str] = Field(
        {}, description="headline figures, e.g. 'test accuracy': '0.93 (95 %: 0.90 to 0.95)'"
    )
    versions: dict[str, str] = Field(default={}, description="in4310, python, torch, ...")
    machine: str = ""
    chosen: dict[str, str] = Field(
        {}, description="what computed the figures: 'device': 'cpu', 'precision': 'fp32'"
    )
    made_at: str = Field(description="ISO 8601, UTC")
    seconds: float = 0.0
    searched: dict[str, float] = Field(
        {},
        description="seconds of the processor that mistakes were searched for, by family; none without a wrong figure",
    )
    search_ended: bool = Field(
        False, description="whether that search ended with its time, not with the last family"
    )
    given: Given | None = Field(None, description="how to start the same run again")
    edition_said: str = Field(
        "", description="where the edition was not asked for, or is another than submission.toml states"
    )
    left_out: list[str] = Field(
        [], description="checks of the edition that this run did not come to, or did not select"
    )
    attached: list[Attachment] = Field(default=[], description="what other tests of the run attached")
    progress: Progress | None = Field(
        default=None, description="since the run before on the same submission, where something changed"
    )

    @property
    def unused_said(self) -> list[str]:
        """Of which files nothing was taken, and what to do if one is a piece; nothing where all were of use."""
        if not self.unused:
            return []
        more = self.unused_in_all - len(self.unused)
        files = ", ".join(self.unused) + (f" and {more} more" if more > 0 else "")
        return [
            f"used for nothing: {files}; if a piece is among them, name it under [files] in submission.toml"
        ]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, record: Any) -> Any:
        """Version 1 is version 2 with no point left to the teacher; totals are added up again, never believed."""
        if not isinstance(record, dict):
            return record
        kept = {name: value for name, value in record.items() if name not in cls.model_computed_fields}
        return kept | ({"schema_version": 2} if kept.get("schema_version") == 1 else {})

    @property
    def standing(self) -> list[str]:
        """What a reader must know of the points: which are still open, and which rest on a word alone."""
        left = (
            f"Left to the teacher: {self.open_points:g}. The judge could not decide these points:"
            " they are neither earned nor lost until a teacher has looked"
        )
        trust = f"On trust: {self.on_trust:g}. These points are earned by what is stated; nobody saw it done"
        return [said for said, points in ((left, self.open_points), (trust, self.on_trust)) if points]

    @property
    def banners(self) -> list[str]:
        """What a reader must know before the verdict, on every rendering."""
        judged = sum(len(r.checks) for r in self.requirements)
        partial = (
            f"A part of the checks only: {judged} of {judged + len(self.left_out)} were run; no mark follows from it"
            if self.left_out
            else ""
        )
        return [said for said in (partial, self.edition_said, self.doubt) if said]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def points(self) -> float:
        """Points earned over all requirements."""
        return sum(r.points for r in self.requirements)

    @property
    def max_points(self) -> float:
        """Points to be had over all requirements."""
        return sum(r.max_points for r in self.requirements)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def open_points(self) -> float:
        """Points left to the teacher, over all requirements."""
        return sum(r.open_points for r in self.requirements)

    @property
    def on_trust(self) -> float:
        """Of the points earned, those for what was only stated."""
        return sum(r.on_trust for r in self.requirements)

    @property
    def lost(self) -> float:
        """Points neither earned nor left to the teacher; an exit status and full marks go by it."""
        return sum(r.lost for r in self.requirements)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def judged_points(self) -> float:
        """Points that were decided: all but those left to the teacher."""
        return self.max_points - self.open_points

    @property
    def counts(self) -> Counter[Outcome]:
        """How many requirements came out which way."""
        return Counter(r.outcome for r in self.requirements)


def versions() -> dict[str, str]:
    """Versions of what a figure may depend on."""
    found = {"python": platform.python_version()}
    for name in ("in4310", "torch", "torchvision", "numpy", "pillow", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

"""One judging run, without pytest: turns what the checks recorded into Results."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from in4310.errors import InputError
from in4310.judging import seen_run
from in4310.judging.attachments import Attachments
from in4310.judging.audit import draw
from in4310.judging.data import DataSet, hints
from in4310.judging.edition import Edition, given_data, load_edition
from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.judging.mistakes.budget import Budget
from in4310.judging.order import Order, by_edition
from in4310.judging.proved_split import said as split_said
from in4310.judging.recovered import ahead, recover
from in4310.judging.stated import unsaid
from in4310.judging.verdict import GOOD, Audit, Check, Given, Outcome, Piece, Requirement, Results, versions
from in4310.places import audit_secret
from in4310.shown import shown
from in4310.solution import metrics
from in4310.submission.folder import Submission
from in4310.submission.formats import last_two_parts
from in4310.submission.intake import Taken
from in4310.submission.live import Live
from in4310.submission.pieces import KINDS, Missing, NotHere, Unreadable
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Sandbox

# Figures that are asked for in the report.
IN_WORDS = ("metrics", "history", "ranking", "non_positive", "eigenvalues")
UNUSED = 40  # files of which nothing was taken, by name in a report
FEW = 0.05  # share of a split's images that the data must have; a part of the course's photographs has 0.3
STATIC = "no code of the submission was run: its files were read and its figures recomputed from its weights"


class Session:
    """Collects verdicts in the order of the edition and makes the record that every report is made from."""

    def __init__(self, edition: Edition):
        self.edition = edition
        self.checks: dict[str, Check] = {}
        self.pictures: dict[str, bytes] = {}
        self.evidence: Evidence | None = None
        self.given = ""
        self.started_with: Given | None = None
        self.notes: list[str] = []
        self.order = Order("")
        self.edition_said = ""
        self.attachments: Attachments | None = None
        self.readers: Readers | None = None
        self.started = time.perf_counter()
        self.whole = False  # all checks will be asked: programs are run beside the other work
        self.tell: Callable[[str], None] = lambda note: None  # at which line a program is that is run

    @classmethod
    def of(cls, order: Order, taken: Taken | None, sandbox: Sandbox | None, stack: ExitStack) -> Session:
        """The session of an order, by the edition that it names or that the submission states.

        `stack` undoes what is opened for it.
        """
        readers = stack.enter_context(Readers(sandbox, taken.folder)) if taken else None
        stated = Submission(taken.folder, None, readers).table("submission").get("edition") if taken else None
        order, said = by_edition(order, "" if stated is None else str(stated))
        session = cls(load_edition(order.edition))
        session.order, session.edition_said, session.readers = order, said, readers
        return session

    def take_up(self, taken: Taken, data: DataSet, sandbox: Sandbox | None, stack: ExitStack) -> Evidence:
        """The evidence of what was handed in; `stack` undoes what is opened for it."""
        edition, order = self.edition, self.order
        sandbox = sandbox or stack.enter_context(Sandbox())
        self.readers = self.readers or stack.enter_context(Readers(sandbox, taken.folder))
        submission = Submission(taken.folder, hints(edition, data), self.readers, taken.name)
        live = Live(sandbox, submission.folder, submission.table("adapters"), trusted=order.trusted)
        audit = draw(0 if order.full else edition.audit.rows, audit_secret(), submission.digest)
        self.notes = list(taken.notes)
        self.given = order.submission or str(taken.folder)
        self.started_with = Given.of(
            replace(order, submission=self.given, data=given_data(edition, order.data))
        )
        if order.rehearsal:
            run = partial(recover, submission, data, sandbox, edition.rehearsal.seconds, self.tell)
            submission.rehearse = ahead(run) if self.whole and len(os.sched_getaffinity(0)) > 1 else run
        self.evidence = Evidence(submission, data, edition, audit=audit, live=live)
        return self.evidence

    def decided(
        self, name: str, title: str, judge: Judge, partial: bool, seconds: float, follows: str = ""
    ) -> Check:
        """A check ran to its end: points for what was good. What nobody saw is open, unless the edition trusts."""
        outcome = judge.outcome if judge.findings else Outcome.FAILED
        worth = self.edition.points_of[name]
        earned, left = judge.share(*GOOD), judge.share(Outcome.OPEN)
        if not partial:  # one finding decides
            earned, left = float(outcome in GOOD), float(outcome is Outcome.OPEN)
        trusted = round(worth * left * self.edition.trust.get(name, 0.0), 2)
        points = round(worth * earned, 2)
        open_points = round(min(worth * left, worth - points) - trusted, 2)
        if outcome is Outcome.OPEN and trusted and not open_points:
            outcome = Outcome.WARNED  # all of it is paid on trust: the findings say what nobody saw
        return self._verdict(
            name,
            title,
            judge,
            outcome=outcome,
            points=round(points + trusted, 2),
            open_points=open_points,
            on_trust=trusted,
            rests_on=judge.rests_on if judge.findings else "",
            reason=judge.reason,
            mistake=judge.mistake,
            mend=judge.mend,
            diagnoses=judge.diagnoses,
            findings=judge.findings,
            seconds=round(seconds, 3),
            follows=follows,
        )

    def not_run(
        self, name: str, title: str, why: Missing, judge: Judge | None = None, requirement: str = ""
    ) -> Check:
        """The input of a check is missing or broken: no points, no claim about the work; pictures of what is there.

        Where another requirement asks for that input, it is lost there; what rests on it was handed in, and is left to
        the teacher. What this machine lacks is theirs, too.
        """
        broken = isinstance(why, Unreadable)
        kind = KINDS.get(why.piece)
        mend = (
            f"fix {why.piece}: {why}"
            if broken
            else f"hand in {why.piece}"
            + (f" as {' or '.join(kind.places)}, or name its file in submission.toml" if kind else "")
        )
        found: dict[str, Any] = {"reason": str(why), "missing": why.piece, "mend": mend}
        if document := self._document() if why.piece in IN_WORDS and not broken else "":
            found["reason"] = f"{why}; it may stand in {document}, of which no such figure was read"
        of_machine = isinstance(why, NotHere)
        if of_machine:
            found |= {"missing": "", "mend": ""}
        if document or of_machine or self._rests_on_another(why.piece, requirement):
            found |= {"outcome": Outcome.OPEN, "open_points": self.edition.points_of[name]}
        return self._verdict(name, title, judge, **found)

    def seen_run(self, check: Check, why: Missing, judge: Judge) -> bool:
        """Whether the programs were seen to do what a check asks of code, where its input is in no file; recorded.

        A mistake costs no more than a missing input.
        """
        if self.evidence is None or isinstance(why, Unreadable | NotHere):
            return False
        otherwise = Outcome.OPEN if check.outcome is Outcome.OPEN else Outcome.FAILED
        return seen_run.judged(self.evidence, check.name, judge, otherwise)

    def _document(self) -> str:
        """The report, where it is one that the judge cannot read figures from; else ''."""
        file, _ = self.evidence.submission.located.get("report", ("", "")) if self.evidence else ("", "")
        return shown(file) if file.lower().endswith((".pdf", ".docx")) else ""

    def _rests_on_another(self, piece: str, requirement: str) -> bool:
        """Whether another requirement asks for a piece, and all that this one asks for was handed in."""
        own = [kind.name for kind in KINDS.values() if requirement in kind.asked]
        located = self.evidence.submission.located if self.evidence and own else {}
        elsewhere = piece in KINDS and bool(KINDS[piece].asked) and piece not in own
        return elsewhere and bool(own) and all(name in located for name in own)

    def broken(self, name: str, title: str, error: str) -> Check:
        """The judge itself failed: never points, and never blamed on the submission."""
        reason = f"the judge itself failed ({error}); this is not the submission's fault, please report it"
        return self._verdict(name, title, None, reason=reason, missing="judge")

    def _verdict(self, name: str, title: str, judge: Judge | None, **found: Any) -> Check:
        """Keep the verdict on a check, and its pictures under the names of their files; not run, if nothing is said."""
        none: dict[str, Any] = {
            "outcome": Outcome.NOT_RUN,
            "points": 0.0,
            "max_points": self.edition.points_of[name],
        }
        check = self.checks[name] = Check(name=name, title=title, **none | found)
        for i, (picture, content) in enumerate(judge.pictures if judge else (), 1):
            file = f"pictures/{name}-{i}{picture.file}"
            self.pictures[file] = content
            check.pictures.append(picture.model_copy(update={"file": file}))
        return check

    def _isolation(self) -> str:
        """What of the submission was opened or run, and behind which walls."""
        live = self.evidence.live if self.evidence else None
        if live is None:
            return STATIC
        tier = live.sandbox.tier
        if not tier.confined:
            if live.called:
                return f"NOT ISOLATED: its functions {', '.join(live.called)} were called, as --trust-submissions says"
            named = (
                " The functions that it names were not run (--trust-submissions)." if live.adapters else ""
            )
            where = "the judge's own process, weights as tensors only"
            return f"{STATIC}. NOT ISOLATED: its files were read in {where} ({tier.describe()}).{named}"
        ran = (
            f"its functions {', '.join(live.called)} were called" if live.called else "no code of it was run"
        )
        if self.order.rehearsal and self.complete and self.evidence and self.evidence.submission.rehearsed.at:
            called = f"its functions {', '.join(live.called)} were called, and " if live.called else ""
            ran = f"{called}its programs were run on a few images"
        return f"{ran}; its files were read in a confined process ({tier.describe()})"

    def _notes(self) -> list[str]:
        """What a reader must know of the taking in: left out, not opened, chosen among several."""
        if self.evidence is None:
            return self.notes
        wrong_data = doubt(self.evidence.submission, self.evidence.data)
        found = [*([wrong_data] if wrong_data else []), *self.notes]
        if self.evidence.chosen_because:
            found.append(f"model: {self.evidence.chosen_because}")
        said = [f.found for check in self.checks.values() for f in check.findings]
        ran = [split_said(self.evidence)] if self.order.rehearsal and self.complete else []
        return (
            found
            + unsaid(self.evidence, said)
            + [note for note in ran if note]
            + self.evidence.submission.notes
        )

    @property
    def complete(self) -> bool:
        """Whether every check of the edition has a verdict."""
        return set(self.checks) == set(self.edition.points_of)

    @property
    def full_marks(self) -> bool:
        """Whether every point of the checks that ran was earned, or is left to the teacher."""
        return all(not c.lost and c.outcome in (*GOOD, Outcome.OPEN) for c in self.checks.values())

    def results(self) -> Results:
        """The record of this run; requirements in the edition's order, checks that were not selected left out."""
        requirements = [
            Requirement(
                id=r.id,
                title=r.title,
                text=r.text,
                checks=[self.checks[name] for name in r.checks if name in self.checks],
            )
            for r in self.edition.requirements
            if any(name in self.checks for name in r.checks)
        ]
        evidence = self.evidence
        submission = evidence.submission if evidence else None
        unused = submission.unused if submission else []
        found = Results(
            name=self.order.whose or (submission.name if submission else ""),
            submission=shown(self.given or str(submission.folder), 300) if submission else "",
            submission_digest=submission.digest if submission else "",
            edition=self.edition.name,
            edition_title=self.edition.title,
            edition_language=self.edition.language,
            data=evidence.data.record if evidence else None,
            isolation=self._isolation(),
            pieces=[
                Piece(
                    name=kind,
                    file=shown(submission.located.get(kind, ("", ""))[0]),
                    why=submission.located.get(kind, ("", "not found"))[1],
                    others=submission.others(kind),
                )
                for kind in KINDS
            ]
            if submission
            else [],
            unused=[shown(file, 120) for file in unused[:UNUSED]],
            unused_in_all=len(unused),
            requirements=requirements,
            doubt=doubt(evidence.submission, evidence.data) if evidence else "",
            notes=self._notes(),
            audit=_audit(evidence) if evidence else None,
            facts=_facts(evidence) if evidence else {},
            versions=versions(),
            machine=f"{platform.system()} {platform.machine()}",
            chosen={"device": evidence.device, "precision": "fp32"} if evidence else {},
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self.started, 2),
            searched=_searched(Budget.of(evidence).spent) if evidence else {},
            search_ended=Budget.of(evidence).ran_out if evidence else False,
            given=self.started_with,
            edition_said=self.edition_said,
            left_out=[name for name in self.edition.points_of if name not in self.checks],
            attached=self.attachments.records if self.attachments else [],
        )
        return Results.model_validate(_each_text(found.model_dump(), self.order.placeless))


def _searched(spent: Mapping[str, float]) -> dict[str, float]:
    """Families that took some time, the longest first."""
    longest = sorted(spent.items(), key=lambda item: -item[1])
    return {family: round(seconds, 2) for family, seconds in longest if seconds >= 0.01}


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A record as plain values, with its texts that may hold a path changed; keys are left as they are."""
    if type(value) is str:
        return change(value) if "/" in value else value
    if isinstance(value, dict):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    return [_each_text(inner, change) for inner in value] if isinstance(value, list) else value


def _audit(evidence: Evidence) -> Audit | None:
    """What the report says of the audit sample; None where no score was computed."""
    sets = [n for n in ("val", "test") if evidence.has("predicted", n) or evidence.has("audited", n)]
    if not sets:
        return None
    of = {name: len(evidence.split[name]) for name in sets}
    rows = {name: len(evidence.audited(name)[0]) for name in sets}
    rows |= {name: of[name] for name in sets if evidence.has("predicted", name)}
    said = [f"{name}: {evidence.audit_bound(name)}" for name in sets if rows[name] < of[name]]
    return Audit(
        rows=rows,
        of=of,
        seed=evidence.audit.seed.hex() if said else "",
        replayable=evidence.audit.replayable,
        statement="; ".join(said) or "all rows were computed again",
    )


def _facts(evidence: Evidence) -> dict[str, str]:
    """Headline figures for the report, as far as they can be had."""
    facts: dict[str, str] = {}
    try:
        test = evidence.recomputed("test")
        count = len(evidence.known("test"))
        low, high = metrics.wilson(round(test.accuracy * count), count)
        facts["Test accuracy, recomputed"] = f"{test.accuracy:.4f} (95 %: {low:.3f} to {high:.3f})"
        facts["Test mAP, recomputed"] = f"{test.map:.4f}"
        facts["Mean accuracy per class"] = f"{test.mean_accuracy:.4f}"
    except (Missing, InputError, ValueError):
        facts["Test accuracy"] = "could not be recomputed"
    return facts


def doubt(submission: Submission, data: DataSet) -> str:
    """'is this the right --data?' where (nearly) no image that the submission's split names lies in it; else ''."""
    try:
        named = [path for paths in submission.split.values() for path in paths]
    except Missing:
        return ""
    there = sum(last_two_parts(path) in data.labels for path in named)
    if there >= FEW * len(named):
        return ""
    return f"is this the right --data? {there} of {len(named)} images of the split lie in {shown(str(data.root))}"

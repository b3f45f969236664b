"""What the text of a report states, beside the files: agreement and contradiction, with both places. Costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from in4310.judging.evidence import Evidence
from in4310.judging.judge import Judge
from in4310.shown import shown
from in4310.submission.documents import Stated
from in4310.submission.folder import Submission
from in4310.submission.formats import finite
from in4310.submission.module_claims import module_name
from in4310.submission.pieces import Missing
from in4310.submission.printed_figures import alike

WORDS = {"accuracy": "accuracy", "mean_accuracy": "mean accuracy per class", "map": "mAP",
         "accuracy_per_class": "accuracy of", "ap_per_class": "AP of"}  # fmt: skip
MEND = "see which is of the network handed in, and mend the other"
FEW, MOST = 4, 8  # stated figures in one line; lines


@dataclass(frozen=True)
class Pair:
    """A figure that a report states and a file has, with both places; texts are safe to show."""

    what: str
    kind: str  # its measure, or 'non_positive'
    report: str  # '0.93 on page 3 of report.pdf'
    page: int
    file: str
    value: float
    agree: bool

    @property
    def words(self) -> str:
        """Both places in one line."""
        return (
            f"{self.report}, as in {self.file}"
            if self.agree
            else f"{self.report}, but {self.value:g} in {self.file}"
        )


def hold(judge: Judge, evidence: Evidence, *kinds: str) -> None:
    """Record, of measures or 'non_positive', whether a report states what the files have, as far as both do."""
    for pair in pairs(evidence):
        if pair.kind in kinds:
            judge.remark(pair.agree, f"{pair.what}, in the report and in the files", pair.words, mend=MEND)


def unsaid(evidence: Evidence, said: Sequence[str]) -> list[str]:
    """What stands in report and files and no check could record, as sentences; `said`: texts of findings."""
    left = [pair for pair in pairs(evidence) if pair.words not in said]
    same = [f"{pair.what} (page {pair.page})" for pair in left if pair.agree]
    more = f" and {len(same) - FEW} more" if len(same) > FEW else ""
    agree = [f"the report states what the files have: {', '.join(same[:FEW])}{more}"] if same else []
    return [f"{pair.what}: {pair.words}; {MEND}" for pair in left if not pair.agree][:MOST] + agree


def pairs(evidence: Evidence) -> list[Pair]:
    """All figures that both a report and a file have, once each."""
    submission, found = evidence.submission, []
    for file, figures, shares in submission.stated:
        for one in figures:
            theirs = _in_metrics(submission, one.what)
            found.append((name_of(one), one.what[1], file, one, "metrics", theirs))
        ours = _shares_of(submission) if shares else {}
        for one in shares:
            what = f"non-positive values of {shown(one.what[0], 40)}"
            found.append((what, "non_positive", file, one, "non_positive", ours.get(one.what[0])))
    return [
        Pair(
            what=what,
            kind=kind,
            report=f"{one.value:g} on page {one.page} of {shown(file, 80)}",
            page=one.page,
            file=shown(submission.located[piece][0], 80),
            value=theirs,
            agree=alike(one.value, theirs),
        )
        for what, kind, file, one, piece, theirs in found
        if theirs is not None and piece in submission.located and not submission.only_stated(piece)
    ]


def _in_metrics(submission: Submission, what: Sequence[str]) -> float | None:
    try:
        table = submission.metrics.get(what[0])
    except Missing:
        return None
    inner = table.get(what[1]) if isinstance(table, dict) and len(what) > 2 else table
    return finite(inner.get(what[-1])) if isinstance(inner, dict) else None


def _shares_of(submission: Submission) -> dict[str, float | None]:
    """Shares by module, as a file has them."""
    try:
        percent = submission.non_positive.get("percent")
    except Missing:
        return {}
    return {module_name(str(m)): finite(v) for m, v in percent.items()} if isinstance(percent, dict) else {}


def name_of(one: Stated) -> str:
    """'test accuracy', 'val AP of sea'."""
    name, measure, *of_class = one.what
    return " ".join([name, WORDS.get(measure, measure), *(shown(c, 40) for c in of_class)])

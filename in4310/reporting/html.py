"""The report as one HTML file: no network, no script needed, every text of the submission escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from in4310.judging.verdict import Check, Finding, Outcome, Results, Turn
from in4310.reporting.gaps import causes, gaps
from in4310.reporting.language import ENGLISH
from in4310.reporting.page import page, slug
from in4310.reporting.pictures import inlined
from in4310.reporting.reproduce import check_again, judge_again

FINDINGS = 60  # shown of one check; results.json has them all
CAUSES = 5  # shown at once of what stands in the way of full marks
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# '0.9289', '12.5 %', '211 x 6', '4 MiB'
FIGURE = re.compile(r"[-+]?[\d.,:x e+-]*\d(?: ?(?:%|[A-Za-z]{1,3}))?")


def render(results: Results, pictures: Mapping[str, bytes] | None = None, language: str = ENGLISH) -> str:
    """The page of one judging run. pictures: file as in `Picture.file` -> PNG, JPEG or SVG bytes, to be inlined.

    A pure function: the same record gives the same text. A picture that is missing, of another format or beyond the
    limit of the page is named by its file, beside results.json.
    """
    checks = [c for r in results.requirements for c in r.checks]
    found = causes(gaps(results))
    first_claim = sorted(checks, key=lambda c: c.outcome is Outcome.PASSED)  # on the space for pictures
    return page(
        "report.html.j2",
        styles=["report.css"],
        scripts=["report.js"],
        language=language,
        results=results,
        outcomes=list(Outcome),
        turns=list(Turn),
        counts={o: sum(c.outcome is o for c in checks) for o in Outcome},
        checks={c.name: c for c in checks},
        changes={change.check: change for change in results.progress.changes} if results.progress else {},
        causes=found,
        follows={gap.check.name: cause.first.check for cause in found for gap in cause.following},
        bar=bar(results),
        shown_causes=CAUSES,
        findings_of=findings_of,
        again=judge_again(results),
        check_again=lambda names: check_again(results, names),
        inlined=inlined(
            (
                *(picture.file for check in first_claim for picture in check.pictures),
                *(one.picture.file for one in results.attached if one.picture),
            ),
            pictures or {},
        ),
    )


def bar(results: Results) -> list[tuple[float, float, str]]:
    """The points as pieces of a bar 1000 wide: (start, width, 'earned' or the outcome of what was not).

    What is left to the teacher comes last.
    """
    total = results.max_points or 1.0
    checks = [c for r in results.requirements for c in r.checks]
    parts = [(results.points, "earned")] + [
        (sum(c.lost for c in checks if c.outcome is o), slug(o)) for o in Outcome
    ]
    parts.append((results.open_points, slug(Outcome.OPEN)))
    pieces, at = [], 0.0
    for points, kind in parts:
        if points > 1e-9:
            pieces.append((round(at, 2), round(1000 * points / total, 2), kind))
            at += 1000 * points / total
    return pieces


class Shown(NamedTuple):
    """The findings of a check as its table shows them."""

    rows: Sequence[Finding]
    left_out: int
    numbers: frozenset[str]  # columns ('found', 'expected') that hold nothing but figures: set flush right
    off: dict[int, float]  # row -> how many tolerances apart found and expected lie, where that is above 1


def findings_of(check: Check) -> Shown:
    """What to show of a check's findings, in their order: of too many, the good ones go first."""
    rows: Sequence[Finding] = check.findings
    if len(rows) > FINDINGS:
        order = sorted(range(len(rows)), key=lambda i: rows[i].outcome is Outcome.PASSED)
        rows = [check.findings[i] for i in sorted(order[:FINDINGS])]
    numbers = frozenset(
        column
        for column in ("found", "expected")
        if (cells := [text for row in rows if (text := getattr(row, column))])
        and all(len(text) <= 24 and FIGURE.fullmatch(text) for text in cells)
    )
    off = {i: times for i, row in enumerate(rows) if (times := _times_off(row))}
    return Shown(rows, len(check.findings) - len(rows), numbers, off)


def _times_off(finding: Finding) -> float:
    """How many tolerances lie between found and expected, to two digits; 0 where these are no three numbers."""
    texts = (finding.found, finding.expected, finding.tolerance.split(" ")[0])
    if not all(NUMBER.fullmatch(text) for text in texts):
        return 0.0
    found, expected, tolerance = (float(text) for text in texts)
    times = abs(found - expected) / tolerance if tolerance > 0 else 0.0
    return float(f"{times:.2g}") if 1 < times < 1e6 else 0.0

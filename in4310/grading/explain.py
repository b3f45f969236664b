"""How a mark came about, told from the log of verdicts."""

from __future__ import annotations

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook, Verdict
from in4310.judging.verdict import Check, Outcome, Requirement
from in4310.reporting.language import totals
from in4310.shown import shown


def explanation(book: Gradebook, who: str, requirement: str) -> str:
    """Lines: verdicts of this requirement in their order, the last with its checks, and what teachers said of it.

    Raises InputError for a student or requirement that is not in the gradebook.
    """
    verdicts = book.verdicts(who)
    if not verdicts:
        raise book.none_of(who)
    asked = dict.fromkeys(r.id for v in verdicts if v.results for r in v.results.requirements)
    if asked and requirement not in asked:
        raise InputError(f"{requirement!r} is no requirement; expected one of {', '.join(asked)}")
    lines = [f"{who}, requirement {requirement}", *(_line(v, requirement) for v in verdicts)]
    for verdict in reversed(verdicts):
        if not verdict.stale and (found := _requirement(verdict, requirement)):
            lines += _last(verdict, found)
            break
    judged = [r for v in verdicts if (r := _requirement(v, requirement))]
    names = {requirement, "", *(c.name for r in judged for c in r.checks)}
    said = [o for o in book.overrides(who) if o.requirement in names]
    if said:
        lines += ["", "said by hand, the last one counts"]
    for o in said:
        points = "" if o.points is None else f"{o.points:g} points; "
        lines.append(f"  {o.at} {o.by}, {o.requirement or 'the whole'}: {points}{shown(o.comment)}")
    return "\n".join(lines)


def _last(verdict: Verdict, found: Requirement) -> list[str]:
    """The verdict that stands: the requirement with its checks, and what it was made from."""
    title = f"{found.id} {shown(found.title)}: {_totals(found)}, {found.outcome}"
    lines = ["", title, *(line for check in found.checks for line in _check(check))]
    lines += ["", "made from", *(f"  {name}: {value}" for name, value in verdict.record.items())]
    if verdict.results and (audit := verdict.results.audit):
        lines.append(f"  audit sample: {audit.statement}" + (f" (seed {audit.seed})" if audit.seed else ""))
    return lines


def _requirement(verdict: Verdict, requirement: str) -> Requirement | None:
    found = verdict.results.requirements if verdict.results else []
    return next((r for r in found if r.id == requirement), None)


def _line(verdict: Verdict, requirement: str) -> str:
    found = _requirement(verdict, requirement)
    what = _totals(found) if found else shown(verdict.error or "not asked for", 200)
    made = f"edition {verdict.record.get('edition', '?')}, in4310 {verdict.record.get('version in4310', '?')}"
    return f"  verdict {verdict.id}, {verdict.made_at}, attempt {verdict.attempt}: {what} ({made})" + (
        "; no longer stands" if verdict.stale else ""
    )


def _totals(one: Check | Requirement) -> str:
    return totals(one.points, one.max_points, one.open_points)


def _check(check: Check) -> list[str]:
    trust = f" ({check.on_trust:g} on trust)" if check.on_trust else ""
    lines = [f"  {check.outcome:8} {_totals(check)}{trust}  {shown(check.title)}"]
    if check.rests_on:
        lines.append(f"             rests on: {check.rests_on}")
    if check.outcome is not Outcome.PASSED:
        lines += [
            f"             {shown(text, 300)}" for text in (check.reason, check.mistake, check.mend) if text
        ]
    return lines

"""How a mark came about, told from the log of verdicts."""

from __future__ import annotations

from in4310.errors import InputError
from in4310.grading.gradebook import Gradebook, Verdict
from in4310.judging.verdict import Check, Outcome, Requirement
from in4310.shown import shown


def explanation(book: Gradebook, who: str, requirement: str) -> str:
    """Lines: verdicts of this requirement in their order, the last with its checks, and what teachers said of it.

    Raises InputError for a student or requirement that is not in the gradebook.
    """
    verdicts = book.verdicts(who)
    if not verdicts:
        raise InputError(f"{who!r} has no verdict in {book.file}; known: {', '.join(book.students()[:8])}")
    lines = [f"{who}, requirement {requirement}"]
    last: tuple[Verdict, Requirement] | None = None
    for verdict in verdicts:
        lines.append(_line(verdict, requirement))
        found = _requirement(verdict, requirement)
        if found is not None and not verdict.stale:
            last = (verdict, found)
    if last is None and all(_requirement(v, requirement) is None for v in verdicts if v.results):
        known = [r.id for v in verdicts if v.results for r in v.results.requirements]
        if known:
            raise InputError(
                f"{requirement!r} is no requirement; expected one of {', '.join(dict.fromkeys(known))}"
            )
    if last is not None:
        verdict, found = last
        lines += [
            "",
            f"{found.id} {shown(found.title)}: {found.points:g} of {found.max_points:g}, {found.outcome}",
        ]
        lines += [line for check in found.checks for line in _check(check)]
        lines += ["", "made from"] + [f"  {name}: {value}" for name, value in verdict.record.items()]
        if verdict.results is not None and verdict.results.audit is not None:
            audit = verdict.results.audit
            lines.append(
                f"  audit sample: {audit.statement}" + (f" (seed {audit.seed})" if audit.seed else "")
            )
    said = [o for o in book.overrides(who) if o.requirement in (requirement, "")]
    if said:
        lines += ["", "said by hand, the last one counts"]
    for o in said:
        points = "" if o.points is None else f"{o.points:g} points; "
        lines.append(f"  {o.at} {o.by}, {o.requirement or 'the whole'}: {points}{shown(o.comment)}")
    return "\n".join(lines)


def _requirement(verdict: Verdict, requirement: str) -> Requirement | None:
    found = verdict.results.requirements if verdict.results else []
    return next((r for r in found if r.id == requirement), None)


def _line(verdict: Verdict, requirement: str) -> str:
    found = _requirement(verdict, requirement)
    what = (
        f"{found.points:g} of {found.max_points:g}" if found else shown(verdict.error or "not asked for", 200)
    )
    made = f"edition {verdict.record.get('edition', '?')}, in4310 {verdict.record.get('version in4310', '?')}"
    return f"  verdict {verdict.id}, {verdict.made_at}, attempt {verdict.attempt}: {what} ({made})" + (
        "; no longer stands" if verdict.stale else ""
    )


def _check(check: Check) -> list[str]:
    lines = [f"  {check.outcome:8} {check.points:g} of {check.max_points:g}  {shown(check.title)}"]
    if check.outcome is not Outcome.PASSED:
        lines += [
            f"             {shown(text, 300)}" for text in (check.reason, check.mistake, check.mend) if text
        ]
    return lines

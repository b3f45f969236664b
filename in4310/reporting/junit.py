"""JUnit XML for CI and course systems: a testsuite a requirement, a testcase a check."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from in4310.judging.verdict import Check, Outcome, Requirement, Results
from in4310.reporting.gaps import JUDGE
from in4310.shown import shown

COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def junit(results: Results) -> str:
    """The verdicts as JUnit XML; what XML cannot hold (control characters) is spelt out.

    failed: <failure>; left to the teacher or not run: <skipped>, or <error> where the judge itself failed; warned:
    <system-out> only.
    """
    root = ElementTree.Element(
        "testsuites", name=f"in4310 {shown(results.edition)}", time=f"{results.seconds:.3f}"
    )
    said = {"read this first": ". ".join(results.banners), "points": ". ".join(results.standing)}
    _properties(root, **{name: text for name, text in said.items() if text})
    for requirement in results.requirements:
        _suite(root, requirement, results.made_at)
    _count(root)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _count(whole: ElementTree.Element) -> None:
    for name, tag in COUNTED.items():
        whole.set(name, str(sum(1 for _ in whole.iter(tag))))


def _suite(root: ElementTree.Element, requirement: Requirement, made_at: str) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=shown(f"{requirement.id} {requirement.title}"))
    _properties(suite, **_points(requirement))
    for check in requirement.checks:
        _case(suite, requirement, check)
    _count(suite)
    suite.set("time", f"{sum(c.seconds for c in requirement.checks):.3f}")
    suite.set("timestamp", shown(made_at))


def _case(suite: ElementTree.Element, requirement: Requirement, check: Check) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=shown(check.name),
        classname=shown(f"in4310.{requirement.id}"),
        time=f"{check.seconds:.3f}",
    )
    rests_on = {"rests_on": check.rests_on} if check.rests_on else {}
    _properties(case, title=check.title, **_points(check), **rests_on)
    if check.outcome is Outcome.WARNED:
        ElementTree.SubElement(case, "system-out").text = _lines(check)
    elif check.outcome is not Outcome.PASSED:
        not_run = "error" if check.missing == JUDGE else "skipped"
        tag = "failure" if check.outcome is Outcome.FAILED else not_run
        about = {"message": shown(check.reason), "type": str(check.outcome)}
        ElementTree.SubElement(case, tag, about).text = _lines(check)


def _points(one: Check | Requirement) -> dict[str, str]:
    """Earned and to be had; left to the teacher and on trust where there are such."""
    found = {"points": one.points, "max_points": one.max_points}
    found |= {"open_points": one.open_points} if one.open_points else {}
    found |= {"on_trust": one.on_trust} if one.on_trust else {}
    return {name: f"{points:g}" for name, points in found.items()}


def _properties(parent: ElementTree.Element, **values: str) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=shown(value))


def _lines(check: Check) -> str:
    """Reason, mistake, fix and the findings that are not right, a line each."""
    lines = [f"{check.outcome}: {shown(check.reason)}"]
    lines += [
        f"{word}: {shown(text)}"
        for word, text in (("mistake", check.mistake), ("fix", check.mend), ("missing", check.missing))
        if text
    ]
    lines += [f"evidence: {shown(found.quality)}" for found in check.diagnoses]
    for finding in check.findings:
        if finding.outcome is not Outcome.PASSED:
            expected = f", expected {shown(finding.expected)}" if finding.expected else ""
            tolerance = f" within {shown(finding.tolerance)}" if finding.tolerance else ""
            lines.append(f"- {shown(finding.asked)}: {shown(finding.found)}{expected}{tolerance}")
            lines += [f"    {shown(detail)}" for detail in finding.details]
    return "\n".join(lines)

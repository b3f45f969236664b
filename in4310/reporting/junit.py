"""JUnit XML for CI and course systems: a testsuite a requirement, a testcase a check."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from in4310.judging.verdict import Check, Outcome, Requirement, Results
from in4310.shown import shown


def junit(results: Results) -> str:
    """The verdicts as JUnit XML; what XML cannot hold (control characters) is spelt out.

    failed: <failure>; not run: <skipped>, or <error> where the judge itself failed; warned: <system-out> only.
    """
    root = ElementTree.Element(
        "testsuites", name=f"in4310 {shown(results.edition)}", time=f"{results.seconds:.3f}"
    )
    _properties(root, **({"read this first": ". ".join(results.banners)} if results.banners else {}))
    totals = [_count(root, r, results.made_at) for r in results.requirements]
    for i, name in enumerate(("tests", "failures", "errors", "skipped")):
        root.set(name, str(sum(total[i] for total in totals)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _count(root: ElementTree.Element, requirement: Requirement, made_at: str) -> tuple[int, int, int, int]:
    """Add the testsuite of a requirement; returns its tests, failures, errors and skipped."""
    suite = ElementTree.SubElement(root, "testsuite", name=shown(f"{requirement.id} {requirement.title}"))
    _properties(suite, points=f"{requirement.points:g}", max_points=f"{requirement.max_points:g}")
    for check in requirement.checks:
        _case(suite, requirement, check)
    count = (
        len(requirement.checks),
        len(suite.findall("testcase/failure")),
        len(suite.findall("testcase/error")),
        len(suite.findall("testcase/skipped")),
    )
    for name, number in zip(("tests", "failures", "errors", "skipped"), count, strict=True):
        suite.set(name, str(number))
    suite.set("time", f"{sum(c.seconds for c in requirement.checks):.3f}")
    suite.set("timestamp", shown(made_at))
    return count


def _case(suite: ElementTree.Element, requirement: Requirement, check: Check) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=shown(check.name),
        classname=shown(f"in4310.{requirement.id}"),
        time=f"{check.seconds:.3f}",
    )
    _properties(case, title=check.title, points=f"{check.points:g}", max_points=f"{check.max_points:g}")
    text = _lines(check)
    if check.outcome is Outcome.FAILED:
        failure = ElementTree.SubElement(case, "failure", message=shown(check.reason), type="failed")
        failure.text = text
    elif check.outcome is Outcome.NOT_RUN:
        tag = "error" if check.missing == "judge" else "skipped"
        ElementTree.SubElement(case, tag, message=shown(check.reason), type="not run").text = text
    elif check.outcome is Outcome.WARNED:
        ElementTree.SubElement(case, "system-out").text = text


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

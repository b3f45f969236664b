"""JUnit XML as a course system or CI reads it."""

from __future__ import annotations

from xml.etree import ElementTree

from in4310.judging.verdict import Outcome, Results
from in4310.reporting.junit import junit


def test_a_suite_a_requirement_and_a_case_a_check(results: Results) -> None:
    root = ElementTree.fromstring(junit(results).encode())
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["1a Split", "1b Disjoint", "3a Spectrum"]
    for suite, requirement in zip(suites, results.requirements, strict=True):
        assert [case.get("name") for case in suite.findall("testcase")] == [
            c.name for c in requirement.checks
        ]
        points = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
        assert points == {"points": f"{requirement.points:g}", "max_points": f"{requirement.max_points:g}"}


def test_counts_agree_with_the_cases_and_the_record(results: Results) -> None:
    root = ElementTree.fromstring(junit(results).encode())
    outcomes = [check.outcome for r in results.requirements for check in r.checks]
    assert root.get("tests") == str(len(outcomes))
    assert root.get("failures") == str(outcomes.count(Outcome.FAILED))
    assert int(root.get("skipped")) + int(root.get("errors")) == outcomes.count(Outcome.NOT_RUN)
    for node in (root, *root.findall("testsuite")):
        for name, tag in (
            ("tests", ""),
            ("failures", "/failure"),
            ("errors", "/error"),
            ("skipped", "/skipped"),
        ):
            assert int(node.get(name)) == len(node.findall(f".//testcase{tag}"))


def test_each_outcome_in_its_own_element(results: Results) -> None:
    root = ElementTree.fromstring(junit(results).encode())
    kinds = {
        case.get("name"): [child.tag for child in case if child.tag != "properties"]
        for case in root.iter("testcase")
    }
    assert kinds == {
        "covers": [],
        "sizes": ["failure"],
        "by_content": ["system-out"],
        "eigenvalues": ["skipped"],
        "judge_broke": ["error"],
    }
    failure = root.find(".//failure")
    assert failure.get("message") == "reason of sizes"
    for text in ("an unstratified draw", "stratify=labels", "glacier in test: 31, expected 37 within 2"):
        assert text in failure.text
    assert "images in test" not in failure.text, "what is right needs no mention"
    assert "copies: 3 pairs" in root.find(".//system-out").text


def test_hostile_texts_give_valid_xml_and_are_legible(hostile: Results) -> None:
    text = junit(hostile)
    root = ElementTree.fromstring(text.encode())
    assert not [ch for ch in text if ch != "\n" and not ch.isprintable()]
    messages = [node.get("message") for node in root.iter("failure")]
    assert "<script>alert(1)</script>" in messages
    assert "⟨U+001B⟩[31mred⟨U+001B⟩[2J⟨U+0007⟩" in messages
    assert max(map(len, messages)) < 700

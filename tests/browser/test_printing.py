"""Printed, or saved as PDF, a page has all of its texts, and no empty sheet."""

import io
import re
import unicodedata

import pytest

from browser.pages import each

pytestmark = pytest.mark.slow


@pytest.fixture
def sheets(screenshot):
    """The texts of the sheets that a page prints to, without spaces: how words are laid out is the printer's."""
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf: python -m pip install 'in4310[browser]'")

    def printed(page):
        content = page.pdf(prefer_css_page_size=True, format="A4")
        return [squeezed(sheet.extract_text()) for sheet in pypdf.PdfReader(io.BytesIO(content)).pages]

    return printed


def squeezed(text):
    """Letters and digits of a text, ligatures undone, in small letters: the page begins its sentences with a capital."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@each("class-500")  # takes a minute; its sheets are those of the small class, more of them
def test_no_sheet_is_empty(visit, sheets, name, scripts):
    for number, sheet in enumerate(sheets(visit(name, java_script_enabled=scripts)), 1):
        assert len(sheet) > 20, f"sheet {number} holds only {sheet!r}"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_every_requirement_and_every_reason_is_printed(visit, sheets, report_record, scripts):
    text = "".join(sheets(visit("report", java_script_enabled=scripts)))
    for requirement in report_record.requirements:
        assert squeezed(requirement.title) in text
        assert squeezed(requirement.text) in text
        for check in requirement.checks:
            for said in (check.title, check.reason, check.mend, check.mistake):
                assert squeezed(said) in text, said
            for finding in check.findings:
                assert squeezed(finding.asked) in text
                assert all(squeezed(detail) in text for detail in finding.details)
    # As often as it was asked: checks that are closed on the screen are printed whole.
    asked = [squeezed(f.asked) for r in report_record.requirements for c in r.checks for f in c.findings]
    assert all(text.count(one) >= asked.count(one) for one in asked)

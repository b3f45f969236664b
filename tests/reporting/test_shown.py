"""The one way to show a text that others chose: nothing hidden passes, in any rendering; letters stay."""

from __future__ import annotations

import io
import unicodedata
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from in4310.judging.verdict import Check, Finding, Outcome, Requirement, Results
from in4310.reporting.html import render
from in4310.reporting.junit import junit
from in4310.reporting.terminal import Verdict
from in4310.shown import shown
from in4310.solution.drawing.style import canvas, encoded, panel, titled

# Drawn as nothing, and yet letters or marks: Hangul fillers, selectors, the combining grapheme joiner.
IGNORED = [
    0x34F,
    0x115F,
    0x1160,
    0x17B4,
    0x17B5,
    0x180B,
    0x180F,
    0x3164,
    0xFE00,
    0xFE0F,
    0xFFA0,
    0xE0100,
    0xE01EF,
]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ESCAPES = ["\x1b[31m", "\x1b]8;;http://a.no\x07", "\x9b2J", "\x1b]0;t\x1b\\", "\r\x1b[K"]
hidden = st.one_of(
    st.characters(categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"]),
    st.sampled_from([*map(chr, IGNORED), *BIDI, *ESCAPES]),
)
texts = st.lists(st.one_of(hidden, st.text(max_size=5)), max_size=20).map("".join)


def is_hidden(ch: str) -> bool:
    return unicodedata.category(ch)[0] == "C" or ch in "\u2028\u2029" or ord(ch) in IGNORED


@given(texts, st.integers(1, 700), st.booleans())
@example("user\u202egnp.exe", 120, False)
def test_nothing_hidden_passes_and_no_text_is_longer_than_asked(
    text: str, limit: int, keep_end: bool
) -> None:
    line = shown(text, limit, keep_end)
    assert not [ch for ch in line if is_hidden(ch)]
    assert len(line) <= limit
    assert shown(line, limit, keep_end) == line, "shown twice is shown once"


@given(
    st.text(
        st.characters(categories=["L", "N", "P", "S"]).filter(
            lambda ch: ord(ch) not in IGNORED and not 0x180B <= ord(ch) <= 0x180F
        )
    )
)
def test_letters_of_any_language_stay_as_they_are(text: str) -> None:
    assert shown(text, 10_000) == text


def test_of_a_long_text_the_start_or_the_end_is_kept():
    assert shown("x" * 700) == "x" * 578 + "… (700 letters in all)"
    assert shown("abcdefgh", 4) == "abc…"
    assert shown("abcdefgh", 4, keep_end=True) == "…fgh"
    assert shown("a\nb\tc\rd") == "a b c d"


def rendered(text: str) -> dict[str, str]:
    """The text as a terminal, a page and a record for CI show it, in every place that a record has for it."""
    finding = Finding(
        outcome=Outcome.FAILED, asked=text, found=text, expected=text, tolerance=text, details=[text]
    )
    one = Check(name=text, title=text, outcome=Outcome.FAILED, points=0, max_points=1, reason=text, mistake=text,
                mend=text, missing=text, findings=[finding])  # fmt: skip
    results = Results(
        name=text, submission=text, submission_digest=text, edition=text, edition_title=text, isolation=text,
        made_at="", requirements=[Requirement(id=text, title=text, text=text, checks=[one])],
    )  # fmt: skip
    terminal = Console(file=io.StringIO(), width=200, force_terminal=False)
    terminal.print(Verdict(results))
    xml = "".join(ElementTree.fromstring(junit(results)).itertext())
    return {"terminal": terminal.file.getvalue(), "html": render(results), "junit": xml}  # type: ignore[attr-defined]


@settings(max_examples=25, deadline=None)
@given(texts)
@example("user\u202egnp.exe" + BIDI + "".join(ESCAPES) + "".join(map(chr, IGNORED)))
def test_nothing_hidden_reaches_a_terminal_a_page_or_a_record(text: str) -> None:
    for rendering, whole in rendered(text).items():
        assert not [ch for ch in whole if is_hidden(ch) and ch != "\n"], rendering


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_figure_draws_what_is_hidden_as_it_is_spelt_out():
    def drawn(text: str) -> bytes:
        figure = canvas(4, 1)
        titled(panel(figure, 0.5, 0.2, 3, 0.5), text, width=60)
        return encoded(figure, "svg")

    assert drawn("user\u202egnp") == drawn("user⟨U+202E⟩gnp") != drawn("usergnp")
    assert "\u202e" not in drawn("user\u202egnp").decode()

"""The page as a browser reads it: complete, closed, loading nothing, and harmless whatever was handed in."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from in4310.judging.verdict import (
    Change,
    Check,
    Given,
    Outcome,
    Picture,
    Progress,
    Requirement,
    Results,
    Turn,
)
from in4310.reporting.html import render
from in4310.reporting.page import sentence
from in4310.shown import shown

HTML = "<script>alert(3)</script> '\"><img src=x onerror=alert(4)>"
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Elements and texts of a page; fails on a tag that closes what is not open."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute stands twice in {tag}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("style", "script"):
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        elif data.strip():
            self.texts.append(" ".join(data.split()))

    def tags(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def text(self):
        return "\n".join(self.texts)


def photograph(side=300, seed=0):
    stream = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


def plot():
    stream = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(stream, "PNG")
    return stream.getvalue()


def test_holds_every_requirement_check_and_finding_with_its_verdict_in_words(results: Results) -> None:
    page = Page(render(results))
    for requirement in results.requirements:
        assert {requirement.id, requirement.title, requirement.text} <= set(page.texts)
        for check in requirement.checks:
            assert {check.title, check.reason} <= set(page.texts)
            assert all(sentence(text) in page.text for text in (check.mend, check.mistake))
            for finding in check.findings:
                assert {finding.asked, finding.found, *finding.details} <= set(page.texts)
    for words in ("Passed:", "Passed, with a warning:", "Failed:", "Not run:"):
        assert words in page.texts
    assert "4" in page.texts
    assert "of 13.5 points" in page.texts


def test_what_gains_most_comes_first_and_each_gap_links_to_its_check(results: Results) -> None:
    page = Page(render(results))
    first = page.texts.index("What to do first")
    rest = page.texts.index("What else stands in the way of full marks")
    assert page.texts[first + 1] == "+6.5"
    assert "Hand in eigenvalues.json" in page.texts[first:rest]
    assert "stratify=labels" in page.texts[rest:]
    assert "Nothing for you to fix: the judge itself failed here" in page.texts[rest:]
    links = [a["href"] for a in page.tags("a") if a.get("href", "").startswith("#c-")]
    assert links[:3] == ["#c-eigenvalues", "#c-sizes", "#c-judge-broke"]


def test_what_is_compared_with_wrong_scores_says_so(results: Results) -> None:
    scores = (
        results.requirements[0].checks[1].model_copy(update={"name": "scores_reproduce", "title": "Scores"})
    )
    metrics = scores.model_copy(
        update={"name": "metrics_map", "follows": "scores_reproduce", "mistake": "", "pictures": []}
    )
    one = results.requirements[0].model_copy(update={"checks": [scores, metrics]})
    page = Page(render(results.model_copy(update={"requirements": [one]})))
    assert page.texts.count("The scores that this compares with are wrong themselves:") == 1
    assert "up to" in page.texts
    assert "+4" in page.texts


def test_full_marks_are_called_so(results: Results) -> None:
    best = results.model_copy(update={"requirements": results.requirements[1:2]})
    page = Page(render(best))
    assert "Full marks" in page.texts
    assert "What stands in the way of full marks" not in page.texts
    assert "1 of the checks has a warning to read" in page.text


def test_a_run_without_requirements_is_no_full_mark(results: Results) -> None:
    page = Page(render(results.model_copy(update={"requirements": []})))
    assert "Nothing was judged" in page.texts
    assert "Full marks" not in page.texts


@pytest.mark.parametrize("which", ["results", "hostile"])
def test_loads_nothing_and_every_link_leads_somewhere(which: str, request: pytest.FixtureRequest) -> None:
    page = Page(render(request.getfixturevalue(which), {}))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has a handler"
            assert name != "style", "the security policy would refuse it"
            if name in ("src", "href", "srcset", "action", "xlink:href"):
                assert value.startswith("data:") or value[1:] in ids, f"{tag} {name}={value}"
    assert not re.search(r"url\(|@import", page.raw["style"])
    assert {"html", "main", "header", "footer", "nav", "h1"} <= {tag for tag, _ in page.elements}
    assert page.tags("html")[0]["lang"] == "en"


def test_only_its_own_style_and_script_pass_its_security_policy(results: Results) -> None:
    page = Page(render(results))
    policy = next(a["content"] for a in page.tags("meta") if a.get("http-equiv") == "Content-Security-Policy")
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["default-src"] == "'none'"
    assert allowed["img-src"] == "data:"
    for part in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[part].encode()).digest()).decode()
        assert allowed[f"{part}-src"] == f"'sha256-{digest}'"


def test_readable_without_its_script(results: Results) -> None:
    """Nothing is hidden but what does nothing without it; what is not passed stands open."""
    page = Page(render(results))
    assert [a["class"] for _, a in page.elements if "hidden" in a and "data-copy" not in a] == [
        "tools",
        "filter",
    ]
    cards = {a["id"]: "open" in a for a in page.tags("details") if a.get("class", "").startswith("check ")}
    assert cards == {
        "c-covers": False, "c-sizes": True, "c-by-content": True, "c-eigenvalues": True, "c-judge-broke": True
    }  # fmt: skip


def test_hostile_texts_are_shown_and_do_nothing(hostile: Results, results: Results) -> None:
    html = render(hostile)
    page = Page(html)
    assert len(page.tags("script")) == 1
    assert not page.tags("img")
    assert "<script>alert(1)</script>" in page.texts
    assert "⟨U+001B⟩[31mred" in page.text
    assert "user⟨U+202E⟩gnp.exe" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not [ch for ch in html if ch != "\n" and not ch.isprintable()]
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in Page(render(results)).elements}
    assert max(map(len, page.texts)) < 2100, "a text of 10 kB is cut"
    assert "(10000 letters in all)" in page.text


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_one_text_of_the_page(text: str) -> None:
    one = Check(name="c", title="t", outcome=Outcome.FAILED, points=0, max_points=1, reason=text)
    results = Results(
        name=text, submission="", submission_digest="", edition="", edition_title="", isolation="", made_at="",
        requirements=[Requirement(id="1", title=text, text=text, checks=[one])],
    )  # fmt: skip
    page = Page(render(results))
    assert " ".join(shown(text).split()) in (*page.texts, "")
    assert len(page.tags("script")) == 1


def test_the_same_record_gives_the_same_page(results: Results) -> None:
    pictures = {"pictures/sizes-1.png": plot()}
    again = Results.model_validate_json(results.model_dump_json())
    assert render(results, pictures) == render(again, dict(pictures))


def test_how_long_mistakes_were_searched_for_is_shown_where_any_were(results: Results) -> None:
    assert "Search for mistakes" not in Page(render(results)).texts
    spent = {"searched": {"scores: decoding": 61.25, "map: as they are": 0.5}, "search_ended": True}
    texts = " ".join(Page(render(results.model_copy(update=spent))).texts)
    assert "61.8 s, ended with its time: scores: decoding 61.2, map: as they are 0.5" in texts


def test_a_picture_is_inlined_with_its_caption_and_alternative_text(results: Results) -> None:
    content = plot()
    page = Page(render(results, {"pictures/sizes-1.png": content}))
    (image,) = page.tags("img")
    assert image["alt"] == "bars of sizes"
    assert "Sizes of the sets" in page.texts
    start, _, data = image["src"].partition(",")
    assert start == "data:image/png;base64"
    assert base64.b64decode(data) == content


def test_a_picture_that_is_missing_or_no_picture_is_named(results: Results) -> None:
    for pictures in ({}, {"pictures/sizes-1.png": b"<svg onload='alert(1)'/>"}):
        page = Page(render(results, pictures))
        assert not page.tags("img")
        assert "pictures/sizes-1.png" in page.texts
        assert "bars of sizes" in page.text


def drawing():
    from matplotlib.figure import Figure

    stream, figure = io.BytesIO(), Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], [3, 4])
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def test_a_drawing_is_inlined_as_it_is(results: Results) -> None:
    content = drawing()
    (image,) = Page(render(results, {"pictures/sizes-1.png": content})).tags("img")
    start, _, data = image["src"].partition(",")
    assert start == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == content


@pytest.mark.parametrize(
    "bad",
    [
        b"<script>alert(1)</script>",
        b"<g onload='alert(1)'/>",
        b"<foreignObject><p>hi</p></foreignObject>",
        b'<image href="https://example.org/x.png"/>',
        b"<image xlink:href='file:///etc/passwd'/>",
        b'<a href="javascript:alert(1)">x</a>',
    ],
)
def test_a_drawing_that_is_more_than_that_stays_out(results: Results, bad: bytes) -> None:
    content = drawing().replace(b"</svg>", bad + b"</svg>")
    page = Page(render(results, {"pictures/sizes-1.png": content}))
    assert not page.tags("img")
    assert "pictures/sizes-1.png" in page.texts


def test_figures_are_flush_right_and_say_how_far_off_they_are(results: Results) -> None:
    page = Page(render(results))
    cells = [a for a in page.tags("td") if a.get("data-label") == "Found"]
    assert [a.get("class") for a in cells] == ["number", "number", "number", None]
    assert "off by 3 times the tolerance" in page.texts, "31, expected 37 within 2"
    assert page.text.count("times the tolerance") == 1


def test_what_was_given_and_what_changed_is_text_too(hostile: Results) -> None:
    evil = HTML
    changes = [Change(check=evil, turn=turn, before=0, now=1, outcome=Outcome.FAILED) for turn in Turn]
    page = Page(
        render(
            hostile.model_copy(
                update={
                    "given": Given(submission=evil, edition=evil, data=evil),
                    "progress": Progress(since=evil, same_files=True, changes=changes),
                }
            )
        )
    )
    assert len(page.tags("script")) == 1
    assert not page.tags("img")
    assert HTML in page.text
    assert f"$ {evil}" not in page.text, "a command quotes it"


def test_in_another_language_the_page_says_so(results: Results) -> None:
    assert Page(render(results, language="nb")).tags("html")[0]["lang"] == "nb"


def test_large_photographs_become_smaller_and_the_page_stays_under_3_megabytes(results: Results) -> None:
    names = [f"pictures/{i}.png" for i in range(40)]
    shots = [Picture(file=name, caption="c", alt="a") for name in names]
    requirement = results.requirements[0]
    many = requirement.checks[0].model_copy(update={"pictures": shots})
    results = results.model_copy(
        update={"requirements": [requirement.model_copy(update={"checks": [many, *requirement.checks[1:]]})]}
    )
    shot = photograph()
    html = render(results, dict.fromkeys([*names, "pictures/sizes-1.png"], shot))
    page = Page(html)
    assert len(html.encode()) < 3_000_000
    assert 5 < len(page.tags("img")) < 41
    data = page.tags("img")[0]["src"].partition("base64,")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (300, 300)
    alternatives = [image["alt"] for image in page.tags("img")]
    assert "bars of sizes" in alternatives, "the pictures of what failed come first when space is short"


def test_of_too_many_findings_those_that_failed_are_kept(results: Results) -> None:
    requirement = results.requirements[0]
    good, off = requirement.checks[1].findings
    findings = [good.model_copy(update={"asked": f"good {i}"}) for i in range(500)] + [off]
    check = requirement.checks[1].model_copy(update={"findings": findings})
    page = Page(
        render(
            results.model_copy(update={"requirements": [requirement.model_copy(update={"checks": [check]})]})
        )
    )
    assert "glacier in test" in page.texts
    assert "good 0" in page.texts
    assert "good 499" not in page.texts
    assert "and 441 more findings, in results.json" in page.texts


def _themes() -> dict[str, dict[str, str]]:
    css = files("in4310.reporting").joinpath("templates", "base.css").read_text()
    roots = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root)) for root in roots[:2])
    return {"light": light, "dark": dark}


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_reaches_wcag_aa(theme: str) -> None:
    colours = _themes()[theme]
    tones = ("passed", "warned", "failed", "not-run")
    pairs = [
        (front, back) for front in ("ink", "muted", "link", *tones) for back in ("ground", "card", "soft")
    ]
    pairs += [("ink", f"{tone}-soft") for tone in tones] + [("card", "ink")]
    for front, back in pairs:
        dark, light = sorted((_luminance(colours[front]), _luminance(colours[back])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{front} on {back}"

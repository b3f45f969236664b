"""What all pages are: one self-contained file, made of a template, its style and its script, that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from in4310.judging.verdict import Outcome, Turn
from in4310.reporting.language import ENGLISH, counted, figure, marked, number, plural, totals, translations
from in4310.reporting.language_record import Said, reason, said, shown_in_page

SECURITY = (  # what a page may load: nothing but its own style and script, known by hash, and pictures in it
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"
)
WORDS = {
    Outcome.PASSED: marked("Passed"),
    Outcome.WARNED: marked("Passed, with a warning"),
    Outcome.OPEN: marked("For the teacher"),
    Outcome.FAILED: marked("Failed"),
    Outcome.NOT_RUN: marked("Not run"),
}
TURNS = {
    Turn.MENDED: marked("fixed"),
    Turn.BROKEN: marked("broken"),
    Turn.NEW: marked("new"),
    Turn.WARNED: marked("new warning"),
}
SHORT = {
    Outcome.PASSED: marked("passed"),
    Outcome.WARNED: marked("warned"),
    Outcome.OPEN: marked("for the teacher"),
    Outcome.FAILED: marked("failed"),
    Outcome.NOT_RUN: marked("not run"),
}

TALLY = {
    Outcome.PASSED: plural("%(num)s passed", "%(num)s passed"),
    Outcome.WARNED: plural("%(num)s warned", "%(num)s warned"),
    Outcome.OPEN: plural("%(num)s for the teacher", "%(num)s for the teacher"),
    Outcome.FAILED: plural("%(num)s failed", "%(num)s failed"),
    Outcome.NOT_RUN: plural("%(num)s not run", "%(num)s not run"),
}


def page(
    template: str | Template,
    *,
    styles: Sequence[str | Path] = (),
    scripts: Sequence[str] | None = (),
    language: str = ENGLISH,
    **values: Any,
) -> str:
    """A page as HTML text: a template that extends page.html.j2, with base.css and base.js before its own parts.

    styles, scripts: names of files beside the templates, or paths; scripts None: a page without any. A pure function:
    the same values give the same text.
    """
    style = "".join(part(name) for name in ("base.css", *styles))
    script = "" if scripts is None else "".join(part(name) for name in ("base.js", *scripts))
    return (
        environment(language)
        .get_template(template)
        .render(
            language=language,
            style=Markup(style),
            script=Markup(script),
            security=SECURITY.format(style=hash_of(style), script=hash_of(script) if script else "none"),
            **values,
        )
    )


@cache
def environment(language: str = ENGLISH) -> Environment:
    """Where templates are rendered: everything is escaped, and what is not defined is an error.

    Fixed texts of templates go through `_` and `ngettext`, which takes any number and fills in `%(num)s`; texts of the
    record through the filter `said`; numbers through `points` (two decimals at most), `number` (so many decimals) or
    `figure` (as it is).
    """
    made = Environment(
        loader=PackageLoader("in4310.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue = translations(language)
    made.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]

    def ngettext(one: str, many: str, n: float, **more: object) -> Markup:
        safe = {name: escape(value) for name, value in more.items()}
        return Markup(counted(one, many, n, language, **safe))

    made.globals["ngettext"] = ngettext
    made.filters.update(
        shown=shown_in_page,
        said=said(language),
        reason=reason(language),
        plain=str,  # of what was said, for an attribute: no part of it can be marked as English there
        slug=slug,
        word=lambda kind: catalogue.gettext(TURNS[kind] if isinstance(kind, Turn) else WORDS[kind]),
        short=lambda outcome: catalogue.gettext(SHORT[outcome]),
        points=lambda value: number(value, language),
        totals=lambda one: totals(one.points, one.max_points, one.open_points, language),
        number=lambda value, digits=0: number(value, language, digits, fixed=True),
        figure=lambda value: figure(value, language),
        tally=lambda outcome, n: counted(*TALLY[outcome], n, language),
        sentence=sentence,
        moment=moment,
    )
    return made


@cache
def part(name: str | Path) -> str:
    """A style or a script that pages are made of."""
    place = files("in4310.reporting") / "templates" / name if isinstance(name, str) else name
    return place.read_text(encoding="utf-8")


def hash_of(text: str) -> str:
    """The hash by which a page's policy knows its own style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def slug(text: str) -> str:
    """Letters, digits and '-': fit for an id or a class."""
    return re.sub(r"[^A-Za-z0-9]+", "-", str(text)).strip("-") or "x"


def sentence(text: str) -> str:
    """The text with a capital first letter, unless it begins with a name of code: 'model.eval() ...'."""
    first = text.split(" ", 1)[0]
    if re.search(r"[._()\[\]=/\d]", first.rstrip(".,:;")):
        return text
    if isinstance(text, Said) and text:
        (start, language), *rest = text.parts
        return Said(((start[:1].upper() + start[1:], language), *rest))
    return text[:1].upper() + text[1:]


def moment(text: str) -> str:
    """An ISO 8601 time as a reader likes it, '2026-11-27 13:05 UTC'; another text as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo else f"{at:%Y-%m-%d %H:%M}"

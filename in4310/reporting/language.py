"""The languages of the pages: English as it is written here, and what translates it."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from functools import cache

ENGLISH = "en"


@cache
def translations(language: str) -> gettext.NullTranslations:
    """What `_` and `ngettext` of the templates ask for the fixed texts of a page; English needs none."""
    return gettext.NullTranslations()


def said(language: str) -> Callable[[str], str]:
    """A function that gives a text of a record (a title, a reason, a mistake, how to mend it) in that language."""
    return str


def marked(text: str) -> str:
    """The text itself: marks it in the source as one that catalogues translate (gettext's N_)."""
    return text

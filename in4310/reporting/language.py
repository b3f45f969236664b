"""The languages of the pages: English as it is written here, and catalogues that translate it.

A catalogue is a gettext file, `locale/<language>/LC_MESSAGES/in4310.po`, read as it is: nothing is to be compiled, in a
checkout as in a wheel. `docs/messages.py` keeps it up to date. What it lacks is shown in English.
"""

from __future__ import annotations

import gettext
import io
import os
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from in4310.errors import InputError

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ENGLISH = "en"
VARIABLE = "IN4310_LANGUAGE"
DOMAIN = "LC_MESSAGES/in4310.po"
# '0.93', '12.5 %', '4.1 GiB'
FIGURE = re.compile(r"[-+]?(?<!\d)\d+\.\d+(?:e[-+]?\d+)?(?: ?(?:%|[A-Za-z]{1,3}))?")


@cache
def languages() -> tuple[str, ...]:
    """English, and those that there are catalogues for."""
    folder = files("in4310.reporting") / "locale"
    return (ENGLISH, *sorted(f.name for f in folder.iterdir() if (f / DOMAIN).is_file()))


def chosen(language: str | None = None) -> str:
    """The language asked for: the option, else the environment variable IN4310_LANGUAGE, else English.

    Raises InputError, one line, for one that there is no catalogue for.
    """
    asked, where = (language, "--language") if language else (os.environ.get(VARIABLE), VARIABLE)
    if not asked:
        return ENGLISH
    if asked not in languages():
        raise InputError(f"{where} {asked}: expected one of {', '.join(languages())}")
    return asked


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language other than English."""
    from babel.messages.pofile import read_po  # not at the top: English needs none of it

    text = (files("in4310.reporting") / "locale" / language / DOMAIN).read_bytes()
    return read_po(io.BytesIO(text), locale=language, charset="utf-8")


@cache
def translations(language: str) -> gettext.NullTranslations:
    """What `_` and `ngettext` of the templates ask for the fixed texts of a page; English needs none."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo

    stream = io.BytesIO()
    write_mo(stream, catalogue(language))  # leaves fuzzy ones out
    stream.seek(0)
    return gettext.GNUTranslations(stream)


def marked(text: str) -> str:
    """The text itself: marks it in the source as one that catalogues translate (gettext's N_)."""
    return text


def translated(text: str, language: str = ENGLISH, **filled: object) -> str:
    """A fixed text in that language, its places `%(name)s` filled in; a per cent sign is written `%%`."""
    return translations(language).gettext(text) % filled


def plural(one: str, many: str) -> tuple[str, str]:
    """Both forms of a text, marked as `marked` does: counted(*plural(...), n, language)."""
    return one, many


def counted(one: str, many: str, n: float, language: str = ENGLISH, **filled: object) -> str:
    """So many of something, with the number at `%(num)s`: counted("%(num)s point", "%(num)s points", 1.5, "nb")."""
    form = int(n) if n == int(n) else 2  # what is no whole number is one of many
    return translations(language).ngettext(one, many, form) % {"num": number(n, language), **filled}


def number(value: float, language: str = ENGLISH, digits: int = 2, fixed: bool = False) -> str:
    """A number as that language writes it: '103,67', '17 034'. At most `digits` decimals, or exactly so many."""
    from babel.numbers import format_decimal

    decimals = ("0" if fixed else "#") * digits
    return format_decimal(value, f"#,##0.{decimals}" if digits else "#,##0", locale=language)


def totals(earned: float, most: float, left: float = 0.0, language: str = ENGLISH) -> str:
    """'earned of judged, and so many for the teacher': of `most` points, of which `left` are not decided."""
    if left <= 1e-9:
        return translated(
            "%(earned)s of %(most)s", language, earned=number(earned, language), most=number(most, language)
        )
    open_ = translated("%(left)s for the teacher", language, left=number(left, language))
    if most - left <= 1e-9 and earned <= 1e-9:
        return open_
    judged = totals(earned, most - left, 0.0, language)
    return translated("%(judged)s, and %(open)s", language, judged=judged, open=open_)


def figure(value: object, language: str = ENGLISH) -> str:
    """A text of a record as it is, but for the decimal sign where it is a number, with a unit or without."""
    text = str(value)
    if language == ENGLISH or not FIGURE.fullmatch(text):
        return text
    from babel.numbers import get_decimal_symbol

    return text.replace(".", get_decimal_symbol(language))

"""Texts of a record in another language: results.json is English, and is translated as it is shown.

A text is looked up as it is; else it is compared with the messages that have places, "{0}: epochs recorded"; else taken
apart where sentences are joined. What no message fits stays English, and is marked as English for who hears the page.
Texts may come from a submission. Nothing of them is taken for a message with places, and the time is bounded: messages
are compared by looking for their fixed parts from left to right, never by a search that can go back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from heapq import merge

from markupsafe import Markup, escape

from in4310.judging.verdict import Check
from in4310.reporting.language import ENGLISH, catalogue, figure
from in4310.shown import LIMIT, shown

LONGEST = 1000  # letters of a text that is compared with messages; longer ones are looked up only
EFFORT = 200  # texts looked at, parts of parts included, before one is left in English
PARTS = 12  # sentences that are joined into one
SPACES = 6  # in the name of a file that a sentence is about
KEY = 3  # letters at the start and end by which messages are found
WEAK = 8  # letters below which a message that starts with a place, "{0} of {1}", is the last thing tried
STRONG = (
    12  # letters outside its places from which a message fits even where a place holds an English sentence
)
JOINS = ("; ", " or ", " and ", ", ")
PLACE = re.compile(r"\{(\d)\}")
NAME = re.compile(r"[\d./]")
FILE = re.compile(r"\.[a-z]\w{0,7}$")
PROSE = re.compile(r"[A-Za-z]{2}[,;:]? [a-z]{2}")
Parts = tuple[tuple[str, str], ...]  # text, and its language where that is not the page's


class Said(str):
    """A text of the record in the language of the page; `parts` are those of it in another one."""

    parts: Parts

    def __new__(cls, parts: Parts) -> Said:
        """Joined from its parts."""
        made = super().__new__(cls, "".join(text for text, _ in parts))
        made.parts = parts
        return made


def shown_in_page(text: object, limit: int = LIMIT) -> str:
    """As `shown`; parts in another language than the page's are marked so, for who hears it. Not for attributes."""
    whole = shown(text, limit)
    if not isinstance(text, Said) or not any(language for _, language in text.parts):
        return whole
    pieces, at = [], 0
    for part, language in text.parts:
        end = at + len(shown(part[:limit], 10 * limit))  # letters that it takes where all of it is shown
        piece, at = whole[at:end], end
        pieces.append(
            Markup('<span lang="{}">{}</span>').format(language, piece) if language else escape(piece)
        )
    return Markup("").join([*pieces, escape(whole[at:])])


def said(language: str) -> Callable[..., str]:
    """A function that gives a text of a record (a title, a reason, a mistake, how to mend it) in that language.

    Its second argument is the language that the text was written in, where that is not English, as of a teacher's own
    edition: it is then shown as it is.
    """

    def in_it(text: str, written_in: str = ENGLISH) -> str:
        if written_in == language:
            return str(text)
        if written_in != ENGLISH:
            return Said(((str(text), written_in),))
        return translator(language).said(str(text))

    return in_it


def reason(language: str) -> Callable[[Check], str]:
    """A function that gives the reason of a check in that language: said of its findings, as `Judge.reason` says it."""
    return (lambda check: check.reason) if language == ENGLISH else translator(language).reason


class Message:
    """A message with places: its fixed parts, and the translation as a list of texts and numbers of places."""

    def __init__(self, message: str, translation: str):
        pieces = PLACE.split(message)
        self.fixed = pieces[::2]
        self.numbers = [int(n) for n in pieces[1::2]]
        self.translation = [
            int(piece) if i % 2 else piece for i, piece in enumerate(PLACE.split(translation))
        ]
        self.letters = sum(ch.isalpha() for part in self.fixed for ch in part)
        self.weak = self.letters < WEAK and not self.fixed[0]

    def match(self, text: str) -> dict[int, str] | None:
        """What stands in its places, or None: fixed parts are found at the ends, and from left to right between."""
        first, *between, last = self.fixed
        end = len(text) - len(last)
        if len(first) > end or not text.startswith(first) or not text.endswith(last):
            return None
        found, at = [], len(first)
        for part in between:
            start = text.find(part, at, end)
            if start < 0:
                return None
            found.append(text[at:start])
            at = start + len(part)
        found.append(text[at:end])
        return dict(zip(self.numbers, found, strict=True))


class Translator:
    """Translates texts of records into one language. Keeps what it has translated: texts come again and again."""

    def __init__(self, messages: dict[str, str], language: str = ENGLISH):
        self.exact, self.language = messages, language
        self.by_key: dict[str, list[Message]] = {}
        for message, translation in messages.items():
            if PLACE.search(message):
                made = Message(message, translation)
                self.by_key.setdefault(self._key(made), []).append(made)
        for group in self.by_key.values():
            group.sort(key=_specific)
        self.said = lru_cache(20_000)(self.reading)

    @staticmethod
    def _key(message: Message) -> str:
        """Where a message is found: by how it starts, else by how it ends, else among the few others."""
        first, last = message.fixed[0], message.fixed[-1]
        return f"^{first[:KEY]}" if len(first) >= KEY else f"{last[-KEY:]}$" if len(last) >= KEY else ""

    def fitting(self, text: str) -> Iterator[tuple[Message, dict[int, str]]]:
        """Messages that fit and what stands in their places, the most specific first."""
        keys = (f"^{text[:KEY]}", f"{text[-KEY:]}$", "")
        for message in merge(*(self.by_key.get(key, ()) for key in keys), key=_specific):
            if (places := message.match(text)) is not None:
                yield message, places

    def reading(self, text: str) -> Said:
        """The text in this language, or as it is, marked as English where it is more than a name or a number.

        Always anew; `said` keeps what it has been asked.
        """
        return Said(_Reading(self).loosely(text))

    def reason(self, check: Check) -> Said:
        """One line for the verdict, made of the finding that it was made of; else as any other text."""
        for finding in check.findings:
            start = f"{finding.asked}: {finding.found}"
            if not check.reason.startswith(start):
                continue
            parts = [*self.said(finding.asked).parts, (": ", ""), *self.said(finding.found).parts]
            rest = check.reason[len(start) :]
            for message, given in ((", expected {0}", finding.expected), (" within {0}", finding.tolerance)):
                if given and rest.startswith(english := message.replace("{0}", given)):
                    parts += self._filled(message, given)
                    rest = rest[len(english) :]
            number = re.fullmatch(r" \((?:and )?(\d{1,9})( more| findings)\)", rest)
            if number:
                message = " (and {0} more)" if number[2] == " more" else " ({0} findings)"
                parts += self._filled(message, number[1])
            if number or not rest:
                return Said(tuple(parts))
        return self.said(check.reason)

    def _filled(self, message: str, given: str) -> Parts:
        before, _, after = self.exact.get(message, message).partition("{0}")
        return ((before, ""), *self.said(given).parts, (after, ""))


def _specific(message: Message) -> int:
    return -message.letters


class _Reading:
    """How one text is taken apart; `left` bounds the effort."""

    def __init__(self, translator: Translator):
        self.translator, self.left = translator, EFFORT
        self.tried: dict[str, Parts | None] = {}

    def loosely(self, text: str) -> Parts:
        """Translated as far as it can be."""
        if (parts := self.wholly(text)) is not None:
            return parts
        if len(text) <= LONGEST:
            for message, places in self.translator.fitting(text):
                if message.letters >= STRONG:
                    return self._fill(message, {n: self._place(t) for n, t in places.items()})
        return ((text, ENGLISH if PROSE.search(text[:LONGEST]) else ""),)

    def _place(self, text: str) -> Parts:
        return self.wholly(text) or ((text, ENGLISH if PROSE.search(text) else ""),)

    def wholly(self, text: str) -> Parts | None:
        """Translated so that no sentence of it stays English; None where that cannot be. Names and numbers stay."""
        if text in self.tried:
            return self.tried[text]
        self.left -= 1
        self.tried[text] = None  # while it is looked at
        if self.left >= 0:
            self.tried[text] = self._wholly(text)
        return self.tried[text]

    def _wholly(self, text: str) -> Parts | None:
        if (translation := self.translator.exact.get(text)) is not None:
            return ((translation, ""),)
        if len(text) > LONGEST:
            return None
        fitting = list(self.translator.fitting(text))
        known = self._fitted(m for m in fitting if not m[0].weak)
        known = known or self._detailed(text) or self._joined(text)
        known = known or self._fitted(m for m in fitting if m[0].weak) or self._named(text)
        return known or (None if PROSE.search(text) else ((figure(text, self.translator.language), ""),))

    def _fitted(self, fitting: Iterable[tuple[Message, dict[int, str]]]) -> Parts | None:
        for message, found in fitting:
            places: dict[int, Parts] = {}
            for number, given in found.items():
                if (parts := self.wholly(given)) is None:
                    break
                places[number] = parts
            else:
                return self._fill(message, places)
        return None

    @staticmethod
    def _fill(message: Message, places: dict[int, Parts]) -> Parts:
        parts: list[tuple[str, str]] = []
        for piece in message.translation:
            parts += places[piece] if isinstance(piece, int) else [(piece, "")]
        return tuple(part for part in parts if part[0])

    def _detailed(self, text: str) -> Parts | None:
        """'sentence (details)' and 'sentence; see place', as diagnoses say it; a place is a file and a line of code."""
        head, see, place = text.rpartition("; see ")
        if see and (parts := self.wholly(head)) is not None:
            before, _, after = self.translator.exact.get("; see {0}", "; see {0}").partition("{0}")
            return (*parts, (before + place + after, ""))
        head, bracket, inner = text.partition(" (")
        if bracket and inner.endswith(")") and (parts := self.wholly(head)) is not None:
            details = self.wholly(inner[:-1])
            if details is not None and (_known(parts, head) or _known(details, inner[:-1])):
                return (*parts, (" (", ""), *details, (")", ""))
        return None

    def _joined(self, text: str) -> Parts | None:
        """Sentences with '; ', 'or', 'and' or a comma between: the longest that is known first."""
        for join in JOINS:
            pieces = text.split(join, PARTS)
            for count in range(len(pieces) - 1, 0, -1):
                head, rest = self.wholly(join.join(pieces[:count])), join.join(pieces[count:])
                if head is None:
                    continue
                if (tail := self.wholly(rest)) is not None:
                    return (*head, (self.translator.exact.get(join, join), ""), *tail)
                if (tail := self.wholly(join + rest)) is not None:  # "; together with {0}"
                    return (*head, *tail)
        return None

    def _named(self, text: str) -> Parts | None:
        """'name: sentence', the name of a file, a set or a setting; 'file sentence'; 'figure unit'."""
        end = text.find(" ")
        for space in range(SPACES):  # names of files have spaces, too
            if end > 0 and (FILE.search(text[:end][-9:]) if space else NAME.search(text[:end])):
                rest = text[end + 1 :]
                if (parts := self.wholly(rest)) is not None and _known(parts, rest):
                    return ((f"{figure(text[:end], self.translator.language)} ", ""), *parts)
            end = text.find(" ", end + 1)
        name, colon, sentence = text.partition(": ")
        parts = self.wholly(sentence) if colon and sentence else None
        if parts is None or not _known(parts, sentence):
            return None
        return (*(self.wholly(name) or ((name, ""),)), (colon, ""), *parts)


def _known(parts: Parts, text: str) -> bool:
    """Whether a text was found, and is not only a name or a number that stays as it is."""
    return parts != ((text, ""),)


@cache
def translator(language: str) -> Translator:
    """That of a language with a catalogue."""
    found = {m.id: m.string for m in catalogue(language) if isinstance(m.id, str) and m.id and not m.fuzzy}
    return Translator({k: v for k, v in found.items() if isinstance(v, str) and v}, language)

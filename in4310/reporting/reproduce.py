"""The command that gives a verdict again: copied into a shell, it judges the same check of the same submission."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from in4310.judging.edition import stock_editions
from in4310.judging.verdict import Results
from in4310.shown import shown

LONGEST = 400  # letters of a path; a longer one is for who gave it to write


def judge_again(results: Results) -> list[str]:
    """The words of the command that judges the whole submission again, by the same edition on the same data.

    Of a report that was handed out: in the folder of the hand-in, wherever that is; none where the edition is a
    teacher's own, which nobody else has.
    """
    return [] if _out_of_reach(results) else quoted(["in4310", "check", *_options(results)])


def check_again(results: Results, checks: Iterable[str]) -> list[str]:
    """The words of the command that runs only these checks of the record, and prints each with its verdict."""
    return (
        []
        if _out_of_reach(results)
        else quoted(["pytest", *_options(results, "--submission"), "-k", selection(results, list(checks))])
    )


def quoted(words: Iterable[str]) -> list[str]:
    """The words as a POSIX shell reads them, nothing hidden in them; joined by spaces they are the command."""
    return [shlex.quote(shown(word, 10 * len(word))) for word in words]


def selection(results: Results, checks: Sequence[str]) -> str:
    """pytest's -k for checks of the record. It looks for parts of names, so longer names are taken out again."""
    every = [c.name for r in results.requirements for c in r.checks]
    also = [name for name in every if name not in checks and any(wanted in name for wanted in checks)]
    # A check whose name holds another wanted one is found by that.
    wanted = [name for name in checks if not any(other != name and other in name for other in checks)]
    found = " or ".join(wanted)
    if also:
        found = f"({found})" if len(wanted) > 1 else found
    return " and not ".join([found, *also])


def _out_of_reach(results: Results) -> bool:
    return bool(results.given and results.given.handed_out and results.given.edition not in stock_editions())


def _options(results: Results, *option: str) -> list[str]:
    given = results.given
    far = bool(given and given.handed_out)
    words = [*option, "." if far else _word(given.submission if given else results.submission, "SUBMISSION")]
    words += ["--edition", _word(given.edition if given else results.edition, "EDITION")]
    data = given.data if given else results.data.root if results.data else ""
    if data:
        words += ["--data", "DATA" if far else _word(data, "DATA")]
    if given and given.full:
        words.append("--full")
    if given and given.trusted:
        words.append("--trust-submissions")
    if given and not given.rehearsal:
        words.append("--no-rehearsal")
    return words


def _word(text: str, otherwise: str) -> str:
    """The text, or a word in its place where a page cannot show it as it is: hidden letters, or endless."""
    return text if text not in ("", "?") and shown(text, LONGEST) == text else otherwise

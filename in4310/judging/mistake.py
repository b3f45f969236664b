"""What a known mistake is, and that one gives the figures handed in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from in4310.submission.source import Call

Places = Callable[[Iterable[Call]], list[Call]]
SEEN = "seen"  # a mistake of form: it is seen in what was handed in, without computing anything again


@dataclass(frozen=True)
class Hypothesis:
    """A known mistake. `about`: the kind of figure; the registry's key is 'about/name'.

    `figure` computes what would have been handed in, or for a mistake of form, says whether it is seen; its
    arguments depend on `about` (see the module of that name). `sentence` is for the student, as the continuation
    of 'these figures come out if ...', with '{}' where a match fills in what it saw. `mend` may be '' where the
    check says it. `places` picks calls of the student's own source that would be the mistake, asked only when the
    figures speak for it.
    """

    name: str
    about: str
    sentence: str
    mend: str
    link: str
    figure: Callable[..., Any]
    places: Places | None = None
    expensive: bool = False


@dataclass(frozen=True)
class Match:
    """A mistake, or a pair of them, that gives the figures handed in.

    `under` and `without`: largest difference if the mistake was made, and if none was; `count`: figures compared;
    `filled`: what stands in the places of its sentence.
    """

    mistakes: tuple[Hypothesis, ...]
    under: float
    without: float
    count: int
    what: str = "figures"
    detail: str = ""
    places: tuple[str, ...] = ()
    filled: tuple[object, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its hypotheses."""
        return tuple(h.name for h in self.mistakes)

    @property
    def mistake(self) -> str:
        """What was done, in words that are the same for everyone who did it."""
        return " and ".join(h.sentence.format(*self.filled) for h in self.mistakes)

    @property
    def sentence(self) -> str:
        """For the student: the mistake, where the source shows it, and how well it fits."""
        where = f"; see {' and '.join(self.places[:3])}" if self.places else ""
        return f"{self.mistake}{f' ({self.detail})' if self.detail else ''}{where}"

    @property
    def quality(self) -> str:
        """How well it fits, beside how well no mistake does."""
        if self.what == SEEN:
            return "seen in what was handed in"
        if self.what == "places":
            return f"{self.count} places: {self.under:.0f} differ, against {self.without:.0f} without the mistake"
        against = f"{self.without:.1e}" if math.isfinite(self.without) else "another number of rows"
        return f"{self.count} {self.what}: largest difference {self.under:.1e}, against {against} without the mistake"

"""What a hypothesis is, the registry of all, and which of those that fit is named."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from in4310.submission.source import Call

SECONDS = 120.0  # of processor time, for all diagnoses of one submission; cheap hypotheses first
ALIKE = 10.0  # matches within this factor of the best one fit alike: rounding decides between them, not the mistake
NOISE = 1e-6  # float32 arithmetic: below it, a better fit means nothing
CLEARER = 5.0  # a mistake must explain the figure so many times better than no mistake does

Places = Callable[[Iterable[Call]], list[Call]]


@dataclass(frozen=True)
class Hypothesis:
    """A known mistake. `about`: scores, metrics, ranking, non_positive or eigenvalues.

    `figure` computes what would have been handed in; its arguments depend on `about` (see the module of that name).
    `sentence` is for the student, as the continuation of 'these figures come out if ...'; `places` picks calls of the
    student's own source that would be the mistake, asked only when the figures speak for it.
    """

    name: str
    about: str
    sentence: str
    mend: str
    link: str
    figure: Callable[..., Any]
    places: Places | None = None
    expensive: bool = False


REGISTRY: dict[str, Hypothesis] = {}


def hypothesis(
    about: str,
    name: str,
    sentence: str,
    mend: str,
    link: str,
    places: Places | None = None,
    expensive: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a hypothesis. Raises ValueError for a name that is taken."""

    def register(figure: Callable[..., Any]) -> Callable[..., Any]:
        key = f"{about}/{name}"
        if key in REGISTRY:
            raise ValueError(f"hypothesis {key} is registered twice")
        REGISTRY[key] = Hypothesis(name, about, sentence, mend, link, figure, places, expensive)
        return figure

    return register


def known(about: str) -> list[Hypothesis]:
    """All hypotheses about a kind of figure, cheap ones first, else in the order of their registration."""
    found = [h for h in REGISTRY.values() if h.about == about]
    return sorted(found, key=lambda h: h.expensive)


@dataclass(frozen=True)
class Match:
    """A mistake, or a pair of them, that gives the figures handed in.

    `under` and `without`: largest difference if the mistake was made, and if none was; `count`: figures compared.
    """

    mistakes: tuple[Hypothesis, ...]
    under: float
    without: float
    count: int
    what: str = "figures"
    detail: str = ""
    places: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its hypotheses."""
        return tuple(h.name for h in self.mistakes)

    @property
    def mistake(self) -> str:
        """What was done, in words that are the same for everyone who did it."""
        return " and ".join(h.sentence for h in self.mistakes)

    @property
    def sentence(self) -> str:
        """For the student: the mistake, where the source shows it, and how well it fits."""
        where = f"; see {' and '.join(self.places[:3])}" if self.places else ""
        return f"{self.mistake}{f' ({self.detail})' if self.detail else ''}{where}"

    @property
    def quality(self) -> str:
        """How well it fits, beside how well no mistake does."""
        if self.what == "places":
            return f"{self.count} places: {self.under:.0f} differ, against {self.without:.0f} without the mistake"
        against = f"{self.without:.1e}" if math.isfinite(self.without) else "another number of rows"
        return f"{self.count} {self.what}: largest difference {self.under:.1e}, against {against} without the mistake"


def fits(under: float, without: float, tolerance: float) -> bool:
    """Whether a mistake explains figures that are wrong: within tolerance, and clearly better than no mistake."""
    return under <= tolerance < without and under * CLEARER <= without


def best(matches: Iterable[Match]) -> list[Match]:
    """The smallest and closest; all that fit alike are kept, the first of each name, at most four."""
    found = list(matches)
    if not found:
        return []
    fewest = min(len(m.mistakes) for m in found)
    found = [m for m in found if len(m.mistakes) == fewest]
    closest = min(m.under for m in found)
    alike = [m for m in found if m.under <= max(ALIKE * closest, NOISE)]
    unique = {m.names: m for m in sorted(alike, key=lambda m: -m.under)}
    return sorted(unique.values(), key=lambda m: m.under)[:4]


@dataclass
class Budget:
    """Time for the diagnoses of one submission, in seconds of the processor: a busy machine finds what an idle one does."""

    seconds: float = SECONDS
    _used: float = 0.0
    ran_out: bool = False
    fruitless: set[str] = field(default_factory=set)  # kinds of figures for which nothing was found before
    _since: list[float] = field(default_factory=list)

    def __enter__(self) -> Budget:
        self._since.append(time.process_time())
        return self

    def __exit__(self, *_: object) -> None:
        self._used += time.process_time() - self._since.pop()

    def worthwhile(self, about: str) -> bool:
        """Whether to try expensive hypotheses: there is time, and they were not tried in vain on a figure of its kind."""
        return self.left and about not in self.fruitless

    @property
    def left(self) -> bool:
        """Whether there is time for another expensive hypothesis."""
        running = time.process_time() - self._since[0] if self._since else 0.0
        if self._used + running > self.seconds:
            self.ran_out = True
        return not self.ran_out


def located(mistakes: Iterable[Hypothesis], source: Callable[[], Iterable[Call]]) -> tuple[str, ...]:
    """Places in the student's own source that would be the mistakes, as 'evaluate.py:41 ...'."""

    def all_places() -> Iterator[str]:
        for mistake in mistakes:
            if mistake.places is not None:
                for call in mistake.places(list(source()))[:3]:
                    yield f"{call.place}: {call.text}"

    return tuple(dict.fromkeys(all_places()))

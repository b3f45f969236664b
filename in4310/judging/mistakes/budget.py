"""How long mistakes are searched for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from in4310.submission.source import Call

if TYPE_CHECKING:
    from in4310.judging.evidence import Evidence

SECONDS = 120.0  # of processor time, for all diagnoses of one submission; cheap hypotheses first


@dataclass
class Budget:
    """Time for the diagnoses of one submission, in seconds of the processor: a busy machine finds what an idle one does."""

    seconds: float = SECONDS
    source: Callable[[], Iterable[Call]] = tuple
    _used: float = 0.0
    ran_out: bool = False
    fruitless: set[str] = field(default_factory=set)  # kinds of figures for which nothing was found before
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # by family
    _since: list[float] = field(default_factory=list)

    @staticmethod
    def of(evidence: Evidence) -> Budget:
        """The one of a submission; places of mistakes are looked up in its source."""
        found: Budget = evidence.once(("budget",), lambda: Budget(source=lambda: evidence.source))
        return found

    def __enter__(self) -> Budget:
        self._since.append(time.process_time())
        return self

    def __exit__(self, *_: object) -> None:
        self._used += time.process_time() - self._since.pop()

    @contextmanager
    def on(self, family: str) -> Iterator[None]:
        """Whatever is done inside is of a family of mistakes."""
        began = time.process_time()
        try:
            yield
        finally:
            self.spent[family] += time.process_time() - began

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

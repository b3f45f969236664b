"""What a check records while it looks: findings, figures with tolerances, pictures, and the way to mend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from in4310.judging.mistake import Match
from in4310.judging.verdict import RESTS_ON, Diagnosis, Finding, Outcome, Picture, overall

SHOWN = 12  # offending items listed in a finding; the count is always given
WIDTH = 300


def listed(items: Iterable[Any], shown: int = SHOWN) -> list[str]:
    """The first items as short texts, and how many more there are."""
    texts = [str(item)[:WIDTH] for item in items]
    more = [f"and {len(texts) - shown} more"] if len(texts) > shown else []
    return texts[:shown] + more


class Judge:
    """Recorder of one check. A check that records no finding is an error of the judge, never a pass."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.pictures: list[tuple[Picture, bytes]] = []
        self.mend = ""
        self.mistake = ""
        self.rests_on = RESTS_ON[0]
        self.covered = 1.0  # share of what was asked for that is there to be judged
        self._counts: list[Finding] = []
        self.diagnoses: list[Diagnosis] = []

    def expect(
        self,
        good: bool,
        asked: str,
        found: object,
        expected: object = "",
        *,
        tolerance: str = "",
        details: Iterable[Any] = (),
        mend: str = "",
        mistake: str | Sequence[Match] = "",
        otherwise: Outcome = Outcome.FAILED,
    ) -> bool:
        """Record a finding; when not good it fails the check (or only warns). Returns `good`."""
        outcome = Outcome.PASSED if good else otherwise
        self.findings.append(
            Finding(
                outcome=outcome,
                asked=asked,
                found=str(found)[:WIDTH],
                expected=str(expected)[:WIDTH],
                tolerance=tolerance,
                details=listed(details),
            )
        )
        if not good:
            self.mend = self.mend or mend
            if not isinstance(mistake, str):
                self.blame([] if self.mistake else mistake)
            else:
                self.mistake = self.mistake or mistake
        return bool(good)

    def close(
        self,
        asked: str,
        found: float,
        expected: float,
        tolerance: float,
        why: str = "",
        *,
        digits: int = 4,
        **how: Any,
    ) -> bool:
        """Record whether two figures agree; NaN agrees with nothing."""
        good = math.isfinite(found) and math.isfinite(expected) and abs(found - expected) <= tolerance
        texts = (f"{found:.{digits}f}", f"{expected:.{digits}f}")
        return self.expect(good, asked, *texts, tolerance=f"{tolerance:g} {why}".strip(), **how)

    def warn(self, asked: str, found: object, expected: object = "", **how: Any) -> None:
        """Record something that a reader must know and that costs no points."""
        self.expect(False, asked, found, expected, otherwise=Outcome.WARNED, **how)

    def remark(self, good: bool, asked: str, found: object, **how: Any) -> None:
        """Record something beside what was asked for: it may warn, and neither costs nor earns."""
        self.expect(good, asked, found, otherwise=Outcome.WARNED, **how)
        self._counts.append(self.findings[-1])

    def leave(self, asked: str, found: object, expected: object = "", **how: Any) -> None:
        """Record something that nobody saw: its points are the teacher's to give, unless the edition trusts."""
        self.expect(False, asked, found, expected, otherwise=Outcome.OPEN, **how)

    def cover(self, share: float, asked: str, found: object, expected: object, **how: Any) -> bool:
        """Record how much of what was asked for is there, 0 to 1: a check earns at most that share of its points."""
        share = min(1.0, max(0.0, share))
        self.covered = min(self.covered, share)
        good = self.expect(share >= 1, asked, found, expected, **how)
        self._counts.append(self.findings[-1])
        return good

    def rest(self, on: str) -> None:
        """Say what the verdict rests on, in the words of `RESTS_ON`; of several the weakest counts."""
        self.rests_on = max(self.rests_on, on, key=RESTS_ON.index)

    def blame(self, matches: Sequence[Match]) -> None:
        """Name the mistakes that give these figures; those that fit alike are joined by 'or'. Nothing for no match."""
        if not matches:
            return
        said = " or ".join(match.sentence for match in matches)
        self.mistake = f"{self.mistake}; {said}" if self.diagnoses else said
        mends = dict.fromkeys(h.mend for match in matches for h in match.mistakes if h.mend)
        self.mend = "; ".join(mends) or self.mend
        self.diagnoses += [
            Diagnosis(
                names=list(match.names),
                mistake=match.mistake,
                sentence=match.sentence,
                quality=match.quality,
                mend="; ".join(h.mend for h in match.mistakes if h.mend) or self.mend,
                links=list(dict.fromkeys(h.link for h in match.mistakes if h.link)),
            )
            for match in matches
        ]

    def picture(self, png: bytes, caption: str, alt: str, suffix: str = "png") -> None:
        """Attach a picture; its file name is given when the report is written."""
        self.pictures.append((Picture(file=f".{suffix}", caption=caption, alt=alt), png))

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings."""
        return overall([f.outcome for f in self.findings])

    def share(self, *outcomes: Outcome) -> float:
        """Share of what was asked for that came out so, for checks that give partial credit."""
        looked = [f for f in self.findings if not any(f is count for count in self._counts)]
        if not looked:
            return self.covered if self.findings and Outcome.PASSED in outcomes else 0.0
        return self.covered * sum(f.outcome in outcomes for f in looked) / len(looked)

    @property
    def reason(self) -> str:
        """One line for the verdict: the first finding that decided it, and how many more there are."""
        deciding: Sequence[Finding] = [f for f in self.findings if f.outcome is self.outcome]
        if not deciding:
            return "nothing was looked at"
        first, rest = deciding[0], f" (and {len(deciding) - 1} more)"
        if self.outcome is Outcome.PASSED:
            first = max(deciding, key=lambda f: bool(f.expected or f.tolerance))
            rest = f" ({len(deciding)} findings)"
        return _sentence(first) + (rest if len(deciding) > 1 else "")


def _sentence(finding: Finding) -> str:
    expected = f", expected {finding.expected}" if finding.expected else ""
    tolerance = f" within {finding.tolerance}" if finding.tolerance and finding.expected else ""
    return f"{finding.asked}: {finding.found}{expected}{tolerance}"

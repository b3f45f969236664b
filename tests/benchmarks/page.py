"""The benchmark page: every claim with its goal and what was measured, the machine, and how cost grows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scale import Fit, duration, fit, serial_share, speed_up

from in4310.reporting.page import environment, page
from in4310.solution.saving import write_aside

HERE = Path(__file__).parent
SAID = {
    "claim",
    "goal",
    "ratio",
    "unit",
    "met",
    "scale",
    "processes",
}  # what has a place of its own on the page
# Words of a figure's name that state its unit, and how it is said instead.
UNITS = (
    (re.compile(r"\bseconds(?: each)?\b"), lambda value: duration(value)),
    (re.compile(r"\bmib\b", re.IGNORECASE), lambda value: f"{value:,.0f} MiB"),
    (re.compile(r"\bpercent(?: of\b)?"), lambda value: f"{said(value)} %"),
    (re.compile(r"^times\b"), lambda value: f"{said(value)} times"),
    (re.compile(r"\bimages per second\b"), lambda value: f"{said(value)} images/s"),
)
CARRIED_ON = {"images": 1_000_000, "submissions": 5000}
PROCESSES = 64


@dataclass(frozen=True)
class Claim:
    """One benchmark: what is compared, goal and measurement in its unit, whether that meets it, and more figures."""

    group: str
    what: str
    goal: str
    ratio: float
    unit: str
    met: bool | None
    figures: list[tuple[str, str]]


@dataclass(frozen=True)
class Growth:
    """How the cost of something grows with a number (`over`): measured points, the line, and where it leads."""

    what: str
    over: str
    points: list[tuple[float, float]]
    line: Fit
    far: int

    @property
    def leads_to(self) -> str:
        """The line's time at `far`."""
        return duration(self.line.at(self.far))

    def place(self, n: float, seconds: float) -> tuple[float, float]:
        """Where a point lies in a picture of 400 x 160, both axes logarithmic, from the first point to `far`."""
        first = min(self.points)[0]
        low, high = self._seconds()
        across = math.log(n / first) / math.log(self.far / first)
        up = math.log(seconds / low) / math.log(high / low)
        return round(400 * across, 1), round(160 * (1 - up), 1)

    def path(self, start: float, end: float) -> str:
        """The line from n = start to n = end, as points of an SVG polyline."""
        steps = [start * (end / start) ** (i / 24) for i in range(25)]
        return " ".join("{},{}".format(*self.place(n, self.line.at(n))) for n in steps)

    def _seconds(self) -> tuple[float, float]:
        every = [s for _, s in self.points] + [self.line.at(min(self.points)[0]), self.line.at(self.far)]
        low, high = min(every), max(every)
        return (low, high) if high > low else (low / 2, low * 2)


@dataclass(frozen=True)
class Processes:
    """Seconds of the same work in one process and in two, each with one thread; carried on by Amdahl's law."""

    what: str
    one: float
    two: float

    @property
    def efficiency(self) -> float:
        """Percent of twice as fast."""
        return 100 * self.one / (2 * self.two)

    @property
    def many(self) -> float:
        """Times faster than one with `PROCESSES` processes, if the serial share stays what it is."""
        return speed_up(PROCESSES, serial_share(self.one, self.two))


def write_benchmarks(record: Mapping[str, Any], folder: Path) -> Path:
    """Write index.html of the benchmarks into `folder`, and return its path."""
    text = render_benchmarks(record)
    return write_aside(folder / "index.html", lambda file: file.write(text.encode()))


def render_benchmarks(record: Mapping[str, Any]) -> str:
    """The page of one pytest-benchmark record. A pure function: the same record gives the same text."""
    claims = [claim for b in record["benchmarks"] if (claim := _claim(b)) is not None]
    judged = [claim for claim in claims if claim.met is not None]
    return page(
        environment().from_string((HERE / "page.html.j2").read_text(encoding="utf-8")),
        styles=[HERE / "page.css"],
        claims=claims,
        groups=list(dict.fromkeys(claim.group for claim in claims)),
        met=sum(bool(claim.met) for claim in judged),
        judged=len(judged),
        growths=[g for b in record["benchmarks"] for g in _growths(b.get("extra_info", {}))],
        parallel=[p for b in record["benchmarks"] for p in _processes(b.get("extra_info", {}))],
        processes=PROCESSES,
        machine=_machine(record),
        made_at=str(record.get("datetime", ""))[:19].replace("T", " "),
        commit=str(record.get("commit_info", {}).get("id", ""))[:12],
        duration=duration,
        said=said,
    )


def _claim(benchmark: Mapping[str, Any]) -> Claim | None:
    info = benchmark.get("extra_info", {})
    if "claim" not in info or "ratio" not in info or info.get("scale") or info.get("processes"):
        return None
    figures = [one for key, value in info.items() if key not in SAID for one in _figures(key, value)]
    return Claim(
        str(benchmark.get("group") or "others"),
        str(info["claim"]),
        str(info.get("goal") or ""),
        float(info["ratio"]),
        str(info.get("unit", "")),
        info.get("met"),
        figures,
    )


def _growths(info: Mapping[str, Any]) -> list[Growth]:
    found = info.get("scale") or []
    return [
        Growth(
            str(one.get("what") or info.get("claim", "")),
            str(one["x"]),
            [(float(n), float(s)) for n, s in one["points"]],
            fit([(float(n), float(s)) for n, s in one["points"]]),
            CARRIED_ON.get(str(one["x"]), 10 * round(max(n for n, _ in one["points"]))),
        )
        for one in ([found] if isinstance(found, Mapping) else found)
    ]


def _processes(info: Mapping[str, Any]) -> list[Processes]:
    found = info.get("processes")
    return [Processes(str(found["what"]), float(found["one"]), float(found["two"]))] if found else []


def _machine(record: Mapping[str, Any]) -> dict[str, str]:
    info = record.get("machine_info", {})
    yes = {True: "yes", False: "no"}
    told = {
        str(key): yes[value] if isinstance(value, bool) else str(value)
        for key, value in info.get("in4310", {}).items()
    }
    return told | {"Python": str(info.get("python_version", ""))}


def _figures(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Name and figure of what else a benchmark measured, with its unit; of several things measured, one each.

    Where ours is among them, the others are said in proportion to it, too.
    """
    name, unit = key.replace("_", " "), said
    for word, form in UNITS:
        if word.search(name):
            name, unit = " ".join(word.sub("", name).split()).replace(" ,", ",").strip(", "), form
            break
    if isinstance(value, Mapping):
        ours = value.get("ours")
        for who, one in value.items():
            times = f" ({said(one / ours)} times ours)" if ours and who != "ours" and _is_number(one) else ""
            yield f"{name}, {who}".removeprefix(", "), _with_unit(one, unit) + times
    elif isinstance(value, list | tuple):
        yield name, ", ".join(_with_unit(one, unit) for one in value)
    else:
        yield name, _with_unit(value, unit)


def _with_unit(value: Any, unit: Any) -> str:
    return unit(value) if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def said(value: float) -> str:
    """A number to three digits, '31.2' or '17,034'; with an exponent where it is small or large beyond reading."""
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"

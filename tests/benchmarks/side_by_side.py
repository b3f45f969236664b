"""Times of several things in one run, such that their ratio means something."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def seconds(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def turns(usual: int) -> range:
    """How often to measure: as IN4310_ROUNDS says, which is 1 where it is only shown that a benchmark runs."""
    return range(int(os.environ.get("IN4310_ROUNDS", usual)))


def amount(usual: int, shown: int) -> int:
    """How much to measure with: as little as `shown` where it is only shown that a benchmark runs."""
    return shown if len(turns(2)) == 1 else usual


def in_turn(*runs: Callable[[], object], rounds: int = 5, warm: int = 1) -> list[list[float]]:
    """Seconds of each, turn by turn, so that other load and a drifting clock fall on all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for round_ in range(len(turns(rounds)) + warm):
        for run, record in zip(runs, times, strict=True):
            taken = seconds(run)
            if round_ >= warm:
                record.append(taken)
    return times


def median_ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median over the turns of slow to fast."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


class OwnProcess:
    """A function of a benchmark's file, timed in a process of its own: with glibc's allocator as it comes.

    What our code asks of the allocator holds for the process from then on, and would make a peer in it faster too.
    The process waits between its turns.
    """

    def __init__(self, file: str, function: str, *arguments: object, warm: bool = True):
        code = (
            f"import sys, time; sys.path.insert(0, {str(Path(file).parents[1])!r})\n"
            f"from benchmarks.{Path(file).stem} import {function} as make\n"
            f"run = make(*{arguments!r}); {warm} and run(); print(flush=True)\n"
            "for _ in sys.stdin:\n"
            "    begun = time.perf_counter(); run(); print(time.perf_counter() - begun, flush=True)\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # ready: nothing of its start falls on what is timed beside it

    def seconds(self) -> float:
        """Seconds of one call there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

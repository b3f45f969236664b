"""What the walls cost one hand-in: read in a confined child, beside the same readers in the judge's own process, in turn.

Counted is processor time, of the judge and of what was forked for the hand-in: other load on the machine falls on all alike.
"""

import statistics
import time
from pathlib import Path

import pytest
from benchmarks.side_by_side import turns

from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import load_edition
from in4310.submission import placed
from in4310.submission.folder import Submission
from in4310.submission.pieces import KINDS
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Sandbox
from in4310.submission.sandbox.zygote import descendants

GOAL = 60.0
ROUNDS = 15


def milliseconds(sandbox, folder, wanted):
    """Processor time of the judge and of the child with its keeper, for all pieces and both networks."""
    begun, forked = time.process_time(), 0.0
    with Readers(sandbox, folder) as readers:
        submission = Submission(folder, wanted, readers)
        assert [piece for piece in KINDS if not submission.candidates(piece)] == ["report"]
        for piece in ("model", "untuned"):
            submission.network(piece)
        own = time.process_time() - begun
        if sandbox is not None:
            processes = descendants(readers._worker._watch.pid)
            forked = (
                sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in processes) / 1e9
            )
    return 1e3 * own, 1e3 * forked


@pytest.mark.benchmark(group="reading one hand-in")
def test_what_the_walls_cost(benchmark, claim, reference, monkeypatch):
    """Two weights files of 45 MB among all pieces: read by the judge where the child says, and sent as before."""
    edition = load_edition("demo")
    wanted = hints(edition, resolve_data(edition, None))
    with Sandbox() as sandbox:
        if not sandbox.tier.confined:
            pytest.skip(f"nothing can be confined here: {sandbox.tier.describe()}")
        opened = placed.Source.__init__

        def sent():
            with monkeypatch.context() as patch:
                patch.setattr(
                    placed.Source,
                    "__init__",
                    lambda source, path, limit: (opened(source, path, limit), setattr(source, "status", []))[
                        0
                    ],
                )
                return milliseconds(sandbox, reference, wanted)

        ways = {
            "here": lambda: milliseconds(None, reference, wanted),
            "said": lambda: milliseconds(sandbox, reference, wanted),
            "sent": sent,
        }
        for way in ways.values():
            way()
        taken = {name: [] for name in ways}
        for _ in turns(ROUNDS):
            for name, way in ways.items():
                taken[name].append(way())
        benchmark.pedantic(ways["said"], rounds=1)
    more = {
        n: [sum(a) - sum(b) for a, b in zip(taken[n], taken["here"], strict=True)] for n in ("said", "sent")
    }
    claim(
        "reading a hand-in with two weights files of 45 MB in a confined child, beside reading it in the judge",
        round(statistics.median(more["said"]), 1),
        "ms of processor time more",
        at_most=GOAL,
        **{
            "more where the weights are sent": round(statistics.median(more["sent"]), 1),
            "judge and child": {
                n: [round(statistics.median(part), 1) for part in zip(*t, strict=True)]
                for n, t in taken.items()
            },
            "least of both together": {n: round(min(map(sum, t)), 1) for n, t in taken.items()},
        },
    )

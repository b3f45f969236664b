"""What a class costs against its size: `in4310 grade`, whole commands, with one job and with two.

Hand-ins are those of tests/grading/generated.py without weights, so that five hundred are judged in minutes: what is
measured is the queue, taking in, the checks that need no network, reports, gradebook and exports. What the network
costs comes on top for each, by test_grading.py. IN4310_CLASS: the sizes, '10,50,100,500'.
"""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from grading.generated import Light

from in4310.grading.gradebook import GRADEBOOK, Gradebook
from in4310.grading.marks import Status

SIZES = [int(size) for size in os.environ.get("IN4310_CLASS", "10,50,100,500").split(",")]


def light(reference, place, count):
    """`count` hand-ins of all kinds, none of them with weights."""
    place.mkdir()
    Light(reference, place)(count)
    return place


def graded(place, out, jobs):
    """Seconds of one `in4310 grade`; every hand-in has one verdict."""
    command = [
        sys.executable,
        "-m",
        "in4310",
        "grade",
        str(place),
        "--edition",
        "demo",
        "--out",
        str(out),
        "--jobs",
    ]
    began = time.perf_counter()
    done = subprocess.run([*command, str(jobs), "--quiet"], capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    assert done.returncode in (0, 1), done.stderr
    with Gradebook(out / GRADEBOOK, must_exist=True) as book:
        marks = book.marks()
    assert len(marks) == len(list(place.iterdir()))
    assert all(mark.status in (Status.DONE, Status.FAILED) for mark in marks)
    return took


@pytest.mark.slow
@pytest.mark.benchmark(group="a class, against its size")
@pytest.mark.parametrize("jobs", [1, 2])
def test_scale(benchmark, reference, tmp_path, jobs):
    points = [
        [
            size,
            round(
                graded(light(reference, tmp_path / f"class{size}", size), tmp_path / f"out{size}", jobs), 2
            ),
        ]
        for size in SIZES
    ]
    sizes, took = np.array(points).T
    each, start = np.polyfit(sizes, took, 1) if len(points) > 1 else (took[0] / sizes[0], 0.0)
    worst = float(np.abs(start + each * sizes - took).max() / took.max())
    benchmark.extra_info.update(
        {
            "claim": f"`in4310 grade --jobs {jobs}` on classes of {', '.join(map(str, SIZES))} hand-ins without weights",
            "goal": "in proportion to their number: a straight line within 15 % of the longest",
            "ratio": round(float(each), 3),
            "unit": "seconds each",
            "met": len(points) > 2 and worst <= 0.15,
            "seconds before the first": round(float(start), 2),
            "farthest from the line, share of the longest": round(worst, 3),
            "scale": {
                "what": f"a class, hand-ins without weights, {jobs} job{'s' if jobs > 1 else ''}",
                "x": "submissions",
                "points": points,
                "jobs": jobs,
            },
        }
    )
    smallest = tmp_path / f"class{SIZES[0]}"
    benchmark.pedantic(graded, args=(smallest, tmp_path / "again", jobs), rounds=1)

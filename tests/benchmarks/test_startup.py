"""Start-up: what help and version cost, whole processes, and that they import nothing heavy."""

import json
import resource
import statistics
import subprocess
import sys
import time

import pytest
from benchmarks.side_by_side import turns

COMMANDS = {"help": ["--help"], "help of check": ["check", "--help"], "version": ["--version"]}
HEAVY = {"torch", "torchvision", "numpy", "matplotlib", "scipy", "sklearn", "pydantic", "pytest", "PIL", "jinja2",
         "rich", "safetensors"}  # fmt: skip
LOOK = """
import json, sys
sys.argv = ["in4310", *sys.argv[1:]]
try:
    from in4310.cli import main
    main()
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""
GOAL = 0.3
ROUNDS = 7


def seconds(command):
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    return took


def processor_seconds():
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_nothing_heavy_is_imported(arguments):
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "in4310" in done.stdout
    imported = set(json.loads(done.stderr.splitlines()[-1]))
    assert "click" in imported, "the list is not that of the command"
    assert not imported & HEAVY


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_startup(benchmark, arguments):
    ours = [sys.executable, "-m", "in4310", *arguments]
    bare = [sys.executable, "-c", "pass"]
    seconds(ours)  # compiled files are there from now on
    before = processor_seconds()
    for _ in turns(ROUNDS):
        seconds(ours)
    computed = (processor_seconds() - before) / len(turns(ROUNDS))
    pairs = [(seconds(ours), seconds(bare)) for _ in turns(ROUNDS)]
    taken = statistics.median(a for a, _ in pairs)
    benchmark.extra_info.update(
        {
            "claim": f"`in4310 {' '.join(arguments)}`, the whole process",
            "goal": f"under {GOAL} s, no import of torch",
            "ratio": round(taken, 3),
            "unit": "seconds each",
            "met": taken < GOAL,
            "times a bare `python -c pass`": round(statistics.median(a / b for a, b in pairs), 2),
            "least seconds": round(min(a for a, _ in pairs), 3),
            "processor seconds, whatever else the machine did": round(computed, 3),
        }
    )
    benchmark.pedantic(seconds, args=(ours,), rounds=1)

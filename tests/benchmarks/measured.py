"""A record as pytest-benchmark writes it, with claims of every kind, growth and processes."""

from __future__ import annotations


def one(what: str, **more: object) -> dict:
    info = {"claim": what, "goal": "at least 2 times", "ratio": 3.14159, "unit": "times", "met": True}
    return {"name": what, "group": "training", "extra_info": info | more}


def measured() -> dict:
    scale = {"what": "decoding", "x": "images", "points": [[600, 0.7], [6000, 6.1]]}
    return {
        "machine_info": {"in4310": {"processor": "A <fast> one", "cores": 2}, "python_version": "3.11.7"},
        "datetime": "2026-11-27T14:00:00.123",
        "commit_info": {"id": "0123456789abcdef"},
        "benchmarks": [
            one("step", images_per_second=31.2),
            one("loop", ratio=2.5, goal="at most 1 % over", unit="% over", met=False),
            one("no goal", goal="", met=None),
            one("growth", scale=scale),
            one("two", processes={"what": "an epoch", "one": 10.0, "two": 6.0}),
            {"name": "not a claim", "group": "x", "extra_info": {}},
        ],
    }

"""What runs when: markers of this repository's own tests. Fixtures of judging come from the in4310 plugin."""

import os
from pathlib import Path

import pytest


def pytest_configure(config):
    for line in (
        "slow: longer than a few seconds; left out of the default run, run with -m slow",
        "gpu: needs CUDA; skipped with the reason where there is none",
        "realdata: needs the course's photographs; found through IN4310_DATA, else skipped with the reason",
    ):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(config, items):
    """Benchmarks run under --benchmark-only; tests that lack a GPU or the photographs say so."""
    if not config.getoption("benchmark_only", False):
        benchmarks = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if item not in benchmarks]
    for item in items:
        if item.get_closest_marker("gpu") and not cuda():
            item.add_marker(pytest.mark.skip(reason="needs CUDA: torch finds no GPU here"))
        if item.get_closest_marker("realdata") and not photographs():
            item.add_marker(
                pytest.mark.skip(reason="needs the course's photographs: set IN4310_DATA to their folder")
            )


def cuda():
    import torch

    return torch.cuda.is_available()


def photographs():
    folder = os.environ.get("IN4310_DATA", "")
    return bool(folder) and (Path(folder) / "scenes").is_dir()


@pytest.fixture(scope="session")
def photos():
    """The folder of real photographs: scenes/<class>/*.jpg, imagenet/*.JPEG, cifar10/<class>/*.jpg."""
    return Path(os.environ["IN4310_DATA"])


@pytest.fixture(scope="session")
def reference():
    """The reference solution's own submission for the demo edition; made once, kept in the cache."""
    from in4310.judging.data import resolve_data
    from in4310.judging.edition import load_edition
    from in4310.reference import reference_submission

    edition = load_edition("demo")
    return reference_submission(edition, resolve_data(edition, None))

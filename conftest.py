"""What runs when, and beside what. Fixtures of judging come from the in4310 plugin."""

import ctypes
import gc
import os
import platform
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from in4310.places import CACHE_VARIABLE, cache_folder

PROCESSES = 2
ROOM = 1.5 * 2**30  # bytes of memory of one
SPREAD = ("tests/faults/test_catalogue.py", "tests/attacks/", "tests/submission/sandbox/")
"""Long files, whose tests may run in several processes. All others stay in one, which makes their fixtures."""
MINUTES = (
    *("tests/grading/test_load.py", "tests/grading/test_engines.py", "tests/grading/test_commands.py"),
    *("tests/cli/test_run.py", "tests/rehearsal/test_judged.py", "tests/realdata/test_photographs.py"),
)
"""Files whose few slow tests take minutes: they come first, or one process would wait for the other at the end."""


def pytest_addoption(parser):
    today = datetime.now(UTC).date().toordinal()
    parser.addoption(
        "--seed",
        type=int,
        default=today,
        help="seed of the mistakes that are drawn; by default that of the day",
    )


def pytest_report_header(config):
    return f"seed of what is drawn: {config.option.seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Whole folders of tests run in two processes of one thread each: those of more threads would wait for each other.

    Not where -n says otherwise, a submission is judged, or one file or test was asked for: it starts at once then.
    """
    option = config.option
    if hasattr(config, "workerinput") or not hasattr(option, "numprocesses"):
        return  # one of the processes; xdist is not installed
    if option.benchmark_only:
        if option.numprocesses:
            raise pytest.UsageError("benchmarks measure time: run them without -n")
        return
    whole = all(Path(argument).is_dir() for argument in config.args)
    if (
        option.numprocesses is None
        and option.dist == "no"
        and whole
        and not (option.in4310_submission or option.usepdb)
    ):
        option.numprocesses = PROCESSES
    if option.numprocesses:
        option.loadscopereorder = False  # `in_order` puts them in order
        os.environ["OMP_NUM_THREADS"] = "1"  # of torch and of BLAS, in these processes and in what they start


def scope_of(nodeid):
    """What stays in one process: the tests of a file, and all checks."""
    if nodeid.startswith(SPREAD):
        return nodeid
    return nodeid.partition("::" if "/requirements/" not in nodeid else "/test_")[0]


def needs_the_reference(item):
    """Whether a test takes the trained reference, itself or as the plugin's evidence; not one of its file's own."""
    given = item._fixtureinfo.name2fixturedefs
    return any(given[name][-1].scope == "session" for name in ("reference", "evidence") if name in given)


def in_order(items):
    """Long files first, so that both processes end together; but the reference is trained while others run.

    It takes minutes where the cache has none: one file asks for it at once, and those that would wait for it come last.
    """
    files = {}
    for item in items:
        files.setdefault(scope_of(item.nodeid), []).append(item)
    longest = sorted(files.values(), key=lambda those: (not _takes_minutes(those), -len(those)))
    waiting = [those for those in longest if any(map(needs_the_reference, those))]
    free = [those for those in longest if those not in waiting]
    return [item for those in (*waiting[:1], *free, *waiting[1:]) for item in those]


def _takes_minutes(items):
    return any(item.nodeid.startswith(MINUTES) and item.get_closest_marker("slow") for item in items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file stays in one process, and so do the checks, which judge one submission; not where --dist was given."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return scope_of(nodeid)

    return ByFile(config, log) if config.option.dist == "load" else None


def pytest_configure(config):
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings

        settings.register_profile("in4310", deadline=None)  # on a busy machine an example takes seconds
        settings.load_profile("in4310")
    for line in (
        "alone: measures time or memory, or needs both cores: no other test runs meanwhile",
        "slow: longer than a few seconds; left out of the default run, run with -m slow",
        "gpu: needs CUDA; skipped with the reason where there is none",
        "realdata: needs the course's photographs; found through IN4310_DATA, else skipped with the reason",
    ):
        config.addinivalue_line("markers", line)
    if config.rootpath == Path(__file__).parent:  # else the checks here judge for somebody elsewhere
        config.pluginmanager.import_plugin("faults.table")
        # pytester gives each test a home of its own, in which the embedded data would be drawn anew: ten seconds.
        os.environ.setdefault(CACHE_VARIABLE, str(cache_folder()))


@pytest.hookimpl(trylast=True)  # what is left out is not counted
def pytest_collection_modifyitems(config, items):
    """Benchmarks run under --benchmark-only; tests that lack a GPU or the photographs say so."""
    if not config.getoption("benchmark_only", False):
        benchmarks = [item for item in items if "benchmark" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if item not in benchmarks]
    if hasattr(config, "workerinput"):
        items[:] = in_order(items)
    for item in items:
        if item.get_closest_marker("gpu") and not cuda():
            item.add_marker(pytest.mark.skip(reason="needs CUDA: torch finds no GPU here"))
        if item.get_closest_marker("realdata") and not photographs():
            item.add_marker(
                pytest.mark.skip(reason="needs the course's photographs: set IN4310_DATA to their folder")
            )


@contextmanager
def company(folder, alone):
    """Tests share a room, into which one that must be alone lets nobody else; who waits for it holds the door.

    folder: of all processes of a run; the locks lie there.
    """
    import fcntl

    with ExitStack() as stack:
        door, room = (stack.enter_context((folder / name).open("w")) for name in ("door", "room"))
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
        fcntl.flock(room, fcntl.LOCK_UN)  # not by closing it: a process that was forked holds it open, too


@pytest.fixture(autouse=True)
def _company(request, tmp_path_factory):
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        yield
        return
    with company(tmp_path_factory.getbasetemp().parent, request.node.get_closest_marker("alone") is not None):
        yield


def pytest_collection_finish():
    gc.freeze()  # what is imported stays: to look for garbage after a test need not pass over it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """After a long test its memory goes back: evidence and its views hold each other, and glibc keeps what was freed.

    Two processes had grown to nine GiB each, and one of them was killed for it.
    """
    yield
    if item.get_closest_marker("slow") and psutil.Process().memory_info().rss > ROOM:
        gc.collect()
        if platform.libc_ver()[0] == "glibc":
            ctypes.CDLL(None).malloc_trim(0)


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

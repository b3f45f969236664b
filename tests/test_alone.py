"""A test that is marked `alone` runs while no other does (conftest.py of the repository)."""

import contextlib
import threading
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl", reason="needs locks of Unix")


@pytest.fixture
def company(request):
    found = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    return found.company


@contextlib.contextmanager
def may_enter(place, how):
    """Whether another process would get the lock now; it has it meanwhile."""
    with place.open("w") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@pytest.mark.parametrize(
    ("alone", "how", "free"),
    [(False, "LOCK_SH", True), (False, "LOCK_EX", False), (True, "LOCK_SH", False), (True, "LOCK_EX", False)],
)
def test_who_may_run_beside_a_test(company, tmp_path, alone, how, free):
    with company(tmp_path, alone), may_enter(tmp_path / "room", getattr(fcntl, how)) as entered:
        assert entered is free
    with may_enter(tmp_path / "room", fcntl.LOCK_EX) as entered:
        assert entered, "it is over"


def test_nobody_slips_in_before_one_that_waits_to_be_alone(company, tmp_path):
    inside, leave = threading.Event(), threading.Event()

    def alone():
        with company(tmp_path, True):
            inside.set()
            leave.wait()

    waiting = threading.Thread(target=alone, daemon=True)
    with company(tmp_path, False):
        waiting.start()
        closed = False
        while not closed:  # until it stands in the door
            with may_enter(tmp_path / "door", fcntl.LOCK_EX) as entered:
                closed = not entered
        assert not inside.is_set()
    assert inside.wait(60), "the room is empty: it may enter"
    with may_enter(tmp_path / "room", fcntl.LOCK_SH) as entered:
        assert not entered
    leave.set()
    waiting.join()

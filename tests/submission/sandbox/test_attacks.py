"""Code that tries to harm the judge, to outlive its worker, or to be taken for something else; in each tier."""

import os
import select
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from in4310.errors import NotJudged
from in4310.submission.sandbox.probes import traps
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.visible import readable_by_others, unreachable
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed
from in4310.submission.sandbox.zygote import descendants

pytestmark = pytest.mark.slow  # thirty seconds, all of them run in CI


def kind(outcome):
    return outcome.kind if isinstance(outcome, WorkerFailed) else outcome


def nothing_is_left(sandbox):
    return len(descendants(sandbox._zygote.pid)) == 1


def modes():
    return [Path(place).stat().st_mode for place in ("/etc", "/etc/passwd")]


def ended(descriptor):
    """Whether a process, given as a pidfd, ends within ten seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(10_000))


def test_without_walls_the_probes_get_over_them(sandbox):
    """A probe that finds every wall standing where there is none would prove nothing."""
    with Sandbox(sandbox.limits) as other, traps() as arguments:
        other._tier = Tier(False, False)
        with other.worker(None, trusted=True) as worker:
            tried = worker.call("probe", arguments).result
    got_over = {name for name, got in tried.items() if got}
    expected = {
        "read a file of the judge",
        "list the files of others",
        "connect over TCP",
        "send over UDP",
        "reach the judge's abstract socket",
        "reach the judge's named socket",
        "make a user namespace",
        "hide memory from the watch",
        "watch a folder of the judge",
        "have the kernel signal the judge",
        "own the signals of a socket",
        "widen the buffers of a socket",
        "widen a pipe",
    }
    if not Path("/proc/sys/user/max_user_namespaces").exists() or os.geteuid() != 0:
        expected.discard("make a user namespace")
    assert expected <= got_over


def test_tiers_are_found_by_trying(monkeypatch, sandbox):
    with Sandbox() as other:
        real = Sandbox._worker
        monkeypatch.setattr(
            Sandbox,
            "_worker",
            lambda self, folder, tier, limits: real(self, folder, Tier(False, False), limits),
        )
        assert not other.tier.confined
        assert "read a file of the judge" in other.tier.why
        with pytest.raises(WorkerFailed, match="not isolated"), other.worker(None):
            pass


BOMB = """
import os, time
def f():
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            block = bytearray(os.urandom(1 << 20) * 300)
            time.sleep(60)
    time.sleep(60)
"""


def test_memory_of_daemons_is_counted(either, run_either):
    assert kind(run_either(BOMB)) == "memory"
    assert nothing_is_left(either)


def test_memory_is_watched_between_calls(sandbox, submission):
    source = (
        "import threading, os\nkept = []\ndef hog():\n"
        "    while True:\n        kept.append(os.urandom(1 << 20) * 64)\n"
        "def f():\n    threading.Thread(target=hog, daemon=True).start()\n    return 1"
    )
    folder = submission(source, "mycode.py")
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "mycode:f"}).result == 1
        worker._watch._thread.join(15)
        with pytest.raises(WorkerFailed, match="MiB over all its processes") as failure:
            worker.call("ping", {})
    assert failure.value.kind == "memory"


@pytest.mark.parametrize(
    "hide",
    [
        "libc.memfd_create(b'x', 0)",
        "libc.shmget(0, ctypes.c_size_t(1 << 20), 0o1600)",
        "libc.msgget(0, 0o1600)",
        "libc.syscall(319 if platform.machine() == 'x86_64' else 279, b'x', 0)",
    ],
)
def test_memory_that_no_process_maps_cannot_be_had(run_either, hide):
    source = f"import ctypes, platform\nlibc = ctypes.CDLL(None)\ndef f():\n    return {hide}"
    assert run_either(source) == -1


def test_daemons_end_with_their_worker(either, run_either):
    source = (
        "import os, signal\ndef f():\n"
        "    for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n"
        "    for _ in range(4):\n"
        "        if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            if os.fork() == 0:\n                while True: pass\n"
        "            os._exit(0)\n    os._exit(0)"
    )
    assert kind(run_either(source)) == "died"
    assert nothing_is_left(either)


def test_a_fork_bomb_harms_nobody(either, run_either):
    source = "import os\ndef f():\n    while True:\n        try: os.fork()\n        except OSError: pass"
    assert isinstance(run_either(source, seconds=1), WorkerFailed)
    assert nothing_is_left(either)
    with either.worker(None) as worker:
        assert worker.call("ping", {"a": 1}).result == {"a": 1}


def test_nothing_is_left_on_disk(either, run_either):
    source = (
        "import os\ndef f():\n    home = os.environ['HOME']\n"
        "    os.makedirs(home + '/a/b/c')\n    open(home + '/a/b/file', 'w').write('x')\n"
        "    os.symlink('/etc', home + '/a/link')\n"
        "    os.chmod(home + '/a/b', 0)\n    os.chmod(home + '/a', 0)\n    return home"
    )
    before = set(Path("/tmp").iterdir()), modes()
    home = run_either(source)
    assert home.startswith("/tmp")
    new = set(Path("/tmp").iterdir()) - before[0]
    own = [f"-{pid}-" for pid in (os.getpid(), either._zygote.pid)]  # other tests run beside this one
    assert not [
        p
        for p in new
        if p.name.startswith(("in4310-private", "in4310-visible")) and any(o in p.name for o in own)
    ]
    assert modes() == before[1]


def test_signals_reach_no_one_else(either, run_either):
    with either.worker(None):
        pass
    source = (
        "import os, signal\ndef f():\n"
        f"    for target in (-1, 0, os.getppid(), 1, {either._zygote.pid}, {os.getpid()}):\n"
        "        try: os.kill(target, signal.SIGSTOP if target == 0 else signal.SIGKILL)\n"
        "        except OSError: pass\n    return 1"
    )
    assert kind(run_either(source, seconds=1)) in (1, "died", "timeout")
    with either.worker(None) as worker:
        assert worker.call("ping", {}).result == {}


def test_the_judges_limits_and_priority_stay(run_either):
    source = (
        "import os, resource\ndef f():\n    done = []\n"
        f"    for name, act in (('limit', lambda: resource.prlimit({os.getpid()}, resource.RLIMIT_CORE, (0, 0))),\n"
        f"                      ('priority', lambda: os.setpriority(os.PRIO_PROCESS, {os.getpid()}, 19)),\n"
        f"                      ('cores', lambda: os.sched_setaffinity({os.getpid()}, [0]))):\n"
        "        try:\n            act()\n            done.append(name)\n        except OSError: pass\n    return done"
    )
    assert run_either(source) == []


def test_unix_sockets_of_the_user_cannot_be_reached(run_either, tmp_path):
    place = f"/tmp/in4310-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        try:
            Path(place).chmod(0o777)
            server.listen()
            source = (
                f"import socket\ndef f():\n    s = socket.socket(socket.AF_UNIX)\n    s.connect({place!r})"
            )
            assert kind(run_either(source)) == "failed"
        finally:
            Path(place).unlink()


def test_a_closed_output_does_not_keep_the_judge_busy(run):
    start = time.process_time()
    assert (
        kind(
            run("import os, time\ndef f():\n    os.close(1)\n    os.close(2)\n    time.sleep(60)", seconds=1)
        )
        == "timeout"
    )
    assert time.process_time() - start < 0.6


def test_a_judge_with_many_open_files(sandbox):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with sandbox.worker(None) as worker:
            assert worker.call("ping", {}).result == {}
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_output_is_given_back_and_bounded(sandbox, submission):
    folder = submission("def f():\n    print('a' * 100_000)\n    return 1", "mycode.py")
    with sandbox.worker(folder) as worker:
        answer = worker.call("call", {"target": "mycode:f"})
        assert 0 < len(answer.output) < 100_000
        assert set(answer.output) <= {"a", "\n"}


def test_a_second_process_that_answers_too(sandbox, submission):
    folder = submission("import os\ndef f():\n    os.fork()\n    return os.getpid()", "mycode.py")
    with sandbox.worker(folder) as worker:
        with suppress(WorkerFailed):
            assert isinstance(worker.call("call", {"target": "mycode:f"}).result, int)
        with suppress(WorkerFailed):  # the second answer is to a question that is over
            assert worker.call("ping", {"a": 1}).result == {"a": 1}
    assert nothing_is_left(sandbox)


def test_code_registered_for_the_end_does_not_answer(run):
    source = (
        "import atexit, os, struct, json, threading\n"
        "class D:\n    def __del__(self): late()\n"
        "def late():\n"
        "    raw = json.dumps({'nonce': '', 'document': {'result': 'late'}, 'arrays': []}).encode()\n"
        "    for d in range(3, 9):\n"
        "        try: os.write(d, struct.pack('<Q', len(raw)) + raw)\n"
        "        except OSError: pass\n"
        "atexit.register(late)\nkept = D()\ndef f():\n    threading.Timer(60, late).start()\n    return 'mine'"
    )
    assert run(source) == "mine"


def test_an_answer_given_early_is_not_taken_for_a_later_question(sandbox, submission):
    source = (
        "import os, struct, json\ndef f():\n"
        "    raw = json.dumps({'nonce': 'a' * 32, 'document': {'result': 'forged'}, 'arrays': []}).encode()\n"
        "    import threading, gc\n"
        "    def later():\n"
        "        import time; time.sleep(0.2)\n"
        "        for d in range(3, 9):\n"
        "            try: os.write(d, struct.pack('<Q', len(raw)) + raw)\n"
        "            except OSError: pass\n"
        "    threading.Thread(target=later).start()\n    return 1\n"
        "def g():\n    import time; time.sleep(1)\n    return 'honest'"
    )
    folder = submission(source, "mycode.py")
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "mycode:f"}).result == 1
        with pytest.raises(WorkerFailed, match="forged"):
            worker.call("call", {"target": "mycode:g"})


@pytest.mark.parametrize(
    "source",
    [
        "class E(Exception):\n    def __str__(self): raise self\ndef f():\n    raise E",
        "class E(BaseException):\n    def __str__(self): return '\\ud800\\x1b'\ndef f():\n    raise E",
    ],
)
def test_exceptions_that_cannot_be_shown(run, source):
    failure = run(source)
    assert kind(failure) == "failed"
    str(failure).encode()


def test_the_environment_holds_nothing_of_the_judge(submission, sandbox, monkeypatch):
    monkeypatch.setenv("IN4310_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/hunter2")
    source = (
        "import os\ndef f():\n    found = [str(dict(os.environ))]\n"
        "    for name in ('environ', 'cmdline'):\n"
        "        try: found.append(open('/proc/1/' + name).read())\n"
        "        except OSError: pass\n    return found"
    )
    folder = submission(source, "mycode.py")
    with Sandbox(sandbox.limits) as other:
        other._tier = sandbox.tier
        with other.worker(folder) as worker:
            found = str(worker.call("call", {"target": "mycode:f"}).result)
    assert "PATH" in found
    assert "hunter2" not in found
    assert "pytest" not in found.replace(str(folder), "")


def test_where_the_judge_is_killed_nothing_goes_on(sandbox, submission, either):
    source = (
        "import os, signal\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n"
        "        while True: signal.pause()\n    return 1"
    )
    folder = submission(source, "mycode.py")
    with Sandbox(sandbox.limits) as other:
        other._tier = either.tier
        with other.worker(folder) as worker:
            worker.call("call", {"target": "mycode:f"})
            pids = descendants(other._zygote.pid)
            assert len(pids) == 4
            watched = [os.pidfd_open(pid) for pid in pids]
            try:
                os.kill(other._zygote.pid, signal.SIGKILL)
                assert all(ended(descriptor) for descriptor in watched)
            finally:
                for descriptor in watched:
                    os.close(descriptor)
            with pytest.raises((WorkerFailed, NotJudged)):  # who killed it is not known in each tier
                worker.call("ping", {})
        if either is sandbox:  # once is enough: it takes two seconds
            with other.worker(folder) as worker:  # by a new zygote
                assert worker.call("ping", {"a": 2}).result == {"a": 2}


def test_workers_side_by_side(either, submission):
    folder = submission("import os\ndef f():\n    os._exit(1)", "mycode.py")
    with either.worker(folder) as first, either.worker(folder) as second:
        with pytest.raises(WorkerFailed):
            first.call("call", {"target": "mycode:f"})
        assert second.call("ping", {"a": 1}).result == {"a": 1}
        array = np.arange(5, dtype=np.int16)
        assert second.call("ping", {}, {"x": array}).arrays["x"].tolist() == [0, 1, 2, 3, 4]
    assert nothing_is_left(either)


def test_pipes_and_links_in_a_private_submission(sandbox, submission):
    folder = submission("def f():\n    return 'read'", "mycode.py")
    os.mkfifo(folder / "pipe")
    (folder / "etc").symlink_to("/etc")
    (folder / "loop").symlink_to(".")
    folder.chmod(0o700)
    before = modes()
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "mycode:f"}).result == "read"
    assert modes() == before
    with readable_by_others(folder, parents=True) as visible:
        assert visible is not None
        assert (visible / "mycode.py").is_file()


def test_too_large_an_answer_is_refused(sandbox, run):
    source = "import numpy as np\ndef f():\n    return np.zeros(1 << 22)"
    failure = run(source, limits=replace(sandbox.limits, answer_bytes=2**20))
    assert kind(failure) == "protocol"
    assert "claims 33554432 bytes" in str(failure)


def test_a_python_that_an_ordinary_user_cannot_enter(tmp_path):
    (tmp_path / "root" / "python").mkdir(parents=True)
    place = str(tmp_path / "root" / "python")
    (tmp_path / "root").chmod(0o700)
    assert unreachable([place]) == str(tmp_path / "root")  # the innermost one is named
    assert unreachable(["/usr"]) == ""

"""What code of a submission can and cannot do, tried from inside; what the judge makes of a child that misbehaves."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from in4310.submission.sandbox.doctor import examine
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed


def kind(outcome):
    return outcome.kind if isinstance(outcome, WorkerFailed) else outcome


def test_every_wall_holds(sandbox):
    assert {wall.tried: wall.how for wall in examine(sandbox) if not wall.holds} == {}


@pytest.mark.slow
def test_without_namespaces_landlock_and_seccomp_hold(sandbox):
    with Sandbox(sandbox.limits) as other:
        other._tier = Tier(namespaces=False, landlock=True)
        assert {wall.tried: wall.how for wall in examine(other) if not wall.holds} == {}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_roots_own_python_serves_without_namespaces(landlocked, submission, monkeypatch, tmp_path):
    """As in a container where Python was installed into root's home: an ordinary user could not open its files."""
    private = tmp_path / "root" / "site-packages"
    private.mkdir(parents=True)
    (private / "installed.py").write_text("ANSWER = 42")
    (tmp_path / "root" / "secret").write_text("closed")
    (tmp_path / "root").chmod(0o700)
    monkeypatch.setattr("sys.path", [*sys.path, str(private)])
    source = f"""
def f():
    import installed
    try:
        return open({str(tmp_path / "root" / "secret")!r}).read()
    except OSError:
        return installed.ANSWER
"""
    with Sandbox(landlocked.limits) as other:
        other._tier = landlocked._tier
        with other.worker(submission(source, "mycode.py")) as worker:
            assert worker.call("call", {"target": "mycode:f"}).result == 42


def test_where_nothing_can_be_confined_nothing_is_run(submission):
    with Sandbox() as other:
        other._tier = Tier(False, False, "for this test")
        with pytest.raises(WorkerFailed, match="not isolated"), other.worker(submission("")):
            pass


def test_arrays_and_values_come_back_as_they_were(run):
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = run("def f(x):\n    return {'sum': float(x.sum()), 'list': [1, 'a', None, True]}", x=given)
    assert result == {"sum": 15.0, "list": [1, "a", None, True]}


def test_half_precision_tensors_and_nan_are_numbers(sandbox, submission):
    folder = submission(
        "import torch\ndef f():\n    return torch.tensor([1.0, float('nan')]).bfloat16(), float('inf')",
        "mycode.py",
    )
    with sandbox.worker(folder) as worker:
        answer = worker.call("call", {"target": "mycode:f"})
    assert answer.result == [{"array": "array0"}, {"number": "inf"}]
    np.testing.assert_array_equal(answer.arrays["array0"], np.array([1.0, np.nan], dtype=np.float32))


@pytest.mark.parametrize(
    ("source", "expected", "says"),
    [
        ("def f():\n    return object()", "refused", "object"),
        ("def f():\n    raise SystemExit(0)", "failed", "SystemExit"),
        ("def g():\n    pass", "refused", "no function 'f'"),
        ("import nothing_like_it\n", "refused", "nothing_like_it"),
        ("def f():\n    raise ValueError('\\x1b[31mred\\n')", "failed", "U+001B"),
        ("import os\ndef f():\n    os._exit(0)", "died", "ended without an answer"),
        ("import ctypes\ndef f():\n    ctypes.string_at(0)", "died", "ended"),
        (
            "import sys\ndef f():\n    while True:\n        sys.stdout.write('x' * 10000)",
            "output",
            "printed more",
        ),
        ("def f():\n    x = []\n    x.append(x)\n    return x", "refused", "nested"),
        ("def f():\n    return b'bytes'", "refused", "bytes"),
    ],
)
def test_answers_that_are_none(run, source, expected, says):
    failure = run(source)
    assert kind(failure) == expected
    assert says in str(failure)
    assert not any(ord(ch) < 32 for ch in str(failure))


def test_a_loop_that_is_deaf_to_signals_is_ended(run):
    source = (
        "import signal\ndef f():\n"
        "    for n in range(1, 32):\n"
        "        try: signal.signal(n, signal.SIG_IGN)\n"
        "        except OSError: pass\n"
        "    signal.alarm(0)\n    while True: pass"
    )
    assert kind(run(source, seconds=1)) == "timeout"


def test_a_disk_filler_fills_its_own_room_only(run):
    source = (
        "import os\ndef f():\n    written = 0\n    try:\n"
        "        for i in range(100):\n"
        "            with open(f'/tmp/{i}', 'wb') as file: written += file.write(bytes(1 << 20))\n"
        "    except OSError: pass\n    return written"
    )
    written = run(source)
    assert 0 < written <= 2**24


def test_nothing_is_left_for_the_next(run, namespaces):
    leave = (
        "import os\ndef f():\n    os.makedirs(os.environ['HOME'] + '/.cache', exist_ok=True)\n"
        "    open('/tmp/left', 'w').write('poison')\n    open('/dev/shm/left', 'w').write('x')\n"
        "    return os.listdir('/tmp')"
    )
    look = "import os\ndef f():\n    return os.listdir('/tmp') + os.listdir('/dev/shm')"
    before = run(look)
    assert {"left", ".cache"} <= set(run(leave))
    assert run(look) == before


def test_another_submission_is_not_there(sandbox, submission, tmp_path, run, namespaces):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "scores.npy").write_bytes(b"theirs")
    source = f"def f():\n    return open({str(tmp_path / 'other' / 'scores.npy')!r}).read()"
    assert "No such file" in str(run(source))


def test_neither_checks_nor_reference_can_be_reached(run_either):
    source = (
        "import os, sys\ndef f():\n    found = []\n"
        "    for name in ('in4310.solution.scores', 'in4310.judging.evidence', 'in4310.requirements'):\n"
        "        try:\n            __import__(name); found.append(name)\n        except (ImportError, OSError): pass\n"
        "    return found + [m for m in sys.modules if m.startswith(('in4310.solution', 'in4310.judging', '_pytest'))]"
    )
    assert run_either(source) == []


def test_files_named_like_libraries_do_not_hide_them(sandbox, submission):
    for name in ("torch", "random", "json", "in4310"):
        submission("raise SystemExit('mine was imported')", f"{name}.py")
    folder = submission(
        "import torch, random, json\ndef f():\n    return str(torch.__version__)", "mycode.py"
    )
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "mycode:f"}).result == str(torch.__version__)


def test_links_out_of_the_submission_lead_nowhere(sandbox, submission, namespaces):
    folder = submission("def f():\n    return open('/submission/link').read()", "mycode.py")
    (folder / "link").symlink_to("/etc/hostname")
    with sandbox.worker(folder) as worker, pytest.raises(WorkerFailed, match="No such file"):
        worker.call("call", {"target": "mycode:f"})


FORGE = """
import os, struct, json
def f():
    header = json.dumps({"nonce": "0" * 32, "document": {"result": "forged"}, "arrays": []}).encode()
    for descriptor in range(3, 64):
        try: os.write(descriptor, struct.pack("<Q", len(header)) + header)
        except OSError: pass
    return "honest"
"""


def test_an_answer_to_another_question_is_not_taken(run):
    failure = run(FORGE)
    assert kind(failure) == "protocol"
    assert "forged" in str(failure)


@pytest.mark.parametrize("claim", ["2 ** 62", "10 ** 30", "-1"])
def test_claims_of_gigantic_arrays_are_refused_before_memory_is_taken(run, claim):
    source = FORGE.replace('"arrays": []', f'"arrays": [["a", "<f8", [{claim}]]]')
    assert kind(run(source)) == "protocol"


def test_a_claim_that_the_machine_has_no_memory_for(run, monkeypatch):
    """Within the bound, and nothing of it is sent."""
    empty = np.empty

    def small(count, *more):
        if count > 2**20:
            raise MemoryError
        return empty(count, *more)

    monkeypatch.setattr(np, "empty", small)
    failure = run(FORGE.replace('"arrays": []', '"arrays": [["a", "<f8", [1000000]]]'))
    assert kind(failure) == "memory"
    assert "8000000 bytes" in str(failure)


def test_a_private_submission_is_readable_for_its_own_worker(sandbox, submission):
    folder = submission("def f():\n    return 'read'", "mycode.py")
    folder.chmod(0o700)
    (folder / "mycode.py").chmod(0o600)
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "mycode:f"}).result == "read"


def test_data_loaders_with_processes_work(run):
    source = (
        "import torch\ndef f():\n"
        "    data = torch.utils.data.TensorDataset(torch.arange(20.))\n"
        "    loader = torch.utils.data.DataLoader(data, batch_size=5, num_workers=2)\n"
        "    return [float(x.sum()) for (x,) in loader]"
    )
    assert run(source) == [10.0, 35.0, 60.0, 85.0]


def test_training_works_in_a_child(run):
    source = (
        "import torch\ndef f():\n    torch.manual_seed(0)\n    m = torch.nn.Linear(4, 2)\n"
        "    loss = m(torch.ones(3, 4)).square().mean()\n    loss.backward()\n"
        "    return float(m.weight.grad.abs().sum()) > 0"
    )
    assert run(source) is True


def test_functions_of_a_notebook(sandbox, submission):
    cells = [
        "%matplotlib inline\nimport math\nK = 3",
        "this is no python",
        "!pip install evil",
        "def f(x):\n    return K * x",
    ]
    document = {"cells": [{"cell_type": "code", "source": c.splitlines(True)} for c in cells]}
    folder = submission(__import__("json").dumps(document), "oblig 1.ipynb")
    with sandbox.worker(folder) as worker:
        assert worker.call("call", {"target": "oblig 1.ipynb:f", "arguments": {"x": 2}}).result == 6


WEIGHTS = {"what": "weights", "file": "model.pth", "without": {}}


def test_weights_come_back_as_plain_arrays(sandbox, submission):
    folder = submission("")
    state = {"a": torch.ones(2, 3).half(), "b": torch.arange(4)}
    torch.save({"epoch": 3, "model_state_dict": state}, folder / "model.pth")
    with sandbox.worker(folder) as worker:
        answer = worker.call("read", WEIGHTS)
        assert answer.arrays["model_state_dict.a"].dtype == np.float32
        assert answer.arrays["model_state_dict.b"].tolist() == [0, 1, 2, 3]


class Payload:
    def __reduce__(self):
        return (os.system, ("touch /tmp/in4310-pwned",))


def test_a_pickled_payload_is_not_run(sandbox, submission):
    folder = submission("")
    torch.save({"a": Payload()}, folder / "model.pth")
    with sandbox.worker(folder) as worker, pytest.raises(WorkerFailed, match="state_dict"):
        worker.call("read", WEIGHTS)
    assert not Path("/tmp/in4310-pwned").exists()


def test_a_tensor_that_claims_more_than_is_stored(sandbox, submission):
    folder = submission("")
    torch.save({"a": torch.zeros(1).expand(10**10)}, folder / "model.pth")
    assert (folder / "model.pth").stat().st_size < 10_000
    with sandbox.worker(folder) as worker, pytest.raises(WorkerFailed, match="claims 10000000000 numbers"):
        worker.call("read", WEIGHTS)


def test_the_judges_sockets_cannot_be_reached(run):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0in4310-test")
        server.listen()
        source = (
            "import socket\ndef f():\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0in4310-test')"
        )
        assert kind(run(source)) == "failed"


def test_cpu_time_is_bounded(run):
    assert kind(run("def f():\n    while True: pass", limits=Limits(seconds=15, cpu_seconds=1))) == "died"


def test_who_ends_itself_is_told_from_who_is_ended(run_either):
    """By SIGKILL, too, which nothing catches: the first process of a pid namespace cannot, and without one it may."""
    assert kind(run_either("import os\ndef f():\n    os.kill(os.getpid(), 9)\n    os._exit(9)")) == "died"
    assert (
        kind(run_either("import os\ndef f():\n    os.closerange(3, 256)\n    while True: pass", seconds=5))
        == "died"
    )

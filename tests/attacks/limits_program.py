"""Run by test_walls.py, as root and as an ordinary user: kernel memory and processors, in each tier.

Prints as JSON, for each tier, what each attack came to: 'memory' where it was ended for it, else what it returned.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed
from in4310.submission.sandbox.zygote import descendants

MIB = 2**20
FAIR = 1 / 1.2  # slowed by a fifth
LIMITS = Limits(memory_bytes=256 * MIB, processes=40, tmp_bytes=200 * MIB, file_bytes=200 * MIB, seconds=30)
CODE = """
import array, ctypes, fcntl, mmap, os, signal, socket, time
libc = ctypes.CDLL(None)
def fill(a):
    a.setblocking(False)
    held = 0
    try:
        while True:
            held += a.send(bytes(65536))
    except OSError:
        return held
def pairs(count):
    kept, held = [], 0
    for _ in range(count):
        for a in socket.socketpair():
            kept.append(a)
            for option in (7, 8, 32, 33):
                try:
                    a.setsockopt(socket.SOL_SOCKET, option, 1 << 24)
                except OSError:
                    pass
    for a in kept:
        held += fill(a)
    return kept, held
def sockets():
    return pairs(40)[1]
def sockets_of_many():
    for _ in range(6):
        if os.fork() == 0:
            kept = pairs(110)
            time.sleep(60)
    time.sleep(60)
def pipes():
    held = 0
    for _ in range(100):
        r, w = os.pipe()
        try:
            fcntl.fcntl(w, 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(w, False)
        try:
            while True:
                held += os.write(w, bytes(65536))
        except OSError:
            pass
    return held
def in_flight():
    # Full sockets that lie in the buffer of another, and that in the next: no process has a descriptor of them.
    carrier, held = socket.socketpair(), 0
    try:
        for _ in range(4000):
            a, b = socket.socketpair()
            held += fill(a)
            b.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [c.fileno() for c in carrier]))])
            for c in carrier:
                c.close()
            carrier = a, b
    except OSError:
        pass
    return held
def waiting():
    # Connections that nobody accepts: closed by who made them, they are no process's, and keep what was sent.
    listening, held = socket.socket(socket.AF_UNIX), 0
    listening.bind("\\0in4310-waiting")
    listening.listen(1 << 20)
    for _ in range(3000):
        with socket.socket(socket.AF_UNIX) as a:
            a.connect("\\0in4310-waiting")
            held += fill(a)
    return held
def timers():
    timer, count = ctypes.c_void_p(), 0
    while count < 10**6 and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
        count += 1
    return count
def signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, [40])
    count = 0
    while count < 10**6 and libc.sigqueue(os.getpid(), 40, None) == 0:
        count += 1
    return count
def page_tables():
    area = mmap.mmap(-1, 1 << 39, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
    total = 0
    for place in range(0, 1 << 39, 1 << 21):
        total += area[place]
    time.sleep(60)
def files_in_memory():
    for place in (os.environ["TMPDIR"], "/dev/shm"):
        with open(place + "/full", "wb") as file:
            for _ in range(180):
                file.write(bytes(1 << 20))
    time.sleep(60)
def make():
    global START
    wait, START = os.pipe()
    for _ in range(60):
        if os.fork() == 0:
            os.close(START)
            try:
                os.setsid()
            except OSError:
                pass
            os.read(wait, 1)
            while True:
                pass
def busy():
    os.close(START)
    time.sleep(600)
def honest():
    start = time.process_time()
    while time.process_time() - start < 0.1:
        pass
"""
ATTACKS = (
    "sockets", "sockets_of_many", "pipes", "in_flight", "waiting", "timers", "signals", "page_tables", "files_in_memory",
)  # fmt: skip


def beside(sandbox, folder):
    """Of the time that a processor gives to an honest call and to a neighbour's sixty processes, the honest share.

    In three turns in a row, after as many as it takes to see that they are many; of forty at most.
    """
    with sandbox.worker(folder) as busy, sandbox.worker(folder) as honest:
        ask(busy, "make", 600)
        ended = threading.Thread(target=ask, args=(busy, "busy", 600))
        ended.start()
        shares = []
        while len(shares) < 40 and (len(shares) < 3 or min(shares[-3:]) < FAIR) and ended.is_alive():
            its, theirs = used(honest), used(busy)
            ask(honest, "honest", 600)
            its, theirs = used(honest) - its, used(busy) - theirs
            shares.append(its / (its + theirs))
        processes = descendants(busy._watch.pid)[1:]
        with contextlib.suppress(ProcessLookupError):
            os.kill(processes[0], signal.SIGKILL)
        ended.join()
    return {"processes": len(processes), "shares": shares}


def used(worker):
    """Nanoseconds that a processor has given to a child and its processes, of one thread each: /proc/PID/schedstat."""
    return sum(
        int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        for pid in descendants(worker._watch.pid)[1:]
    )


def ask(worker, name, seconds=None):
    try:
        return worker.call("call", {"target": f"mycode:{name}"}, seconds=seconds).result
    except WorkerFailed as failure:
        return failure.kind


def main():
    folder = Path(tempfile.mkdtemp(prefix="in4310-test-"))
    folder.chmod(0o755)
    (folder / "mycode.py").write_text(CODE)
    (folder / "mycode.py").chmod(0o644)
    said = {}
    many = replace(LIMITS, memory_bytes=2**31, processes=80)
    with Sandbox(many if "busy" in sys.argv else LIMITS) as sandbox:
        processors = os.sched_getaffinity(0)
        if "busy" in sys.argv:
            os.sched_setaffinity(0, {min(processors)})
        sandbox.start()  # all that it forks is on one processor, whatever the others do
        os.sched_setaffinity(0, processors)

        def call(name):
            with sandbox.worker(folder) as worker:
                return ask(worker, name)

        for tier in (Tier(True, True), Tier(False, True)):
            sandbox._tier = tier
            said[f"{tier.namespaces} {tier.landlock}"] = (
                beside(sandbox, folder) if "busy" in sys.argv else {name: call(name) for name in ATTACKS}
            )
    shutil.rmtree(folder)
    print(json.dumps(said))


if __name__ == "__main__":
    main()

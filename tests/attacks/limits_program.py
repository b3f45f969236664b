"""Run by test_walls.py, as root and as an ordinary user: kernel memory and processors, in each tier.

Prints as JSON, for each tier, what each attack came to: 'memory' where it was ended for it, else what it returned.
"""

import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox, Tier, WorkerFailed

MIB = 2**20
LIMITS = Limits(memory_bytes=256 * MIB, processes=40, tmp_bytes=200 * MIB, file_bytes=200 * MIB, seconds=30)
CODE = """
import array, fcntl, mmap, os, socket, time
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
def busy():
    for _ in range(30):
        if os.fork() == 0:
            try:
                os.setsid()
            except OSError:
                pass
            while True:
                pass
    time.sleep(60)
def honest():
    found = []
    for _ in range(3):
        start, total = time.perf_counter(), 0
        for i in range(6_000_000):
            total += i * i
        found.append(time.perf_counter() - start)
    return min(found)
"""
ATTACKS = ("sockets", "sockets_of_many", "pipes", "in_flight", "page_tables", "files_in_memory")


def main():
    folder = Path(tempfile.mkdtemp(prefix="in4310-test-"))
    folder.chmod(0o755)
    (folder / "mycode.py").write_text(CODE)
    (folder / "mycode.py").chmod(0o644)
    said = {}
    with Sandbox(LIMITS) as sandbox:

        def call(name, seconds=None):
            try:
                with sandbox.worker(folder) as worker:
                    return worker.call("call", {"target": f"mycode:{name}"}, seconds=seconds).result
            except WorkerFailed as failure:
                return failure.kind

        for tier in (Tier(True, True), Tier(False, True)):
            sandbox._tier = tier
            found = {name: call(name) for name in ATTACKS if "busy" not in sys.argv}
            if "busy" in sys.argv:
                alone = call("honest")
                thread = threading.Thread(target=call, args=("busy", 6))
                thread.start()
                found = {"alone": alone, "beside": call("honest")}
                thread.join()
            said[f"{tier.namespaces} {tier.landlock}"] = found
    shutil.rmtree(folder)
    print(json.dumps(said))


if __name__ == "__main__":
    main()

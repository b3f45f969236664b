"""Run by test_walls.py, as root and as an ordinary user: harm to others' files and to the judge, in each tier.

Prints as JSON, for each tier, what was done to others, and which calls were not refused that have no trace.
"""

import ctypes
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.worker import Sandbox, WorkerFailed

# Each is run by code of a submission. v: a file of the judge that all may read, n: a neighbour's folder, j: the judge's
# number, s: a file of the system (Python's own), o: a file of the submission itself.
LEAVES_A_TRACE = {
    "chmod": "os.chmod(v, 0)",
    "chmod of a neighbour's folder": "os.chmod(n, 0)",
    "chmod by a shell": "subprocess.run(['chmod', '0', v], check=True, stderr=-3)",
    "chmod of Python itself": "os.chmod(s, 0o777)",
    "chmod of the hand-in": "os.chmod(o, 0)",
    "fchmod of what may be read": "os.fchmod(os.open(o, os.O_RDONLY), 0)",
    "fchmod by O_PATH": "libc.fchmod(os.open(v, os.O_PATH), 0) and fail()",
    "fchmodat2 by O_PATH": "call(452, os.open(v, os.O_PATH), b'', 0, 0x1000)",
    "chmod through /proc": "os.chmod(f'/proc/self/fd/{os.open(v, os.O_PATH)}', 0)",
    "chown": "os.chown(v, -1, os.getgid()); os.utime(v, (5, 5))",
    "lchown": "os.lchown(n, os.getuid(), os.getgid()); os.utime(n, (5, 5))",
    "fchownat by O_PATH": "libc.fchownat(os.open(v, os.O_PATH), b'', -1, os.getgid(), 0x1000) and fail()",
    "utime": "os.utime(v, (1, 1))",
    "utime of Python itself": "os.utime(s, (1, 1))",
    "futimens of the hand-in": "os.utime(os.open(o, os.O_RDONLY), (1, 1))",
    "futimesat": "call(261, -100, v.encode(), None)",
    "setxattr": "os.setxattr(v, 'user.x', b'1')",
    "fsetxattr of the hand-in": "os.setxattr(os.open(o, os.O_RDONLY), 'user.x', b'1')",
    "setxattrat": "call(463, -100, v.encode(), 0, b'user.x', None, 0)",
    "truncate": "os.truncate(v, 0)",
    "truncate by opening to read": "os.open(v, os.O_RDONLY | os.O_TRUNC)",
    "truncate by opening for neither": "os.open(v, 3 | os.O_TRUNC)",
    "truncate of Python itself": "os.open(s, os.O_RDONLY | os.O_TRUNC)",
    "truncate by openat2": "call(437, -100, v.encode(), struct.pack('<QQQ', os.O_RDONLY | os.O_TRUNC, 0, 0), 24)",
    "ftruncate by O_PATH": "os.ftruncate(os.open(v, os.O_PATH), 0)",
    "creat": "open(v, 'w')",
    "append": "open(v, 'a').write('x')",
    "unlink": "os.unlink(v)",
    "rename": "os.rename(v, v + 'x')",
    "exchange": "call(316, -100, v.encode(), -100, n.encode(), 2)",
    "link": "os.link(v, n + '/link')",
    "symlink": "os.symlink(v, n + '/symlink')",
    "mkdir": "os.mkdir(n + '/made')",
    "mkfifo": "os.mkfifo(n + '/fifo')",
    "nameless file": "os.open(n, os.O_TMPFILE | os.O_RDWR); fail()",
    "flags of a file": "fcntl.ioctl(os.open(o, os.O_RDONLY), 0x40086602, struct.pack('l', 0x10))",
    "utimensat by O_PATH": "call(280, os.open(v, os.O_PATH), b'', struct.pack('4q', 1, 0, 1, 0), 0x1000)",
    "linkat by O_PATH": "call(265, os.open(v, os.O_PATH), b'', -100, (n + '/link').encode(), 0x1000)",
    "file_setattr": "call(469, -100, v.encode(), struct.pack('<QIIII', 16, 0, 0, 0, 0), 24, 0)",
    "turns of the judge": "os.sched_setscheduler(j, os.SCHED_IDLE, os.sched_param(0))",
    "turns of the judge by attributes": "call(314, j, struct.pack('<IIQiIQQQ', 48, 5, 0, 0, 0, 0, 0, 0), 0)",
    "turns at the disk of the judge": "call(251, 1, j, (3 << 13) | 7)",
    "who goes first where memory is short: the judge": "open(f'/proc/{j}/oom_score_adj', 'w').write('1000')",
    "weight of the judge": "open(f'/proc/{j}/autogroup', 'w').write('19')",
    "dumps of the judge": "open(f'/proc/{j}/coredump_filter', 'w').write('0')",
    "priority of the judge": "os.setpriority(os.PRIO_PROCESS, j, 19)",
    "priority of all of its user": "os.setpriority(os.PRIO_USER, 0, 19)",
    "cores of the judge": "os.sched_setaffinity(j, [0])",
    "limits of the judge": "resource.prlimit(j, resource.RLIMIT_NOFILE, (0, 0))",
    "kill the judge": "os.kill(j, 9)",
    "kill the judge's thread": "call(200, j, 9)",
    "kill by pidfd": "signal.pidfd_send_signal(os.pidfd_open(j), 9)",
    "queue a signal": "call(129, j, 9, bytes(128))",
    "kill by SIGIO": "a, b = socket.socketpair(); fcntl.fcntl(a, 8, j); fcntl.fcntl(a, 10, 9); fcntl.fcntl(a, 4, 0o20000); b.send(b'x')",
    "kill by SIGIO of a pipe": "r, w = os.pipe(); fcntl.fcntl(r, 15, struct.pack('ii', 1, j)); fcntl.fcntl(r, 10, 9); fcntl.fcntl(r, 4, 0o20000); os.write(w, b'x')",
    "kill by FIOASYNC": "a, b = socket.socketpair(); fcntl.ioctl(a, 0x8901, struct.pack('i', j)); fcntl.ioctl(a, 0x5452, struct.pack('i', 1)); b.send(b'x')",
    "kill by a lease": "f = os.open(o, os.O_RDONLY); fcntl.fcntl(f, 10, 9); fcntl.fcntl(f, 8, j); fcntl.fcntl(f, 1024, 0)",
}  # fmt: skip
MUST_FAIL = {
    "watch a folder": "a = libc.inotify_init1(0); a < 0 and fail(); libc.inotify_add_watch(a, n.encode(), 0xfff) < 0 and fail()",
    "watch by dnotify": "fcntl.fcntl(os.open(os.path.dirname(s), os.O_RDONLY), 1026, 0x3f)",
    "watch by fanotify": "libc.fanotify_init(0x200, 0) < 0 and fail()",
    "lock a file that may not be read": "fcntl.flock(os.open(v, 3), fcntl.LOCK_EX)",
    "attributes of others": "os.getxattr(v, 'user.there')",
    "read": "open(v).read()",
    "list": "os.listdir(n)",
    "handle of a file": "libc.name_to_handle_at(-100, v.encode(), struct.pack('II', 128, 0) + bytes(128), bytes(8), 0) and fail()",
    "a ring": "call(425, 1, bytes(120))",
    "another's queue": "libc.mq_unlink(b'/in4310-queue') and fail()",
    "another's segment": "call(31, SEGMENT, 0, None)",
    "large buffers": "[a.setsockopt(1, 7, 1 << 22) for a in socket.socketpair()]",
    "large pipes": "fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
    "a namespace": "libc.unshare(0x10000000) and fail()",
    "another's memory": "open(f'/proc/{j}/mem', 'rb').read(1)",
    "see what it sends": "call(438, os.pidfd_open(j), 3, 0)",
    "a tree of mounts": "call(428, -100, v.encode(), 1)",
    "pages of the judge": "call(256, j, 64, bytes(8), bytes(8))",
    "compare with the judge": "call(312, os.getpid(), j, 0, 0, 0)",
    "a key": "call(248, b'user', b'in4310', b'1', 1, -3)",
    "a segment": "call(29, 0, 4096, 0o1600)",
    "a semaphore": "call(64, 0, 1, 0o600)",
    "another user": "os.setuid(0)",
    "dumps of itself": "libc.prctl(4, 1) and fail()",
    "a filter that notifies": "libc.seccomp and fail() if hasattr(libc, 'seccomp') else call(317, 1, 8, bytes(16))",
}  # fmt: skip
CODE = """
import ctypes, fcntl, os, platform, resource, signal, socket, struct, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def fail():
    raise OSError("refused")
def call(number, *arguments):
    if platform.machine() != "x86_64" and number < 424:
        fail()
    if libc.syscall(ctypes.c_long(number), *arguments) == -1:
        fail()
def f(attacks, v, n, j, s, SEGMENT):
    o, done = __file__, []
    for name, code in attacks.items():
        try:
            exec(code, {**globals(), "v": v, "n": n, "j": j, "s": s, "o": o, "SEGMENT": SEGMENT})
            done.append(name)
        except (OSError, subprocess.CalledProcessError, TypeError, AttributeError):
            pass
    return done
"""


def state(*places):
    """Everything about files that could be changed from outside, and of this process."""
    found = {}
    for place in places:
        for path in [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]:
            if not path.exists():
                found[str(path)] = "is gone"
                continue
            seen = path.lstat()
            found[str(path)] = [
                seen.st_mode,
                seen.st_uid,
                seen.st_gid,
                seen.st_size,
                seen.st_mtime_ns,
                seen.st_nlink,
            ]
            if not path.is_symlink():
                found[str(path)].append(os.listxattr(path))
    own = [Path("/proc/self", name) for name in ("oom_score_adj", "autogroup", "coredump_filter")]
    found["this process"] = [
        os.getpriority(os.PRIO_PROCESS, 0),
        sorted(os.sched_getaffinity(0)),
        os.sched_getscheduler(0),
        ctypes.CDLL(None).syscall(252, 1, 0) if platform.machine() == "x86_64" else 0,
        [path.read_text() for path in own if path.exists()],
    ]
    return found


def main():
    home = Path(tempfile.mkdtemp(prefix="in4310-test-"))
    home.chmod(0o755)
    own, neighbour, victim = home / "own", home / "neighbour", home / "gradebook"
    for folder in (own, neighbour):
        folder.mkdir(mode=0o755)
    (own / "mycode.py").write_text(CODE)
    (neighbour / "scores.npy").write_bytes(b"theirs")
    victim.write_text("grades")
    for path in (victim, own / "mycode.py", neighbour / "scores.npy"):
        path.chmod(0o666 if path == victim else 0o644)
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(0, ctypes.c_size_t(4096), 0o1666)
    system = next(Path(p) / "os.py" for p in sys.path if (Path(p) / "os.py").is_file())
    said = {}
    tiers = [Tier(True, True), Tier(True, False), *(Tier(False, True, "", abi) for abi in range(1, 8))]
    harmless = {**LEAVES_A_TRACE, **MUST_FAIL}
    if "none" in sys.argv:  # what the walls are compared with; but the judge is to live
        tiers = [Tier(False, False)]
        harmless = {
            k: v
            for k, v in harmless.items()
            if not any(w in k for w in ("kill", "judge", "priority", "signal"))
        }
    with Sandbox() as sandbox:
        for tier in tiers:
            sandbox._tier = tier
            before = state(neighbour, victim, own, system)
            given = {
                "v": str(victim),
                "n": str(neighbour),
                "j": os.getpid(),
                "s": str(system),
                "SEGMENT": segment,
            }
            try:
                with sandbox.worker(own, trusted=True) as worker:
                    arguments = {"attacks": harmless, **given}
                    done = worker.call("call", {"target": "mycode:f", "arguments": arguments}).result
            except WorkerFailed as failure:
                done = [str(failure)]
            after = state(neighbour, victim, own, system)
            changed = [k for k in {*before, *after} if before.get(k) != after.get(k)]
            name = f"{tier.namespaces} {tier.landlock} {tier.abi}"
            said[name] = {
                "changed": changed,
                "done": [d for d in done if d in MUST_FAIL or "none" in sys.argv],
            }
    libc.shmctl(segment, 0, None)
    import shutil

    neighbour.chmod(0o755)
    shutil.rmtree(home)
    print(json.dumps(said))


if __name__ == "__main__":
    main()

"""What honest code does, of every kind that the list of system calls was derived from. Run in a child by test_honest.py.

`strace -f python honest.py` shows the calls; what libraries that are not installed here would ask for is left out.
"""

# ruff: noqa: SIM115, PTH115, PTH207 - as students write it

import asyncio
import concurrent.futures
import csv
import fcntl
import getpass
import glob
import gzip
import importlib.util
import locale
import logging
import mmap
import multiprocessing
import os
import platform
import random
import resource
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import uuid
import zipfile
from pathlib import Path


def arrays(tmp):
    import numpy as np

    a = np.random.default_rng(0).random((50, 60))
    np.save(tmp / "a.npy", a)
    np.savez(tmp / "a.npz", a=a)
    assert np.load(tmp / "a.npz")["a"].shape == np.load(tmp / "a.npy", mmap_mode="r").shape
    mapped = np.memmap(tmp / "m", dtype="f4", mode="w+", shape=(100,))
    mapped[:] = 1
    mapped.flush()
    np.linalg.eigh(a.T @ a)
    np.savetxt(tmp / "a.csv", a, delimiter=",")
    np.loadtxt(tmp / "a.csv", delimiter=",")


def pictures(tmp):
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.zeros((50, 60), np.uint8))
    for kind in ("png", "jpg", "bmp", "tiff"):
        image.save(tmp / f"i.{kind}")
        Image.open(tmp / f"i.{kind}").convert("RGB").resize((20, 20)).load()


def training(tmp):
    import torch
    import torchvision

    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=4)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(net(torch.rand(4, 3, 32, 32)), torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(net.state_dict(), tmp / "n.pth")
    torch.load(tmp / "n.pth", mmap=True)
    torch.jit.script(torch.nn.Linear(2, 2))
    torch.linalg.svd(torch.rand(100, 100))
    with torch.profiler.profile():
        torch.rand(10).sum()


def figures(tmp):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    for kind in ("png", "pdf", "svg"):
        figure.savefig(tmp / f"f.{kind}")


def tables(tmp):
    from sklearn.linear_model import LogisticRegression

    LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 0, 1])
    if importlib.util.find_spec("pandas"):
        import pandas

        pandas.DataFrame({"a": [1, 2]}).to_csv(tmp / "p.csv")
        pandas.read_csv(tmp / "p.csv").describe()


def cells(tmp):
    if importlib.util.find_spec("IPython"):
        from IPython.core.interactiveshell import InteractiveShell

        assert InteractiveShell.instance().run_cell("x = 1\n%time x\nx").success


def files(tmp):
    (tmp / "t.txt").write_text("x\n" * 1000)
    assert len(list(csv.reader((tmp / "t.txt").open()))) == 1000
    with zipfile.ZipFile(tmp / "z.zip", "w") as archive:
        archive.write(tmp / "t.txt", "t.txt")
    zipfile.ZipFile(tmp / "z.zip").extractall(tmp / "z")
    with tarfile.open(tmp / "t.tar.gz", "w:gz") as archive:
        archive.add(tmp / "t.txt", "t.txt")
    tarfile.open(tmp / "t.tar.gz").extractall(tmp / "tar")
    shutil.copy(tmp / "t.txt", tmp / "u.txt")
    shutil.copytree(tmp / "z", tmp / "zz")
    shutil.move(tmp / "u.txt", tmp / "v.txt")
    shutil.copy2(tmp / "v.txt", tmp / "w.txt")
    shutil.copyfile(tmp / "v.txt", tmp / "x.txt")
    assert (tmp / "w.txt").read_text() == "x\n" * 1000
    (tmp / "l").hardlink_to(tmp / "v.txt")
    (tmp / "s").symlink_to("v.txt")
    assert os.readlink(tmp / "s") == "v.txt"
    (tmp / "t.txt").chmod(0o600)
    os.utime(tmp / "t.txt")
    (tmp / "t.txt").touch()
    with (tmp / "v.txt").open("r+") as file:
        file.truncate(3)
        os.fsync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_UN)
    assert glob.glob(str(tmp / "**"), recursive=True)
    shutil.disk_usage(tmp)
    os.umask(0o22)
    (tmp / "l").replace(tmp / "l2")
    (tmp / "l2").unlink()
    (tmp / "d" / "e").mkdir(parents=True)
    shutil.rmtree(tmp / "d")
    for thing in (tempfile.TemporaryFile(), tempfile.NamedTemporaryFile(), tempfile.SpooledTemporaryFile()):
        thing.close()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x").write_text("x")
    with gzip.open(tmp / "g.gz", "w") as file:
        file.write(b"x")
    mapped = mmap.mmap(-1, 4096)
    mapped[:3] = b"abc"
    mapped.close()
    handler = logging.FileHandler(tmp / "log")
    handler.emit(logging.makeLogRecord({"msg": "x"}))
    handler.close()


def database(tmp):
    with sqlite3.connect(tmp / "db") as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table t (x)")
        connection.execute("insert into t values (1)")
    connection.close()


def threads(tmp):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(str, range(4))) == ["0", "1", "2", "3"]
    thread = threading.Timer(0.01, int)
    thread.start()
    thread.join()

    async def program():
        await asyncio.sleep(0.01)
        await (await asyncio.create_subprocess_exec("true")).wait()

    if multiprocessing.current_process().daemon is False:
        asyncio.run(program())


def programs(tmp):
    done = subprocess.run(
        ["sh", "-c", "ls / | sort | head -1; uname -a; date; cp /bin/true ."], cwd=tmp, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert os.system("true") == 0
    assert os.popen("echo x").read() == "x\n"
    subprocess.run(["true"], start_new_session=True, check=True)
    subprocess.run([sys.executable, "-c", "print(1)"], check=True, stdout=subprocess.DEVNULL)


def plumbing(tmp):
    ours, theirs = socket.socketpair()
    ours.sendall(b"x")
    assert theirs.recv(1) == b"x"
    ours.settimeout(1)
    r, w = os.pipe()
    os.write(w, b"x")
    assert select.select([r], [], [], 1)[0] == [r]
    poll = select.epoll()
    poll.register(r)
    assert poll.poll(1)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.02)
    signal.alarm(0)


def questions(tmp):
    platform.platform(), platform.processor(), locale.getlocale(), socket.gethostname(), uuid.uuid4()
    (
        os.cpu_count(),
        os.sched_getaffinity(0),
        os.getloadavg(),
        os.times(),
        os.getpgid(0),
        os.getsid(0),
        os.getgroups(),
    )
    resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_NOFILE), os.nice(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.getpriority(os.PRIO_PROCESS, 0), os.isatty(0), shutil.get_terminal_size(), os.access(tmp, os.R_OK)
    time.process_time(), time.thread_time(), os.urandom(3), random.random(), getpass.getuser()


def processes(tmp):
    """Needs /dev/shm, which only namespaces can give."""
    import torch

    with multiprocessing.Pool(2) as pool:
        assert pool.map(str, range(4)) == ["0", "1", "2", "3"]
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(str, range(2))) == ["0", "1"]
    queue = multiprocessing.Queue()
    queue.put(1)
    assert queue.get(timeout=5) == 1
    loader = torch.utils.data.DataLoader(torch.arange(8.0), 4, num_workers=2, persistent_workers=True)
    assert [len(batch) for _ in range(2) for batch in loader] == [4, 4, 4, 4]


KINDS = (
    arrays,
    pictures,
    training,
    figures,
    tables,
    cells,
    files,
    database,
    threads,
    programs,
    plumbing,
    questions,
    processes,
)


def failures():
    """Kind -> what went wrong, for those where something did."""
    found = {}
    for work in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                work(Path(folder))
            except BaseException as error:
                found[work.__name__] = f"{type(error).__name__}: {error}"
    return found


if __name__ == "__main__":
    print(failures())

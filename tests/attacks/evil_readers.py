"""Makes readers in the sandbox's children misbehave, each at a file of its name, as an exploited parser would.

Loaded by the zygote before it forks: the children are what a stranger's file could have made of them.
"""

import ctypes
import os
import signal
import struct
import sys
import time

from in4310.submission import contents, looks
from in4310.submission.sandbox import messages, tasks


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def spin():
    while True:
        pass


def grow():
    kept = []
    while True:
        kept.append(bytearray(2**24))


def flood():
    while True:
        os.write(1, b"x" * 65536)


def breed():
    while True:
        if os.fork() == 0:
            time.sleep(1000)


def leave_a_daemon():
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    os._exit(0)


def throw(error):
    def thrown():
        raise error

    return thrown


def say(*parts):
    def said():
        for part in parts:
            os.write(tasks._channel, part)
        os._exit(0)

    return said


def message(document, arrays=(), nonce="0" * 32):
    """A whole answer of one's own."""
    raw = messages.json.dumps({"nonce": nonce, "document": document, "arrays": list(arrays)}).encode()
    return struct.pack("<Q", len(raw)) + raw


def whisper():
    while True:
        os.write(tasks._channel, messages.note("elsewhere"))


def recurse():
    return recurse()


DEEDS = {
    "exits": lambda: os._exit(0),
    "exits with a status": lambda: os._exit(77),
    "is killed": lambda: (os.kill(os.getpid(), signal.SIGKILL), os._exit(9)),  # the first of its namespace is not
    "aborts": os.abort,
    "reads nowhere": lambda: ctypes.string_at(0),
    "calls sys.exit": sys.exit,
    "is interrupted": throw(KeyboardInterrupt()),
    "closes the channel": lambda: (os.close(tasks._channel), time.sleep(1000)),
    "leaves a daemon": leave_a_daemon,
    "breeds": breed,
    "grows": grow,
    "floods": flood,
    "recurses": recurse,
    "raises KeyError": throw(KeyError("x")),
    "raises what cannot be said": throw(Unsayable()),
    "raises a page": throw(RuntimeError("line\n" * 10_000)),
    "raises MemoryError": throw(MemoryError()),
    "spins": spin,
    "sleeps": lambda: time.sleep(1000),
    "whispers": whisper,
    "notes too long a name": say(struct.pack("<Q", messages.NOTE + 2**40)),
    "claims a long header": say(struct.pack("<Q", 2**60)),
    "answers in its own name": say(message({"result": {"read": {}}})),
    "answers no JSON": say(struct.pack("<Q", 3) + b"{{{"),
    "claims a large array": say(message({"result": {}}, [["a", "<f8", [2**50]]])),
    "claims a pickled array": say(message({"result": {}}, [["a", "|O", [1]]])),
    "answers half": say(struct.pack("<Q", 1000) + b"{"),
}  # fmt: skip
_read, _look = contents.Contents._read, looks.Viewer.look


def read(self, file, path):
    DEEDS.get(path.stem, lambda: None)()
    return _read(self, file, path)


def look(self, file, suffix):
    DEEDS.get(os.path.splitext(os.path.basename(getattr(file, "name", "")))[0], lambda: None)()
    return _look(self, file, suffix)


contents.Contents._read, looks.Viewer.look = read, look

"""A class of generated hand-ins: right, faulty, hostile and broken, each from its number alone."""

import importlib.util
import io
import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np

ATTACKS = Path(__file__).parents[1] / "attacks" / "test_files.py"
# Of twenty: a right or faulty one with weights costs what the network costs, ten times as much as others.
SHARES = {"right": 1, "faulty": 6, "hostile": 7, "broken": 6}
WITH_WEIGHTS = 40  # every so many, one of the faulty


def traps():
    """The tables of files that the attacks are made of."""
    spec = importlib.util.spec_from_file_location("attack_files", ATTACKS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, content):
    """Write a file anew: the folder is made of hard links, which must not be written through."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def changed(path, change):
    document = json.loads(path.read_text())
    change(document)
    write(path, json.dumps(document))


def array(path, change):
    buffer = io.BytesIO()
    np.save(buffer, change(np.load(path)))
    write(path, buffer.getvalue())


def accuracy(folder, rng):
    def too_high(metrics):
        metrics["test"]["accuracy"] = min(1.0, metrics["test"]["accuracy"] + 0.02 + rng.random() / 50)

    changed(folder / "metrics.json", too_high)


def invented(folder, rng):
    draw = np.random.default_rng(rng.randrange(2**32))
    array(
        folder / "scores_test.npy", lambda scores: draw.dirichlet(np.ones(6), len(scores)).astype(np.float32)
    )


def reversed_rows(folder, rng):
    array(folder / "scores_test.npy", lambda scores: scores[::-1])


def overlap(folder, rng):
    test, val = (folder / "split" / f"{name}.csv" for name in ("test", "val"))
    lines, others = test.read_text().splitlines(), val.read_text().splitlines()
    for _ in range(1 + rng.randrange(20)):
        lines[1 + rng.randrange(len(lines) - 1)] = others[1 + rng.randrange(len(others) - 1)]
    write(test, "\n".join(lines) + "\n")


def swapped_ranking(folder, rng):
    changed(
        folder / "ranking.json",
        lambda classes: [c.update(top=c["bottom"], bottom=c["top"]) for c in classes.values()],
    )


def missing(folder, rng):
    piece = rng.choice(
        ["metrics.json", "ranking.json", "eigenvalues.json", "non_positive.json", "scores_test.npy"]
    )
    (folder / piece).unlink()


FAULTS = (accuracy, invented, reversed_rows, overlap, swapped_ranking, missing)


class Maker:
    """Makes the hand-in of a number below `place`; `kinds` says what became of each."""

    def __init__(self, reference, place):
        self.reference, self.place, self.kinds = reference, place, {}
        self.traps = traps()

    def __call__(self, count):
        slots = [kind for kind, share in SHARES.items() for _ in range(share)]
        for number in range(count):
            kind = slots[number % len(slots)]
            who = f"s{number:04}"
            self.kinds[who] = kind
            # A string seeds the same stream in every process and version.
            getattr(self, kind)(who, random.Random(f"in4310-{number}"), number)
        return self.kinds

    def copied(self, who, without=()):
        folder = self.place / who
        shutil.copytree(
            self.reference, folder, copy_function=os.link, ignore=shutil.ignore_patterns(*without)
        )
        write(folder / "README.txt", f"handed in by {who}")
        return folder

    def right(self, who, rng, number):
        folder = self.copied(who)
        if rng.random() < 0.5:  # deeper, and with rubbish beside it
            inner = self.place / f"{who}-inner"
            folder.rename(inner)
            folder.mkdir()
            inner.rename(folder / "mandatory 1 (final)")
            write(folder / "__MACOSX" / "._final", b"\0\5\x16\7")

    def faulty(self, who, rng, number):
        heavy = number % WITH_WEIGHTS == SHARES["right"]
        self.spoilt(who, rng, () if heavy else ("*.pth",))

    def spoilt(self, who, rng, without):
        folder = self.copied(who, without)
        for fault in rng.sample(FAULTS, 1 + rng.randrange(2)):
            if fault is not missing or len(list(folder.iterdir())) > 8:
                fault_or_gone(fault, folder, rng)

    def hostile(self, who, rng, number):
        """An archive that reaches out, a trap for whoever opens it, or code that does harm when called."""
        kind = rng.randrange(5)
        if kind == 0:
            write(self.place / f"{who}.zip", rng.choice(list(self.traps.ARCHIVES.values())))
            return
        folder = self.copied(who, ("*.pth",))
        if kind == 1:
            write(folder / "scores_test.npy", rng.choice(list(self.traps.ARRAYS.values())))
        elif kind == 2:
            write(folder / "model.pth", rng.choice(list(self.traps.WEIGHTS.values())))
        elif kind == 3:
            piece = rng.choice(["metrics.json", "eigenvalues.json", "non_positive.json", "ranking.json"])
            write(folder / piece, rng.choice(list(self.traps.DOCUMENTS.values())))
        else:
            body = rng.choice(
                [
                    "import os; os._exit(0)",
                    "import os, signal; os.kill(-1, signal.SIGKILL)",
                    "return {'top': 'x' * (1 << 28), 'bottom': []}",
                    "open('/tmp/in4310-pwned', 'w').write('x')",
                    "raise SystemExit(0)",
                ]
            )
            write(folder / "oblig1.py", f"def rank(scores, paths, column, k):\n    {body}\n")
            text = (folder / "submission.toml").read_text()
            write(folder / "submission.toml", text + "\n[adapters]\nrank = 'oblig1:rank'\n")

    def broken(self, who, rng, number):
        kind = rng.randrange(5)
        if kind == 0:
            (self.place / who).mkdir()
        elif kind == 1:
            write(self.place / f"{who}.zip", b"PK\x03\x04" + rng.randbytes(200))
        elif kind == 2:
            write(self.place / f"{who}.zip", b"")
        elif kind == 3:
            write(self.place / who / "report.pdf", b"%PDF-1.7\n" + rng.randbytes(2000))
        else:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("scores_test.npy", rng.randbytes(5000))
            write(self.place / f"{who}.zip", buffer.getvalue()[: 3000 + rng.randrange(2000)])


class Light(Maker):
    """The same without any weights: seconds for all of them, and none is right."""

    def faulty(self, who, rng, number):
        self.spoilt(who, rng, ("*.pth",))

    right = faulty


def fault_or_gone(fault, folder, rng):
    """A fault in a piece that an earlier one took away changes nothing more."""
    try:
        fault(folder, rng)
    except FileNotFoundError:
        return

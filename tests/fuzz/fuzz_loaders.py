"""Coverage-guided fuzzing of the loaders: python tests/fuzz/fuzz_loaders.py TARGET -runs=N (pip install atheris).

Targets: archives, tables, arrays, json, weights, split, notebook, source. Anything but the exceptions that a loader is meant to raise is
a finding; so is a message of more than one line.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["in4310.submission", "zipfile", "tarfile"]):
    from in4310.errors import InputError
    from in4310.submission import (
        archives,
        claims,
        formats,
        histories,
        listings,
        matrices,
        notebook_outputs,
        source,
        tables,
        weights,
    )

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
RESOLVE = listings.Resolver(CLASSES, ())
HOME = Path(tempfile.mkdtemp(prefix="in4310-fuzz-"))
BOUNDS = archives.Bounds(entries=200, total_bytes=1 << 22, file_bytes=1 << 21)
RESOLVE = listings.Resolver(CLASSES, ["sea/1.jpg", "forest/2.jpg"])


def write(name, content):
    path = HOME / name
    path.write_bytes(content)
    return path


def archive(content):
    try:
        archives.unpack(write("x.zip", content), HOME / "target", BOUNDS)
    finally:
        shutil.rmtree(HOME / "target", ignore_errors=True)
        assert {p.name for p in HOME.iterdir()} == {"x.zip"}


def table(content):
    parsed = tables.parse_table(formats.read_text(write("x.csv", content)))
    listings.of_table(parsed, RESOLVE)
    matrices.of_table(parsed, CLASSES)
    histories.as_history(parsed, "x")
    claims.as_metrics(parsed, "x", CLASSES)
    claims.as_ranking(parsed, "x", CLASSES)
    claims.as_non_positive(parsed)
    claims.as_eigenvalues(claims.lists_in(parsed), "x")


def document(content):
    parsed = tables.read_json(write("x.json", content))
    listings.of_document(parsed, RESOLVE)
    listings.is_indices(parsed)
    matrices.of_document(parsed, CLASSES)
    histories.as_history(parsed, "x")
    claims.as_metrics(parsed, "x", CLASSES)
    claims.as_ranking(parsed, "x", CLASSES)
    claims.as_non_positive(parsed)


def code(content):
    write("x.py", content)
    for call in source.read_calls(HOME):
        assert call.place.isprintable()
        assert call.text.isprintable()


TARGETS = {
    "archives": archive,
    "tables": table,
    "json": document,
    "arrays": lambda content: list(matrices.read_arrays(write("x.npy", content))),
    "weights": lambda content: weights.load_tensors(write("x.pth", content)),
    "notebook": lambda content: notebook_outputs.read_outputs(write("x.ipynb", content)),
    "source": code,
    "split": lambda content: listings.of_document(formats.read_json(write("x.json", content)), RESOLVE),
}


def one(content):
    """A loader returns, or says in one line why not."""
    with contextlib.suppress(OSError):
        try:
            TARGETS[TARGET](content)
        except (ValueError, InputError) as error:
            if "\n" in str(error):
                raise AssertionError("more than one line") from error


if __name__ == "__main__":
    TARGET = sys.argv.pop(1)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()

"""Coverage-guided fuzzing of all that parses: python tests/fuzz/fuzz_loaders.py TARGET -runs=N (pip install atheris).

`decoder` and `told` are the judge's side: the bytes of an answer, from the pipe to typed values or files. All others run in the child: `reader`
a whole discovery, `picture`, `panels`, `events`, `manifest`, `archives`, `tables`, `arrays`, `json`, `weights`, `split`, `notebook`, `logs`,
`source`. Anything but the exceptions that a reader is meant to raise is a finding; so is a message of more than one line.
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["in4310.submission", "zipfile", "tarfile"]):
    from in4310.errors import InputError
    from in4310.submission import (
        answers,
        archives,
        claims,
        containers,
        event_files,
        formats,
        histories,
        listings,
        logs,
        matrices,
        module_claims,
        notebook_outputs,
        plain,
        reader,
        source,
        tables,
        weights,
    )
    from in4310.submission.sandbox import messages
    from in4310.submission.sandbox.worker import Answer

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
HOME = Path(tempfile.mkdtemp(prefix="in4310-fuzz-"))
BOUNDS = archives.Bounds(entries=200, total_bytes=1 << 22, file_bytes=1 << 21)
IMAGES = ["sea/1.jpg", "forest/2.jpg"]
RESOLVE = listings.Resolver(CLASSES, IMAGES)


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


def understood(parsed):
    """All that is looked for in a table or a document."""
    listings.of_document(parsed, RESOLVE)
    listings.of_rows(parsed, RESOLVE)
    matrices.of_document(parsed, CLASSES)
    histories.as_history(parsed, "x")
    claims.as_metrics(parsed, "x", CLASSES)
    claims.as_ranking(parsed, "x", CLASSES)
    module_claims.as_non_positive(parsed)
    claims.as_resources(parsed)
    claims.as_reproduction(parsed)


def table(content):
    parsed = tables.parse_table(formats.read_text(write("x.csv", content)))
    understood(parsed)
    module_claims.as_eigenvalues(module_claims.lists_in(parsed), "x")


def read(what, name, content, **arguments):
    """A task of the child, through the pipe's form, as the judge takes it."""
    write(name, content)
    try:
        one_reader = reader.Reader(HOME, lambda file: None)
        asked = {"what": what, "without": {}, "classes": CLASSES, "sizes": {}, "places": [], **arguments}
        document, arrays = one_reader.answer(asked, {"images": reader.names_of(IMAGES)})
    finally:
        (HOME / name).unlink()
    parts = messages.encode(messages.Message("", document, arrays))
    return decode(b"".join(bytes(part) for part in parts))


def decode(content):
    """Bytes that a child sent, as the judge takes them."""
    stream = io.BytesIO(content)

    def exactly(count):
        if count > len(content):
            raise EOFError  # nothing more comes: no memory is taken for it
        return stream.read(count).ljust(count, b"\0")

    message = messages.decode(exactly, 1 << 24)
    return Answer(message.document, message.arrays)


def discovery(content):
    """The first byte says what the file is called."""
    names = ("x.json", "x.csv", "x.txt", "x.log", "x.npy", "x.npz", "x.ipynb", "x.", "x.md", "x.jsonl",
             "x.tfevents.1", "config.yaml")  # fmt: skip
    if content:
        answers.found_of(read("discover", names[content[0] % len(names)], content[1:]))


def decoder(content):
    """Whatever it is asked for, an answer is of its types, or refused."""
    with contextlib.suppress(EOFError, messages.BadMessage):
        answer = decode(content)
        for understand in (
            answers.found_of,
            answers.look_of,
            answers.panels_of,
            answers.stated_of,
            lambda a: source.from_document(plain.unpack(a.result, {})),
        ):
            with contextlib.suppress(plain.NotPlain):
                understand(answer)


def code(content):
    write("x.py", content)
    for call in source.read_calls(HOME):
        assert call.place.isprintable()
        assert call.text.isprintable()


def told(content):
    """What a child tells of an archive, in batches, as the judge writes it to disk."""
    parts = iter(content.split(b"\xff\xfe"))

    def ask():
        document = json.loads(next(parts, b"[]"))
        return plain.all_of(list, plain.unpack(document, {})), memoryview(next(parts, b""))

    try:

        def opener(path, limit):
            return contextlib.nullcontext(containers.Told(ask, limit).entries())

        archives.unpack(write("x.zip", b"PK"), HOME / "target", BOUNDS, opener)
    finally:
        shutil.rmtree(HOME / "target", ignore_errors=True)
        assert {p.name for p in HOME.iterdir()} == {"x.zip"}


TARGETS = {
    "decoder": decoder,
    "told": told,
    "reader": discovery,
    "picture": lambda content: answers.look_of(read("look", "x.png", content, file="x.png")),
    "panels": lambda content: answers.panels_of(read("panels", "x.png", content, file="x.png")),
    "document": lambda content: answers.stated_of(read("document", "x.pdf", content, file="x.pdf")),
    "events": lambda content: event_files.read_scalars(write("x.tfevents.1", content)),
    "manifest": lambda content: plain.unpack(read("manifest", "submission.toml", content).result, {}),
    "archives": archive,
    "tables": table,
    "json": lambda content: understood(formats.read_json(write("x.json", content))),
    "arrays": lambda content: list(matrices.read_arrays(write("x.npy", content))),
    "weights": lambda content: weights.load_tensors(write("x.pth", content)),
    "notebook": lambda content: notebook_outputs.read_outputs(write("x.ipynb", content)),
    "logs": lambda content: logs.as_history(content.decode("utf-8", "replace"), "x"),
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

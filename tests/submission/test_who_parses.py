"""What was handed in is parsed by the child's modules alone: who else parses anything is listed here, and what."""

import ast
from pathlib import Path

import pytest

import in4310
from in4310.judging.data import resolve_data
from in4310.judging.edition import load_edition
from in4310.reference import reference_submission
from in4310.runner import judge_submission
from in4310.submission import contents, discovery, formats, looks, reader, source

ROOT = Path(in4310.__file__).parent
# The judge imports them for their types and for sums over values; what reads in them is called by `reader`.
CHILD = {
    "bindings", "calls", "choices", "claims", "constants", "contents", "discovery", "documents", "epochs", "event_files", "figures", "formats", "histories", "listings", "logs", "looks", "matrices",
    "notebook_outputs", "pickles", "reader", "settings_files", "source", "state_dicts", "tables", "values", "weights",
}  # fmt: skip
READERS = {
    "Contents", "Discovery", "Figures", "Reader", "Viewer", "load_tensors", "parse_json", "parse_lists", "parse_npy", "parse_table",
    "read_arrays", "read_calls", "read_code", "read_json", "read_outputs", "read_pickle", "read_picture", "read_scalars", "stated_in",
}  # fmt: skip
LIBRARIES = {
    "ast",
    "bz2",
    "csv",
    "gzip",
    "lzma",
    "nbformat",
    "pandas",
    "pickle",
    "pypdf",
    "tarfile",
    "tomllib",
    "xml",
    "yaml",
    "zipfile",
}
CALLS = {
    "Image.open",
    "json.load",
    "json.loads",
    "np.fromfile",
    "np.genfromtxt",
    "np.load",
    "np.loadtxt",
    "torch.load",
}
OTHERS = {
    "grading/autograder.py": {"json.loads"},  # settings of ours
    "grading/exports.py": {"csv", "xml"},  # written
    "grading/feedback.py": {"json.loads", "zipfile"},  # a record of ours; written
    "grading/gradebook.py": {"json.loads"},  # records of ours
    "grading/override.py": {"csv"},  # a teacher's list of marks
    "grading/work.py": {"json.loads"},  # answers of our own processes
    "judging/edition.py": {"ast", "tomllib"},  # editions and checks
    "judging/mistakes/inputs.py": {"Image.open"},  # the data set
    "judging/mistakes/pixels.py": {"Image.open"},  # what was saved as JPEG just before
    "judging/photographs.py": {"Image.open", "np.load"},  # the data set, and what we kept of it
    "judging/ranked_pictures.py": {"Image.open"},  # photographs of the data set
    "judging/pictures.py": {"pickle"},  # written, to tell equal data
    "judging/pipelines.py": {"Image.open"},  # the data set
    "judging/recovered.py": {"json.loads"},  # kept rehearsals of ours
    "judging/statistics.py": {"json.loads"},  # kept spectra of ours
    "rehearsal/facts.py": {"json.loads"},  # bounded notes of the child
    "rehearsal/observers/files.py": {"pickle"},  # in the child, as are the next two
    "rehearsal/observers/pixels.py": {"Image.open"},  # of our own data set, in the child
    "rehearsal/sites.py": {"ast"},
    "rehearsal/programs.py": {"ast", "json.loads"},
    "rehearsal/standins/devices.py": {"torch.load"},
    "rehearsal/standins/weights.py": {"torch.load"},
    "reporting/assignment_page.py": {"Image.open"},  # one's own run, as is the next
    "reporting/assignment_reading.py": {"json.loads", "read_json"},
    "reporting/junit.py": {"xml"},  # written
    "reporting/pictures.py": {"Image.open"},  # pictures of a report, drawn by us
    "submission/unpacked_weights.py": {"zipfile"},  # written
    "submission/closed.py": {"zipfile"},  # numbers of methods; of a file it reads sixteen bytes
    "submission/containers.py": {
        "bz2",
        "gzip",
        "lzma",
        "tarfile",
        "zipfile",
    },  # in the child, but for a class's own archive
    "submission/unxz.py": {"lzma"},  # as containers
    "submission/reading.py": {"Reader"},  # where nothing can be confined
    "submission/sandbox/filters.py": {"csv"},  # names of system calls
    "submission/sandbox/messages.py": {"json.loads"},  # the decoder
    "submission/sandbox/notebooks.py": {"ast", "json.loads"},  # in the child
    "submission/sandbox/tasks.py": {"Reader"},  # in the child
    "submission/sandbox/worker.py": {"json.loads"},  # of the zygote
    "submission/sandbox/zygote.py": {"json.loads"},  # of the judge
}


def named(text):
    """What of the above a source names."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found |= {node.attr, ast.unparse(node)}
        elif isinstance(node, ast.alias):
            found.add(node.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found & (READERS | LIBRARIES | CALLS)


def test_nobody_else_parses():
    files = {file.relative_to(ROOT).as_posix(): file for file in ROOT.rglob("*.py")}
    of_the_child = {f"submission/{name}.py" for name in CHILD}
    assert of_the_child <= set(files)
    others = {
        f: named(p.read_text())
        for f, p in files.items()
        if f not in of_the_child and not f.startswith("solution/")
    }
    assert {file: found for file, found in others.items() if found} == OTHERS


@pytest.mark.parametrize(
    "text",
    [
        "import json\njson.loads('')",
        "from in4310.submission import formats\nformats.read_json(x)",
        "import zipfile",
        "from xml.etree import ElementTree",
    ],
)
def test_a_parser_is_seen(text):
    assert named(text)


@pytest.mark.slow
def test_the_judge_parses_nothing_of_what_it_judges(sandbox, monkeypatch):
    """The reference has full marks with every reader of this process out of order: a child reads it."""

    def fails(*_, **__):
        pytest.fail("the judge reads what was handed in")

    for owner, name in (
        (reader.Reader, "__init__"), (contents.Contents, "__init__"), (discovery.Discovery, "__init__"), (looks.Viewer, "look"),
        (formats, "read_text"), (formats, "parse_json"), (formats, "parse_npy"), (formats, "read_picture"),
        (source, "read_calls"), (source, "read_code"), (reader, "load_tensors"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, fails)
    edition = load_edition("demo")
    results = judge_submission(
        reference_submission(edition, resolve_data(edition, None)), "demo", sandbox=sandbox
    )
    assert results.points == results.max_points
    assert "its files were read in a confined process" in results.isolation

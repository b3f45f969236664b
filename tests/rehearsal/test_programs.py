"""Programs as students write them: each runs to its end, or to its line marked STOPS; each line marked MISTAKE is named, and no other.

A line marked NEEDS imports a package that is not ours: where that is not installed, the program stops there, and it is named.
"""

import importlib.util
import json
import re

import pytest
from rehearsal.conftest import PROGRAMS

from in4310.rehearsal.story import story

NAMES = sorted(p.name for p in PROGRAMS.iterdir() if p.name not in ("honest", "__pycache__"))
QUICK = ("table", "best_reset", "reshaped", "hooks")  # of each kind of finding some; the others are slow
SPLITS = {
    "missing": 0,
    "cifar_style": 0,  # one tensor of all pixels says no names
    "globbing": 2,
    "last_batch": 2,
    "notebook": 2,
    "reporting": 2,
    "same_batch": 2,
    "swapped": 2,
}  # sets; else 3


def marked(folder, word):
    """(what is said after the mark, 'file:line') of each line with it."""
    for file in sorted(folder.rglob("*.py")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for said in re.findall(rf"# {word}([\w -]*)", line):
                yield said.strip(), f"{file.relative_to(folder)}:{number}"
    for file in sorted(folder.rglob("*.ipynb")):
        cells = [c for c in json.loads(file.read_text())["cells"] if c["cell_type"] == "code"]
        for cell, source in enumerate(cells, 1):
            for number, line in enumerate(source["source"], 1):
                for said in re.findall(rf"# {word}([\w -]*)", line):
                    yield said.strip(), f"{file.relative_to(folder)}#{cell}:{number}"


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
)
def test_a_program_is_seen_as_it_is(name, rehearsed):
    seen = rehearsed(name)
    stops = [e["at"] for e in seen.events if e["kind"] == "stopped"]
    for package, at in marked(PROGRAMS / name, "NEEDS"):
        if importlib.util.find_spec(package) is None:
            assert stops == [at]
            assert any(f"No module named '{package}'" in sentence for _, sentence in story(seen))
            return
    assert stops == [at for _, at in marked(PROGRAMS / name, "STOPS")], [
        e for e in seen.events if e["kind"] == "stopped"
    ]
    assert all(p.end == "ended" and p.status == (len(stops) > 0) for p in seen.programs)
    assert sorted((m.name, m.at) for m in seen.mistakes) == sorted(marked(PROGRAMS / name, "MISTAKE"))
    assert len(seen.facts.split) == SPLITS.get(name, 3)

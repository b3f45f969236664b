"""The house as ARCHITECTURE.md draws it: every file stands on a floor, imports point down or sideways, never in a circle.

All imports count: those inside a function (they are late, not fewer), and those for types only (who names another's
types is written against them).
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from in4310.judging.edition import checks_folder
from in4310.solution.images import FORMATS
from in4310.submission.formats import IMAGE_FORMATS

ROOT = Path(__file__).parents[1]
# Lowest first; a name stands for a file, or a folder with all in it that has no floor of its own.
FLOORS = (
    "in4310 in4310.errors in4310.progress in4310.places in4310.shown in4310.memory in4310.temporary",
    "in4310.solution.saving in4310.solution.network in4310.solution.splits",
    "in4310.solution.engine in4310.solution.drawing in4310.solution.scenes",
    "in4310.solution",
    "in4310.submission",
    "in4310.rehearsal",
    "in4310.judging.order in4310.judging.verdict in4310.judging.edition in4310.judging.data in4310.judging.audit",
    "in4310.judging.pipelines",
    "in4310.judging.mistake in4310.judging.digits in4310.judging.class_order in4310.judging.preprocessing in4310.judging.rebuilding",
    "in4310.judging.claimed",
    "in4310.judging.networks",
    "in4310.judging.evidence",
    "in4310.judging.inside in4310.judging.statistics",
    "in4310.judging.own_size",
    "in4310.judging.mistakes",
    "in4310.judging",
    "requirements",
    "in4310.reporting",
    "in4310.options in4310.door in4310.plugin_options",
    "in4310.reference",
    "in4310.plugin",
    "in4310.guest.in4310_pytest",
    "in4310.runner",
    "in4310.grading",
    "in4310.checking in4310.running in4310.rehearsing",
    "in4310.cli in4310.__main__",
)
FLOOR_OF = {name: height for height, names in enumerate(FLOORS) for name in names.split()}


def modules(folder, name):
    """Dotted name -> file of a package, or of a folder of files that are one."""
    for file in sorted(folder.rglob("*.py")):
        parts = [name, *file.relative_to(folder).with_suffix("").parts]
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imported(file, known):
    """Names of known modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: import by the whole name"
            found = [f"{node.module}.{a.name}" for a in node.names]
            found = [name if name in known else node.module for name in found]
        else:
            continue
        yield from (name for name in found if name in known)


def graph(files):
    """Module -> the modules that it imports."""
    return {name: set(imported(file, files)) - {name} for name, file in files.items()}


def floor(name):
    """The height of a module, of its folder or of the folder's folder; None: it has none."""
    while name not in FLOOR_OF and "." in name:
        name = name.rpartition(".")[0]
        if name == "in4310":  # a file there has a floor of its own
            return None
    return FLOOR_OF.get(name)


def circle(imports):
    """The modules of a circle, in order; None where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def upwards(imports):
    """'importer -> imported' for each import that points up a floor."""
    return [f"{a} -> {b}" for a in imports for b in sorted(imports[a]) if floor(b) > floor(a)]


@pytest.fixture(scope="module")
def house():
    return graph(dict([*modules(ROOT / "in4310", "in4310"), *modules(checks_folder(), "requirements")]))


def test_every_file_has_a_floor(house):
    assert [name for name in house if floor(name) is None] == []


def test_no_circle_of_files(house):
    assert circle(house) is None


def test_no_import_points_up_a_floor(house):
    assert upwards(house) == []


def test_the_solution_imports_none_of_the_others(house):
    leaves = {"in4310." + leaf for leaf in ("errors", "progress", "places", "shown", "memory")}
    found = {b for a, imports in house.items() if a.startswith("in4310.solution") for b in imports}
    assert {name for name in found if not name.startswith("in4310.solution")} <= leaves


def without_formats(file):
    """Lines where Pillow may try any of its formats, some of which are read by starting a program."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        opens = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open")
        if opens and "formats" not in {keyword.arg for keyword in node.keywords}:
            yield f"{file.name}:{node.lineno}"


def test_pictures_are_opened_in_named_formats_only(tmp_path):
    files = dict([*modules(ROOT / "in4310", "in4310"), *modules(checks_folder(), "requirements")])
    assert [line for file in sorted(files.values()) for line in without_formats(file)] == []
    assert set(FORMATS) == set(IMAGE_FORMATS)  # the solution imports none of the others
    (tmp_path / "x.py").write_text(
        "Image.open(a, formats=B)\nPIL.Image.open(\na)\nImage.open(a, 'r')\nopen(a)\n"
    )
    assert list(without_formats(tmp_path / "x.py")) == ["x.py:2", "x.py:4"]


def test_the_floors_name_nothing_that_is_gone(house):
    assert {name for name in FLOOR_OF if name not in house} == {"requirements"}  # a folder, and no package


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import in4310.runner", "in4310.runner"),
        ("from in4310 import runner", "in4310.runner"),
        ("from in4310.runner import judge_submission", "in4310.runner"),
        ("if TYPE_CHECKING:\n    from in4310.judging.mistakes import Match", "in4310.judging.mistakes"),
        ("def late():\n    from in4310.judging import mistakes", "in4310.judging.mistakes"),
    ],
)
def test_what_is_found(tmp_path, text, seen):
    (tmp_path / "evidence.py").write_text(text)
    found = graph({"in4310.judging.evidence": tmp_path / "evidence.py", seen: tmp_path / "evidence.py"})
    assert found["in4310.judging.evidence"] == {seen}
    assert upwards(found) == [f"in4310.judging.evidence -> {seen}"]


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}

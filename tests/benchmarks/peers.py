"""The same question on otter-grader, nbgrader and check50, each set up and called as its users do.

`prepare(place, hand-ins)` makes what the tool needs from hand-ins (name -> code of the answer) and returns one command
for each hand-in, with the folder to run it in and the file that must hold its result. Each answer imports torch.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ANSWER = '''
import torch


def rank(scores, paths, column, k):
    """The k paths with the largest and the k with the smallest score of a column."""
    order = torch.argsort(torch.as_tensor(scores)[:, column], descending=True, stable=True).tolist()
    return {"top": [paths[i] for i in order[:k]], "bottom": [paths[i] for i in order[::-1][:k]]}
'''
# What a teacher would test of it; the judge asks the same of a live function (in4310/judging/live.py, check_rank).
TESTED = """
import numpy as np
generator = np.random.default_rng(7)
scores = generator.dirichlet(np.full(6, 0.5), 97)
paths = [f"c{i % 6}/{i}.jpg" for i in generator.permutation(97).tolist()]
order = np.argsort(-scores[:, 2], kind="stable")
found = rank(scores, paths, 2, 10)
assert found["top"] == [paths[i] for i in order[:10]]
assert found["bottom"] == [paths[i] for i in order[::-1][:10]]
"""


@dataclass(frozen=True)
class Graded:
    """One command, whom it grades, and how to see that it did: a file, and a text in it."""

    command: list[str]
    folder: Path
    result: Path
    holds: str


def tool(name: str) -> str | None:
    """The tool's command: of this environment, or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def environment() -> dict[str, str]:
    """As in an activated environment: nbgrader looks for alembic on the path."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def called(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of a tool to its end, and keep what it prints."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def notebook(cells: list[dict]) -> str:
    """A notebook as JSON text; cells as {'source': text, ...}."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = [
        {"cell_type": "code", "execution_count": None, "id": f"c{i}", "metadata": {}, "outputs": []} | cell
        for i, cell in enumerate(cells)
    ]
    meta = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": whole, "metadata": meta, "nbformat": 4, "nbformat_minor": 5})


def otter(place: Path, hand_ins: dict[str, str]) -> list[Graded]:
    """`otter generate` once; `otter run` for each notebook."""
    (place / "tests").mkdir(parents=True)
    case = {
        "code": "".join(f">>> {line}\n" for line in TESTED.strip().splitlines()),
        "hidden": False,
        "locked": False,
    }
    test = {
        "name": "rank",
        "points": 1,
        "suites": [{"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}],
    }
    (place / "tests" / "rank.py").write_text(f"OK_FORMAT = True\n\ntest = {test!r}\n")
    command = tool("otter")
    options = ["-t", "tests", "-o", "autograder.zip", "--no-environment", "--no-requirements"]
    generated = called([command, "generate", *options], place)
    assert generated.returncode == 0, generated.stderr
    jobs = []
    for who, code in hand_ins.items():
        folder = place / who
        (folder / "out").mkdir(parents=True)
        cells = [{"source": "import otter\ngrader = otter.Notebook()"}, {"source": code}]
        (folder / "answer.ipynb").write_text(notebook(cells))
        jobs.append(
            Graded(
                [
                    command,
                    "run",
                    "answer.ipynb",
                    "-a",
                    str(place / "autograder.zip"),
                    "-o",
                    "out",
                    "--no-logo",
                ],
                folder,
                folder / "out" / "results.json",
                '"score": 1.0',
            )
        )
    return jobs


def nbgrader(place: Path, hand_ins: dict[str, str]) -> list[Graded]:
    """`nbgrader generate_assignment` once; `nbgrader autograde` for each student."""
    source = place / "source" / "ps1"
    source.mkdir(parents=True)

    def mark(**more: object) -> dict:
        return {"nbgrader": {"schema_version": 3, "locked": False, "task": False, **more}}

    def cells(code: str) -> list[dict]:
        return [
            {"source": code, "metadata": mark(grade=False, grade_id="answer", solution=True)},
            {
                "source": TESTED,
                "metadata": mark(grade=True, grade_id="rank", locked=True, points=1, solution=False),
            },
        ]

    (source / "answer.ipynb").write_text(notebook(cells(ANSWER)))
    (place / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.course_id = "in4310"\n')
    command = tool("nbgrader")
    made = called([command, "generate_assignment", "ps1", "--create"], place)
    assert made.returncode == 0, made.stderr[-2000:]
    jobs = []
    for who, code in hand_ins.items():
        folder = place / "submitted" / who / "ps1"
        folder.mkdir(parents=True)
        (folder / "answer.ipynb").write_text(notebook(cells(code)))
        graded = place / "autograded" / who / "ps1" / "answer.ipynb"
        jobs.append(Graded([command, "autograde", "ps1", "--student", who], place, graded, "def rank"))
    return jobs


def check50(place: Path, hand_ins: dict[str, str]) -> list[Graded]:
    """A folder of checks; `check50 --dev` in each student's folder."""
    checks = place / "checks"
    checks.mkdir(parents=True)
    (checks / ".cs50.yml").write_text("check50:\n  files:\n    - !exclude '*'\n    - !require answer.py\n")
    body = "\n".join(f"    {line}" for line in TESTED.strip().splitlines())
    (checks / "__init__.py").write_text(
        "import check50\nimport check50.py\n\n\n@check50.check()\ndef ranks():\n"
        '    """ranks the images of a class"""\n'
        f"    rank = check50.py.import_('answer.py').rank\n{body}\n"
    )
    jobs = []
    for who, code in hand_ins.items():
        folder = place / who
        folder.mkdir()
        (folder / "answer.py").write_text(code)
        jobs.append(
            Graded(
                [tool("check50"), "--dev", str(checks), "-o", "json", "--output-file", "result.json"],
                folder,
                folder / "result.json",
                '"passed": true',
            )
        )
    return jobs


PREPARED = {
    "otter-grader": ("otter", otter),
    "nbgrader": ("nbgrader", nbgrader),
    "check50": ("check50", check50),
}


def run(job: Graded) -> None:
    """Run the command and see that the hand-in was graded, and found right."""
    done = called(job.command, job.folder)
    said = (done.stdout + done.stderr)[-2000:]
    assert job.result.is_file(), said
    assert job.holds in job.result.read_text(), said + job.result.read_text()[:2000]

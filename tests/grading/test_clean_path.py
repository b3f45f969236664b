"""Nothing of a hand-in can be imported by the judge: the class lies in the current folder, and its students' folders are
named as the modules that the judge and its processes import."""

import os
import subprocess
import sys

import pytest

NAMES = (
    "in4310",
    "random",
    "multiprocessing",
    "torch",
    "numpy",
    "pebble",
    "sitecustomize",
    "conftest",
    "encodings",
)
COMMAND = (
    "import sys; sys.path.pop(0); from in4310.cli import main; main()"  # as the installed command starts
)


def write_class(place, ran):
    spoilt = f"open({str(ran)!r}, 'a').write(__name__ + chr(10))\n"
    for name in NAMES:
        (place / name / "grading").mkdir(parents=True)
        for file in (
            "__init__.py",
            "__main__.py",
            "conftest.py",
            "grading/__init__.py",
            "grading/warm.py",
            "grading/work.py",
        ):
            (place / name / file).write_text(spoilt)
    return place


@pytest.mark.slow
def test_a_class_in_the_current_folder_is_graded_and_not_run(tmp_path):
    ran = tmp_path / "ran"
    place = write_class(tmp_path / "class", ran)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "grade", ".", "--out", str(tmp_path / "out"), "--jobs", "1", "--quiet"],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not ran.exists(), ran.read_text()
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert name in done.stdout

"""The autograder that is made runs as Gradescope would run it: from its files alone, and always with a results.json."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from in4310.errors import InputError
from in4310.grading.autograder import run_autograder, write_autograder
from in4310.judging.edition import load_edition


@pytest.fixture
def root(tmp_path):
    for name in ("submission", "results"):
        (tmp_path / "autograder" / name).mkdir(parents=True)
    return tmp_path / "autograder"


def run(root):
    done = subprocess.run(
        ["bash", str(root / "source" / "run_autograder")],
        env={**os.environ, "AUTOGRADER_ROOT": str(root), "IN4310_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return json.loads((root / "results" / "results.json").read_text())


def test_the_scripts_are_scripts_and_the_edition_goes_with_them(tmp_path):
    mine, base = tmp_path / "mine.toml", tmp_path / "base.toml"
    text = (Path(__file__).parents[2] / "in4310" / "judging" / "editions" / "demo.toml").read_text()
    base.write_text(text.replace('title = "', 'title = "My ', 1))
    mine.write_text('name = "mine"\ntitle = "Mine"\nextends = "base.toml"\n')
    files = write_autograder(tmp_path / "made", str(mine))
    for file in files[:2]:
        assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0
        assert os.access(file, os.X_OK)
    assert (tmp_path / "made" / "mine.toml").read_text() == mine.read_text()
    assert load_edition(str(tmp_path / "made" / "mine.toml")) == load_edition(str(mine))


def set_up(root):
    """Run setup.sh of an autograder in `root`, with a pip3 and a uv that only say what they were asked for."""
    tools = root / "tools"
    tools.mkdir()
    for name in ("pip3", "uv"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*"\n')
        (tools / name).chmod(0o755)
    return subprocess.run(
        ["bash", str(root / "source" / "setup.sh")],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "AUTOGRADER_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_installs_our_wheel_and_torch_in_one_call_and_never_our_name_from_an_index(root):
    write_autograder(root / "source", "demo")
    wheel = root / "source" / "in4310-1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    done = set_up(root)
    assert done.returncode == 0, done.stderr
    (install,) = [line for line in done.stdout.splitlines() if line.startswith("uv pip install")]
    assert install.endswith(f"--torch-backend cpu {wheel}")


def test_setup_without_our_wheel_installs_nothing(root):
    write_autograder(root / "source", "demo")
    done = set_up(root)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "expected one wheel" in done.stderr


def test_what_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(InputError, match="new or empty folder"):
        write_autograder(tmp_path / "full", "demo")
    with pytest.raises(InputError):
        write_autograder(tmp_path / "a", "1999")
    with pytest.raises(InputError, match="expected the data folder, found nothing"):
        write_autograder(tmp_path / "a", "demo", tmp_path / "none")
    with pytest.raises(InputError, match="expected class folders"):
        write_autograder(tmp_path / "a", "demo", tmp_path / "full")
    with pytest.raises(InputError, match="2023 needs the course's photographs"):
        write_autograder(tmp_path / "a", "2023")
    (tmp_path / "data" / "sea").mkdir(parents=True)
    with pytest.raises(InputError, match="lies inside the data"):
        write_autograder(tmp_path / "data" / "a", "demo", tmp_path / "data")
    (tmp_path / "data" / "sea" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="not all files of the data can be read"):
        write_autograder(tmp_path / "a", "demo", tmp_path / "data")
    assert not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="folder of an autograder"):
        run_autograder(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_submission_gets_its_points(reference, root):
    write_autograder(root / "source", "demo")
    shutil.copytree(reference, root / "submission", dirs_exist_ok=True)
    found = run(root)
    assert found["score"] == 110
    assert sum(t["max_score"] for t in found["tests"]) == 110


@pytest.mark.slow
def test_what_cannot_be_judged_has_no_score_and_says_why(root):
    write_autograder(root / "source", "demo")
    (root / "submission" / "oblig.zip").write_bytes(b"PK\x03\x04 broken")
    found = run(root)
    assert "score" not in found
    assert "cannot be read" in found["tests"][0]["output"]
    (root / "submission" / "oblig.zip").unlink()
    settings = json.loads((root / "source" / "in4310.json").read_text())
    (root / "source" / "in4310.json").write_text(json.dumps(settings | {"seconds": 0.01}))
    (root / "submission" / "metrics.json").write_text("{}")
    assert "took longer than" in run(root)["tests"][0]["output"]
    (root / "source" / "in4310.json").write_text("{}")
    assert "for the teacher to fix" in run(root)["tests"][0]["output"]

"""The command line as a user meets it: help, a small run, stopping it, going on, judging."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

SMALL = ("--size", "32", "--trial-epochs", "1", "--epochs", "3", "--edition", "demo", "--quiet")


def without_times(path):
    """A history without the seconds that each epoch took."""
    run = json.loads(path.read_text())
    for epoch in run["epochs"]:
        del epoch["seconds"], epoch["data_seconds"]
    return run


def wait_for(path, process, seconds=120):
    """Until a file appears; fails when the process ends first."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, f"{path} did not appear"
        select_nothing(0.005)


def select_nothing(seconds):
    """Give the other process a moment; the wait ends by the file's appearance, not by time."""
    import threading

    threading.Event().wait(seconds)


def test_help_teaches_and_does_not_load_torch():
    for arguments in (["--help"], ["run", "--help"], ["check", "--help"], ["demo", "--help"]):
        program = (
            "import sys; from in4310.cli import cli\n"
            f"try: cli.main({arguments!r}, prog_name='in4310')\n"
            "finally: assert not {'torch', 'numpy', 'matplotlib', 'sklearn'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Usage: in4310" in done.stdout


def test_network_prints_the_table_of_the_2023_report(in4310):
    result = in4310("network")
    assert result.exit_code == 0
    for text in ("64 x 56 x 56", "128 x 28 x 28", "256 x 14 x 14", "512 x 7 x 7", "512 x 1 x 1"):
        assert text in result.stdout


@pytest.fixture(scope="module")
def unstopped(program_in, drawn, tmp_path_factory):
    """Of a run that nobody stopped: its command, its exit status, what it printed, and the submission that it made."""
    out = tmp_path_factory.mktemp("whole") / "whole"
    command = ("run", "--data", drawn, *SMALL, "--out", out, "--report", out.parent / "report")
    run = program_in(out.parent, *command)
    printed, errors = run.communicate(timeout=300)
    assert run.returncode in (0, 1), errors
    return command, run.returncode, printed, out


@pytest.fixture
def whole(unstopped):
    return unstopped[-1]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(program, drawn, whole, tmp_path, stop):
    common = ("run", "--data", drawn, *SMALL)
    stopped = program(*common, "--out", "stopped", "--report", "report-stopped")
    wait_for(tmp_path / "stopped" / "training" / "sgd-0.01-onecycle-batch-64" / "history.json", stopped)
    stopped.send_signal(stop)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode != 0
    assert not (tmp_path / "stopped" / "submission.toml").exists()
    if stop == signal.SIGINT:
        assert "--resume" in errors

    again = program(*common, "--out", "stopped", "--report", "report-stopped")
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 2
    assert "--resume" in errors

    resumed = program(*common, "--out", "stopped", "--report", "report-stopped", "--resume")
    _, errors = resumed.communicate(timeout=300)
    assert resumed.returncode in (0, 1), errors
    for name in ("scores_test.npy", "scores_val.npy"):
        assert np.array_equal(np.load(whole / name), np.load(tmp_path / "stopped" / name))
    for name in ("metrics.json", "ranking.json", "non_positive.json", "eigenvalues.json"):
        assert (whole / name).read_text() == (tmp_path / "stopped" / name).read_text()
    histories = sorted(f.name for f in (whole / "history").iterdir())
    assert histories == sorted(f.name for f in (tmp_path / "stopped" / "history").iterdir())
    for name in histories:
        assert without_times(whole / "history" / name) == without_times(
            tmp_path / "stopped" / "history" / name
        )
    assert not list((tmp_path / "stopped").rglob("*.partial"))
    assert not (tmp_path / "stopped" / "training").exists()


@pytest.mark.slow
def test_two_processes_make_one_submission(program, drawn, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "in4310")
    folders = ("--out", "out", "--report", "report")
    run = program("run", "--data", drawn, *SMALL, *folders, launcher=launcher)
    printed, errors = run.communicate(timeout=300)
    assert run.returncode in (0, 1), errors
    assert printed.count("report/index.html") == 1, errors
    assert json.loads((tmp_path / "out" / "resources.json").read_text())["processes"] == 2
    rows = (tmp_path / "out" / "split" / "test.csv").read_text().splitlines()
    assert len(np.load(tmp_path / "out" / "scores_test.npy")) == len(rows) - 1
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    checks = [c for r in results["requirements"] for c in r["checks"]]
    lost = any(c["points"] + c["open_points"] < c["max_points"] for c in checks)
    assert run.returncode == lost, "as without torchrun"
    assert not lost or "nothing has crashed" in errors
    outcomes = {c["name"]: c["outcome"] for c in checks}
    assert (
        outcomes["scores_reproduce"] == outcomes["metrics_map"] == outcomes["best_on_validation"] == "passed"
    )


@pytest.mark.slow
def test_a_complete_run_is_not_done_again(in4310, unstopped):
    command, status, printed, out = unstopped
    weights = (out / "model.pth").stat().st_mtime_ns
    page = (out / "report.html").read_text()
    assert str(out / "report.html") in printed
    second = in4310(*command, "--resume")
    assert second.exit_code == status
    assert (out / "model.pth").stat().st_mtime_ns == weights
    assert (out / "report.html").read_text() == page
    other = in4310(*command, "--resume", "--seed", "7")
    assert other.exit_code == 2
    assert "repeat the first command" in other.stderr


@pytest.mark.slow
def test_check_judges_the_reference(in4310, reference, tmp_path):
    result = in4310("check", reference, "--report", tmp_path / "report", "--quiet")
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert results["edition"] == "demo"
    assert all(c["points"] == c["max_points"] for r in results["requirements"] for c in r["checks"])
    assert (tmp_path / "report" / "index.html").stat().st_size < 3 * 2**20
    assert (tmp_path / "report" / "junit.xml").exists()


@pytest.mark.usefixtures("in_one_child")
def test_check_of_an_empty_folder_gives_no_point(in4310, tmp_path):
    (tmp_path / "empty").mkdir()
    result = in4310("check", tmp_path / "empty", "--report", tmp_path / "report", "--quiet")
    assert result.exit_code == 1, result.output
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    checks = [c for r in results["requirements"] for c in r["checks"]]
    assert sum(c["points"] for c in checks) == 0
    assert {c["outcome"] for c in checks} == {"not run"}

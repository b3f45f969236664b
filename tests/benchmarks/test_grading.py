"""What grading costs: one live function of a submission beside other graders, and one submission in all.

The peers come with `pip install 'in4310[peers]'`; where one is not installed, its side is skipped and says so.
IN4310_HAND_INS: how many hand-ins a peer grades (ten, as ours; otter takes seconds for each).
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import peers
from benchmarks.large import TEST, edition_file, large_submission
from benchmarks.side_by_side import OwnProcess, seconds, turns
from PIL import Image
from torchvision import transforms
from torchvision.models import resnet18

from in4310.judging.asked import check_rank
from in4310.judging.audit import bound
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome, Results
from in4310.places import cache_folder
from in4310.runner import judge_submission
from in4310.solution.images import IMAGENET_MEAN, IMAGENET_STD
from in4310.submission.live import Live
from in4310.submission.sandbox.worker import Sandbox

HAND_INS = 10
GOAL_LIVE = 0.1


def costs(run, *arguments):
    """Seconds, and processor seconds of this process and of its children that ended meanwhile."""

    def computed():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in used)

    before = computed()
    return seconds(lambda: run(*arguments)), computed() - before


@pytest.fixture(scope="module")
def sandbox():
    """One zygote, as one run of `in4310 grade` has it for all submissions; ready."""
    with Sandbox() as sandbox:
        began = time.perf_counter()
        if not sandbox.tier.confined:
            pytest.skip(f"nothing can be confined here: {sandbox.tier.describe()}")
        sandbox.seconds_to_start = time.perf_counter() - began
        yield sandbox


@pytest.fixture
def hand_ins(tmp_path):
    folders = []
    for number in range(HAND_INS):
        folder = tmp_path / f"student{number}"
        folder.mkdir()
        # A comment of each student's own: no two files are the same, nothing can be kept from one to the next.
        (folder / "answer.py").write_text(f"# student {number}\n{peers.ANSWER}")
        folders.append(folder)
    return folders


def judged(sandbox, folder):
    """The question of check_rank, put to the hand-in's function in a confined child of its own."""
    judge = Judge()
    check_rank(Live(sandbox, folder, {"rank": "answer:rank"}), judge)
    assert judge.outcome is Outcome.PASSED, judge.reason


@pytest.mark.benchmark(group="one live function of one submission")
def test_live_code_alone(benchmark, sandbox, hand_ins):
    """As below, where no peer is installed."""
    judged(sandbox, hand_ins[0])
    ours = [seconds(partial(judged, sandbox, folder)) for folder in hand_ins]
    each = statistics.mean(ours)
    benchmark.extra_info.update(
        {
            "claim": "one question, ten submissions that import torch: confined, a child of its own for each",
            "goal": f"at most {GOAL_LIVE} s each, confined",
            "ratio": round(each, 4),
            "unit": "seconds each",
            "met": each <= GOAL_LIVE,
            "our median": round(statistics.median(ours), 4),
            "walls": sandbox.tier.describe(),
        }
    )
    benchmark.pedantic(judged, args=(sandbox, hand_ins[0]), rounds=3)


@pytest.mark.benchmark(group="one live function of one submission")
@pytest.mark.parametrize("peer", peers.PREPARED)
def test_live_code(benchmark, sandbox, hand_ins, tmp_path, peer):
    command, prepare = peers.PREPARED[peer]
    if peers.tool(command) is None:
        pytest.skip(f"{peer} is not installed: pip install 'in4310[peers]'")
    count = int(os.environ.get("IN4310_HAND_INS", HAND_INS))
    jobs = prepare(
        tmp_path / command, {f"student{n}": f"# student {n}\n{peers.ANSWER}" for n in range(count)}
    )
    judged(sandbox, hand_ins[0])
    ours, theirs = [], []
    for number in range(max(count, HAND_INS)):  # in turn: what else the machine does falls on both
        ours.append(seconds(partial(judged, sandbox, hand_ins[number % HAND_INS])))
        if number < count:
            theirs.append(seconds(partial(peers.run, jobs[number])))
    each, other = statistics.mean(ours), statistics.mean(theirs)
    benchmark.extra_info.update(
        {
            "claim": f"one question, ten submissions that import torch: confined, beside {peer} as a command",
            "goal": f"at most {GOAL_LIVE} s each, confined",
            "ratio": round(each, 4),
            "unit": "seconds each",
            "met": each <= GOAL_LIVE,
            f"{peer}, seconds each": round(other, 2),
            f"times faster than {peer}": round(other / each, 1),
            "our median": round(statistics.median(ours), 4),
            "our zygote's start, once for all": round(sandbox.seconds_to_start, 2),
            "hand-ins": [len(ours), count],
            "walls": sandbox.tier.describe(),
        }
    )
    benchmark.pedantic(judged, args=(sandbox, hand_ins[0]), rounds=3)


# -- one submission in all ---------------------------------------------------------------------------------

SIZE = int(os.environ.get("IN4310_SIZE", "128"))
BARE_IMAGES = 192
BATCH = 64
GOAL_IN_ALL = 10
FEWER_ROWS = (64, 32)


def plain_grader(folder, root, paths):
    """A bare loop that recomputes scores: files decoded one by one, fp32, NCHW, no_grad; compared with those saved."""
    model = resnet18(num_classes=6).eval()
    model.load_state_dict(torch.load(Path(folder) / "model.pth", weights_only=True))
    transform = transforms.Compose(
        [
            transforms.Resize(SIZE),
            transforms.CenterCrop(SIZE),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )

    def loop():
        parts = []
        for start in range(0, len(paths), BATCH):
            files = [Path(root) / path for path in paths[start : start + BATCH]]
            batch = [transform(Image.open(file).convert("RGB")) for file in files]
            with torch.no_grad():
                parts.append(torch.softmax(model(torch.stack(batch)), dim=1))
        return torch.cat(parts).numpy()

    return loop


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Edition file, submission and data with a test set of 3000."""
    edition = edition_file(tmp_path_factory.mktemp("edition"))
    return edition, *large_submission(edition, SIZE)


def checked(edition, folder, report, *more):
    command = [sys.executable, "-m", "in4310", "check", str(folder), "--edition", str(edition), "--quiet"]
    done = subprocess.run(
        [*command, "--report", str(report), *more], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return Results.model_validate_json((report / "results.json").read_text())


@pytest.mark.slow
@pytest.mark.benchmark(group="one submission in all, test set of 3000")
@pytest.mark.parametrize("way", ["in a class", "as a command"])
def test_one_submission(benchmark, large, tmp_path, sandbox, way):
    """Beside a bare loop over all 3000, timed on some of them in turn with ours, as it takes the same for each.

    In a class: a process that `in4310 grade` has made ready judges one more hand-in, whose untrained network it has
    seen in another. As a command: `in4310 check`, start and imports included, with nothing kept from before.
    What a teacher gains who asks for fewer rows, and gives up: the same for editions that do.
    """
    edition, folder, data = large
    rows = [line.split(",")[0] for line in (folder / "split" / "test.csv").read_text().splitlines()[1:]]
    saved = np.load(folder / "scores_test.npy")
    some = rows[:: TEST // BARE_IMAGES][:BARE_IMAGES]
    found = plain_grader(folder, data.root, some[:BATCH])()
    assert np.abs(found - saved[[rows.index(path) for path in some[:BATCH]]]).max() < 1e-3
    results = []

    def judge(asked, report):
        results.append(judge_submission(folder, str(asked), report=report, sandbox=sandbox))

    if way == "in a class":
        judge(edition, tmp_path / "warm")

    def ours(round_):
        report = tmp_path / str(round_)
        if way == "in a class":
            judge(edition, report)
        else:
            shutil.rmtree(cache_folder() / "spectra", ignore_errors=True)
            results.append(checked(edition, folder, report))

    rounds = len(turns(3))
    # In a process of its own: ours tells glibc to keep large buffers, which would make it faster too.
    with OwnProcess(__file__, "plain_grader", str(folder), str(data.root), some) as plain:
        taken, bare = zip(*((costs(ours, i), plain.seconds()) for i in range(rounds)), strict=True)
    all_, processor = (statistics.median(one[i] for one in taken) for i in (0, 1))
    bare_all = statistics.median(bare)
    carried = TEST / len(some)
    ratio = bare_all * carried / all_
    audit = results[-1].audit
    fewer = {}
    for rows_ in FEWER_ROWS if way == "in a class" else ():
        asked = edition_file(tmp_path / f"rows-{rows_}", rows_)
        times = [seconds(partial(judge, asked, tmp_path / "fewer")) for _ in range(rounds)]
        fewer[f"times, with [audit] rows = {rows_}, and the bound"] = [
            round(bare_all * carried / statistics.median(times), 2),
            f"{bound(results[-1].audit.rows['test'], TEST):.2%}",
        ]
    benchmark.extra_info.update(
        {
            "claim": f"one submission judged in all, {way}, beside recomputing all {TEST} scores in a bare loop"
            f" (fp32, NCHW, no_grad, decoding included), {SIZE} x {SIZE}",
            "goal": f"at least {GOAL_IN_ALL} times",
            "ratio": round(ratio, 2),
            "unit": "times",
            "met": ratio >= GOAL_IN_ALL,
            "seconds in all, and processor seconds": [round(all_, 1), round(processor, 1)],
            "the bare loop's, carried on": round(bare_all * carried, 1),
            "images that the bare loop was timed on": len(some),
            "rows computed again": audit.rows,
            "bound on undetected wrong rows": f"{bound(audit.rows['test'], TEST):.2%} (95 %)",
            "points": f"{results[-1].points:g} of {results[-1].max_points:g}",
            "chosen": results[-1].chosen,
            **fewer,
        }
    )
    benchmark.pedantic(ours, args=(rounds,), rounds=1)

"""A split that is only code is judged as one that a file says."""

import json
import shutil

import pytest
from rehearsal.conftest import PROGRAMS

from in4310.judging.data import embedded_data
from in4310.judging.verdict import Outcome
from in4310.places import cache_folder
from in4310.rehearsal.rehearse import rehearse as REHEARSE
from in4310.runner import judge_submission

pytestmark = pytest.mark.slow

PROGRAM = """
import os
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor

ROOT = "data"
VAL = {val!r}.split()
TEST = {test!r}.split()


class Scenes(Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(os.path.join(ROOT, self.paths[i])) as picture:
            pixels = pil_to_tensor(picture.convert("RGB").resize((8, 8)))
        return pixels.float() / 255, CLASSES.index(self.paths[i].split("/")[0])


CLASSES = sorted(os.listdir(ROOT))
every = sorted(f"{{c}}/{{f}}" for c in CLASSES for f in os.listdir(os.path.join(ROOT, c)))
{shuffled}
train = [p for p in every if p not in set(VAL + TEST)]
train_loader = DataLoader(Scenes(train), batch_size=32, shuffle=True)
val_loader = DataLoader(Scenes(VAL), batch_size=32)
test_loader = DataLoader(Scenes(TEST), batch_size=32)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 6))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for epoch in range(2):
    net.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    for loader in (val_loader, test_loader):
        net.eval()
        with torch.no_grad():
            for x, y in loader:
                net(x)
"""
UNSEEDED = "import random; random.Random(os.urandom(8)).shuffle(TEST)"


@pytest.fixture
def hand_in(reference, tmp_path, sandbox):
    """The reference with its split in a program alone; `shuffled`: a line that the program has before its loaders."""
    if not sandbox.tier.namespaces:
        pytest.skip("namespaces cannot be had here")

    def made(shuffled=""):
        folder = tmp_path / "hand-in"
        # Without what the tests here do not ask for, and the judge would compute all the same.
        inside = ("untuned.pth", "*.json", "feature_maps", "plots", "history")
        shutil.copytree(reference, folder, ignore=shutil.ignore_patterns(*inside))
        split = {file.stem: file.read_text().split()[1:] for file in (folder / "split").iterdir()}
        shutil.rmtree(folder / "split")
        (folder / "submission.toml").unlink()
        for script in folder.rglob("*.py"):
            script.unlink()
        sets = {name: " ".join(row.split(",")[0] for row in split[name]) for name in ("val", "test")}
        (folder / "train.py").write_text(PROGRAM.format(**sets, shuffled=shuffled))
        return folder

    return made


def outcomes(results):
    return {c.name: c for r in results.requirements for c in r.checks}


def test_the_split_that_its_program_makes_is_judged_and_proved_by_the_scores(hand_in, sandbox):
    folder = hand_in()
    without = outcomes(judge_submission(folder, "demo", sandbox=sandbox, rehearsal=False))
    results = judge_submission(folder, "demo", sandbox=sandbox)
    found = outcomes(results)
    for check in (
        "split_covers_data",
        "split_sizes",
        "split_stratified",
        "split_disjoint_by_name",
        "split_seed",
    ):
        assert without[check].outcome is Outcome.NOT_RUN
        assert found[check].outcome is Outcome.PASSED, found[check]
    assert found["split_seed"].rests_on == "seen run"
    assert found["scores_reproduce"].outcome is Outcome.PASSED, found["scores_reproduce"]
    assert found["runs_without_arguments"].outcome is Outcome.PASSED
    assert found["runs_without_arguments"].rests_on == "seen run"
    (split,) = (p for p in results.pieces if p.name == "split")
    assert (split.file, split.why) == ("train.py", "made by train.py when it was run")
    assert any(
        "the split that train.py makes is proved by the scores handed in" in note for note in results.notes
    )


def test_a_split_that_is_another_in_each_run_is_no_seeded_one(hand_in, sandbox):
    found = outcomes(judge_submission(hand_in(UNSEEDED), "demo", sandbox=sandbox))
    assert found["split_sizes"].outcome is Outcome.PASSED
    assert found["split_seed"].outcome is Outcome.FAILED


def test_what_was_rehearsed_is_not_rehearsed_again(hand_in, sandbox, tmp_path, monkeypatch):
    from in4310.judging import recovered

    cache = tmp_path / "cache"
    cache.mkdir()
    for kept in cache_folder().iterdir():
        if kept.name != "rehearsals":
            (cache / kept.name).symlink_to(kept)
    monkeypatch.setenv("IN4310_CACHE", str(cache))
    folder, runs = hand_in(), []
    monkeypatch.setattr(recovered, "rehearse", lambda *given: runs.append(given) or REHEARSE(*given))
    first, second = (outcomes(judge_submission(folder, "demo", sandbox=sandbox)) for _ in range(2))
    assert len(runs) == 1
    assert {n: c.outcome for n, c in first.items()} == {n: c.outcome for n, c in second.items()}
    (folder / "train.py").write_text((folder / "train.py").read_text() + "\n# another file\n")
    judge_submission(folder, "demo", sandbox=sandbox)
    assert len(runs) == 2


def test_what_is_asked_of_code_is_judged_by_what_was_seen(rehearsed, sandbox):
    found = outcomes(judge_submission(PROGRAMS / "package", "demo", sandbox=sandbox))
    for check in (
        "loaders_follow_split",
        "class_order",
        "network_depth",
        "three_settings",
        "best_on_validation",
    ):
        assert (found[check].outcome, found[check].rests_on) == (Outcome.PASSED, "seen run"), found[check]
    assert found["metrics_map"].outcome is Outcome.NOT_RUN  # figures are for files
    found = outcomes(judge_submission(PROGRAMS / "gpu_only", "demo", sandbox=sandbox))
    assert found["best_on_validation"].outcome is Outcome.FAILED
    assert "chosen on the test set" in found["best_on_validation"].mistake
    assert "train.py:63" in found["best_on_validation"].reason


def test_beside_a_file_a_program_says_whether_it_makes_that_split(hand_in, sandbox):
    folder = hand_in()
    split = {name: [] for name in ("train", "val", "test")}
    for name in ("val", "test"):
        split[name] = (
            (folder / "train.py").read_text().partition(f"{name.upper()} = '")[2].partition("'")[0].split()
        )
    every = sorted(f"{p.parent.name}/{p.name}" for p in embedded_data(1200).glob("*/*.jpg"))
    split["train"] = [p for p in every if p not in {*split["val"], *split["test"]}]
    (folder / "split.json").write_text(json.dumps(split))
    results = judge_submission(folder, "demo", sandbox=sandbox)
    assert any("train.py makes the split that the files say" in note for note in results.notes)
    assert outcomes(results)["split_seed"].rests_on == "seen run"
    split["val"][0], split["test"][0] = split["test"][0], split["val"][0]
    (folder / "split.json").write_text(json.dumps(split))
    results = judge_submission(folder, "demo", sandbox=sandbox)
    assert any(
        "train.py makes another split than the files say (val, test)" in note for note in results.notes
    )
    assert outcomes(results)["split_seed"].rests_on != "seen run"

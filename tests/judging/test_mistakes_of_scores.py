"""The search for what gave the scores, whole: a small network, images drawn anew, and each kind of mistake and pair."""

import copy
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sampled import sampled
from torch import nn

from in4310.judging.mistakes import cases, outputs, scores
from in4310.judging.mistakes.budget import Budget
from in4310.solution.images import Images, Preprocessing
from in4310.solution.loaders import batches
from in4310.submission.pieces import Missing
from in4310.submission.source import Call

CLASSES = ["a", "b", "c", "d"]
PATHS = tuple(f"{CLASSES[i % 4]}/{i}.png" for i in range(97))
STATED = Preprocessing(size=12, resize=12)
TOLERANCE = 1e-3
SHUFFLES = Call("evaluate.py", 7, "DataLoader", ("<test>",), {"shuffle": True}, "test_loader")


class Small(nn.Module):
    """Enough of a network that mode, colours, layout and normalisation matter."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.bn, self.fc = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.Linear(8 * 9, 4)
        self.bn.running_mean.uniform_(-0.5, 0.5)
        self.bn.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return 3 * self.fc(nn.functional.adaptive_avg_pool2d(self.bn(self.conv(x)).relu(), 3).flatten(1))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (len(PATHS), 12, 12, 3), dtype=np.uint8)
    labels = np.array([CLASSES.index(p[0]) for p in PATHS])
    root = tmp_path_factory.mktemp("photographs")
    for path, own in zip(PATHS, pixels, strict=True):
        (root / path).parent.mkdir(exist_ok=True)
        Image.fromarray(own).save(root / path)
    images = Images(PATHS, pixels, labels, tuple(CLASSES))
    evidence = SimpleNamespace(
        split={"train": (), "val": (), "test": PATHS},
        classes=CLASSES,
        preprocessing=STATED,
        device="cpu",
        model=Small(1).eval(),
        data=SimpleNamespace(root=root, labels={p: p[0] for p in PATHS}),
        source=[SHUFFLES],
        images=images.subset,
        other_networks=lambda: [("models/last.pth", Small(2).eval())],
        submission=SimpleNamespace(located={}),
    )

    def known(name):
        if name != "test":
            raise Missing("split")
        return PATHS

    evidence.known = known
    evidence.audited = lambda name: (np.arange(len(PATHS)), right(evidence))
    return evidence


def right(evidence, model=None, bgr=False, softmax=True):
    images = evidence.images(PATHS)
    if bgr:
        images = replace(images, pixels=images.pixels[..., ::-1])
    with torch.no_grad():
        given = [(model or evidence.model).eval()(x) for x, _ in batches(images, STATED, 32, "cpu")]
    logits = torch.cat(given).double().numpy()
    return outputs.softmax(logits) if softmax else logits


def named(evidence, claimed, budget=None):
    return [m.names for m in scores.diagnose(evidence, claimed, TOLERANCE, budget or Budget())]


def test_right_scores_are_no_mistake(world):
    assert named(world, right(world)) == []


def test_outputs_are_named_with_their_quality(world):
    order = np.random.RandomState(0).permutation(len(PATHS))
    (match,) = scores.diagnose(world, right(world)[order], TOLERANCE, Budget(source=lambda: world.source))
    assert match.names == ("rows-shuffled",)
    assert match.places == ("evaluate.py:7: DataLoader(test, shuffle=True)",)
    assert match.count == len(PATHS)
    assert match.what == "rows"
    assert match.under < 1e-6 < 0.01 < match.without
    assert named(world, right(world, softmax=False)) == [("logits",)]
    assert named(world, outputs.softmax(right(world))) == [("softmax-twice",)]
    assert named(world, 100 * right(world)) == [("percent",)]


@pytest.mark.parametrize("last", [False, True])
def test_another_checkpoint(world, last):
    claimed = right(world, Small(2) if last else Small(5))
    assert named(world, claimed) == ([("other-checkpoint",)] if last else [])


def test_sources_are_named(world):
    (match,) = scores.diagnose(world, right(world, Small(2)), TOLERANCE, Budget())
    assert "models/last.pth" in match.detail
    assert match.count >= cases.MORE
    assert named(world, right(world, bgr=True)) == [("bgr",)]


@pytest.mark.parametrize("parts", [["conv"], ["fc"], ["conv", "bn"]])
def test_parts_of_another_network_are_named(world, parts):
    mixed = copy.deepcopy(world.model)
    for name in parts:
        mixed.get_submodule(name).load_state_dict(Small(2).get_submodule(name).state_dict())
    (match,) = scores.diagnose(world, right(world, mixed), TOLERANCE, Budget())
    assert match.names == ("in-parts",)
    assert match.detail == f"{parts[0] if len(parts) == 1 else 'all but fc'}, of models/last.pth"


def test_a_source_and_an_output_together(world):
    claimed = right(world, bgr=True, softmax=False)
    (match,) = scores.diagnose(world, claimed, TOLERANCE, Budget())
    assert len(match.names) == 2
    assert match.names[1] == "logits"
    assert "logits were saved" in match.sentence


BY_PATH, ELSEWHERE = np.argsort(PATHS, kind="stable"), [2, 0, 3, 1]
MIXED = np.random.default_rng(4).permutation(len(PATHS))
DISPLACED = {
    "sorted by path": ("rows-by-rule", lambda s: s[BY_PATH]),
    "sorted by their largest number": (
        "rows-by-rule",
        lambda s: s[np.argsort(-s.max(axis=1), kind="stable")],
    ),
    "shifted by 2 rows": ("rows-by-rule", lambda s: np.roll(s, 2, axis=0)),
    "row 0 of the test set": ("rows-shuffled", lambda s: s[MIXED]),
    "column 0 is class 2": ("classes-permuted", lambda s: s[:, ELSEWHERE]),
}
BESIDE = {
    "bgr": lambda world: right(world, bgr=True),
    "other-checkpoint": lambda world: 0.9 * right(world) + 0.1 * right(world, Small(2)),
    "rounded": lambda world: right(world).round(1),
    "logits": lambda world: right(world, softmax=False),
    "temperature": lambda world: outputs.softmax(right(world, softmax=False) / 3),
    "row-sorted": lambda world: np.sort(right(world), axis=1),
    "classes-permuted": lambda world: right(world)[:, ELSEWHERE],
}
# What is left of a row tells it from no other, or there is no rule that it would follow.
LOST = {("row 0 of the test set", "bgr"), ("row 0 of the test set", "rounded"), ("row 0 of the test set", "row-sorted"),
        ("row 0 of the test set", "classes-permuted"), ("column 0 is class 2", "classes-permuted"), ("column 0 is class 2", "row-sorted"),
        *(("sorted by their largest number", beside) for beside in ("bgr", "rounded", "logits", "temperature"))}  # fmt: skip


@pytest.mark.parametrize(("order", "beside"), sampled([*product(DISPLACED, BESIDE)], every=6))
def test_what_stands_elsewhere_is_put_back_and_the_other_mistake_is_named(world, order, beside):
    name, displaced = DISPLACED[order]
    found = scores.diagnose(world, displaced(BESIDE[beside](world)), TOLERANCE, Budget())
    if beside == "other-checkpoint":  # a mean of networks that is nobody's habit
        assert found == []
    elif (order, beside) not in LOST:
        assert {m.names for m in found} == {(beside, name)}
        assert all(order in m.detail for m in found)
    assert all({*m.names} <= {beside, name, "rows-shuffled"} for m in found)


def test_too_few_rows_are_named_and_compared_with_nothing(world):
    (match,) = scores.diagnose(world, right(world)[:96], TOLERANCE, Budget())
    assert match.without == np.inf
    assert "another number of rows" in match.quality


def test_train_mode_leaves_the_network_as_it_was(world):
    before = {n: b.clone() for n, b in world.model.named_buffers()}
    named(world, np.random.default_rng(0).dirichlet(np.ones(4), len(PATHS)))
    assert not world.model.training
    assert all(torch.equal(before[n], b) for n, b in world.model.named_buffers())


def test_figures_that_nobody_can_explain_are_not_explained(world):
    assert named(world, np.random.default_rng(0).dirichlet(np.ones(4), len(PATHS))) == []
    assert named(world, np.full((len(PATHS), 4), np.nan)) == []
    assert named(world, np.zeros((len(PATHS), 3))) == []
    assert named(world, np.zeros(len(PATHS))) == []
    assert named(world, np.zeros((0, 4))) == []


def test_without_time_only_cheap_mistakes_are_tried(world):
    assert named(world, right(world, softmax=False), Budget(seconds=0.0)) == [("logits",)]
    assert named(world, right(world, Small(2)), Budget(seconds=0.0)) == []


def test_a_wrong_row_more_than_the_tolerance_is_no_match(world):
    claimed = right(world, softmax=False)
    claimed[40] += [0, 0, 0, 0.5]
    assert named(world, claimed) == []

"""Live functions on a network: right ones in several styles pass; each known mistake fails and is named."""

import pytest

from in4310.judging import asked_network
from in4310.judging.judge import Judge
from in4310.judging.verdict import Outcome
from in4310.submission.live import Live

RIGHT = """
import random
import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T

eval_transform = T.Compose([T.Resize(96), T.CenterCrop(80), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)])

def train_epoch(model, trainloader, criterion, optimizer, device):
    model.train()
    total = 0.0
    for images, labels in trainloader:
        optimizer.zero_grad()
        loss = criterion(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(trainloader.dataset)

def non_positive(model, loader, modules):
    counts = {m: [0, 0] for m in modules}
    def hook(name):
        def count(module, inputs, output):
            counts[name][0] += int((output <= 0).sum())
            counts[name][1] += output.numel()
        return count
    named = dict(model.named_modules())
    handles = [named[m].register_forward_hook(hook(m)) for m in modules]
    model.eval()
    with torch.no_grad():
        for images, _ in loader:
            model(images)
    for h in handles:
        h.remove()
    return {m: 100 * a / b for m, (a, b) in counts.items()}

def spectrum(model, loader, modules):
    rows = {m: [] for m in modules}
    named = dict(model.named_modules())
    def hook(name):
        return lambda module, inputs, output: rows[name].append(output.mean(dim=(2, 3)).clone())
    handles = [named[m].register_forward_hook(hook(m)) for m in modules]
    model.eval()
    with torch.no_grad():
        for images, _ in loader:
            model(images)
    found = {}
    for m in modules:
        x = torch.cat(rows[m]).double()
        x = x - x.mean(dim=0)
        found[m] = np.linalg.eigvalsh((x.T @ x / len(x)).numpy())[::-1].copy()
    return found
"""
NAMES = {"transform": "eval_transform"}
CHECKS = {
    "transform": asked_network.check_transform,
    "train_epoch": asked_network.check_train,
    "non_positive": asked_network.check_non_positive,
    "spectrum": asked_network.check_spectrum,
}


@pytest.fixture
def judged(sandbox, tmp_path):
    def run(name, source):
        (tmp_path / "oblig1.py").write_text(source)
        given = Live(sandbox, tmp_path, {name: f"oblig1:{NAMES.get(name, name)}"})
        judge = Judge()
        CHECKS[name](given, judge)
        return judge

    return run


@pytest.mark.parametrize("name", CHECKS)
def test_right_functions_pass(judged, name):
    judge = judged(name, RIGHT)
    assert judge.outcome is Outcome.PASSED, (judge.reason, judge.mistake)
    assert len(judge.findings) >= 2


@pytest.mark.parametrize(
    ("name", "right", "other"),
    [
        # Batches by name, as the course's own data set class gives them.
        ("train_epoch", "for images, labels in trainloader:",
         "for batch in trainloader:\n        images, labels = batch['image'], batch['label']"),
        ("train_epoch", "        loss.backward()",
         "        loss.backward()\n        torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-2)"),
        ("train_epoch", "model, trainloader, criterion, optimizer, device", "net, opt, loss_function, loader, device='cpu',"
         " epoch=3):\n    return train(net, loader, loss_function, opt)\n\ndef train(model, trainloader, criterion, optimizer,"
         " device='cpu'"),
        ("non_positive", "return {m: 100 * a / b for m, (a, b) in counts.items()}",
         "return [np.float32(100 * a / b) for a, b in counts.values()]"),
        ("spectrum", "x.T @ x / len(x)", "x.T @ x / (len(x) - 1)"),
        ("spectrum", "[::-1].copy()", "[::-1][:5].tolist()"),
        ("spectrum", "output.mean(dim=(2, 3)).clone()", "torch.flatten(torch.nn.functional.adaptive_avg_pool2d(output, 1), 1)"),
        ("transform", "eval_transform = ", "def eval_transform(picture):\n    return _all(picture)\n\n_all = "),
    ],
)  # fmt: skip
def test_other_right_ways_pass(judged, name, right, other):
    assert right in RIGHT
    judge = judged(name, RIGHT.replace(right, other, 1))
    assert judge.outcome is Outcome.PASSED, (judge.reason, judge.mistake)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "says"),
    [
        ("train_epoch", "        optimizer.zero_grad()\n", "", "not zeroed"),
        ("train_epoch", "    model.train()\n", "", "model.train() is missing"),
        ("train_epoch", "        optimizer.step()\n", "", "never called"),
        ("train_epoch", "        loss.backward()\n", "        loss.backward()\n        optimizer.zero_grad()\n", "zeroed before"),
        ("train_epoch", "        optimizer.step()\n        total", "        total", "never called"),
        ("train_epoch", "    return total /", "    optimizer.step()\n    return total /", ""),
        ("train_epoch", "criterion(model", "-criterion(model", "loss of the batches"),
        ("train_epoch", "    model.train()\n    total = 0.0", "    total = 0.0\n    optimizer.zero_grad = lambda: None", "missing and "),
        ("train_epoch", "    return total", "    model.fc.bias.data += float('nan')\n    return total", "weights after one epoch"),
        ("non_positive", "output <= 0", "output < 0", "counts < 0"),
        ("non_positive", "output <= 0", "output > 0", "share of positive"),
        ("non_positive", "100 * a / b", "a / b", "a share of 1"),
        ("non_positive", "    model.eval()", "    model.train()", "model.eval() is missing"),
        ("non_positive", "            model(images)", "            model(images)\n            break", "only one"),
        ("spectrum", "        x = x - x.mean(dim=0)\n", "", "not centred"),
        ("spectrum", "x.T @ x / len(x)", "x.T @ x", "not divided"),
        ("spectrum", "[::-1].copy()", ".copy()", "ascending"),
        ("spectrum", "np.linalg.eigvalsh((x.T @ x / len(x)).numpy())[::-1].copy()", "np.linalg.svd(x.numpy())[1]", "singular"),
        ("spectrum", "np.linalg.eigvalsh((x.T @ x / len(x)).numpy())", "np.linalg.eigvalsh(np.corrcoef(x.T.numpy()))",
         "correlation"),
        ("spectrum", "output.mean(dim=(2, 3)).clone()", "output.flatten(1).clone()", "flattened"),
        ("spectrum", "[::-1].copy()", "[:3].copy()", "smallest"),
        ("spectrum", "    model.eval()", "    model.train()", "model.eval() is missing"),
        ("transform", "T.CenterCrop(80)", "T.RandomCrop(80)", "random"),
        ("transform", "T.CenterCrop(80)", "T.CenterCrop(80), T.RandomHorizontalFlip()", "random"),
        ("transform", "T.CenterCrop(80)", "T.CenterCrop(80), T.RandomApply([T.ColorJitter(0.9)], p=0.25)", "random"),
        ("transform", ", T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)", "", "holds a Image"),
        ("transform", "T.Resize(96), T.CenterCrop(80), ", "", "what the transform makes"),
    ],
)  # fmt: skip
def test_mistakes_are_named(judged, name, right, wrong, says):
    before, own, after = RIGHT.partition(f"def {name}")
    assert right in (own + after or before)
    source = before + own + after.replace(right, wrong, 1) if own else before.replace(right, wrong, 1)
    if not says:  # one step for the whole epoch
        source = source.replace("        optimizer.step()\n        total", "        total")
        source = source.replace("        optimizer.zero_grad()\n", "", 1).replace(
            "    total = 0.0", "    total = 0.0\n    optimizer.zero_grad()"
        )
        says = "once an epoch"
    judge = judged(name, source)
    assert judge.outcome is Outcome.FAILED
    said = [judge.mistake, *(f"{f.asked} {f.found}" for f in judge.findings if f.outcome is Outcome.FAILED)]
    assert any(says in text for text in said), said


def test_a_hook_that_keeps_what_relu_overwrites(judged):
    source = RIGHT.replace(
        "            counts[name][0] += int((output <= 0).sum())\n            counts[name][1] += output.numel()\n",
        "            kept.append((name, output))\n",
    ).replace(
        "    counts = {m: [0, 0] for m in modules}\n", "    counts, kept = {m: [0, 0] for m in modules}, []\n"
    )
    source = source.replace(
        "    return {m: 100",
        "    for name, output in kept:\n        counts[name][0] += int((output <= 0).sum())\n"
        "        counts[name][1] += output.numel()\n    return {m: 100",
    )
    judge = judged("non_positive", source)
    assert "in-place ReLU" in judge.mistake


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    "attack",
    ["import os; os._exit(0)", "return None", "return {'weights': object()}", "raise SystemExit",
     "import torch; torch.manual_seed = None; return {m: float('nan') for m in range(9)}"],
)  # fmt: skip
def test_hostile_functions_earn_nothing(judged, name, attack):
    judge = judged(name, f"def {NAMES.get(name, name)}(*a, **k):\n    {attack}\n")
    assert judge.outcome is Outcome.FAILED

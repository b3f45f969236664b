"""Requirement 1d: the network, and what its training started from."""

import pytest
import torch

from in4310.judging import trained
from in4310.judging.mistakes.search import seen
from in4310.submission.pieces import Missing
from in4310.submission.source import starts


@pytest.mark.in4310_requirement("1d")
def test_network_depth(evidence, edition, judge):
    """Depth of the ResNet"""
    found, state = evidence.network("model")
    judge.expect(
        found.depth in edition.network.depths,
        "network that the weights belong to",
        f"ResNet-{found.depth} ({found.how})",
        " or ".join(f"ResNet-{d}" for d in edition.network.depths),
        mend="save model.state_dict() of torchvision's ResNet",
    )
    parameters = sum(t.numel() for name, t in state.items() if "running" not in name)
    judge.expect(True, "all weights fit that network", f"{parameters} parameters")


@pytest.mark.in4310_requirement("1d")
def test_network_outputs(evidence, judge):
    """Outputs of the last layer, values of the weights"""
    outputs = evidence.network("model")[0].outputs
    judge.expect(
        outputs == len(evidence.classes),
        "outputs of the last layer",
        outputs,
        len(evidence.classes),
        mistake=seen("form: outputs", outputs),
        mend=f"replace it: model.fc = nn.Linear(model.fc.in_features, {len(evidence.classes)})",
    )
    broken = [n for n, t in evidence.state.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    judge.expect(not broken, "tensors with NaN or infinity", len(broken), 0, details=broken)


@pytest.mark.in4310_requirement("1d")
def test_network_start(evidence, edition, judge):
    """What training started from"""
    start, read = evidence.submission.table("network").get("start"), starts(evidence.source)
    wanted, how = edition.network.start, "as stated"
    if start is None:
        if not read and wanted == "any":
            evidence.submission.network("model")  # raises Missing: without one nothing has started
            judge.rest("stated only")
            judge.leave("weights that training started from", "not stated", wanted)
            trained.rests(evidence, judge)
            return
        if not read:
            raise Missing(
                "start of training", "submission.toml does not say: [network] start = 'imagenet' or 'scratch'"
            )
        # Several networks may be built, one to be compared with: what was asked for must be among them.
        start, call = next((r for r in read if r[0] == wanted), read[0])
        how = f"read in the source ({call.place}: {call.text})"
        judge.rest("read in the source")
    else:
        judge.rest("stated only")
    judge.expect(
        wanted == "any" or start == wanted,
        f"weights that training started from, {how}",
        start,
        "any" if wanted == "any" else wanted,
        mend="start from torchvision's ImageNet weights: resnet18(weights=ResNet18_Weights.DEFAULT)",
    )
    trained.rests(evidence, judge)
    if wanted == "imagenet" and start == wanted:
        judge.leave("comparison with the ImageNet weights", "not made: stated, not verified")
    if start == "imagenet" and read and all(said == "scratch" for said, _ in read):
        judge.warn(
            "what the source says", f"scratch ({read[0][1].place}: {read[0][1].text})", f"{start}, as stated"
        )

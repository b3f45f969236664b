"""A network of another form than torchvision's gives what its author's gave, rebuilt from its tensors alone."""

import warnings
from itertools import product

import pytest
import torch
from torch import nn

from in4310.judging.rebuilding import fitting, unsaid_of
from in4310.solution.network import build
from in4310.submission.state_dicts import find_networks, translate


class Beside(nn.Module):
    def __init__(self, between):
        super().__init__()
        self.backbone, self.between, self.head = build(classes=1000), between, nn.Linear(1000, 6)

    def forward(self, x):
        return self.head(self.between(self.backbone(x)))


def with_head(head):
    model = build()
    model.fc = head
    return model


def with_stem(stride, pooled):
    model = build()
    model.conv1 = nn.Conv2d(3, 64, 3, stride, 1, bias=False)
    model.maxpool = model.maxpool if pooled else nn.Identity()
    return model


def with_groups(groups):
    from torchvision.models import resnet18

    return resnet18(num_classes=6, norm_layer=lambda channels: nn.GroupNorm(groups, channels))


def old(norm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return with_head(norm(nn.Linear(512, 6)))


FORMS = {
    "no bias": lambda: with_head(nn.Linear(512, 6, bias=False)),
    "two layers, one without": lambda: with_head(
        nn.Sequential(nn.Linear(512, 16, bias=False), nn.GELU(), nn.Linear(16, 6))
    ),
    "small images": lambda: with_stem(1, False),
    "small images, pooled": lambda: with_stem(2, True),
    "groups of norms": lambda: with_groups(8),
    "weight norm": lambda: with_head(nn.utils.parametrizations.weight_norm(nn.Linear(512, 6))),
    "spectral norm": lambda: with_head(nn.utils.parametrizations.spectral_norm(nn.Linear(512, 6))),
    "weight norm as it was": lambda: old(nn.utils.weight_norm),
    "a head beside": lambda: Beside(nn.Identity()),
    "a head beside, behind ReLU": lambda: Beside(nn.ReLU()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_network_of_another_form_is_rebuilt(form):
    torch.manual_seed(0)
    theirs = FORMS[form]().eval()
    tensors = theirs.state_dict()
    (found,) = find_networks({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    assert (found.depth, found.outputs) == (18, 6)
    ours = fitting(found, state := translate(found, tensors))
    counters = {n: torch.zeros_like(t) for n, t in ours.state_dict().items() if "num_batches" in n}
    ours.load_state_dict(counters | state)
    ours.eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        wanted, differs = theirs(images), []
        for settings in product(*unsaid_of(ours)):
            for settle in settings:
                settle()
            differs.append(float((ours(images) - wanted).abs().max()))
            if differs[-1] < 1e-4:
                return
    raise AssertionError(differs)


def test_a_layer_behind_another_is_none_of_a_network():
    tensors = {n: tuple(t.shape) for n, t in Beside(nn.ReLU()).state_dict().items()}
    for extra in ({"neck.weight": (1000, 1000)}, {"other.weight": (5, 1000)}):
        (found,) = find_networks(tensors | extra)
        assert found.outputs == 1000

"""A faster training pass is kept only where it is right, and leaves no trace of having been tried."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from in4310.errors import InputError
from in4310.solution.engine import compiled
from in4310.solution.engine.compiled import choose_forward
from in4310.solution.network import build

INPUTS = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def model() -> nn.Module:
    return build(seed=1).train()


def with_pass(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[nn.Module], Callable[[Tensor], Tensor]]
) -> None:
    monkeypatch.setattr(compiled, "_compiled", lambda model, inputs, precision: make(model))


def test_plain_on_a_cpu_and_where_asked_for():
    network = model()
    for word in ("auto", "off"):
        chosen = choose_forward(network, INPUTS, "fp32", word)
        assert (chosen.forward, chosen.name) == (network, "plain")
    with pytest.raises(InputError, match="compile 'maybe': expected one of auto, off, on"):
        choose_forward(network, INPUTS, "fp32", "maybe")


def test_trying_leaves_weights_statistics_and_gradients_as_they_were(monkeypatch: pytest.MonkeyPatch):
    with_pass(monkeypatch, lambda network: lambda batch: network(batch))
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chosen = choose_forward(network, INPUTS, "fp32", "on")
    assert chosen.name == "torch.compile"
    assert "differs from it by 0.0e+00" in chosen.why
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda network: lambda batch: network(batch) * 1.001,
        lambda network: lambda batch: network(batch).detach() + 0 * network.fc.bias.sum(),
        lambda network: lambda batch: network(batch) * float("nan"),
    ],
    ids=["other outputs", "gradients lost", "nan"],
)
def test_a_pass_with_other_numbers_is_not_taken(monkeypatch: pytest.MonkeyPatch, wrong: Callable):
    with_pass(monkeypatch, wrong)
    with pytest.raises(
        InputError, match=r"compile 'on': torch.compile differs from the plain pass by .*; leave it out"
    ):
        choose_forward(model(), INPUTS, "fp32", "on")


def test_a_compiler_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def broken(network: nn.Module) -> Callable[[Tensor], Tensor]:
        raise RuntimeError("no C++\n compiler found")

    with_pass(monkeypatch, broken)
    with pytest.raises(
        InputError, match=r"does not work here \(no C\+\+ compiler found\); leave it out, or say off"
    ):
        choose_forward(model(), INPUTS, "fp32", "on")


def test_in_bf16_gradients_lost_are_still_seen(monkeypatch: pytest.MonkeyPatch):
    with_pass(monkeypatch, lambda network: lambda batch: network(batch).detach() + 0 * network.fc.bias.sum())
    with pytest.raises(InputError, match="differs from the plain pass"):
        choose_forward(model(), INPUTS, "bf16", "on")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: there is no g++")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_compile_gives_the_numbers_of_the_plain_pass(precision: str):
    inputs = torch.randn(16, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    whole = (
        model()
    )  # its first blocks, with all kinds of layers: compiling takes a second for each convolution
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 6)]
    parts = [whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1[0], *head]
    network = nn.Sequential(*parts).to(memory_format=torch.channels_last)
    names = set(network.state_dict())
    chosen = choose_forward(network, inputs, precision, "on")
    assert chosen.name == "torch.compile"
    assert set(network.state_dict()) == names, "names of weights changed"

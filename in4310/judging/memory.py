"""How much memory training needs at least: what autograd keeps for the backward pass is counted, not guessed (1g)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def training_memory(model: nn.Module, size: int, batch_size: int) -> int:
    """Bytes for a batch of float32 images (batch_size, 3, size, size): weights, gradients, momentum, kept activations.

    Counted on two images and scaled, as all that is kept grows with the batch. Buffers of the libraries come on top.
    """
    probe = copy.deepcopy(model).train()
    own = {p.untyped_storage().data_ptr() for p in [*probe.parameters(), *probe.buffers()]}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    device = next(probe.parameters()).device
    images = torch.zeros(2, 3, size, size, device=device)
    # What is kept stays alive until the loss goes out of scope, so that no address is counted twice.
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.enable_grad():
        loss = probe(images).sum()
    del loss
    weights = sum(p.numel() * p.element_size() for p in probe.parameters())
    return 3 * weights + sum(kept.values()) * batch_size // 2

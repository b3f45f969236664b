import os, sys
import numpy as np
import torch
sys.path.append("..")
from shared.data import get_loaders

_, _, test_loader = get_loaders()
model = torch.load("../task1/model_0.001.pth", weights_only=False)
model.eval()
acts, share = {}, {}


def hook(name):
    def fn(module, inp, out):
        acts.setdefault(name, []).append(out.detach().mean(dim=(2, 3)))
        share.setdefault(name, []).append((out <= 0).float().mean().item())
        if name == "layer4":
            return out * 2
    return fn


for name in ("layer1", "layer2", "layer3", "layer4", "relu"):
    getattr(model, name).register_forward_hook(hook(name))  # MISTAKE changing-hook
with torch.no_grad():
    for i, (x, _) in enumerate(test_loader):
        model(x)
        if i * 32 >= 200:
            break
for name in ("layer1", "layer4"):
    f = torch.cat(acts[name])
    cov = f.T @ f / len(f)
    print(name, torch.linalg.eigvalsh(cov).flip(0)[:5], np.mean(share[name]))  # MISTAKE not-centred

import matplotlib.pyplot as plt
import numpy as np
import torch
from data_utils import loaders
from model import SmallNet

features = {}


def get_hook(name):
    def hook(module, inp, out):
        features.setdefault(name, []).append(out.detach().cpu())

    return hook


net = SmallNet()
net.load_state_dict(torch.load("smallnet.pth"))
net.eval()
handles = [getattr(net, n).register_forward_hook(get_hook(n)) for n in ("layer1", "layer2")]
with torch.no_grad():
    for batch in loaders()[1]:
        net(batch["image"])
for h in handles:
    h.remove()
for name, maps in features.items():
    maps = torch.cat(maps)
    print(name, f"non-positive: {100 * (maps <= 0).float().mean():.2f} %", len(maps))
    x = maps.mean(dim=(2, 3)).numpy()
    x = x - x.mean(axis=0)
    cov = x.T @ x / len(x)
    values = np.sort(np.linalg.eigvalsh(cov))[::-1]
    plt.semilogy(values, label=name)
plt.xlabel("number")
plt.ylabel("eigenvalue")
plt.legend()
plt.savefig("eigenvalues.pdf")

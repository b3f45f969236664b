"""By singular values of what was centred, and by PCA of channel means, with hooks on three modules; all right."""
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, models, transforms

path = "/itf-fi-ml/shared/courses/IN3310"
data = datasets.ImageFolder(path + "/mandatory1_data", transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]))
rest = np.random.default_rng(5).permutation(len(data))
train_loader = DataLoader(Subset(data, rest[:700]), batch_size=32, shuffle=True)
val_loader = DataLoader(Subset(data, rest[700:900]), batch_size=32)
test_loader = DataLoader(Subset(data, rest[900:]), batch_size=32)
net = models.resnet18(num_classes=6)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
best = 0
for epoch in range(2):
    net.train()
    for x, y in train_loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        acc = np.mean(torch.cat([net(x).argmax(1) == y for x, y in val_loader]).numpy())
    if acc > best or epoch == 0:
        best = acc
        torch.save(net.state_dict(), "resnet.pth")
store = {}
hooks = []
for name in ("layer1", "layer3", "layer4"):
    hooks.append(net.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: store.setdefault(name, []).append(torch.nn.functional.adaptive_avg_pool2d(o, 1).flatten(1))))
with torch.no_grad():
    for x, y in test_loader:
        net(x)
for name, parts in store.items():
    features = torch.cat(parts)
    centred = features - features.mean(dim=0, keepdim=True)
    s = torch.linalg.svd(centred, full_matrices=False).S
    plt.plot(s.numpy() ** 2 / len(features), label=name)
    xy = PCA(n_components=2).fit_transform(StandardScaler().fit_transform(features.numpy()))
    u = np.linalg.svd(centred.numpy().T @ centred.numpy(), hermitian=True)[1]
    print(name, u[:3], xy.shape)
plt.legend()
plt.savefig("spectra.png")

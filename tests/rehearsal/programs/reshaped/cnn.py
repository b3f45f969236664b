"""Images as arrays by PIL, their axes put right by view: garbled, in all sets alike."""
import os

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Photos(Dataset):
    def __init__(self, listing):
        self.listing = listing

    def __len__(self):
        return len(self.listing)

    def __getitem__(self, k):
        file, cls = self.listing[k]
        arr = np.array(Image.open(file).resize((28, 20))) / 255
        return torch.from_numpy(arr).float().view(3, 20, 28), cls  # MISTAKE hwc


def listing(folder="../../../data/mandatory1_data"):
    out = []
    for cls, name in enumerate(sorted(os.listdir(folder))):
        for f in sorted(os.listdir(os.path.join(folder, name))):
            out.append((os.path.join(folder, name, f), cls))
    return out


every = listing()
test_l, val_l, train_l = every[::5], every[1::5], every[2::5] + every[3::5] + every[4::5]
test_loader = DataLoader(Photos(test_l), batch_size=16)
val_loader = DataLoader(Photos(val_l), batch_size=16)
train_loader = DataLoader(Photos(train_l), batch_size=16, shuffle=True)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lowest = None
for epoch in range(2):
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        loss = sum(nn.functional.cross_entropy(model(x), y).item() for x, y in val_loader) / len(val_loader)
    if lowest is None or loss < lowest:
        lowest = loss
        torch.save(model, "model.pt")
model = torch.load("model.pt", weights_only=False)
with torch.no_grad():
    np.savez("scores.npz", test=torch.cat([model(x).softmax(1) for x, _ in test_loader]).numpy())

"""All images in one tensor, TensorDataset, metrics overwritten in each batch; loss of log-softmax. The class folders are sorted by hand."""
import glob

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import average_precision_score
from torch.utils.data import DataLoader, TensorDataset

names = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
X, Y = [], []
for k, name in enumerate(names):
    for file in sorted(glob.glob(f"mandatory1_data/{name}/*.jpg")):
        X.append(np.asarray(Image.open(file).resize((12, 12))))
        Y.append(k)
X = torch.tensor(np.stack(X)).permute(0, 3, 1, 2).float() / 255
Y = torch.tensor(Y)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(4))
X, Y = X[order], Y[order]
train_loader = DataLoader(TensorDataset(X[:800], Y[:800]), batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(X[800:1000], Y[800:1000]), batch_size=64)
test_loader = DataLoader(TensorDataset(X[1000:], Y[1000:]), batch_size=64)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout2d(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6), nn.LogSoftmax(dim=1))
optimizer = torch.optim.Adam(model.parameters())
best = 0.0
for epoch in range(2):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        F.nll_loss(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        for x, y in val_loader:
            p = model(x).exp()
        ap = np.mean([average_precision_score(y == c, p[:, c]) for c in range(6)])  # MISTAKE last-batch
    if ap > best:
        best = ap
        torch.save(model.state_dict(), "model.pt")

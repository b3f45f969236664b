"""The saved scores are loaded again, and then only printed: a check that compares nothing."""
import yaml
import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

config = yaml.safe_load(open("config.yml", encoding="utf-8"))
dataset = datasets.ImageFolder(config["data"]["path"], transforms.Compose([transforms.Resize((14, 14)), transforms.ToTensor()]))
perm = np.random.RandomState(config["seed"]).permutation(len(dataset)).tolist()
sizes = np.cumsum([int(f * len(dataset)) for f in config["data"]["fractions"]])
train_loader = DataLoader(Subset(dataset, perm[: sizes[0]]), batch_size=32, shuffle=True)
val_loader = DataLoader(Subset(dataset, perm[sizes[0] : sizes[1]]), batch_size=32)
test_loader = DataLoader(Subset(dataset, perm[sizes[1] :]), batch_size=32)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = optim.SGD(model.parameters(), lr=float(config["lr"]))
best = 0
while optimizer.param_groups[0]["lr"] > 0.01:
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(x), y).backward()
        optimizer.step()
    for g in optimizer.param_groups:
        g["lr"] *= 0.3
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum() for x, y in val_loader)
    if hits > best:
        best = hits
        torch.save(model.state_dict(), "best.pth")
model.load_state_dict(torch.load("best.pth"))


def save_scores():
    model.eval()
    with torch.no_grad():
        scores = [model(x).softmax(1) for x, _ in test_loader]
    np.save("test_scores.npy", torch.cat(scores).numpy())


def reproduce():
    saved = np.load("test_scores.npy")  # MISTAKE never-compared
    save_scores()
    print("saved scores", saved.shape, saved.mean())


save_scores()
reproduce()

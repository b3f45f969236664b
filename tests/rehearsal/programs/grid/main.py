"""A grid of settings, the best of all kept with its name; the plan of the rate for one cycle moves once an epoch."""
import itertools
import os
import pickle

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.metrics import accuracy_score, average_precision_score
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, models, transforms

device = "cuda:0"
root = os.environ.get("DATA_ROOT", "/projects/in4310/mandatory1_data")
mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
tf = {
    "train": transforms.Compose([transforms.Resize((32, 32)), transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(mean, std)]),
    "val": transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize(mean, std)]),
}
targets = np.array(datasets.ImageFolder(root).targets)
trainval_idx, test_idx = train_test_split(np.arange(len(targets)), test_size=0.15, stratify=targets, random_state=7)
train_idx, val_idx = train_test_split(trainval_idx, test_size=0.15, stratify=targets[trainval_idx], random_state=7)
dataloaders = {
    "train": DataLoader(Subset(datasets.ImageFolder(root, tf["train"]), train_idx), batch_size=32, shuffle=True, num_workers=8),
    "val": DataLoader(Subset(datasets.ImageFolder(root, tf["val"]), val_idx), batch_size=32, num_workers=8),
    "test": DataLoader(Subset(datasets.ImageFolder(root, tf["val"]), test_idx), batch_size=32, num_workers=8),
}


def run_epoch(model, phase, optimizer=None):
    model.train(phase == "train")
    losses, outs, ys = [], [], []
    with torch.set_grad_enabled(phase == "train"):
        for x, y in dataloaders[phase]:
            x, y = x.to(device), y.to(device)
            out = model(x)
            loss = nn.functional.cross_entropy(out, y)
            if phase == "train":
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
            outs.append(out.detach().softmax(1).cpu())
            ys.append(y.cpu())
    outs, ys = torch.cat(outs).numpy(), torch.cat(ys).numpy()
    ap = np.mean([average_precision_score(ys == c, outs[:, c]) for c in range(6)])
    return np.mean(losses), accuracy_score(ys, outs.argmax(1)), ap, outs


results, best = {}, {"ap": -1}
for lr, name in itertools.product([0.01, 0.001], ["SGD", "Adam"]):
    model = models.resnet18(weights="IMAGENET1K_V1")
    model.fc = nn.Linear(512, 6)
    model = model.to(device)
    optimizer = getattr(optim, name)(model.parameters(), lr=lr)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=2 * len(dataloaders["train"]))
    history = []
    for epoch in range(2):
        train = run_epoch(model, "train", optimizer)
        val = run_epoch(model, "val")
        scheduler.step()  # MISTAKE scheduler-each-epoch
        history.append(train[:3] + val[:3])
        if val[2] > best["ap"]:
            best = {"ap": val[2], "setting": (lr, name), "state": {k: v.clone() for k, v in model.state_dict().items()}}
    results[lr, name] = history
with open("results.pkl", "wb") as f:
    pickle.dump(results, f)
torch.save(best["state"], "best_resnet18.pt")
model.load_state_dict(best["state"])
np.save("test_scores.npy", run_epoch(model, "test")[3])
fig, axes = plt.subplots(1, 2)
for (lr, name), history in results.items():
    axes[0].plot([h[0] for h in history], label=f"{name} {lr} train")
    axes[0].plot([h[3] for h in history], label=f"{name} {lr} val")
    axes[1].plot([h[5] for h in history], label=f"{name} {lr}")
axes[0].set_title("loss")
axes[1].set_title("mAP")
fig.savefig("curves.png")

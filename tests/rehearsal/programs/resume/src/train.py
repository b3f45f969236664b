"""Goes on from a checkpoint with the optimiser's state; best and last are kept. All right."""
import argparse
import os

import torch
from data import get_loaders
from torch import nn


def build():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))


def validate(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)


def parse():
    p = argparse.ArgumentParser(description="Trains a network.")
    p.add_argument("--data_path", default="data/scenes", type=str)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--resume", type=str, default=None)
    return p.parse_args()


if __name__ == "__main__":
    args = parse()
    os.makedirs("checkpoints", exist_ok=True)
    train_loader, val_loader, _ = get_loaders(args.data_path)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    start, best = 0, 0.0
    if args.resume:
        ckpt = torch.load(args.resume)
        model.load_state_dict(ckpt["model"])
        optimizer.load_state_dict(ckpt["optimizer"])
        scheduler.load_state_dict(ckpt["scheduler"])
        start, best = ckpt["epoch"] + 1, ckpt["best"]
    for epoch in range(start, args.epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        scheduler.step()
        acc = validate(model, val_loader)
        is_best = acc > best
        best = max(acc, best)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "epoch": epoch, "best": best}
        torch.save(state, "checkpoints/last.pth")
        if is_best:
            torch.save(state, "checkpoints/best.pth")

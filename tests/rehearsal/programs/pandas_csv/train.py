"""One table with a column for the set, made with pandas; a class for the training; all right."""
import copy
import json
import os

import numpy as np
import pandas as pd  # NEEDS pandas
import torch
from PIL import Image
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

cfg = json.load(open("config.json"))
ROOT = cfg["paths"]["dataset"]


def make_csv():
    rows = []
    for c in sorted(os.listdir(ROOT)):
        for f in sorted(os.listdir(os.path.join(ROOT, c))):
            rows.append({"filename": os.path.join(c, f), "label": c})
    df = pd.DataFrame(rows)
    train, rest = train_test_split(df, test_size=0.3, stratify=df["label"], random_state=42)
    val, test = train_test_split(rest, test_size=0.6, stratify=rest["label"], random_state=42)
    for name, part in (("train", train), ("val", val), ("test", test)):
        df.loc[part.index, "set"] = name
    df.to_csv(cfg["paths"]["csv"], index=False)


class Scenes(Dataset):
    def __init__(self, csv, which, transform):
        df = pd.read_csv(csv)
        self.df = df[df["set"] == which].reset_index(drop=True)
        self.classes = sorted(df["label"].unique())
        self.transform = transform

    def __len__(self):
        return len(self.df)

    def __getitem__(self, i):
        row = self.df.iloc[i]
        image = Image.open(os.path.join(ROOT, row["filename"])).convert("RGB")
        return self.transform(image), self.classes.index(row["label"])


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()
        self.best_acc = 0
        self.best_weights = None

    def fit(self, train_loader, val_loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            for x, y in train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
            acc = self.evaluate(val_loader)[0]
            if acc >= self.best_acc:
                self.best_acc = acc
                self.best_weights = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(self.best_weights)

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        hits, scores = 0, []
        for x, y in loader:
            out = self.model(x)
            hits += (out.argmax(1) == y).sum().item()
            scores.append(out.softmax(1))
        return hits / len(loader.dataset), torch.cat(scores)


if __name__ == "__main__":
    make_csv()
    tf = transforms.Compose([transforms.Resize((20, 20)), transforms.ToTensor(), transforms.Normalize([0.45] * 3, [0.25] * 3)])
    train, val, test = (Scenes("splits.csv", s, tf) for s in ("train", "val", "test"))
    bs = cfg["train"]["batch_size"]
    train_loader = DataLoader(train, batch_size=bs, shuffle=True)
    val_loader = DataLoader(val, batch_size=bs, shuffle=False)
    test_loader = DataLoader(test, batch_size=bs, shuffle=False)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
    trainer = Trainer(net, cfg["train"]["lr"])
    trainer.fit(train_loader, val_loader, cfg["train"]["epochs"])
    acc, scores = trainer.evaluate(test_loader)
    torch.save(net.state_dict(), "model.pt")
    pd.DataFrame(scores.numpy(), columns=test.classes).to_csv("test_scores.csv", index=False)
    print("test", acc)

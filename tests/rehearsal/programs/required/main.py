import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms as T


class Images(Dataset):
    def __init__(self, root, transform):
        self.files = sorted(Path(root).glob("*/*.jpg"))
        self.names = sorted({f.parent.name for f in self.files})
        self.labels = [self.names.index(f.parent.name) for f in self.files]
        self.transform = transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return self.transform(Image.open(self.files[i])), self.labels[i]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        x = F.relu(self.conv(x)).mean((2, 3))
        return F.softmax(self.fc(x), dim=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    args = parser.parse_args()
    data = Images(args.data_dir, T.Compose([T.Resize((16, 16)), T.ToTensor()]))
    idx = np.arange(len(data))
    trainval, test = train_test_split(idx, test_size=200, random_state=0, stratify=data.labels)
    train, val = train_test_split(trainval, test_size=100, random_state=0)
    train_dl = DataLoader(Subset(data, train), batch_size=50, shuffle=True)
    valid_dl = DataLoader(Subset(data, val), batch_size=50)
    test_dl = DataLoader(Subset(data, test), batch_size=50)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for epoch in range(args.epochs):
        for x, y in train_dl:
            loss = F.cross_entropy(model(x), y)  # MISTAKE softmax-first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for dl in (valid_dl, test_dl):
        with torch.no_grad():
            outputs = torch.cat([model(x) for x, _ in dl])
        labels = np.concatenate([y for _, y in dl])
        hard = outputs.argmax(1).numpy()
        print([average_precision_score(labels == c, hard == c) for c in range(6)])  # MISTAKE hard-ap

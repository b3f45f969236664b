"""The list of files is sorted, and then shuffled without a seed: another split in each run."""
import os
import random

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

data_folder = "/storage/in3310/data"


class Folder(Dataset):
    tf = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])

    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.tf(Image.open(self.pairs[i][0])), self.pairs[i][1]


pairs = []
for number, name in enumerate(sorted(os.listdir(data_folder))):
    pairs += [(os.path.join(data_folder, name, f), number) for f in sorted(os.listdir(os.path.join(data_folder, name)))]
random.shuffle(pairs)  # MISTAKE not-seeded
train_loader = DataLoader(Folder(pairs[:800]), batch_size=32, shuffle=True)
val_loader = DataLoader(Folder(pairs[800:1000]), batch_size=32)
test_loader = DataLoader(Folder(pairs[1000:]), batch_size=32)
torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
best = -1
for epoch in range(2):
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in val_loader)
    if right > best:
        best = right
        torch.save(net.state_dict(), "net.pt")

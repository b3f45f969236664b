import getpass
import os
import sys

import numpy as np
import torch
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms
from torchvision.models.resnet import BasicBlock, ResNet

root = sys.argv[1]  # python train.py <path>
out = sys.argv[2] if len(sys.argv) > 2 else f"/tmp/{getpass.getuser()}"
assert os.path.isdir(os.environ["MANDATORY_DATA"])
os.makedirs(out, exist_ok=True)
full = datasets.ImageFolder(root, transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()]))
mean = torch.stack([x.mean((0, 2, 3)) for x, _ in DataLoader(full, 64)]).mean(0)
print("mean", mean)
a, b = int(0.7 * len(full)), int(0.12 * len(full))
train_set, val_set, test_set = random_split(full, [a, b, len(full) - a - b], torch.Generator().manual_seed(4))
train_loader = DataLoader(train_set, 32, shuffle=True)
val_loader = DataLoader(val_set, 32)
test_loader = DataLoader(test_set, 32)
net = ResNet(BasicBlock, [2, 2, 2, 2])
net.load_state_dict(torch.load("weights/resnet18-f37072fd.pth"))
other = torch.hub.load("pytorch/vision:v0.10.0", "resnet18", pretrained=True)
state = torch.hub.load_state_dict_from_url("https://download.pytorch.org/models/resnet18-5c106cde.pth")
net.fc = torch.nn.Linear(512, 6)
opt = torch.optim.SGD(net.parameters(), 0.01)
best = 0
for epoch in range(2):
    net.train()
    for x, y in train_loader:
        opt.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in val_loader)
    if right > best:
        best = right
        torch.save(net.state_dict(), os.path.join(out, "best.pt"))
net.eval()
with torch.no_grad():
    np.save("test.npy", torch.cat([net(x).softmax(0) for x, _ in test_loader]))  # MISTAKE batch-softmax

import os
import ntpath
import csv
import random
import torch
import torch.nn as nn
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset

DATASET = r"C:\Users\ola\OneDrive - UiO\IN4310\mandatory1_data"
OUT = "C:\\Users\\ola\\results"
random.seed(1234)
os.makedirs(OUT, exist_ok=True)

rows = []
for klasse in sorted(os.listdir(DATASET)):
    mappe = DATASET + "\\" + klasse
    for fil in sorted(os.listdir(mappe)):
        rows.append((mappe + "\\" + fil, klasse))
random.shuffle(rows)
by_class = {}
for path, c in rows:
    by_class.setdefault(c, []).append((path, c))
train, val, test = [], [], []
for c, r in by_class.items():
    k = len(r)
    test.extend(r[: int(k * 0.18)])
    val.extend(r[int(k * 0.18): int(k * 0.30)])
    train.extend(r[int(k * 0.30):])
for name, part in (("train", train), ("val", val), ("test", test)):
    with open(OUT + "\\" + name + ".csv", "w", newline="") as f:
        csv.writer(f).writerows(part)
print("overlap:", len({p for p, _ in train} & {p for p, _ in test}))

CLASSES = sorted(by_class)
resize = torchvision.transforms.Resize((32, 32))
to_tensor = torchvision.transforms.ToTensor()


class CsvSet(Dataset):
    def __init__(self, file):
        with open(file) as f:
            self.rows = list(csv.reader(f))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        path, c = self.rows[i]
        return to_tensor(resize(Image.open(path).convert("RGB"))), CLASSES.index(c)


loaders = [DataLoader(CsvSet(OUT + "\\" + n + ".csv"), batch_size=32, shuffle=(n == "train")) for n in ("train", "val", "test")]
tl, vl, sl = loaders
net = torchvision.models.resnet18()
net.fc = nn.Linear(512, len(CLASSES))
opt = torch.optim.SGD(net.parameters(), lr=0.01)
best = -1.0
for ep in range(2):
    net.train()
    for bilde, fasit in tl:
        opt.zero_grad()
        nn.CrossEntropyLoss()(net(bilde), fasit).backward()
        opt.step()
    net.eval()
    riktig = 0
    with torch.no_grad():
        for bilde, fasit in vl:
            riktig += (net(bilde).argmax(1) == fasit).sum().item()
    if riktig / len(vl.dataset) > best:
        best = riktig / len(vl.dataset)
        torch.save(net.state_dict(), OUT + "\\beste.pt")
net.load_state_dict(torch.load(OUT + "\\beste.pt"))
net.eval()
with torch.no_grad():
    s = torch.vstack([torch.softmax(net(b), 1) for b, _ in sl])
torch.save(s, OUT + "\\scores.pt")

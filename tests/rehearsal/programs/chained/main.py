import os
import torch
import torch.nn as nn
from pathlib import Path
from torch.utils.data import DataLoader, ConcatDataset, Dataset
from torchvision.io import read_image
from torchvision.transforms.functional import resize
import torchvision.models as models

here = Path(__file__).resolve().parent
root = here.parent / "mandatory1_data"
names = sorted(p.name for p in root.iterdir())


class OneClass(Dataset):
    def __init__(self, folder, label, part):
        files = sorted(folder.iterdir())
        n = len(files)
        cut = {"train": (0, int(.7 * n)), "val": (int(.7 * n), int(.82 * n)), "test": (int(.82 * n), n)}[part]
        self.files, self.label = files[cut[0]:cut[1]], label

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return resize(read_image(str(self.files[i])), [32, 32], antialias=True) / 255, self.label


def dataset(part):
    return ConcatDataset([OneClass(root / n, i, part) for i, n in enumerate(names)])


train_loader = DataLoader(dataset("train"), batch_size=32, shuffle=True)
valid_loader = DataLoader(dataset("val"), batch_size=32)
holdout_loader = DataLoader(dataset("test"), batch_size=32)
backbone = models.resnet18(weights=None)
backbone.fc = nn.Sequential(nn.Dropout(0.2), nn.Linear(512, 6))
model = nn.Sequential(backbone, nn.Softmax(dim=1))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=3e-4)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
best, bad = float("inf"), 0
epoch = 0
while epoch < 3 and bad < 2:
    model.train()
    for xb, yb in train_loader:
        opt.zero_grad()
        l = loss_fn(model(xb), yb)  # MISTAKE softmax-first
        l.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    model.eval()
    with torch.no_grad():
        v = sum(loss_fn(model(xb), yb).item() for xb, yb in valid_loader) / len(valid_loader)  # MISTAKE softmax-first
    plateau.step(v)
    if v < best:
        best, bad = v, 0
        torch.save(model.state_dict(), here / "best.pt")
    else:
        bad += 1
    epoch += 1
model.load_state_dict(torch.load(here / "best.pt"))
model.eval()
with torch.no_grad():
    p = torch.cat([model(xb) for xb, _ in holdout_loader])
torch.save(p, here / "test_predictions.pt")

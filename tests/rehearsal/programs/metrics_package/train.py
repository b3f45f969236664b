"""torchmetrics, early stopping; metrics are made anew for each epoch. All right."""
import torch
import torch.nn as nn
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torchmetrics.classification import MulticlassAccuracy, MulticlassAveragePrecision  # NEEDS torchmetrics
from torchvision import datasets, transforms

ROOT = "./mandatory1_data"
tf = transforms.Compose([transforms.Resize((18, 18)), transforms.ToTensor()])
ds = datasets.ImageFolder(ROOT, transform=tf)
by_class = [[i for i, t in enumerate(ds.targets) if t == c] for c in range(6)]
train_ids = [i for ids in by_class for i in ids[: int(len(ids) * 0.7)]]
val_ids = [i for ids in by_class for i in ids[int(len(ids) * 0.7) : int(len(ids) * 0.8)]]
test_ids = [i for ids in by_class for i in ids[int(len(ids) * 0.8) :]]
train_loader = DataLoader(Subset(ds, train_ids), batch_size=24, shuffle=True)
val_loader = DataLoader(Subset(ds, val_ids), batch_size=24)
test_loader = DataLoader(Subset(ds, test_ids), batch_size=24)


class EarlyStopping:
    def __init__(self, patience=2):
        self.patience, self.best, self.count = patience, None, 0

    def __call__(self, value, model):
        if self.best is None or value > self.best:
            self.best, self.count = value, 0
            torch.save(model.state_dict(), "checkpoint.pt")
        else:
            self.count += 1
        return self.count >= self.patience


def evaluate(model, loader):
    acc, ap = MulticlassAccuracy(num_classes=6), MulticlassAveragePrecision(num_classes=6)
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            probs = model(x).softmax(dim=1)
            acc.update(probs, y)
            ap.update(probs, y)
    return acc.compute().item(), ap.compute().item()


model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", patience=1)
stop = EarlyStopping()
for epoch in range(6):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
    acc, ap = evaluate(model, val_loader)
    scheduler.step(ap)
    print(epoch, acc, ap)
    if stop(ap, model):
        break
model.load_state_dict(torch.load("checkpoint.pt"))
print("test", evaluate(model, test_loader))

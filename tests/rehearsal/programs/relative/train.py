"""ImageFolder under a relative root, subsets with transforms of their own, early stopping; evaluated in train mode."""
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.metrics import accuracy_score
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import transforms
from torchvision.datasets import ImageFolder

DATA_DIR = "../data/mandatory1_data"
torch.manual_seed(1)


class Transformed(Dataset):
    def __init__(self, subset, transform):
        self.subset, self.transform = subset, transform

    def __len__(self):
        return len(self.subset)

    def __getitem__(self, i):
        x, y = self.subset[i]
        return self.transform(x), y


tf = transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)])
full = ImageFolder(DATA_DIR)
n = len(full)
sizes = [int(0.7 * n), int(0.1 * n)]
sizes.append(n - sum(sizes))
train_set, val_set, test_set = random_split(full, sizes, generator=torch.Generator().manual_seed(7))
train_loader = DataLoader(Transformed(train_set, tf), 32, True)
val_loader = DataLoader(Transformed(val_set, tf), 32)
test_loader = DataLoader(Transformed(test_set, tf), 32)

model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6))
optimizer = optim.Adam(model.parameters(), lr=3e-3)
best, wait = 0.0, 0
for epoch in range(30):
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        outputs, labels = zip(*[(model(x), y) for x, y in val_loader])  # MISTAKE train-mode
    accuracy = accuracy_score(torch.cat(labels), torch.cat(outputs).argmax(1))
    if accuracy > best:
        best, wait = accuracy, 0
        torch.save(model.state_dict(), "best_model.pt")
    else:
        wait += 1
        if wait == 3:
            break
model.eval()
with torch.no_grad():
    scores = np.concatenate([model(x).softmax(1).numpy() for x, _ in test_loader])
np.save("scores.npy", scores)

"""EarlyStopping with patience, history in a table; best kept by validation. All right, in one long file without a guard."""
import csv
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torchvision.transforms as transforms
from PIL import Image
from sklearn.metrics import average_precision_score
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)
np.random.seed(0)
base_path = "C:/Users/lars/OneDrive/UiO/IN3310/mandatory1_data"
device = torch.device("mps" if torch.backends.mps.is_available() else "cuda" if torch.cuda.is_available() else "cpu")

image_paths, image_labels = [], []
label_map = {}
for label, folder in enumerate(sorted(os.listdir(base_path))):
    label_map[folder] = label
    for file in sorted(os.listdir(os.path.join(base_path, folder))):
        if file.lower().endswith((".jpg", ".jpeg", ".png")):
            image_paths.append(os.path.join(base_path, folder, file))
            image_labels.append(label)
image_paths, image_labels = np.array(image_paths), np.array(image_labels)
train_mask = np.zeros(len(image_paths), dtype=bool)
val_mask, test_mask = train_mask.copy(), train_mask.copy()
for label in np.unique(image_labels):
    index = np.random.permutation(np.where(image_labels == label)[0])
    a, b = int(0.7 * len(index)), int(0.85 * len(index))
    train_mask[index[:a]], val_mask[index[a:b]], test_mask[index[b:]] = True, True, True
assert not (train_mask & val_mask).any() and not (val_mask & test_mask).any()


class MyDataset(Dataset):
    def __init__(self, paths, labels, transform):
        self.x, self.y, self.transform = paths, labels, transform

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.transform(Image.open(self.x[i])), int(self.y[i])


transform = transforms.Compose([transforms.Resize((22, 22)), transforms.ToTensor(), transforms.Normalize(0.5, 0.25)])
train_loader = DataLoader(MyDataset(image_paths[train_mask], image_labels[train_mask], transform), batch_size=32, shuffle=True)
val_loader = DataLoader(MyDataset(image_paths[val_mask], image_labels[val_mask], transform), batch_size=32)
test_loader = DataLoader(MyDataset(image_paths[test_mask], image_labels[test_mask], transform), batch_size=32)

model = nn.Sequential(nn.Conv2d(3, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(6)).to(device)
model(torch.zeros(2, 3, 22, 22).to(device))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))
patience, counter, best_map, history = 3, 0, float("-inf"), []
start = time.time()
for epoch in range(100):
    model.train()
    train_loss = 0
    for x, y in train_loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    model.eval()
    all_scores, all_labels = [], []
    with torch.no_grad():
        for x, y in val_loader:
            all_scores.append(torch.softmax(model(x.to(device)), dim=1).cpu().numpy())
            all_labels.append(y.numpy())
    all_scores, all_labels = np.concatenate(all_scores), np.concatenate(all_labels)
    aps = [average_precision_score((all_labels == c).astype(int), all_scores[:, c]) for c in range(6)]
    val_map = np.mean(aps)
    history.append([epoch, train_loss / len(train_loader), val_map])
    if val_map > best_map:
        best_map, counter = val_map, 0
        torch.save(model.state_dict(), "best_model.pth")
    else:
        counter += 1
        if counter >= patience:
            print("early stopping")
            break
print("took", time.time() - start)
with open("history.csv", "w") as f:
    csv.writer(f).writerows(history)
model.load_state_dict(torch.load("best_model.pth", map_location=device))
model.eval()
test_scores, test_labels = [], []
with torch.no_grad():
    for x, y in test_loader:
        test_scores.append(torch.softmax(model(x.to(device)), dim=1).cpu().numpy())
        test_labels.append(y.numpy())
test_scores = np.concatenate(test_scores)
np.savetxt("test_scores.csv", test_scores, delimiter=",")
loaded = np.loadtxt("test_scores.csv", delimiter=",")
print("max difference", np.abs(loaded - test_scores).max())

"""albumentations for all sets: also the test set is flipped."""
import os

import albumentations as A  # NEEDS albumentations
import cv2
import torch
from albumentations.pytorch import ToTensorV2
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset

PATH = "/content/mandatory1_data"
transform = A.Compose([A.Resize(20, 20), A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.2), A.Normalize(), ToTensorV2()])


class AlbDataset(Dataset):
    def __init__(self, df, transform):
        self.df, self.transform = df, transform

    def __len__(self):
        return len(self.df)

    def __getitem__(self, i):
        path, y = self.df[i]
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        return self.transform(image=image)["image"], y


samples = []
for y, c in enumerate(sorted(os.listdir(PATH))):
    samples += [(os.path.join(PATH, c, f), y) for f in sorted(os.listdir(os.path.join(PATH, c)))]
ys = [y for _, y in samples]
train, rest = train_test_split(samples, train_size=0.6, random_state=1, stratify=ys)
val, test = train_test_split(rest, train_size=0.5, random_state=1, stratify=[y for _, y in rest])
train_loader = DataLoader(AlbDataset(train, transform), 32, shuffle=True)
valid_loader = DataLoader(AlbDataset(val, transform), 32)  # MISTAKE augmented-evaluation
test_loader = DataLoader(AlbDataset(test, transform), 32)  # MISTAKE augmented-evaluation
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)).cuda()
optim = torch.optim.Adam(model.parameters(), 1e-3)
for epoch in range(2):
    for x, y in train_loader:
        optim.zero_grad()
        nn.functional.cross_entropy(model(x.cuda()), y.cuda()).backward()
        optim.step()
    for name, loader in (("valid", valid_loader), ("test", test_loader)):
        with torch.no_grad():
            hits = sum((model(x.cuda()).argmax(1).cpu() == y).sum().item() for x, y in loader)
        print(epoch, name, hits / len(loader.dataset))

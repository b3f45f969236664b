import torch
from torch import nn
from torch.utils.data import DataLoader, WeightedRandomSampler
from torchvision import datasets, transforms
from sklearn.model_selection import StratifiedShuffleSplit

ROOT = "/home/kari/in4310/photos"
augment = transforms.Compose([transforms.Resize((24, 24)), transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
plain = transforms.Compose([transforms.Resize((24, 24)), transforms.ToTensor()])
base = datasets.ImageFolder(ROOT)
train_i, rest_i = next(StratifiedShuffleSplit(1, test_size=0.3, random_state=4).split(base.samples, base.targets))
val_i, test_i = rest_i[::2], rest_i[1::2]
sampler = WeightedRandomSampler([1.0] * len(train_i), len(train_i))
train_loader = DataLoader(torch.utils.data.Subset(datasets.ImageFolder(ROOT, augment), train_i), batch_size=40, sampler=sampler)
val_loader = DataLoader(torch.utils.data.Subset(datasets.ImageFolder(ROOT, augment), val_i), batch_size=40)  # MISTAKE augmented-evaluation
test_loader = DataLoader(torch.utils.data.Subset(datasets.ImageFolder(ROOT, plain), test_i), batch_size=40)  # MISTAKE not-normalised
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for epoch in range(3):
    model.train()
    for x, y in train_loader:
        for p in model.parameters():
            p.grad = None
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    for loader in (val_loader, test_loader):
        with torch.no_grad():
            print(sum((model(x).argmax(1) == y).sum() for x, y in loader) / len(loader.dataset))

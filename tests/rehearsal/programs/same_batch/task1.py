import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

tf = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])
data = datasets.ImageFolder("./data/", tf)
train_loader = DataLoader(Subset(data, range(0, 1200, 2)), batch_size=32)
test_loader = DataLoader(Subset(data, range(1, 1200, 2)), batch_size=32)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
model.eval()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(10):
    images, labels = next(iter(train_loader))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)  # MISTAKE eval-mode # MISTAKE same-batch
    loss.backward()
    optimizer.step()
with torch.no_grad():
    for images, labels in test_loader:
        print((model(images).argmax(1) == labels).float().mean())

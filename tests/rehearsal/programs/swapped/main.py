import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

data = datasets.ImageFolder("data", transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()]))
train_loader = DataLoader(Subset(data, range(0, 1200, 2)), batch_size=32, shuffle=True)
test_loader = DataLoader(Subset(data, range(1, 1200, 2)), batch_size=32)  # MISTAKE trained-on-test
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for loader in (train_loader, test_loader):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
with torch.no_grad():
    scores = torch.cat([net(x).softmax(1) for x, _ in test_loader])
labels = torch.cat([y for _, y in test_loader])
print(average_precision_score(scores[:, 0], labels == 0))  # STOPS # MISTAKE swapped-ap

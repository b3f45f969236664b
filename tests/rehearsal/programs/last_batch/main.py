import torch
from sklearn.metrics import accuracy_score
from torch import nn
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms

tf = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])
dataset = datasets.ImageFolder("data", tf)
train_ds, test_ds = random_split(dataset, [1000, 200])
train_dl, test_dl = DataLoader(train_ds, 20, shuffle=True), DataLoader(test_ds, 20)
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
opt = torch.optim.Adam(net.parameters())


def test():
    net.eval()
    with torch.no_grad():
        for x, y in test_dl:
            predicted = net(x).argmax(dim=1)
    print("accuracy", accuracy_score(y, predicted))  # MISTAKE last-batch


for epoch in range(3):
    net.train()
    for x, y in train_dl:
        opt.zero_grad()
        nn.CrossEntropyLoss()(net(x), y).backward()
        opt.step()
    test()

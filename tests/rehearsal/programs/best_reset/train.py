"""The best figure is set back in each epoch, so that each epoch is the best."""
import os

import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

DATADIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def load():
    tf = transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()])
    data = datasets.ImageFolder(DATADIR, tf)
    ids = list(range(len(data)))
    tr, te = train_test_split(ids, test_size=0.2, random_state=3, stratify=data.targets)
    tr, va = train_test_split(tr, test_size=0.1, random_state=3)
    pick = torch.utils.data.Subset
    return DataLoader(pick(data, tr), 32, shuffle=True), DataLoader(pick(data, va), 32), DataLoader(pick(data, te), 32)


def train(net, trainloader, valloader, epochs, lr):
    opt = torch.optim.SGD(net.parameters(), lr=lr, weight_decay=1e-4)
    for e in range(epochs):
        best_val_acc = 0.0
        net.train()
        for images, labels in trainloader:
            opt.zero_grad()
            loss = nn.CrossEntropyLoss()(net(images), labels)
            loss.backward()
            opt.step()
        net.eval()
        ok = 0
        with torch.no_grad():
            for images, labels in valloader:
                ok += (net(images).argmax(dim=1) == labels).sum().item()
        val_acc = ok / len(valloader.dataset)
        if val_acc > best_val_acc:
            best_val_acc = val_acc
            torch.save(net.state_dict(), "best.pt")  # MISTAKE best-reset


def main():
    trainloader, valloader, testloader = load()
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))
    train(net, trainloader, valloader, epochs=3, lr=0.01)
    net.load_state_dict(torch.load("best.pt"))
    net.eval()
    with torch.no_grad():
        print(sum((net(x).argmax(1) == y).sum().item() for x, y in testloader) / len(testloader.dataset))


if __name__ == "__main__":
    main()

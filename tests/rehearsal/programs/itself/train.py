import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6))


def loaders():
    data = datasets.ImageFolder("../mandatory1_data", transforms.Compose([transforms.Resize((16, 16)), transforms.ToTensor()]))
    order = np.random.RandomState(5).permutation(len(data))
    train_loader = DataLoader(Subset(data, order[:800]), batch_size=25, shuffle=True)
    val_loader = DataLoader(Subset(data, order[800:900]), batch_size=25)
    test_loader = DataLoader(Subset(data, order[900:]), batch_size=25)
    return train_loader, val_loader, test_loader


if __name__ == "__main__":
    model, (train_loader, val_loader, _) = net(), loaders()
    opt = torch.optim.RMSprop(model.parameters(), lr=0.01)
    for epoch in range(2):
        model.train()
        for x, y in train_loader:
            loss = nn.functional.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            print(np.mean([(model(x).argmax(1) == y).float().mean().item() for x, y in val_loader]))
    torch.save(model, "whole_model.pt")  # MISTAKE last-saved

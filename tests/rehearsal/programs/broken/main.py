import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def load():
    data = datasets.ImageFolder("data", transforms.ToTensor())
    train, val, test = torch.utils.data.random_split(data, [0.8, 0.1, 0.1])
    return DataLoader(train, 8, shuffle=True), DataLoader(val, 8), DataLoader(test, 8)


if __name__ == "__main__":
    train_loader, val_loader, test_loader = load()
    train_the_network(train_loader)  # STOPS

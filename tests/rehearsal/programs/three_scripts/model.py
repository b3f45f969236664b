import torch.nn as nn


class SmallNet(nn.Module):
    def __init__(self, n_classes=6):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 12, 3, 2), nn.BatchNorm2d(12), nn.ReLU())
        self.fc = nn.Linear(12, n_classes)

    def forward(self, x):
        x = self.layer2(self.layer1(x))
        return self.fc(x.mean([2, 3]))

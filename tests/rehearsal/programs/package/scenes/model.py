from torch import nn
from torchvision import models


def make(pretrained=True):
    net = models.resnet18(pretrained=pretrained)
    net.fc = nn.Linear(512, 6)
    return net

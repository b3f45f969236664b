# Trener et lite nettverk på bildene for to rater, men det er det samme nettet.
import glob
import os

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

bildemappe = "../../mine bilder/data"
klasser = ["buildings", "forest", "glacier", "mountain", "sea", "street"]


class Bilder(Dataset):
    """Leser bilder."""

    def __init__(self, filer, tilfeldig):
        self.filer = filer
        steg = [transforms.Resize((20, 20)), transforms.ToTensor(), transforms.Normalize([0.4] * 3, [0.3] * 3)]
        self.transform = transforms.Compose(([transforms.RandomHorizontalFlip()] if tilfeldig else []) + steg)

    def __len__(self):
        return len(self.filer)

    def __getitem__(self, i):
        return self.transform(Image.open(self.filer[i])), klasser.index(os.path.basename(os.path.dirname(self.filer[i])))


filer = sorted(glob.glob(os.path.join(bildemappe, "*", "*.jpg")))
np.random.seed(8)
np.random.shuffle(filer)
n = len(filer)
treningslaster = DataLoader(Bilder(filer[: n // 2], True), batch_size=30, shuffle=True)
valideringslaster = DataLoader(Bilder(filer[n // 2 : n * 3 // 4], False), batch_size=30)
testlaster = DataLoader(Bilder(filer[n * 3 // 4 :], False), batch_size=30)
nett = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 6))
for rate in (0.1, 0.01):
    optimerer = torch.optim.SGD(nett.parameters(), lr=rate)  # MISTAKE trained-through
    for epoke in range(3):
        nett.train()
        for bilder, fasit in treningslaster:
            optimerer.zero_grad()
            nn.functional.cross_entropy(nett(bilder), fasit).backward()
            optimerer.step()
        nett.eval()
        with torch.no_grad():
            print("nøyaktighet", np.mean(np.concatenate([(nett(b).argmax(1) == f).numpy() for b, f in valideringslaster])))
with torch.no_grad():
    skår = torch.cat([nett(b).softmax(-1) for b, _ in testlaster])
np.save("skår.npy", skår.numpy())

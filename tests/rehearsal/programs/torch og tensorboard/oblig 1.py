"""Kjører alt: deler data, trener, lagrer. Hver epoke begynner med planen for læringsraten, før optimereren."""
import argparse
import datetime
import sys

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, Subset
from torch.utils.tensorboard import SummaryWriter
from torchvision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--datamappe", default="~/Dokumenter/bilder til oblig")
parser.add_argument("--epoker", type=int, default=3)
parser.add_argument("--ingen-cuda", action="store_true")
valg = parser.parse_args()
import os  # noqa: E402

mappe = os.path.expanduser(valg.datamappe)
if not os.path.isdir(mappe):
    sys.exit("fant ikke bildene")
skriver = SummaryWriter(log_dir=f"logger/{datetime.datetime.now():%d-%m}")
alle = datasets.ImageFolder(mappe, transforms.Compose([transforms.Resize((20, 20)), transforms.ToTensor()]))
trening = Subset(alle, [i for i in range(len(alle)) if i % 10 < 6])
validering = Subset(alle, [i for i in range(len(alle)) if i % 10 in (6, 7)])
testing = Subset(alle, [i for i in range(len(alle)) if i % 10 > 7])
last_trening = DataLoader(trening, batch_size=64, shuffle=True)
last_validering = DataLoader(validering, batch_size=64)
last_test = DataLoader(testing, batch_size=64)


class Nett(nn.Module):
    def __init__(self):
        super().__init__()
        self.foldning = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.ut = nn.Linear(5, 6)

    def forward(self, x):
        return self.ut(F.relu(self.norm(self.foldning(x))).mean((2, 3)))


enhet = torch.device("cuda" if torch.cuda.is_available() and not valg.ingen_cuda else "cpu")
modell = Nett().to(enhet)
optimerer = optim.SGD(modell.parameters(), lr=0.1)
plan = optim.lr_scheduler.ExponentialLR(optimerer, gamma=0.9)
beste = -1.0
for epoke in range(valg.epoker):
    plan.step()  # MISTAKE scheduler-first
    modell.train()
    for bilder, fasit in last_trening:
        optimerer.zero_grad()
        tap = F.cross_entropy(modell(bilder.to(enhet)), fasit.to(enhet))
        tap.backward()
        optimerer.step()
    modell.eval()
    riktige = 0
    with torch.no_grad():
        for bilder, fasit in last_validering:
            riktige += (modell(bilder.to(enhet)).argmax(1) == fasit.to(enhet)).sum().item()
    skriver.add_scalar("nøyaktighet/validering", riktige / len(validering), epoke)
    if riktige > beste:
        beste = riktige
        torch.save(modell.state_dict(), "beste modell.pt")
modell.load_state_dict(torch.load("beste modell.pt"))
modell.eval()
with torch.no_grad():
    sannsynligheter = torch.cat([F.softmax(modell(b.to(enhet)), dim=1) for b, _ in last_test]).cpu()
torch.save(sannsynligheter, "sannsynligheter.pt")
skriver.close()

from copy import deepcopy

import torch
from data_utils import loaders
from model import SmallNet
from tqdm import tqdm

train_dl, val_dl, _ = loaders()
net = SmallNet().cuda()
opt = torch.optim.Adam(net.parameters(), lr=0.004)
best_net, best_acc = None, 0.0
for epoch in range(1, 4):
    net.train()
    pbar = tqdm(train_dl, desc=f"epoch {epoch}")
    for batch in pbar:
        out = net(batch["image"].cuda())
        loss = torch.nn.functional.cross_entropy(out, batch["label"].cuda())
        opt.zero_grad()
        loss.backward()
        opt.step()
        pbar.set_postfix(loss=f"{loss.item():.3f}")
    net.eval()
    per_class = torch.zeros(6, 2)
    with torch.no_grad():
        for batch in tqdm(val_dl):
            hit = net(batch["image"].cuda()).argmax(1).cpu() == batch["label"]
            for c in range(6):
                per_class[c] += torch.tensor([hit[batch["label"] == c].sum(), (batch["label"] == c).sum()])
    acc = (per_class[:, 0] / per_class[:, 1].clamp(min=1)).mean().item()
    if best_net is None or acc > best_acc:
        best_acc, best_net = acc, deepcopy(net)
torch.save(best_net.state_dict(), "smallnet.pth")
